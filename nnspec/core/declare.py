"""Declarations, and the catalogues that hold them by name.

An op, an initialiser, an optimizer, a data set, the settings of a training program and the options
of a target are declared alike: a class whose fields say what may be set and whose docstring says
what it means. From that come the checking of arguments, suggestions, flags and the reference.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

from nnspec.core.fields import Field, arg, fields_of, internal
from nnspec.core.records import Record, record


@dataclass_transform(frozen_default=True, field_specifiers=(arg, internal))
class Declaration(Record):
    """Base of what is declared; `name` is the one in the language. Compared by value."""

    name: ClassVar[str]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def clash(self) -> str | None:
        """What is wanted of its arguments together, where they do not fit each other."""
        return None

    @classmethod
    def arguments(cls) -> tuple[Field, ...]:
        """The fields that the writer may set, in order."""
        return fields_of(cls)

    @classmethod
    def doc(cls) -> str:
        """What it means: the docstring."""
        return inspect.cleandoc(cls.__doc__ or "")


Base = TypeVar("Base", bound=Declaration)
Added = TypeVar("Added", bound=Declaration)


class Catalogue(Mapping[str, type[Base]], Generic[Base]):
    """Name to declaration, in the order in which they were declared."""

    def __init__(self) -> None:
        self._declared: dict[str, type[Any]] = {}

    def add(self, cls: type[Added]) -> type[Added]:
        """Class decorator: freeze the declaration and enter it."""
        declared = declaration(cls)
        if declared.name in self._declared:
            raise TypeError(f"`{declared.name}` is declared twice")
        self._declared[declared.name] = declared
        return declared

    def __getitem__(self, name: str) -> type[Base]:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


def declaration(cls: type[Added]) -> type[Added]:
    """Class decorator: a declaration by itself, in no catalogue."""
    return record(cls)
