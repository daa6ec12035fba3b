"""Losses and metrics, by Gluon's own loss blocks where they mean the same.

Gluon's losses give one number for each sample (the mean over its other axes), so that their mean is
the mean over everything; L2Loss is half the squared difference and is not used.
"""

from __future__ import annotations

from codegen.gluon.like import like
from codegen.gluon.ops.elementwise import meeting
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.regularisers import sizes
from codegen.python.source import Expr, Name
from codegen.rewrites import is_plain_entropy, is_unweighted
from codegen.rules import function
from nnspec.catalogue.ops.distances import L1, L2
from nnspec.catalogue.ops.elementwise import Subtract
from nnspec.catalogue.ops.losses import Accuracy, BinaryCrossEntropy, CrossEntropy, Mse
from nnspec.catalogue.ops.site import Site, Term
from nnspec.graph.graph import Node

TABLE = Table()


def mean_of_one_shape(node: Node) -> bool:
    op, (logits, targets) = node.op, node.inputs
    return (
        isinstance(op, BinaryCrossEntropy)
        and is_unweighted(node)
        and op.reduction == "mean"
        and logits.type.shape == targets.type.shape
    )


TABLE.add(
    function(Accuracy, "accuracy"),
    function(BinaryCrossEntropy, "binary_cross_entropy", legal=mean_of_one_shape),
)


@TABLE.rewrite
def of_one_shape(to: Site, op: BinaryCrossEntropy, logits: Term, targets: Term) -> Term:
    """A number repeated; without the mean, what the loss comes down to."""
    targets = like(to, targets, logits)
    if op.reduction != "mean" or op.positive_weight != 1:
        return op.expand(to, logits, targets)
    (loss,) = to.apply(op, logits, targets)
    return loss


TABLE.legal[CrossEntropy] = is_plain_entropy


@TABLE.rule
def cross_entropy(op: CrossEntropy, use: Use, logits: Expr, labels: Expr) -> Result:
    if op.reduction == "mean":
        return Name("cross_entropy")(logits, labels)
    return reduced(-Name("F.pick")(Name("F.log_softmax")(logits), labels), op.reduction)


@TABLE.rule
def mse(op: Mse, use: Use, predictions: Expr, targets: Expr) -> Result:
    difference = meeting(Subtract, use.types, predictions, targets)
    return reduced(Name("F.square")(difference), op.reduction)


def reduced(each: Expr, reduction: str) -> Expr:
    return each if reduction == "none" else each.attr(reduction)()


sizes(
    TABLE,
    {
        L1: Name("F.sum")(Name("F.abs")(Name("w"))),
        L2: Name("F.sum")(Name("F.square")(Name("w"))),
    },
)
