"""Normalisation and noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.initializers import Ones, Zeros
from nnspec.catalogue.ops.base import Example, Reordered, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.forms import Elementwise, Forms, Types
from nnspec.catalogue.ops.helpers import need_float, need_number
from nnspec.catalogue.ops.image import Featured
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, real
from nnspec.core.orders import first_form
from nnspec.core.types import TensorType

N = symbol("N")


@declare
class BatchNorm(Featured):
    """Normalise each feature over the batch and all positions (Ioffe and Szegedy 2015).

    In training with the mean and the biased variance of the batch, of which running values are kept
    (`new = momentum * old + (1 - momentum) * batch`); in evaluation with the running values.
    """

    name = "BatchNorm"
    takes_activation = True
    modal = True
    momentum: float = arg("share of the old running value that is kept", real(0, 1), default=0.9)
    epsilon: float = arg("added to the variance", real(0), default=1e-5)
    scale: bool = arg("whether features are scaled by a weight", boolean, default=True)
    offset: bool = arg("whether a bias is added", boolean, default=True)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError(f"expects at least [N, C], found {x}", 0)
        need_float(x)
        return (x,)

    def expand(
        self,
        to: Site,
        x: Term,
        running_mean: Term,
        running_var: Term,
        weight: Term | None = None,
        bias: Term | None = None,
    ) -> Term:
        mean, var = running_mean, running_var
        if to.training:
            axes = tuple(range(x.rank - 1))
            mean = to.mean(x, axis=axes)
            var = to.mean((x - mean) * (x - mean), axis=axes)
            for old, new in ((running_mean, mean), (running_var, var)):
                to.keep(old, self.momentum * old + (1 - self.momentum) * new)
        y = (x - mean) / to.sqrt(var + self.epsilon)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        shape = (need_number(self.logical(inputs[0])[-1], "the feature axis"),)
        return (
            *([WeightSpec("weight", shape, Ones())] if self.scale else []),
            *([WeightSpec("bias", shape, Zeros())] if self.offset else []),
            WeightSpec("running_mean", shape, Zeros(), trainable=False),
            WeightSpec("running_var", shape, Ones(), trainable=False),
        )

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * 2

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        (form,), (x,) = forms, inputs
        if form.grid:
            return Reordered(self, forms, forms, {w.role: 0 for w in self.weights(x)})
        if x.rank == 2:
            return None
        second = form if form.order[:2] == (0, x.rank - 1) else first_form(x.rank)
        return Reordered(replace(self, channels_first=True), (second,), (second,))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(momentum=0.8, epsilon=1e-3), (TensorType("f32", (N, 6)),))
        yield Example(cls(scale=False), (TensorType("f32", (4, 3, 2, 5)),))
        yield Example(cls(offset=False), (TensorType("f32", (N, 7, 5)),))
        yield Example(cls(), (TensorType("f32", (2, 3, 2, 4, 5)),))


@declare
class Dropout(Elementwise):
    """In training set a share of the elements to zero and scale the others by `1 / (1 - rate)`.

    In evaluation the identity (Srivastava et al. 2014).
    """

    name = "Dropout"
    stochastic = True
    modal = True
    rate: float = arg("share of elements set to zero", real(0, 1, open_high=True))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        return (inputs[0],)

    def expand(self, to: Site, x: Term) -> Term:
        if not to.training:
            return to.identity(x)
        return to.where(to.random_bernoulli(x.shape, 1 - self.rate), x / (1 - self.rate), 0)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(0.3), (TensorType("f32", (N, 5)),))
        yield Example(cls(0.5), (TensorType("f32", (N, 5, 3, 4)),))
