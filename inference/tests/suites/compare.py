"""Compares three ways: the library that a kind comes from, onnxruntime on its export, and this engine on the same file.

Outcomes:
  same          this engine says what the library says
  ours          so it does where onnxruntime says otherwise
  file wrong    this engine and onnxruntime agree, and the library differs from both: the export is wrong
  refused       this engine does not run the file, and says what would help
  not exported  the stock converter makes no file
  WRONG         anything else
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import kinds
import report
from judge import Outcome, judged, read, remedy
from reasons import FOLLOWED

TIMEOUT_S = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds.arguments(parser)
    parser.add_argument("--binary", type=Path, required=True, help="the engine: target/release/defaultx")
    parser.add_argument("--write", type=Path, help="puts the table between the marker comments of this Markdown file")
    parser.add_argument("--brief", action="store_true", help="kinds that are the same stand in one paragraph, not in the table")
    said = parser.parse_args()
    if not said.binary.exists():
        parser.error(f"there is no {said.binary}: build it with cargo build --release --locked")
    found, chosen = [], kinds.chosen(said)
    for at, kind in enumerate(chosen):
        outcome = compared(said.out / kind.name, said.binary)
        found.append(outcome)
        print(f"compare {at + 1}/{len(chosen)} {kind.name}: {outcome.line()}", file=sys.stderr)
    follow(found)
    (said.out / "outcomes.json").write_text(json.dumps([vars(each) for each in found], indent=1, ensure_ascii=False))
    if said.write:
        report.put(said.write, found, said.brief)
    counts = Counter(each.outcome for each in found)
    print(f"{len(found)} kinds: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    return 1 if counts["WRONG"] else 0


def follow(found: list[Outcome]) -> None:
    """Says of a refused kind what became of the one that does as the refusal asks."""
    known = {each.kind: each.outcome for each in found}
    for each in found:
        other = FOLLOWED.get(each.kind)
        if each.outcome == "refused" and other in known:
            each.remark += f"; `{other}` does so: {known[other]}"


def compared(folder: Path, binary: Path) -> Outcome:
    """The outcome of one kind."""
    if not (folder / "meta.json").exists():
        return Outcome(folder.name, "", outcome="WRONG", ran=False, remark="nobody made it")
    meta = json.loads((folder / "meta.json").read_text())
    kind = {"kind": meta["name"], "library": meta["library"]}
    if "not_exported" in meta:
        return Outcome(**kind, outcome="not exported", ran=False, remark=meta["not_exported"])
    error = engine(folder, binary, meta["run_args"])
    if error is not None:
        way_out = remedy(error)
        remark = error if way_out else f"refused without a remedy: {error}"
        return Outcome(**kind, outcome="refused" if way_out else "WRONG", ran=False, remark=remark, remedy=way_out)
    return judged(kind, meta, *[read(folder / f"{side}.csv") for side in ("native", "expected", "own")])


def engine(folder: Path, binary: Path, run_args: list[str]) -> str | None:
    """Runs the graph; why not, if not."""
    own = folder / "own.csv"
    own.unlink(missing_ok=True)
    command = [binary, "model", "run", folder / "model.onnx", "--input", folder / "input.csv", "--labels", "--output", own]
    try:
        ended = subprocess.run([*command, *run_args], capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"ran for more than {TIMEOUT_S} s"
    if ended.returncode == 0:
        return None
    said = " ".join(ended.stderr.replace(f"{folder}/", "").split()).removeprefix("error: ").removeprefix("model.onnx: ")
    return f"ended with {ended.returncode}: {said}" if ended.returncode != 1 else said


if __name__ == "__main__":
    sys.exit(main())
