"""Attention, and numbers of places."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name
from codegen.pytorch.dtypes import DTYPES
from codegen.rewrites import attention_by_mask, is_one_mask
from nnspec.catalogue.ops.attention import Attention
from nnspec.catalogue.ops.helpers import normal_axis
from nnspec.catalogue.ops.positions import Positions

TABLE = Table()
TABLE.legal[Attention] = is_one_mask
TABLE.rewrites[Attention] = attention_by_mask


@TABLE.rule
def attention(op: Attention, use: Use, query: Expr, key: Expr, value: Expr, *mask: Expr) -> Result:
    """PyTorch too gives zeros where nothing is seen."""
    made = Name("F.scaled_dot_product_attention")(query, key, value)
    made = made.with_keyword("attn_mask", mask[0]) if mask else made
    made = made.with_keyword("is_causal", True) if op.causal else made
    made = made if op.scale is None else made.with_keyword("scale", op.scale)
    grouped = use.rank == 4 and use.types[0].shape[1] != use.types[1].shape[1]
    return made.with_keyword("enable_gqa", True) if grouped else made


@TABLE.rule
def positions(op: Positions, use: Use, x: Expr) -> Result:
    x = use.forward.name(x, "x")
    count = x.attr("shape")[normal_axis(op.axis, use.rank)]
    made = Name("torch.arange")(count)
    dtype = op.dtype_for(use.types[0])
    if op.dtype is None:
        made = made.with_keyword("dtype", x.attr("dtype"))
    elif dtype != "i64":
        made = made.with_keyword("dtype", Name(DTYPES[dtype]))
    return made.with_keyword("device", x.attr("device"))
