"""PURE but for reading. Which of three answers differ, cell by cell, and what that makes of a kind."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kind import LABEL, PROBABILITY
from reasons import REASONS

# Probabilities may differ by this. Other numbers by this share of their size; the size of a small one is the column's usual
# size, since single precision has no more digits than the greatest term of a sum.
PROBABILITIES = 1e-5
NUMBERS = 1e-4
# Of the words with which a refusal says what would help.
WAYS = r"export|make|give|use|say|cast|name|leave|set|write|choose|pass|put|convert|fill|train|replace|add|split|keep|allow|take"
REMEDY = re.compile(rf"(?:[:;,] |\bor |\band )((?:{WAYS})\b.*)", re.IGNORECASE)


@dataclass
class Outcome:
    """What became of a kind. `rows` is how many differ, from whom the outcome says."""

    kind: str
    library: str
    outcome: str
    rows: int = 0
    greatest: float = 0.0
    remark: str = ""
    remedy: str = ""
    ran: bool = True
    first: str = ""

    def line(self) -> str:
        """For somebody who watches."""
        size = f", {self.rows} rows, at most {self.greatest:.1e}" if self.rows else ""
        return f"{self.outcome}{size}" + (f": {self.remark}" if self.remark else "") + (f" [{self.first}]" if self.first else "")


@dataclass
class Part:
    """The columns of one output, by library, onnxruntime and this engine."""

    name: str
    role: str
    native: np.ndarray
    expected: np.ndarray
    own: np.ndarray


def read(path: Path) -> list[list[str]] | None:
    """A file's lines, the header first."""
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def remedy(refusal: str) -> str:
    """What a refusal says would help; nothing if it only complains, or is an accident."""
    found = REMEDY.search(refusal)
    is_accident = "panicked" in refusal or refusal.startswith(("ended with", "ran for"))
    return found.group(1) if found and not is_accident else ""


def judged(kind: dict, meta: dict, native: list, expected: list | None, own: list) -> Outcome:
    """The outcome of a kind that ran."""
    heads = meta.get("expected") or meta["native"]
    misfit = misnamed(heads, own[0], is_named=expected is not None) or (len(own) != len(native) and "it gives other rows")
    if misfit:
        return Outcome(**kind, outcome="WRONG", remark=misfit)
    parts = parts_of(heads, native, expected or native, own)
    hanging = ties(parts, meta)
    tables = [cells(part, meta["within"], hanging if at == 0 else None) for at, part in enumerate(parts)]
    own_native, own_expected, expected_native = [np.hstack(side) for side in zip(*tables, strict=True)]
    for side in (own_native, own_expected, expected_native):
        side[meta["undecided"]] = True
    if expected is None:
        own_expected, expected_native = np.zeros_like(own_native), np.ones_like(own_native)
    wrong = ~own_native & (~own_expected | expected_native)
    of_file = ~own_native & own_expected
    by_us = own_native & ~expected_native
    for outcome, where in (("WRONG", wrong), ("file wrong", of_file), ("ours", by_us)):
        if where.any():
            sides = ("expected", "native") if outcome == "ours" else ("own", "native")
            rows, greatest = int(where.any(axis=1).sum()), greatest_of(parts, where, *sides)
            return Outcome(
                **kind,
                outcome=outcome,
                rows=rows,
                greatest=greatest,
                remark=remark(meta, outcome),
                first=first(parts, where, heads),
            )
    if "other_shape" in meta:
        return Outcome(**kind, outcome="file wrong", rows=len(own) - 1, remark=meta["other_shape"])
    return Outcome(**kind, outcome="same" if expected is not None else "ours", remark=remark(meta, ""))


def remark(meta: dict, outcome: str) -> str:
    """What a reader should know beside the figures."""
    refused = meta.get("onnxruntime_refuses")
    stands_in = "" if "expected" in meta else ", and so does the standard's reference"
    why = REASONS.get(meta["name"], "") if outcome == "file wrong" else ""
    left_out = meta["undecided"] and f"{len(meta['undecided'])} rows left out, where two neighbours are as far off"
    parts = [why, meta["because"], left_out, refused and f"onnxruntime refuses it{stands_in}: {refused}"]
    return "; ".join(part for part in parts if part)


def misnamed(heads: list, header: list[str], is_named: bool) -> str:
    """What is off with the columns that the engine gives."""
    names = [name for name, width, _ in heads for _ in range(width)]
    if len(names) != len(header):
        return f"it gives {len(header)} columns instead of {len(names)}: {', '.join(header[:8])}"
    off = [f"{ours} for {name}" for name, ours in zip(names, header, strict=True) if is_named and not ours.startswith(name)]
    return f"its columns have other names: {', '.join(off[:4])}" if off else ""


def parts_of(heads: list, *sides: list) -> list[Part]:
    """The answers, output by output."""
    parts, start = [], 0
    for name, width, role in heads:
        columns = [[line[start : start + width] for line in side[1:]] for side in sides]
        parts.append(Part(name, role, *[texts(each) if role == LABEL else numbers(each) for each in columns]))
        start += width
    return parts


def numbers(lines: list) -> np.ndarray:
    """Cells as numbers, an empty one missing."""
    return np.array([[float(cell or "nan") for cell in line] for line in lines])


def texts(lines: list) -> np.ndarray:
    """Cells as labels; 1 and 1.0 are one."""
    return np.array([[re.sub(r"^(-?\d+)\.0$", r"\1", cell) for cell in line] for line in lines], dtype=object)


def cells(part: Part, within: float | None, hanging: np.ndarray | None) -> list[np.ndarray]:
    """Which cells are equal: engine and library, engine and onnxruntime, onnxruntime and library."""
    pairs = ((part.own, part.native), (part.own, part.expected), (part.expected, part.native))
    if part.role != LABEL:
        most = allowed(part, within)
        return [near(a, b, most) for a, b in pairs]
    equal = [a == b for a, b in pairs]
    return equal if hanging is None else [each | hanging[:, None] for each in equal]


def allowed(part: Part, within: float | None) -> np.ndarray:
    """How far each cell may be off."""
    if part.role == PROBABILITY:
        return np.full(part.native.shape, within or PROBABILITIES)
    finite = np.where(np.isfinite(part.native), np.abs(part.native), 0.0)
    return (within or NUMBERS) * np.maximum(finite, finite.mean(axis=0))


def near(a: np.ndarray, b: np.ndarray, most: np.ndarray) -> np.ndarray:
    """NaN equals NaN, and an infinity itself."""
    with np.errstate(invalid="ignore"):
        return (np.abs(a - b) <= most) | (a == b) | (np.isnan(a) & np.isnan(b))


def ties(parts: list[Part], meta: dict) -> np.ndarray | None:
    """Rows whose label is decided by less than the numbers beside it may be off."""
    by, decided = next((part for part in parts[1:] if part.role != LABEL), None), meta["decided"]
    if by is None or parts[0].role != LABEL or decided is None:
        return None
    most = 2 * allowed(by, meta["within"]).max(axis=1)
    if isinstance(decided, str) and by.native.shape[1] > 1:
        ranked = np.sort(by.native if decided == "largest" else -by.native, axis=1)
        return ranked[:, -1] - ranked[:, -2] <= most
    threshold = 0.0 if isinstance(decided, str) else decided
    return np.abs(by.native[:, -1] - threshold) <= most


def greatest_of(parts: list[Part], where: np.ndarray, one: str, other: str) -> float:
    """The greatest difference of two sides where cells are marked; 0 where only labels are."""
    start, greatest = 0, 0.0
    for part in parts:
        end = start + part.native.shape[1]
        if part.role != LABEL and where[:, start:end].any():
            with np.errstate(invalid="ignore"):
                off = np.abs(getattr(part, one) - getattr(part, other))[where[:, start:end]]
            greatest = max(greatest, float(np.nan_to_num(off, nan=np.inf, posinf=np.inf).max()))
        start = end
    return greatest


def first(parts: list[Part], where: np.ndarray, heads: list) -> str:
    """The first marked cell."""
    row, column = (int(at) for at in np.argwhere(where)[0])
    start = 0
    for part in parts:
        width = part.native.shape[1]
        if column < start + width:
            at = (row, column - start)
            said = f"library {part.native[at]}, onnxruntime {part.expected[at]}, this engine {part.own[at]}"
            return f"row {row + 1}, {part.name} column {column - start}: {said}"
        start += width
    return ""
