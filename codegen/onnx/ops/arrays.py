"""Elements by their numbers, products of matrices."""

from __future__ import annotations

from codegen import rewrites
from codegen.onnx.lowering import Result
from codegen.onnx.native import Table, Use
from codegen.onnx.ops.reductions import ALONE
from codegen.rules import at, function, key
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.einsum import Einsum
from nnspec.catalogue.ops.indexing import Gather, OneHot, ScatterAdd
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.tables import Numbers
from nnspec.graph.graph import Node

TABLE = Table()


def is_plain(node: Node) -> bool:
    """Runtimes have it for few types of its operand and result, and of no single number."""
    x = node.inputs[0].type
    return x.rank > 0 and (x.dtype, node.outputs[0].type.dtype) == ("i64", "f32")


def is_list(node: Node) -> bool:
    """Whether parts are added along the first axis, by a list of numbers of 64 bits."""
    return rewrites.in_rows(node) and node.inputs[1].type.dtype == "i64"


TABLE.add(
    function(MatMul, "MatMul"),
    function(Gather, "Gather", key("axis", "axis", 0)),
    function(
        OneHot,
        "OneHot",
        at("classes", form=ALONE),
        at(lambda node: (0.0, 1.0), "values"),
        legal=is_plain,
    ),
)


def same_others(node: Node) -> bool:
    """ONNX wants the axes that `...` stands for to be the same everywhere."""
    assert isinstance(node.op, Einsum)
    kinds = [v.type for v in node.inputs]
    sides = node.op.parsed(*kinds).operands
    others = [
        tuple(size for a, size in zip(axes, x.shape, strict=True) if a[0] == ".")
        for axes, x in zip(sides, kinds, strict=True)
    ]
    return len({o for o in others if o}) < 2


TABLE.legal[Einsum] = same_others


@TABLE.rule
def einsum(op: Einsum, use: Use, *x: str) -> Result:
    return use.to.op("Einsum", *x, equation=op.equation)


@TABLE.rule
def numbers(op: Numbers, use: Use) -> Result:
    return use.to.constant(op.evaluate(), "numbers")


@TABLE.rewrite
def one_hot(to: Site, op: OneHot, x: Term) -> Term:
    if x.rank == 0:
        return rewrites.one_hot_of_one(to, op, x)
    rows = to.one_hot(wide(to, x), op.classes)
    return rows if op.dtype == "f32" else to.cast(rows, op.dtype)


def wide(to: Site, indices: Term) -> Term:
    """In 64 bits."""
    return indices if indices.dtype == "i64" else to.cast(indices, "i64")


TABLE.legal[ScatterAdd] = is_list


@TABLE.rule
def scatter_add(op: ScatterAdd, use: Use, x: str, indices: str, updates: str) -> Result:
    rows = use.to.op("Unsqueeze", indices, use.to.shape([1], "axes"))
    return use.to.op("ScatterND", x, rows, updates, reduction="add")


@TABLE.rewrite
def scatter_add_in_rows(to: Site, op: ScatterAdd, x: Term, indices: Term, updates: Term) -> Term:
    return rewrites.scatter_in_rows(to, op, x, wide(to, indices), updates)
