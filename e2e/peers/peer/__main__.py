"""Starts one hop: `python -m peer receive|admit|score|decide --bootstrap HOST:PORT --prefix TEXT`."""

import argparse
import importlib

from peer import loop

HOPS = {
    "receive": ("peer.receive", "loan.applications.v1", None),
    "admit": ("peer.admit", "credit.intake.v1", "credit.admit-state.v1"),
    "score": ("peer.score", "credit.applications.v1", None),
    "decide": ("peer.decide", "credit.risk.v1", None),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="peer")
    parser.add_argument("hop", choices=HOPS)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", default="")
    args = parser.parse_args()
    module, topic, changelog = HOPS[args.hop]
    handler = importlib.import_module(module).Handler(args.prefix)
    loop.run(args.hop, args.bootstrap, args.prefix, topic, handler, changelog)


main()
