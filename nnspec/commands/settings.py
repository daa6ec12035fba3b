"""`--set NAME=VALUE`: values as one writes them in a spec."""

from __future__ import annotations

import re
from typing import Any

from nnspec.report.diagnostics import Diagnostic, SpecError

_CONSTANTS = {"true": True, "false": False, "none": None}
_INT = re.compile(r"[+-]?\d[\d_]*")
_FLOAT = re.compile(r"[+-]?(\d[\d_]*(\.\d+)?([eE][+-]?\d+)?)")


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """Names and values; raises `SpecError` (E0706) where there is no `=`."""
    found: dict[str, Any] = {}
    for setting in settings or ():
        name, equals, text = setting.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SpecError(
                Diagnostic(
                    "E0706",
                    f"`--set {setting}` is not of the form NAME=VALUE",
                    helps=("write, for example, `--set classes=100`",),
                )
            )
        found[name.strip()] = parse_value(text.strip())
    return found


def parse_value(text: str) -> Any:
    """A number, `true`, `false`, `none`, a list in brackets; anything else is a string."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text.startswith("[") and text.endswith("]"):
        return [parse_value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text
