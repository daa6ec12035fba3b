"""Layers that multiply by a matrix, look-up, dropout."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.rules import at, key, layer
from nnspec.catalogue.ops.dense import Bilinear, Dense, Embedding
from nnspec.catalogue.ops.normalization import Dropout
from nnspec.graph.graph import Node

TABLE = Table()


def width(node: Node) -> int:
    """Features of the operand, as the weight has them."""
    return int(str(node.weights[0].type.shape[1]))


TABLE.add(
    layer(Dense, "nn.Linear", at(width, "in_features"), at("units"), key("bias", "use_bias", True)),
    layer(
        Bilinear,
        "nn.Bilinear",
        at(lambda node: node.inputs[0].type.shape[-1], "in1_features"),
        at(lambda node: node.inputs[1].type.shape[-1], "in2_features"),
        at("units"),
        key("bias", "use_bias", True),
    ),
    layer(Embedding, "nn.Embedding", at("tokens"), at("width")),
    layer(Dropout, "nn.Dropout", at("rate")),
)
