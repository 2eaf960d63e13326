"""Answers as tables: one line for each row, whatever shape an output has."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


class OtherShape(ValueError):
    """A file gives other columns than the library."""


@dataclass(frozen=True)
class Part:
    """What the library says for one output."""

    role: str
    values: Any

    def fitted(self, expected: "np.ndarray") -> "np.ndarray":
        """In the columns that the graph has: one decision value is two columns there, the first with the other sign."""
        rows, width = expected.shape
        own = by_row(self.values, rows)
        if own.shape[1] == 1 and width == 2 and own.dtype.kind == "f":
            own = np.hstack([-own, own])
        if own.shape != expected.shape:
            raise OtherShape(f"the library gives {own.shape[1]} columns, the file {width}")
        if expected.dtype.kind in "ib":
            return own.astype(np.int64)
        return own if expected.dtype.kind == "O" else own.astype(np.float64)


def by_row(found: Any, rows: int) -> np.ndarray:
    """An output as a table. A list of maps has one column for each key; a list of tensors stands side by side, and so do the
    targets of a tensor (targets, rows, classes)."""
    if isinstance(found, list) and found and isinstance(found[0], dict):
        found = np.array([list(row.values()) for row in found])
    if isinstance(found, list) and len(found) != rows:
        return np.hstack([by_row(each, rows) for each in found])
    values = np.asarray(found)
    if values.ndim == 3 and values.shape[0] != rows:
        values = values.transpose(1, 0, 2)
    if not values.shape or values.shape[0] < rows and rows not in values.shape:
        return np.tile(values.ravel(), (rows, 1))  # the same for every row
    return values.reshape(rows, -1)


def write(path: Path, parts: list) -> None:
    """A file with the columns of each output."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([head for name, values, _ in parts for head in headings(name, values.shape[1])])
        for row in zip(*[values for _, values, _ in parts], strict=True):
            out.writerow([cell(value) for values in row for value in values])


def headings(name: str, width: int) -> list[str]:
    """Of an output's columns."""
    return [name] if width == 1 else [f"{name}_{at}" for at in range(width)]


def cell(value: Any) -> str:
    """Digits enough to read the same number again; nothing for a missing one."""
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else repr(float(value)) if isinstance(value, np.float64) else str(value)
    return str(int(value)) if isinstance(value, (bool, np.bool_)) else str(value)
