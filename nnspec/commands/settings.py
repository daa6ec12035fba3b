"""`--set NAME=VALUE`: values as one writes them in a spec."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from nnspec.report.diagnostics import Diagnostic, SpecError

_CONSTANTS = {"true": True, "false": False, "none": None}
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[+-]?{_DIGITS}")
_FLOAT = re.compile(rf"[+-]?{_DIGITS}(\.{_DIGITS})?([eE][+-]?[0-9]+)?")
_LIKE_A_NUMBER = re.compile(r"[+-]?[0-9][0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9_]*)?")
_LARGEST = 2**63 - 1
_LONGEST = 40
"""Characters of a setting that a message shows."""


def parse_settings(settings: Sequence[str] | None) -> dict[str, Any]:
    """Names and values; raises `SpecError` (E0706) where there is no `=`, or a number is none."""
    values: dict[str, Any] = {}
    for setting in settings or ():
        name, equals, text = setting.partition("=")
        if not equals or not name.strip().isidentifier():
            raise _wrong(setting, "is not of the form NAME=VALUE", "`--set classes=100`")
        try:
            values[name.strip()] = parse_value(text.strip())
        except ValueError as error:
            raise _wrong(setting, str(error), f'`--set {name.strip()}="..."` for a text') from None
    return values


def parse_value(text: str) -> Any:
    """A number, `true`, `false`, `none`, a list in brackets; anything else is a string.

    Raises `ValueError` for what looks like a number and is none, or is one that no spec can hold.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        # By its length first: Python refuses to read numbers of thousands of digits.
        if len(text) > _LONGEST or abs(int(text)) > _LARGEST:
            raise ValueError(f"is a whole number larger than {_LARGEST}")
        return int(text)
    if _FLOAT.fullmatch(text):
        if math.isinf(float(text)):
            raise ValueError("is a number larger than 1.8e308")
        return float(text)
    if _LIKE_A_NUMBER.fullmatch(text):
        raise ValueError("is not a number: `_` and `.` stand between digits")
    if text.startswith("[") and text.endswith("]"):
        return [parse_value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


def _wrong(setting: str, what: str, example: str) -> SpecError:
    shown = setting if len(setting) <= _LONGEST else setting[:_LONGEST] + "..."
    return SpecError(
        Diagnostic("E0706", f"`--set {shown}` {what}", helps=(f"write, for example, {example}",))
    )
