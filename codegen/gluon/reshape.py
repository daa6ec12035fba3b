"""Reshape without knowing the sizes: MXNet's codes 0, -1, -3 and -4, found from the shapes.

A `Symbol` has no shape, so a target shape that depends on the batch is written in codes: 0 copies a
size of the input, -1 is worked out, -3 joins two sizes, -4 splits one into the two that follow.
"""

from __future__ import annotations

from nnspec.core.dims import Dim, Shape

Codes = tuple[int, ...]


def reshape_codes(source: Shape, target: Shape) -> Codes | None:
    """Codes that lead from one shape to the other; None where there are none."""
    return _search(source, target, 0, 0, False)


def _search(source: Shape, target: Shape, at: int, done: int, inferred: bool) -> Codes | None:
    """Codes for `target[done:]`. MXNet moves one size of the input on with each code, two with -3."""
    if done == len(target):
        return ()
    for codes, made, used, infers in _options(source, target, at, done):
        if infers and inferred:
            continue
        rest = _search(source, target, at + used, done + made, inferred or infers)
        if rest is not None:
            return (*codes, *rest)
    return None


def _options(
    source: Shape, target: Shape, at: int, done: int
) -> list[tuple[Codes, int, int, bool]]:
    """For the next size: codes, sizes they make, sizes of the input they use, whether one is -1."""
    size = target[done]
    if isinstance(size, int):
        return [((size,), 1, 1, False)]
    left = source[at : at + 2]
    options: list[tuple[Codes, int, int, bool]] = []
    if left[:1] == (size,):
        options.append(((0,), 1, 1, False))
    options.append(((-1,), 1, 1, True))
    if len(left) == 2 and _times(left[0], left[1]) == size:
        options.append(((-3,), 1, 2, False))
    pair = target[done : done + 2]
    if left and len(pair) == 2 and _times(pair[0], pair[1]) == left[0] and isinstance(pair[1], int):
        options.append(((-4, -1, pair[1]), 2, 1, False))
    return options


def _times(a: Dim, b: Dim) -> Dim:
    return a * b
