"""How an op is declared: typed fields, operands, types of its results, weights, its meaning, examples.

An op is either a primitive, whose meaning is `evaluate` in NumPy, with a `gradient` where it has one; or it says in
`expand` what it is in simpler ops, from which types, cost, evaluation and gradient follow. One declaration serves
argument checking, "did you mean", the reference documentation, the definition against which targets are
judged, derivatives, and the conformance tests. Targets add only what differs between frameworks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from nnspec.core.declare import Catalogue, Declaration, declaration
from nnspec.core.dims import Dim, Shape
from nnspec.core.orders import Form
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    import numpy as np

    from nnspec.catalogue.initializers import Initializer
    from nnspec.catalogue.ops.site import Site, Term

    Array = np.ndarray[Any, Any]


class ShapeError(Exception):
    """Operands that do not fit; `operands` are the indices of those to point at, `help` a way out."""

    def __init__(self, message: str, *operands: int, help: str | None = None) -> None:
        self.message, self.operands, self.help = message, operands, help
        super().__init__(message)


@dataclass(frozen=True)
class Operand:
    """A tensor that an op takes. `variadic` stands last and takes one or more (`concat`).

    domain: what its values may be: "real", "positive", "unit" (0 to 1), "nonzero", "index", "boolean".
    """

    name: str
    doc: str = ""
    optional: bool = False
    variadic: bool = False
    domain: str = "real"


@dataclass(frozen=True)
class WeightSpec:
    """A weight that a layer makes for itself, in the canonical (PyTorch's) layout.

    fans: (fan in, fan out), for initialisers that scale by them; None where they do not apply.
    dtype: None for the element type of what the layer is applied to.
    """

    role: str
    shape: Shape
    initializer: Initializer
    trainable: bool = True
    fans: tuple[int, int] | None = None
    dtype: str | None = None

    def type_for(self, x: TensorType) -> TensorType:
        """The weight's type, where the layer is applied to `x`."""
        return TensorType(self.dtype or x.dtype, self.shape)


@dataclass(frozen=True)
class Example:
    """A small valid use of an op for conformance tests: the op, and the types of its operands."""

    op: Op
    inputs: tuple[TensorType, ...]


@dataclass(frozen=True)
class Reordered:
    """How an op looks when its operands lie otherwise than in the language's order of axes.

    op: with its fields counted as the axes lie; None where nothing is left to do, because the result is
        the operand, seen in another order.
    inputs: how it takes its operands. outputs: how its results lie.
    features: by role, the axis of a weight that runs along the features of the operand, where these lie
        in another order (`Form.grid`): the weight is reordered once, and nothing at run time.
    """

    op: Op | None
    inputs: tuple[Form, ...]
    outputs: tuple[Form, ...]
    features: Mapping[str, int] = field(default_factory=dict)


@declaration
class Op(Declaration):
    """Base of all declarations; a subclass is a frozen dataclass whose docstring is its reference.

    name: in the language. Capitalised for layers (constructed, then applied), lower case for functions.
    hidden: stands in graphs only, and cannot be written under its name.
    operands: tensors, before the fields in a function's signature.
    takes_activation: the constructor has a last argument `activation` (the elaborator appends it as
        an op of its own; it never reaches the graph as a field).
    over_space: reads a sequence, an image or a volume; a model takes images and volumes that reach such
        an op in the target's own order.
    best_highest: of a figure that a program reports, whether the highest is best; None where nobody can say.
    """

    operands: ClassVar[tuple[Operand, ...]] = (Operand("x"),)
    takes_activation: ClassVar[bool] = False
    hidden: ClassVar[bool] = False
    over_space: ClassVar[bool] = False
    best_highest: ClassVar[bool | None] = None

    @property
    def stochastic(self) -> bool:
        """Whether it draws random numbers (in training, or always); two runs differ."""
        return False

    @property
    def modal(self) -> bool:
        """Whether it means something else in training than in evaluation."""
        return False

    def settled(self) -> Op:
        """What an op that draws in training alone is without that."""
        return OPS["identity"]()

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Types of the results; raises `ShapeError`. By default, `check` and what the expansion gives."""
        self.check(*inputs)
        return expansion_types(self, inputs)[0]

    def check(self, *inputs: TensorType) -> None:
        """Raise `ShapeError`, in the words of this op, for operands that its expansion could not take."""

    def given(self, *inputs: TensorType) -> tuple[Operand, ...]:
        """Which operands the inputs are, where some are left out."""
        return self.operands

    def expand(self, to: Site, *operands: Any, **weights: Any) -> Term | tuple[Term, ...]:
        """What the op is in simpler ones: of terms, weights by role. A primitive has none."""
        raise TypeError(f"{self.name} is a primitive")

    def evaluate(self, *operands: Any, **none: Any) -> Array | tuple[Array, ...]:
        """The meaning of a primitive, on arrays of the operands' element types.

        Sizes among the fields are numbers by then; halves arrive as f32 and are rounded afterwards.
        """
        raise NotImplementedError(type(self).__name__)

    def draw(self, generator: np.random.Generator) -> Array:
        """The values of a primitive that draws random numbers (instead of `evaluate`)."""
        raise NotImplementedError(type(self).__name__)

    def gradient(
        self,
        to: Site,
        operands: tuple[Term, ...],
        results: tuple[Term, ...],
        gradients: tuple[Term | None, ...],
    ) -> tuple[Term | None, ...]:
        """For each operand of a primitive, what flows back to it (None: nothing does).

        gradients: what flows into each result, None where nothing does; never all None.
        """
        return (None,) * len(operands)

    @classmethod
    def is_primitive(cls) -> bool:
        """Whether the meaning stands in `evaluate` (or `draw`), and not in an expansion."""
        return cls.expand is Op.expand

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        """What the layer creates when first applied to such operands."""
        return ()

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Floating-point operations of one application; a multiply-add counts two.

        By default, what the expansion costs; nothing for a primitive that only moves elements.
        """
        return 0 if self.is_primitive() else expansion_types(self, inputs)[1]

    def workspace(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Elements that `evaluate` holds beside operands and results, as far as they count."""
        return 0

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        """Operands that hold indices, with how many there are to choose from (labels: classes)."""
        return {}

    def reordered(
        self,
        forms: tuple[Form, ...],
        inputs: tuple[TensorType, ...],
        outputs: tuple[TensorType, ...],
    ) -> Reordered | None:
        """How the op looks for operands that lie in these forms, in a target that keeps features second.

        Types are given in the language's order. None: it wants the language's order, and gives it.
        """
        return None

    @classmethod
    def examples(cls) -> Iterator[Example]:
        """Small valid uses: odd and unequal sizes, batch above one, each option at least once."""
        return iter(())

    @classmethod
    def is_layer(cls) -> bool:
        return cls.name[0].isupper()


def expansion_types(op: Op, inputs: Sequence[TensorType]) -> tuple[tuple[TensorType, ...], Dim]:
    """Types of a composite op's results, and what one application costs."""
    from nnspec.catalogue.ops.site import TypeSite

    site = TypeSite()
    weights = {s.role: site.term(s.type_for(inputs[0])) for s in op.weights(*inputs)}
    terms = site.composite(op, tuple(map(site.term, inputs)), weights)
    return tuple(t.type for t in terms), site.flops


OPS: Catalogue[Op] = Catalogue()
declare = OPS.add
