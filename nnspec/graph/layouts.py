"""How a target takes a model's inputs and gives its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnspec.core.orders import Order, inverse, lay, plain

if TYPE_CHECKING:
    from nnspec.graph.weight_map import Array

IMAGE_AXES = {4: "NHWC", 5: "NDHWC"}
"""By number of axes, the letters of an image's and a volume's in the language's order."""

AS_IN_SPEC = "as in the spec"


@dataclass(frozen=True)
class Layout:
    """How one value lies outside a model.

    order: of its axes. axes: letters of an image's or a volume's axes in the language's order; empty for
    any other value. boxed: a scalar is an array of one element (MXNet has none without axes).
    """

    order: Order
    axes: str = ""
    boxed: bool = False

    def there(self, array: Array) -> Array:
        """An array in the language's order as the target has it."""
        if self.boxed:
            return array.reshape((1,))
        return array if self.is_spec else _turned(array, self.order)

    def back(self, array: Array) -> Array:
        """A target's array in the language's order."""
        if self.boxed:
            return array.reshape(())
        return array if self.is_spec else _turned(array, inverse(self.order))

    @property
    def is_spec(self) -> bool:
        """Whether its axes stand as the spec has them."""
        return self.order == plain(len(self.order))

    def __str__(self) -> str:
        """`NCHW`."""
        return "".join(lay(self.axes, self.order)) if self.axes else AS_IN_SPEC

    @staticmethod
    def read(text: str, rank: int) -> Layout | None:
        """The layout of so many axes that a text names, if it names one."""
        axes = IMAGE_AXES.get(rank, "")
        if axes and sorted(text) == sorted(axes):
            return Layout(tuple(axes.index(letter) for letter in text), axes)
        return Layout(plain(rank)) if text == AS_IN_SPEC else None


Layouts = tuple[Layout, ...]


def _turned(array: Array, order: Order) -> Array:
    import numpy as np

    return np.ascontiguousarray(array.transpose(order))
