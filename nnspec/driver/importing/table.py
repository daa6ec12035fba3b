"""The table of names beside a spec, `resnet18.weights.toml`: read, checked, and written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnspec.core import inputs
from nnspec.driver.importing.patterns import PatternError, filled, is_open, places
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

LARGEST = 2**24
"""Bytes of a table."""


@dataclass(frozen=True)
class Rule:
    """One line: `source` and `to` are patterns.

    to: several where the array is cut. transpose: None as the file's format keeps such weights, False never.
    """

    source: str
    to: tuple[str, ...]
    add: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    axis: int = 0
    plus: float = 0.0
    reshape: tuple[int, ...] | None = None
    transpose: tuple[int, ...] | bool | None = None


@dataclass(frozen=True)
class Line:
    """A rule with its numbers filled in."""

    rule: Rule
    sources: tuple[str, ...]
    to: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rules for names; `ignore` has patterns of arrays that are not wanted."""

    rules: tuple[Rule, ...]
    ignore: tuple[str, ...] = ()
    path: Path | None = None

    def lines(self, names: Iterable[str]) -> list[Line]:
        """What the table says of a file's arrays: the whole name before patterns, then the first one."""
        exact = {r.source: r for r in self.rules}
        open_rules = [r for r in self.rules if is_open(r.source)]
        found = []
        try:
            for name in names:
                if name not in exact and self.ignores(name):
                    continue
                for rule in [exact[name]] if name in exact else open_rules:
                    values = places(rule.source, name) if rule.source != name else {}
                    if values is not None:
                        more = [filled(s, values) for s in (*rule.add, *rule.join)]
                        to = tuple(filled(t, values) for t in rule.to)
                        found.append(Line(rule, (name, *more), to))
                        break
        except PatternError as error:
            raise _wrong(self.path, str(error)) from None
        return found

    def ignores(self, name: str) -> bool:
        """Whether an array is known to be of no use."""
        try:
            return any(places(pattern, name) is not None for pattern in self.ignore)
        except PatternError as error:
            raise _wrong(self.path, str(error)) from None


def read(path: Path) -> Table:
    """A table; raises `SpecError` with what is wrong with it."""
    inputs.reads(path)
    try:
        if path.stat().st_size > LARGEST:
            raise _wrong(path, f"it is larger than {LARGEST:,} bytes")
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, (error.strerror or str(error)).lower()) from None
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"it is not TOML: {str(error)[:200]}") from None
    unknown = sorted(set(told) - {"names", "ignore"})
    if unknown:
        raise _wrong(
            path, f"there is no `{unknown[0]}`", *did_you_mean(unknown[0], ["names", "ignore"])
        )
    names, ignore = told.get("names", {}), told.get("ignore", [])
    if not isinstance(names, dict):
        raise _wrong(path, "`names` is not a table")
    if not isinstance(ignore, list) or not all(isinstance(i, str) for i in ignore):
        raise _wrong(path, "`ignore` is not a list of names")
    return Table(tuple(_rule(path, s, t) for s, t in names.items()), tuple(ignore), path)


def _rule(path: Path, source: str, told: Any) -> Rule:
    if isinstance(told, str):
        return Rule(source, (told,))
    if not isinstance(told, dict):
        raise _wrong(path, f"`{source}` is neither a name nor a table")
    known = ["to", "add", "join", "axis", "plus", "reshape", "transpose"]
    for key in told:
        if key not in known:
            raise _wrong(path, f"`{source}` has no `{key}`", *did_you_mean(key, known))
    axis, plus, turn = told.get("axis", 0), told.get("plus", 0.0), told.get("transpose")
    shape = told.get("reshape")
    if "to" not in told:
        raise _wrong(path, f"`{source}` lacks `to`")
    if type(axis) is not int or axis < 0:
        raise _wrong(path, f"`axis` of `{source}` is not a number from 0")
    if type(plus) not in (int, float):
        raise _wrong(path, f"`plus` of `{source}` is not a number")
    if told.get("add") and told.get("join"):
        raise _wrong(path, f"`{source}` cannot both `add` and `join`")
    return Rule(
        source,
        _names(path, source, "to", told["to"]),
        _names(path, source, "add", told.get("add", [])),
        _names(path, source, "join", told.get("join", [])),
        axis,
        float(plus),
        None if shape is None else _sizes(path, source, "reshape", shape),
        turn if turn is None or isinstance(turn, bool) else _sizes(path, source, "transpose", turn),
    )


def _names(path: Path, source: str, key: str, told: Any) -> tuple[str, ...]:
    found = [told] if isinstance(told, str) else told
    if not isinstance(found, list) or not all(isinstance(n, str) for n in found):
        raise _wrong(path, f"`{key}` of `{source}` is neither a name nor a list of names")
    return tuple(found)


def _sizes(path: Path, source: str, key: str, told: Any) -> tuple[int, ...]:
    if not isinstance(told, list) or not all(type(n) is int and 0 <= n < 2**40 for n in told):
        raise _wrong(path, f"`{key}` of `{source}` is not a list of whole numbers")
    if key == "transpose" and sorted(told) != list(range(len(told))):
        raise _wrong(path, f"`transpose` of `{source}` is not an order of axes such as [1, 0]")
    return tuple(told)


def _wrong(path: Path | None, reason: str, *helps: str) -> SpecError:
    return SpecError(
        Diagnostic("E0620", f"the table `{path or 'of names'}` is wrong: {reason}", helps=helps)
    )


def text(table: Table, head: str) -> str:
    """A table as it stands in a file."""
    lines = [f"# {line}" for line in head.splitlines()]
    left = [_quoted(name) for name in table.ignore]
    if left:
        lines += ["", "ignore = [", *(f"  {name}," for name in left), "]"]
    lines += ["", "[names]", *(f"{_quoted(r.source)} = {_told(r)}" for r in table.rules)]
    return "\n".join(lines) + "\n"


def _told(rule: Rule) -> str:
    to = _list(rule.to) if len(rule.to) > 1 else _quoted(rule.to[0])
    fields: Mapping[str, str | None] = {
        "to": to,
        "add": _list(rule.add) if rule.add else None,
        "join": _list(rule.join) if rule.join else None,
        "axis": str(rule.axis) if rule.axis else None,
        "plus": repr(rule.plus) if rule.plus else None,
        "reshape": str(list(rule.reshape)) if rule.reshape is not None else None,
        "transpose": None
        if rule.transpose is None
        else str(rule.transpose).lower()
        if isinstance(rule.transpose, bool)
        else str(list(rule.transpose)),
    }
    told = [f"{key} = {value}" for key, value in fields.items() if value is not None]
    return to if len(told) == 1 and len(rule.to) == 1 else "{ " + ", ".join(told) + " }"


def _list(names: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quoted, names)) + "]"


def _quoted(name: str) -> str:
    # TOML's strings are JSON's, but for one control character.
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
