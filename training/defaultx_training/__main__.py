"""The command line: trains packages and writes them under models/ or --out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from defaultx_training import data, package, train


def main(arguments: list[str]) -> int:
    """Trains each named package, all of them if none is named."""
    parser = argparse.ArgumentParser(prog="training/run train", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="package", help=", ".join(train.PACKAGES))
    parser.add_argument("--out", type=Path, default=data.MODELS, help="folder to write to (default: models/)")
    options = parser.parse_args(arguments)
    unknown = set(options.packages) - set(train.PACKAGES)
    if unknown:
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    for name in options.packages or train.PACKAGES:
        started = time.monotonic()
        folder = package.make(name, options.out)
        print(f"{name}: {folder} in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
