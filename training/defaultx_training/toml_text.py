"""Writes the small part of TOML that a manifest needs, always in the same order."""

from __future__ import annotations

import json
from typing import Any


def value(item: Any) -> str:
    """One value; a float keeps every digit."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False)
    if isinstance(item, float):
        return repr(item)
    if isinstance(item, (list, tuple)):
        return "[" + ", ".join(value(each) for each in item) + "]"
    if isinstance(item, dict):
        return "{ " + ", ".join(f"{key} = {value(each)}" for key, each in item.items()) + " }"
    return str(item)


def table(header: str, entries: dict[str, Any]) -> str:
    """A table, without the entries that are None."""
    lines = [header] if header else []
    lines += [f"{key} = {value(item)}" for key, item in entries.items() if item is not None]
    return "\n".join(lines) + "\n"
