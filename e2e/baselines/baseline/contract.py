"""A feature contract compiled to one Python function: application → values and flags. The source is generated once, at load.

Pointers become subscripts, CEL expressions become Python's, and every feature has its own `try`, which costs nothing while
nothing is missing.
"""

import math
import re
from collections.abc import Callable

TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\d+(?:\.\d+)?|data(?:\.\w+|\[\d+\])+|&&|\|\||[<>=!]=|\w+|[^\s\w])')


class Unscorable(ValueError):
    """An application that the contract says cannot be scored; the word and the feature's name."""


def subscripts(pointer: str) -> str:
    """A JSON pointer as subscripts of `data`."""
    steps = pointer.lstrip("/").split("/")
    return "data" + "".join(f"[{step}]" if step.isdigit() else f"[{step!r}]" for step in steps)


def translate(text: str) -> str:
    """A CEL expression of the packages (arithmetic, comparison, `?:`, `double`, paths into `data`) as a Python one."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s+", "", text) and '"' not in text:
        raise ValueError(f"not understood: {text}")
    source, rest = _expression(tokens)
    if rest:
        raise ValueError(f"not understood from {rest[0]!r}: {text}")
    return source


def _expression(tokens: list[str]) -> tuple[str, list[str]]:
    parts: list[str] = []
    while tokens:
        token, tokens = tokens[0], tokens[1:]
        if token == "?":
            then, tokens = _expression(tokens)
            if not tokens or tokens[0] != ":":
                raise ValueError("a ? without its :")
            otherwise, tokens = _expression(tokens[1:])
            return f"(({then}) if ({' '.join(parts)}) else ({otherwise}))", tokens
        if token in ":)":
            return " ".join(parts), [token, *tokens]
        if token == "(":
            inner, tokens = _expression(tokens)
            if not tokens or tokens[0] != ")":
                raise ValueError("a ( without its )")
            parts.append(f"({inner})")
            tokens = tokens[1:]
        elif token.startswith("data"):
            steps = re.findall(r"\.(\w+)|\[(\d+)\]", token)
            parts.append("data" + "".join(f"[{name!r}]" if name else f"[{index}]" for name, index in steps))
        elif token[0] == '"' or token[0].isdigit() or token in ("+", "-", "*", "/", "<", ">", "<=", ">=", "==", "!="):
            parts.append(token)
        else:
            parts.append({"double": "float", "&&": "and", "||": "or", "true": "True", "false": "False"}[token])
    return " ".join(parts), []


def compile_row(features: list[dict]) -> Callable[[dict], tuple[list[float], int, int, int]]:
    """`row(data)` → values, and three sets of bits by feature: missing, unknown category, clamped."""
    lines = ["def row(data):", "    missing = unknown = clamped = 0"]
    names: dict[str, object] = {"Unscorable": Unscorable, "Absent": (KeyError, IndexError, TypeError), "nan": math.nan}
    for i, feature in enumerate(features):
        read = translate(feature["expr"]) if "expr" in feature else subscripts(feature["pointer"])
        absent = [f"raise Unscorable('missing', {feature['name']!r})"]
        stand_in = _stand_in(feature["missing"])
        if stand_in:
            absent = [f"v{i} = {stand_in}", f"missing |= {1 << i}"]
        body = [f"raw = {read}", *_cast(i, feature, names)]
        if "range" in feature:
            low, high = (float(bound) for bound in feature["range"])
            body.append(f"if v{i} < {low!r}: v{i} = {low!r}; clamped |= {1 << i}")
            body.append(f"elif v{i} > {high!r}: v{i} = {high!r}; clamped |= {1 << i}")
        lines += ["    try:", *("        " + line for line in body)]
        lines += ["    except Absent:", *("        " + line for line in absent)]
    values = ", ".join(f"v{i}" for i in range(len(features)))
    lines.append(f"    return [{values}], missing, unknown, clamped")
    exec(compile("\n".join(lines), "<feature contract>", "exec"), names)  # noqa: S102 the packages are ours, and proven
    return names["row"]


def _stand_in(missing: dict) -> str | None:
    """Source of what stands for a missing value, where the contract has something."""
    return {"value": repr(float(missing.get("value", 0.0))), "nan": "nan"}.get(missing["policy"])


def _cast(i: int, feature: dict, names: dict) -> list[str]:
    """Lines that turn `raw` into `v{i}`."""
    name, wrong = feature["name"], f"raise Unscorable('wrong_type', {feature['name']!r})"
    match feature["type"]:
        case "money":
            currency = feature["unit"].removeprefix("minor:")
            return [
                "amount = raw['amount_minor']",
                f"if raw['currency'] != {currency!r}: raise Unscorable('wrong_currency', {name!r})",
                f"v{i} = amount * {float(feature.get('scale', 1.0))!r}",
            ]
        case "category":
            names[f"codes{i}"] = {word: float(code) for code, word in enumerate(feature["categories"])}
            fallback = f"raise Unscorable('unknown_category', {name!r})"
            stand_in = _stand_in(feature["missing"])
            if stand_in:
                fallback = f"v{i} = {stand_in}; unknown |= {1 << i}"
            return [
                "if raw is None: raise KeyError",
                f"v{i} = codes{i}.get(raw)",
                f"if v{i} is None: {fallback}",
            ]
        case "boolean":
            return [
                f"if raw is True: v{i} = 1.0",
                f"elif raw is False: v{i} = 0.0",
                "elif raw is None: raise KeyError",
                f"else: {wrong}",
            ]
        case _:
            return [
                "if raw is None: raise KeyError",
                f"if raw.__class__ is not int and raw.__class__ is not float: {wrong}",
                f"v{i} = float(raw)",
            ]
