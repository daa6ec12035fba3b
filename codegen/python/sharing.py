"""What instances that share a definition differ in: its parameters, and what is told without one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from codegen.python.dialect import Dialect
from codegen.python.merging import annotation, literals
from codegen.python.sizes import FEW, Shapes, multiple, told_by_sizes, whole_numbers
from codegen.python.source import Assign, Expr, For, Literal, Name, Parameter, Stmt, Tuple
from codegen.python.source.tree import Augment, If, With

Column = list[Literal]
"""The literal in one place, of each instance."""

UNNAMED = 3
"""So many sizes can be told apart without their names."""


@dataclass(eq=False)
class Shared:
    """The values of each parameter, in the order of the instances.

    held: variables that are set before all else, with their values, and the sizes that give them.
    """

    parameters: dict[str, Column] = field(default_factory=dict)
    held: dict[str, tuple[Column, Expr]] = field(default_factory=dict)

    @property
    def prologue(self) -> tuple[Stmt, ...]:
        return tuple(Assign(Name(name), size) for name, (_, size) in self.held.items())

    @property
    def is_model(self) -> bool:
        """Whether it is made without arguments, like the first."""
        return False

    def default(self, name: str) -> Literal | None:
        """What a parameter is where it is not given: what some instance leaves to the target; of models, the first's."""
        column = self.parameters[name]
        left = [v for v in column if v.is_default] or (column[:1] if self.is_model else [])
        return dataclasses.replace(left[0], is_default=False) if left else None

    def signature(self, *, typed: bool) -> tuple[Parameter, ...]:
        """The parameters, those with a default last."""
        given = [
            Parameter(name, annotation(column) if typed else None, self.default(name))
            for name, column in self.parameters.items()
        ]
        return tuple(sorted(given, key=lambda p: p.default is not None))

    def values(self, index: int) -> dict[str, Literal]:
        """What an instance gives, those that are the default marked."""
        column = {name: values[index] for name, values in self.parameters.items()}
        return {
            name: dataclasses.replace(value, is_default=value == self.default(name))
            for name, value in column.items()
        }

    def given(
        self, index: int, *, whole: bool = False
    ) -> tuple[tuple[Literal, ...], dict[str, Literal]]:
        """`(64, stride=2)`: a few sizes that have no default need no name, nor does the only argument.

        whole: what is the default is given, too.
        """
        values = self.values(index)
        if whole:
            values = {n: dataclasses.replace(v, is_default=False) for n, v in values.items()}
        needed = [name for name in values if self.default(name) is None]
        first = list(takewhile(lambda name: values[name].is_size, needed))
        if len(first) > UNNAMED:
            first = []
        elif len(values) == 1:
            first = [name for name, value in values.items() if not value.is_default]
        return tuple(dataclasses.replace(values.pop(n), hint=n) for n in first), values


@dataclass(frozen=True)
class Told:
    """What stands in a place: a size, or a parameter, a multiple or a part of it."""

    size: Expr | None = None
    parameter: str = ""
    times: int = 1
    parts: int = 1

    def write(self, prefix: str) -> Expr:
        """prefix: what is before a parameter's name (`self.`)."""
        if self.size is not None:
            return self.size
        name = Name(prefix + self.parameter)
        if self.times > 1:
            return Literal(self.times) * name
        return name // self.parts if self.parts > 1 else name


class Sizes:
    """What tells numbers in the places of a body by sizes of what the function was given.

    first: the place of the body's first literal.
    """

    def __init__(
        self, dialect: Dialect, body: Sequence[Stmt], shapes: Shapes, first: int = 0
    ) -> None:
        self._read, self._shapes = dialect.fixed_size, shapes
        self._readable = {} if self._read is None else _readable(body, shapes, first)

    def there(self, place: int, column: Column) -> Sequence[Expr]:
        """In a place."""
        return self._told(self._readable.get(place, {}), column)

    def before(self, place: int, column: Column) -> Sequence[Expr]:
        """At the beginning, of a number in a place."""
        return self._told(self._shapes if place in self._readable else {}, column)

    def _told(self, shapes: Shapes, column: Column) -> Sequence[Expr]:
        if self._read is None or not shapes:
            return ()
        return told_by_sizes([v.value for v in column], shapes, self._read)


@dataclass(frozen=True)
class Naming:
    """How numbers become parameters.

    argument: the block's own parameter that has these values.
    free: a name that nothing else has, like the one that is wanted; local: the same of a variable.
    sizes: what tells numbers by sizes that can be read in a place, or where all begins.
    """

    argument: Callable[[Column], str | None]
    free: Callable[[str], str]
    local: Callable[[str], str]
    sizes: Sizes


def tell(
    columns: Sequence[tuple[Column, str | None]], shared: Shared, naming: Naming
) -> dict[int, Told]:
    """What stands where instances differ; `shared` learns the parameters."""
    told: dict[int, Told] = {}
    seen: dict[tuple[Literal, ...], int] = {}
    for place, (column, hint) in enumerate(columns):
        if all(value == column[0] for value in column):
            continue
        # What an inner definition takes as `size_2` may be the first size of this one.
        hint = re.sub(r"_\d+$", "", hint or "size")
        known = [n for n, values in shared.parameters.items() if values == column]
        own = None if known else naming.argument(column)
        if not known and own is None:
            count = seen[tuple(column)] = seen.get(tuple(column), -1) + 1
            # A number that comes again is likely to be of the next axis.
            if sizes := naming.sizes.there(place, column):
                told[place] = Told(sizes[count % len(sizes)])
                continue
            if sizes := naming.sizes.before(place, column):
                held = [n for n, (values, _) in shared.held.items() if values == column]
                name = held[0] if held else naming.local(hint)
                shared.held.setdefault(name, (column, sizes[count % len(sizes)]))
                told[place] = Told(Name(name))
                continue
            if (derived := _derived(column, shared)) is not None:
                told[place] = derived
                continue
        if not known:
            known = [naming.free(own or hint)]
            shared.parameters[known[0]] = column
        told[place] = Told(parameter=known[0])
    return told


def _derived(column: Column, shared: Shared) -> Told | None:
    """A multiple or a part of a number that is a parameter already."""
    numbers = whole_numbers([v.value for v in column])
    if len(set(numbers)) < FEW:
        return None
    for name, values in shared.parameters.items():
        others = whole_numbers([v.value for v in values])
        if len(others) != len(numbers) or any(v.is_default for v in values):
            continue
        if (times := multiple(numbers, others)) is not None:
            return Told(parameter=name, times=times)
        if (parts := multiple(others, numbers)) is not None:
            return Told(parameter=name, parts=parts)
    return None


def _readable(body: Sequence[Stmt], shapes: Shapes, first: int) -> dict[int, Shapes]:
    """For each place of a literal, the inputs that hold there what the function was given."""
    found: dict[int, Shapes] = {}
    left = dict(shapes)
    for statement in body:
        bound = set(_bound(statement))
        if not isinstance(statement, Assign):
            left = {name: of for name, of in left.items() if name not in bound}
        count = len(literals(statement))
        found |= dict.fromkeys(range(first, first + count), left)
        first += count
        left = {name: of for name, of in left.items() if name not in bound}
    return found


def _bound(statement: Stmt) -> list[str]:
    """Variables that a statement sets."""
    match statement:
        case Assign(target) | Augment(target):
            return _targets(target)
        case For(target, _, body):
            return [*_targets(target), *(n for s in body for n in _bound(s))]
        case If(_, body, otherwise):
            return [n for s in (*body, *otherwise) for n in _bound(s)]
        case With(contexts, body):
            opened = [n for _, name in contexts if name is not None for n in _targets(name)]
            return [*opened, *(n for s in body for n in _bound(s))]
        case _:
            return []


def _targets(target: Expr) -> list[str]:
    if isinstance(target, Tuple):
        return [n for e in target.elements for n in _targets(e)]
    return [target.text] if isinstance(target, Name) else []
