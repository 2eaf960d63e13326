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
    known = train.PACKAGES | train.WITH_TORCH
    parser.add_argument("packages", nargs="*", metavar="package", help=", ".join(known))
    parser.add_argument("--out", type=Path, default=data.MODELS, help="folder to write to (default: models/)")
    parser.add_argument("--with-torch", action="store_true", help="lets packages of PyTorch be trained; all of them if none is named")
    options = parser.parse_args(arguments)
    unknown = set(options.packages) - set(known)
    if unknown:
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    if not options.with_torch and set(options.packages) & set(train.WITH_TORCH):
        parser.error("packages of PyTorch need --with-torch")
    for name in options.packages or (known if options.with_torch else train.PACKAGES):
        started = time.monotonic()
        folder = package.make(name, options.out)
        print(f"{name}: {folder} in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
