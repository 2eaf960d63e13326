"""Starts one hop: `python -m baseline receive|admit|score|decide --bootstrap HOST:PORT --prefix TEXT [--trees EXPLAINER]`."""

import argparse
import importlib

from baseline import loop

HOPS = {
    "receive": ("baseline.receive", "loan.applications.v1", None),
    "admit": ("baseline.admit", "credit.intake.v1", "credit.admit-state.v1"),
    "score": ("baseline.score", "credit.applications.v1", None),
    "decide": ("baseline.decide", "credit.risk.v1", None),
}
# woodelf pays for its tables once a call, whatever the number of rows: the more of them, the better.
BATCHES = {"woodelf": 8000}


def main() -> None:
    parser = argparse.ArgumentParser(prog="baseline")
    parser.add_argument("hop", choices=HOPS)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--trees", default="", metavar="EXPLAINER", help="woodelf, shap or path-dependent; else scorecards")
    args = parser.parse_args()
    module, topic, changelog = HOPS[args.hop]
    scores = args.hop == "score"
    handler = importlib.import_module(module).Handler(args.prefix, *([args.trees] if scores else []))
    batch = BATCHES.get(args.trees, loop.BATCH) if scores else loop.BATCH
    loop.run(args.hop, args.bootstrap, args.prefix, topic, handler, changelog, batch)


# A process that shares the work of a hop begins with this file too, under another name.
if __name__ == "__main__":
    main()
