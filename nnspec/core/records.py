"""Frozen dataclasses that cost little to declare, for modules of many small classes.

`dataclass` compiles six functions for a class as soon as it is declared: for the syntax tree alone that
took longer than Python takes to start. A record compiles its `__init__` when the first one is made, has
the rest from `Record`, and is compared by identity.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class Record:
    """What all records have in common."""

    def __init__(self, *values: Any, **named: Any) -> None:
        kind: Any = type(self)
        kind.__init__ = _initialiser(kind)
        kind.__init__(self, *values, **named)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to `{name}`")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete `{name}`")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"


@dataclass_transform(frozen_default=True, eq_default=False)
def record(kind: type[T]) -> type[T]:
    """Make a subclass of `Record` from its annotations."""
    made: Any = kind
    made.__init__ = Record.__init__  # not that of a base, which may be compiled already
    # Without a docstring dataclasses would write one, from a signature that takes long to work out.
    kind.__doc__ = kind.__doc__ or kind.__name__
    return dataclass(init=False, repr=False, eq=False)(kind)


def _initialiser(kind: type[Any]) -> Any:
    """`__init__` as a frozen dataclass has it."""
    own = fields(kind)
    given = [f for f in own if not f.kw_only]
    named = [f for f in own if f.kw_only]
    parameters = [
        "self",
        *map(_parameter, given),
        *(["*"] if named else []),
        *map(_parameter, named),
    ]
    lines = [f"    store(self, {f.name!r}, {f.name})" for f in own]
    defaults = {f"default_{f.name}": f.default for f in own if f.default is not MISSING}
    namespace: dict[str, Any] = {"store": object.__setattr__, **defaults}
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines or ["    pass"]), namespace)
    return namespace["__init__"]


def _parameter(field: Field[Any]) -> str:
    return field.name if field.default is MISSING else f"{field.name}=default_{field.name}"
