"""Writes outcomes as a Markdown table between two marker comments."""

from collections import Counter
from pathlib import Path

from judge import Outcome

BEGIN, END = "<!-- suites: begin -->", "<!-- suites: end -->"
HEAD = "| kind | library | outcome | rows that differ | greatest difference | remark |\n|---|---|---|---|---|---|"
LONGEST = 260


def put(path: Path, outcomes: list[Outcome], is_brief: bool) -> None:
    """Replaces what stands between the markers, or makes a file of it alone."""
    text = path.read_text() if path.exists() else f"{BEGIN}\n{END}\n"
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{path} has not the two lines {BEGIN} and {END}, between which the table goes")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    path.write_text(f"{before}{BEGIN}\n{text_of(outcomes, is_brief)}\n{END}{after}")


def text_of(outcomes: list[Outcome], is_brief: bool) -> str:
    """The counts, the table, and in brief those that need no line of it."""
    counts = Counter(each.outcome for each in outcomes)
    ran = sum(each.ran for each in outcomes)
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    head = f"{len(outcomes)} kinds, of which {ran} run: {said}.\n\n"
    if not is_brief:
        return head + table(outcomes)
    same = " ".join(f"`{each.kind}`" for each in outcomes if each.outcome == "same" and not each.remark)
    return head + table([each for each in outcomes if each.outcome != "same" or each.remark]) + f"\n\nThe same: {same}"


def table(outcomes: list[Outcome]) -> str:
    """One line for each kind."""
    return "\n".join([HEAD, *map(line, outcomes)])


def line(found: Outcome) -> str:
    """A row of the table."""
    size = f"{found.greatest:.0e}" if found.rows and found.greatest else ""
    remark = (found.remark or (found.first if found.outcome in ("WRONG", "ours") else "")).replace("|", "\\|")
    remark = remark if len(remark) <= LONGEST else f"{remark[:LONGEST]}…"
    return f"| `{found.kind}` | {found.library} | {found.outcome} | {found.rows or ''} | {size} | {remark} |"
