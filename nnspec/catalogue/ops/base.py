"""How an op is declared: typed fields, operands, a shape rule, weights, costs, examples.

One declaration serves argument checking, "did you mean", the reference documentation, the
conformance tests and the random-graph fuzzer. Targets add only what differs between frameworks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from nnspec.core.declare import Catalogue, Declaration, declaration
from nnspec.core.dims import Dim, Shape
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    from nnspec.catalogue.initializers import Initializer


class ShapeError(Exception):
    """Operands that do not fit; `operands` are the indices of those to point at, `help` a way out."""

    def __init__(self, message: str, *operands: int, help: str | None = None) -> None:
        self.message, self.operands, self.help = message, operands, help
        super().__init__(message)


class Layout(Enum):
    """How an op meets a target whose images are channels-first (see `codegen/layout.py`)."""

    IMAGE = "its 4-D operand and result are images: channels-first where the target is"
    CARRY = "works in any layout: the result is laid out as the operands are"
    AXES = "works in any layout once its `axis`/`axes` fields are remapped"
    LOGICAL = "needs its operands in the order in which the language counts the axes"


@dataclass(frozen=True)
class Operand:
    """A tensor that an op takes. `variadic` stands last and takes one or more (`concat`)."""

    name: str
    doc: str = ""
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True)
class WeightSpec:
    """A weight that a layer makes for itself, in the canonical (PyTorch's) layout.

    fans: (fan in, fan out), for initialisers that scale by them; None where they do not apply.
    """

    role: str
    shape: Shape
    initializer: Initializer
    trainable: bool = True
    fans: tuple[int, int] | None = None


@dataclass(frozen=True)
class Example:
    """A small valid use of an op for conformance tests: the op, and the types of its operands."""

    op: Op
    inputs: tuple[TensorType, ...]


@declaration
class Op(Declaration):
    """Base of all declarations; a subclass is a frozen dataclass whose docstring is its reference.

    name: in the language. Capitalised for layers (constructed, then applied), lower case for functions.
    operands: tensors, before the fields in a function's signature.
    takes_activation: the constructor has a last argument `activation` (the elaborator appends it as
        an op of its own; it never reaches the graph as a field).
    stochastic: draws random numbers (in training, or always); two runs differ.
    mode: behaves differently in training and evaluation.
    """

    operands: ClassVar[tuple[Operand, ...]] = (Operand("x"),)
    layout: ClassVar[Layout] = Layout.LOGICAL
    takes_activation: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    mode: ClassVar[bool] = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Types of the results; raises `ShapeError`."""
        raise NotImplementedError(type(self).__name__)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        """What the layer creates when first applied to such operands."""
        return ()

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Floating-point operations of one application; a multiply-add counts two."""
        return 0

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        """Operands that hold indices, with how many there are to choose from (labels: classes)."""
        return {}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        """Small valid uses: odd and unequal sizes, batch above one, each option at least once."""
        return iter(())

    @classmethod
    def is_layer(cls) -> bool:
        return cls.name[0].isupper()


OPS: Catalogue[Op] = Catalogue()
declare = OPS.add
