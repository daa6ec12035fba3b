"""Products of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import Flows, Terms, unbroadcast
from nnspec.catalogue.ops.helpers import broadcast, need_float, same_dtype
from nnspec.catalogue.ops.site import Site
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.lazy import np
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.ops.base import Array

N, T = symbol("N"), symbol("T")


@declare
class MatMul(Op):
    """`a @ b` over the last two axes, the others broadcast: `[..., i, j] @ [..., j, k]`."""

    name = "matmul"
    operands = (Operand("a"), Operand("b"))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        need_float(a, b)
        dtype = same_dtype(a, b)
        for i, x in enumerate(inputs):
            if x.rank < 2:
                raise ShapeError(f"expects at least two axes, found {x}", i)
        if a.shape[-1] != b.shape[-2]:
            raise ShapeError(
                f"cannot multiply {a} by {b}: {a.shape[-1]} columns meet {b.shape[-2]} rows", 0, 1
            )
        outer = broadcast(a.with_shape(a.shape[:-2]), b.with_shape(b.shape[:-2]))
        return (TensorType(dtype, (*outer, a.shape[-2], b.shape[-1])),)

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = np.matmul(a, b)
        return result

    def gradient(self, to: Site, operands: Terms, results: Terms, gradients: Flows) -> Flows:
        (a, b), (flow,) = operands, gradients
        assert flow is not None
        to_a, to_b = flow @ to.transpose(b), to.transpose(a) @ flow
        return unbroadcast(to, to_a, a.type), unbroadcast(to, to_b, b.type)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * inputs[0].shape[-1] * 2

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)), TensorType("f32", (5, 3))))
        yield Example(cls(), (TensorType("f32", (N, 2, 3, 5)), TensorType("f32", (N, 2, 5, 4))))
        yield Example(cls(), (TensorType("f32", (N, T, 6)), TensorType("f32", (6, 4))))
