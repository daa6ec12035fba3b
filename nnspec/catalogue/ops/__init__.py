"""The catalogue: what every op is. `OPS` maps the language's names to declarations."""

from nnspec.catalogue.ops import (  # noqa: F401 - importing a family enters its ops into OPS
    activations,
    algebra,
    arranging,
    attention,
    convolution,
    ctc,
    dense,
    depthwise,
    differences,
    distances,
    einsum,
    elementwise,
    gated,
    indexing,
    logic,
    losses,
    metrics,
    noise,
    normalization,
    norms,
    numeric,
    pooling,
    positions,
    random,
    rectifiers,
    recurrent,
    reduction,
    resizing,
    search,
    shaping,
    sliding,
    statistics,
)
from nnspec.catalogue.ops.base import OPS, Example, Op, Operand, ShapeError, WeightSpec

__all__ = ["OPS", "Example", "Op", "Operand", "ShapeError", "WeightSpec"]
