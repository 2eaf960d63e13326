"""Writes every conformance case: the standard's own, the generated ones, what must be refused, and stock exports."""

import sys
import time
import warnings
from pathlib import Path

import attributes
import exports
import operators
import refusals
import special
import standard

warnings.filterwarnings("ignore")


def main(out: Path) -> None:
    for suite in (standard, operators, attributes, special, refusals, exports):
        start = time.monotonic()
        count = suite.write(out / suite.__name__)
        print(f"{suite.__name__}: {count} cases in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
