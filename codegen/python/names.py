"""Names of a spec as names of Python code: never a keyword, a builtin, or what the file needs itself."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Container, Iterable

_TAKEN = frozenset(
    {
        *keyword.kwlist,
        *keyword.softkwlist,
        *dir(builtins),
        "l",
        "O",
        "I",
        "self",
        "cls",
        "annotations",
    }
)


def identifier(text: str, reserved: Iterable[str] = ()) -> str:
    """The name, with an underscore at its end where it would mean something else."""
    taken = _TAKEN.union(reserved)
    name = text.lstrip("_") if text.startswith("__") else text
    if not name or not name[0].isalpha() and name[0] != "_":
        name = f"v{name}"
    while name in taken:
        name += "_"
    return name


def attribute(text: str, reserved: Container[str] = ()) -> str:
    """A name that follows a dot; builtins are no danger there."""
    name = text.lstrip("_") or "layer"
    if name[0].isdigit():
        name = f"layer_{name}"
    while keyword.iskeyword(name) or name in reserved:
        name += "_"
    return name


def distinct(name: str, taken: Container[str]) -> str:
    """The name, or the first of `name_2`, `name_3`, ... that is not taken."""
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def plural(name: str) -> str:
    """`layers` for `layer`, `blocks_2` for `block_2`; a name that ends in s is one already; `gated_layers` for `gated`."""
    stem = re.sub(r"_\d+$", "", name)
    number = name.removeprefix(stem)
    if stem.endswith("s"):
        return name
    if stem.endswith("ed"):
        return f"{stem}_layers{number}"
    if re.search(r"[^aeiou]y$", stem):
        return f"{stem[:-1]}ies{number}"
    return f"{stem}{'es' if re.search('(x|z|ch|sh)$', stem) else 's'}{number}"
