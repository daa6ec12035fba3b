"""Layers kept in a container, told as shortly as they can be: repeats, progressions, runs that differ by numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from codegen.python.merging import literals, replaced
from codegen.python.source import Comprehension, Expr, List, Literal, Name, Tuple, Unary
from codegen.python.source.flat import flat

Scalar = int | float | bool | str | None
FEW = 3
"""Fewer elements than this that differ are listed."""
LONGEST = 56
"""What a loop over rows may take of a line; longer ones are listed."""


def container(
    elements: Sequence[Expr],
    listed: Callable[[tuple[Expr, ...]], Expr],
    looped: Callable[[Comprehension], Expr],
) -> Expr:
    """`[Block(16) for _ in range(4)]`, `[Block(64 + 32 * i) for i in range(6)]`, `[Block(2**i) for i in range(6)]`,
    `[Block(f) for f in (16, 32) for _ in range(2)]`, one of these over and over, or each by itself."""
    loop = told(elements)
    return listed(tuple(elements)) if loop is None else looped(loop)


def told(elements: Sequence[Expr]) -> Comprehension | None:
    """Elements that a comprehension makes."""
    return repeated(elements) or progression(elements) or rounds(elements) or runs(elements)


def shortened(elements: Sequence[Expr]) -> tuple[Expr, ...]:
    """Arguments, those that are alike as `*[Block(16) for _ in range(3)]`."""
    found: list[Expr] = []
    for _, same in groupby(elements):
        run = tuple(same)
        loop = repeated(run) if len(run) >= FEW else None
        found += run if loop is None else (Unary("*", loop),)
    return tuple(found)


def repeated(elements: Sequence[Expr]) -> Comprehension | None:
    """All alike."""
    if len(elements) < 2 or any(e != elements[0] for e in elements):
        return None
    return Comprehension(elements[0], Name("_"), _range(len(elements)))


def _range(count: int) -> Expr:
    return Name("range")(Literal(count, "depth"))


def progression(elements: Sequence[Expr]) -> Comprehension | None:
    """Alike but for whole numbers that grow from each to the next by the same amount, or as many times."""
    columns = _columns(elements)
    if len(elements) < FEW or not columns:
        return None
    steps: dict[int, Expr] = {}
    for place, values in columns.items():
        numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
        if len(numbers) != len(values):
            return None
        grown = _grown(numbers, literals(elements[0])[place].hint)
        if grown is None:
            return None
        steps[place] = grown
    return Comprehension(replaced(elements[0], steps), Name("i"), _range(len(elements)))


def _grown(numbers: Sequence[int], hint: str | None) -> Expr | None:
    """`64 + 32 * i` or `3 * 2**i`."""
    first, step = numbers[0], numbers[1] - numbers[0]
    if all(v == first + i * step for i, v in enumerate(numbers)):
        added: Expr = Name("i") if step == 1 else Literal(step) * Name("i")
        return added if first == 0 else Literal(first, hint) + added
    times = numbers[1] // first if first > 0 else 0
    if times > 1 and all(v == first * times**i for i, v in enumerate(numbers)):
        power = Literal(times) ** Name("i")
        return power if first == 1 else Literal(first, hint) * power
    return None


def rounds(elements: Sequence[Expr]) -> Comprehension | None:
    """A progression, or what runs are made of, over and over."""
    count = len(elements)
    for length in range(FEW, count // 2 + 1):
        if count % length == 0 and all(e == elements[i % length] for i, e in enumerate(elements)):
            loop = progression(elements[:length]) or runs(elements[:length])
            if loop is not None:
                again = (Name("_"), _range(count // length))
                return Comprehension(
                    loop.element, *again, ((loop.target, loop.iterable), *loop.more)
                )
    return None


def runs(elements: Sequence[Expr]) -> Comprehension | None:
    """Equal runs, each alike within itself; from one to the next, some numbers differ."""
    groups = [(first, len(list(same))) for first, same in groupby(elements)]
    counts = {count for _, count in groups}
    if len(groups) < 2 or len(counts) != 1:
        return None
    firsts = [first for first, _ in groups]
    columns = _columns(firsts)
    (count,) = counts
    if not columns or count == 1 and len(firsts) < FEW + 1:
        return None
    names = _names([literals(firsts[0])[place].hint for place in columns])
    variables = tuple(map(Name, names))
    target: Expr = variables[0] if len(variables) == 1 else Tuple(variables)
    rows = [tuple(map(Literal, row)) for row in zip(*columns.values(), strict=True)]
    over: Expr = (
        List(tuple(map(Tuple, rows)))
        if len(variables) > 1
        else Tuple(tuple(row[0] for row in rows))
    )
    if len(flat(target)) + len(flat(over)) > LONGEST:
        return None
    element = replaced(firsts[0], dict(zip(columns, variables, strict=True)))
    more = ((Name("_"), _range(count)),) if count > 1 else ()
    return Comprehension(element, target, over, more)


def _columns(elements: Sequence[Expr]) -> dict[int, list[Scalar]]:
    """Places of literals at which the elements differ, with the values; empty where they differ otherwise."""
    rows = [literals(e) for e in elements]
    plain = {place: Name("_") for place in range(len(rows[0]))}
    shapes = [replaced(e, plain) for e in elements]
    if any(len(r) != len(rows[0]) for r in rows) or any(s != shapes[0] for s in shapes):
        return {}
    columns = {i: [lit.value for lit in column] for i, column in enumerate(zip(*rows))}
    return {
        i: values
        for i, values in columns.items()
        if any(v != values[0] or type(v) is not type(values[0]) for v in values)
    }


def _names(hints: Sequence[str | None]) -> list[str]:
    """A variable for each place: what it is called there, numbered where two are called alike."""
    wanted = [hint or "size" for hint in hints]
    return [
        name if wanted.count(name) == 1 else f"{name}_{wanted[: i + 1].count(name)}"
        for i, name in enumerate(wanted)
    ]
