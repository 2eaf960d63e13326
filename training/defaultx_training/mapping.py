"""Turns a CSV row into an application's `data` by a mapping file.

The same mapping.toml is read by `defaultx batch`, so a model trained here sees what the stream will bring.
Never looks at a label: what the mapping does not name does not exist.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, str]

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_]+)\}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
ABSENT = object()


class RowRejected(ValueError):
    """A row that the mapping cannot carry; the message names column and value."""


@dataclass(frozen=True)
class Mapping:
    """A parsed mapping file, applied row by row."""

    constants: dict[str, Any]
    templates: list[dict[str, str]]
    columns: list[dict[str, Any]]

    def application(self, row: Row, number: int) -> dict[str, Any]:
        """The `data` of one row; `number` counts data rows from 1."""
        data: dict[str, Any] = {}
        for pointer, value in self.constants.items():
            put(data, pointer, list(value) if isinstance(value, list) else value)
        for template in self.templates:
            put(data, template["pointer"], fill(template["value"], row, number))
        for column in self.columns:
            value = cell_value(column, row[column["name"]])
            if value is not ABSENT:
                put(data, column["pointer"], value)
        return data

    def applications(self, rows: list[Row]) -> Iterator[dict[str, Any]]:
        """The `data` of each row, in order."""
        return (self.application(row, number) for number, row in enumerate(rows, start=1))


def load(path: Path) -> Mapping:
    """Reads a mapping file; an unknown kind or key is an error, and so is a file that is written otherwise than the shipped ones."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    if not set(raw) <= {"constants", "template", "column"}:
        raise ValueError(f"{path.name}: [file] and [written] are for `defaultx batch`: training reads comma, point and UTF-8")
    known = {"name", "pointer", "kind", "map", "default", "empty", "currency", "exponent"}
    for column in raw.get("column", []):
        if column["kind"] not in KINDS or not set(column) <= known:
            raise ValueError(f"{path.name}: column {column['name']}: unknown kind or key")
    return Mapping(raw.get("constants", {}), raw.get("template", []), raw.get("column", []))


def fill(template: str, row: Row, number: int) -> str:
    """Puts columns, and the row's number for {row}, into a template."""
    return PLACEHOLDER.sub(lambda name: str(number) if name[1] == "row" else row[name[1]], template)


def cell_value(column: dict[str, Any], cell: str) -> Any:
    """One cell by its column's kind; an empty cell is absent, or null where the mapping says so."""
    if cell == "":
        return None if column.get("empty") == "null" else ABSENT
    try:
        return KINDS[column["kind"]](column, cell)
    except (ArithmeticError, KeyError, ValueError) as cause:
        raise RowRejected(f"{column['name']}: {cell!r} is no {column['kind']}") from cause


def put(data: dict[str, Any], pointer: str, value: Any) -> None:
    """Sets the place a JSON pointer names, making objects and arrays on the way."""
    at: Any = data
    steps = pointer.lstrip("/").split("/")
    for step, following in zip(steps, steps[1:] + [None], strict=True):
        if following is None:
            new = value
        else:
            new = [] if following.isdigit() else {}
        if isinstance(at, list):
            index = int(step)
            while len(at) <= index:
                at.append({})
            if following is None:
                at[index] = value
            at = at[index]
        else:
            if following is None:
                at[step] = new
            at = at.setdefault(step, new)


def money(column: dict[str, Any], cell: str) -> dict[str, Any]:
    """Major units to exact minor units; a fraction of a minor unit is refused."""
    minor = Decimal(cell).scaleb(column["exponent"])
    if minor != minor.to_integral_value():
        raise ValueError("a fraction of a minor unit")
    return {"amount_minor": int(minor), "currency": column["currency"]}


def listed(column: dict[str, Any], cell: str) -> Any:
    """A code by the column's map, or its default; neither rejects the row."""
    if cell in column["map"]:
        return column["map"][cell]
    return column["default"]


def date(_: dict[str, Any], cell: str) -> str:
    """A date kept as it is written."""
    if not DATE.fullmatch(cell):
        raise ValueError("not a date")
    return cell


KINDS: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "string": lambda _, cell: cell,
    "integer": lambda _, cell: int(cell),
    "number": lambda _, cell: float(cell),
    "boolean": listed,
    "category": listed,
    "money": money,
    "date": date,
    "datetime": lambda column, cell: date(column, cell) + "T00:00:00Z",
}
