"""Element by element: powers, waves, rounding, logic."""

from __future__ import annotations

from codegen.python.native import Table
from codegen.rules import function, key, operator
from nnspec.catalogue.ops.logic import LogicalAnd, LogicalNot, LogicalOr
from nnspec.catalogue.ops.numeric import (
    Ceil,
    Clip,
    Cos,
    Erf,
    Expm1,
    Floor,
    Power,
    Round,
    Rsqrt,
    Sin,
)

TABLE = Table()
TABLE.add(
    operator(Power, "**"),
    function(Rsqrt, "torch.rsqrt"),
    function(Expm1, "torch.expm1"),
    function(Sin, "torch.sin"),
    function(Cos, "torch.cos"),
    function(Erf, "torch.erf"),
    function(Floor, "torch.floor"),
    function(Ceil, "torch.ceil"),
    function(Round, "torch.round"),
    function(Clip, "torch.clamp", key("min", "low", None), key("max", "high", None)),
    function(LogicalAnd, "torch.logical_and"),
    function(LogicalOr, "torch.logical_or"),
    function(LogicalNot, "torch.logical_not"),
)
