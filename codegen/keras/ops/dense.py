"""Layers that multiply by a matrix, look-up, batch norm, dropout."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.rules import at, key, layer
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.normalization import BatchNorm, Dropout

KERNEL = {"weight": "kernel", "bias": "bias"}

TABLE = Table()
TABLE.add(
    layer(
        Dense,
        "layers.Dense",
        at("units"),
        key("use_bias", "use_bias", True),
        weights=KERNEL,
        orders={"weight": (1, 0)},
        activation="activation",
    ),
    layer(
        Embedding, "layers.Embedding", at("tokens"), at("width"), weights={"weight": "embeddings"}
    ),
    layer(Dropout, "layers.Dropout", at("rate")),
    layer(
        BatchNorm,
        "layers.BatchNormalization",
        key("momentum", "momentum", 0.99),
        key("epsilon", "epsilon", 1e-3),
        key("center", "offset", True),
        key("scale", "scale", True),
        weights={
            "weight": "gamma",
            "bias": "beta",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        },
    ),
)
