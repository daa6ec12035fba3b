"""Cross entropy; the other losses are what they expand to."""

from __future__ import annotations

from codegen.onnx.native import Table
from codegen.onnx.ops.arrays import wide
from codegen.rewrites import is_plain_entropy
from codegen.rules import function, key
from nnspec.catalogue.ops.losses import CrossEntropy
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import product
from nnspec.graph.graph import Node

TABLE = Table()


def is_rows(node: Node) -> bool:
    """Whether there is a row of scores for each label, and labels have 64 bits."""
    logits, labels = node.inputs
    return is_plain_entropy(node) and logits.type.rank == 2 and labels.type.dtype == "i64"


TABLE.add(
    function(
        CrossEntropy,
        "SoftmaxCrossEntropyLoss",
        key("reduction", "reduction", "mean"),
        legal=is_rows,
    )
)


@TABLE.rewrite
def cross_entropy(to: Site, op: CrossEntropy, logits: Term, labels: Term) -> Term:
    if not op.is_plain or labels.type.is_float:
        return op.expand(to, logits, labels)
    rows, shape = product(labels.shape), labels.shape
    labels = wide(to, labels)
    if len(shape) > 1:
        logits = to.reshape(logits, (rows, logits.shape[-1]))
        labels = to.reshape(labels, (rows,))
    loss = to.cross_entropy(logits, labels, reduction=op.reduction)
    return to.reshape(loss, shape) if op.reduction == "none" and len(shape) > 1 else loss
