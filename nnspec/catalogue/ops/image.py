"""Features on an axis of their own, and ops over one, two or three axes of space.

A declaration such as `Conv` is written once for any number of axes; `rank` makes it `Conv1D`, `Conv2D`
or `Conv3D`, and `per_axis` fields then hold one number for each of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import KW_ONLY, replace
from typing import Any, ClassVar, NamedTuple, Self

from nnspec.catalogue.ops.base import Op, Reordered, ShapeError
from nnspec.catalogue.ops.forms import Forms, Types
from nnspec.catalogue.ops.helpers import need_float, need_rank
from nnspec.catalogue.ops.windows import Pad, Pads, extent, pads, whole, window
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, Shape
from nnspec.core.fields import arg, internal
from nnspec.core.kinds import Kind
from nnspec.core.orders import first_form
from nnspec.core.types import TensorType

INPUTS = {1: "a sequence [N, T, C]", 2: "an image [N, H, W, C]", 3: "a volume [N, D, H, W, C]"}
"""What an op over so many axes of space takes."""


@declaration
class Featured(Op):
    """An op that tells the axis of the features from the others.

    channels_first: they stand second, as the layout pass has them for most targets, not last.
    """

    _: KW_ONLY
    channels_first: bool = internal(default=False)

    def logical(self, x: TensorType) -> Shape:
        """The sizes of an operand in the language's order, features last."""
        if not self.channels_first:
            return x.shape
        n, features, *others = x.shape
        return (n, *others, features)

    def physical(self, x: TensorType, shape: Shape) -> TensorType:
        """The type of a result whose sizes are given in the language's order."""
        if not self.channels_first:
            return x.with_shape(shape)
        n, *others, features = shape
        return x.with_shape((n, features, *others))


def per_axis(doc: str, kind: Callable[[int], Kind], default: Any = dataclasses.MISSING) -> Any:
    """A field of one number for each axis of space; a default is the number for all of them."""
    return dataclasses.field(default=default, metadata={"doc": doc, "per_axis": kind})


@declaration
class Spatial(Featured):
    """Over the axes between batch and features; `rank` is how many."""

    rank: ClassVar[int]
    over_space = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "rank" not in vars(cls):
            return
        for spec in dataclasses.fields(cls):
            kind = spec.metadata.get("per_axis")
            if kind is not None:
                one = spec.default
                default = (one,) * cls.rank if isinstance(one, int) else one
                cls.__annotations__[spec.name] = spec.type
                setattr(cls, spec.name, arg(spec.metadata["doc"], kind(cls.rank), default))

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        wanted = first_form(self.rank + 2)
        return Reordered(replace(self, channels_first=True), (wanted,), (wanted,))

    def space(self, x: TensorType) -> tuple[Dim, ...]:
        """The sizes between batch and features of an operand of the right rank."""
        need_rank(x, self.rank + 2, what=INPUTS[self.rank])
        need_float(x)
        return self.logical(x)[1:-1]


class Window(NamedTuple):
    """Cells of a window, steps between its places and between its cells, along each axis; what surrounds
    the input."""

    cells: tuple[int, ...]
    steps: tuple[int, ...]
    spread: tuple[int, ...]
    padding: str | Pads


class Windowed(Spatial):
    """A window that slides over space.

    ceil_mode: whether a last window counts that reaches beyond the end.
    """

    ceil_mode = False

    @property
    def window(self) -> Window:
        raise NotImplementedError(type(self).__name__)

    @property
    def bare(self) -> Self:
        """The same without padding."""
        changes: dict[str, Any] = {"padding": "valid"}
        changes |= {"ceil_mode": False} if self.ceil_mode else {}
        return replace(self, **changes)

    def places(self, space: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """How many places there are along each axis."""
        cells, steps, spread, _ = self.window
        along = zip(space, cells, steps, spread, self._pads(space), strict=True)
        return tuple(window(*axis) for axis in along)

    def surroundings(self, x: TensorType) -> tuple[tuple[Dim, Dim], ...]:
        """Cells added before and after each axis."""
        cells, steps, spread, _ = self.window
        space = self.space(x)
        along = zip(space, cells, steps, spread, self._pads(space), strict=True)
        return tuple(pads(*axis) for axis in along)

    def around(self, x: TensorType) -> Pads | None:
        """The same as numbers; None where they depend on a size known only at run time."""
        numbers = [
            (before, after)
            for before, after in self.surroundings(x)
            if isinstance(before, int) and isinstance(after, int)
        ]
        return tuple(numbers) if len(numbers) == self.rank else None

    def known_pads(self, x: TensorType) -> Pads:
        """Cells added before and after each axis, which an expansion needs as numbers."""
        around = self.around(x)
        if around is None:
            raise ShapeError(f"needs numbers for the sizes of {x} to know its padding", 0)
        return around

    def _pads(self, space: tuple[Dim, ...]) -> tuple[Pad, ...]:
        cells, steps, spread, padding = self.window
        if padding == "causal":  # a place sees itself and what came before it
            return tuple((extent(k, d) - 1, 0) for k, d in zip(cells, spread, strict=True))
        if padding == "same" or (padding == "valid" and not self.ceil_mode):
            return (padding,) * self.rank
        around = ((0, 0),) * self.rank if isinstance(padding, str) else padding
        if not self.ceil_mode:
            return around
        return tuple(whole(*axis) for axis in zip(space, cells, steps, spread, around, strict=True))
