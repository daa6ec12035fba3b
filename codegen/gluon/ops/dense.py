"""Layers that multiply by a matrix, look-up, dropout; products of matrices."""

from __future__ import annotations

from codegen.dtypes import dtype_of
from codegen.gluon.dtypes import DTYPES
from codegen.gluon.layer import INVERSE, Both, Layers, first
from codegen.gluon.like import like
from codegen.gluon.sizes import has_axes
from codegen.python.dialect import Result
from codegen.python.native import Use
from codegen.python.source import Expr, Name
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.arranging import Squeeze
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.normalization import Dropout
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim
from nnspec.graph.graph import Node
from nnspec.graph.site import GraphSite

TABLE = Layers()


def width(node: Node) -> Dim:
    """Features of the operand."""
    return node.inputs[0].type.shape[-1]


def flattens(node: Node) -> bool:
    """By itself MXNet's layer makes rows of all that is behind the first axis."""
    return node.inputs[0].type.rank == 2


BIAS = Both("use_bias", "use_bias", "no_bias", True, operator_form=INVERSE)
TABLE.layer(
    Dense,
    "nn.Dense",
    "F.FullyConnected",
    first("units", "units", "num_hidden"),
    BIAS,
    Both(flattens, "flatten", "flatten", True),
    Both(width, "in_units"),
)
TABLE.layer(
    Embedding,
    "nn.Embedding",
    "F.Embedding",
    first("tokens", "input_dim", "input_dim"),
    first("width", "output_dim", "output_dim"),
    Both(lambda node: DTYPES[dtype_of(node)], None, "dtype", "float32"),
    legal=has_axes,
)
TABLE.layer(Dropout, "nn.Dropout", "F.Dropout", first("rate", "rate", "p"))


@TABLE.rewrite
def row_of_one(to: GraphSite, op: Embedding, index: Term) -> Term:
    """Of a list of one index, the row without the list."""
    (rows,) = to.again(op, to.reshape(index, (1,)))
    (row,) = to.apply(Squeeze((0,)), rows)
    return row


# Products of matrices, which MXNet does not broadcast.


def of_one_batch(node: Node) -> bool:
    a, b = (v.type.shape for v in node.inputs)
    return len(b) == 2 or a[:-2] == b[:-2]


@TABLE.rule
def matmul(op: MatMul, use: Use, a: Expr, b: Expr) -> Result:
    batch = use.types[1].rank - 2
    return Name({0: "F.dot", 1: "F.batch_dot"}.get(batch, "F.linalg_gemm2"))(a, b)


@TABLE.rewrite
def matmul_of_one_batch(to: Site, op: MatMul, a: Term, b: Term) -> Term:
    """Both with all axes, then repeated along those on which the other has more."""
    while a.rank < b.rank:
        a = to.expand_dims(a, 0)
    while b.rank < a.rank:
        b = to.expand_dims(b, 0)
    grows = [i for i in range(a.rank - 2) if a.shape[i] == 1 != b.shape[i]]
    a = like(to, a, b, *grows) if grows else a
    grows = [i for i in range(a.rank - 2) if b.shape[i] == 1 != a.shape[i]]
    b = like(to, b, a, *grows) if grows else b
    return a @ b


TABLE.legal[MatMul] = of_one_batch
