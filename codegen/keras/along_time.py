"""A cell along time by `tf.scan`."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.keras.dtypes import DTYPES
from codegen.python.along_time import applied, results
from codegen.python.dialect import Unsupported
from codegen.python.forward import Forward
from codegen.python.sizes import UnknownSize
from codegen.python.source import Expr, Name, Tuple
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call


def scan(call: Call, arguments: Sequence[Expr], forward: Forward) -> Expr:
    """The call of `along_time` (`snippets/along_time.py`)."""
    assert call.loop is not None
    stacked = call.loop.stacked(len(call.outputs))
    try:
        zeros = [_zeros(call.body.outputs[i].type, forward) for i in stacked]
    except UnknownSize as unknown:
        what = f"`{call.body.name}` along {call.steps} steps"
        raise Unsupported(what, call.span, "keras", str(unknown)) from None
    made = applied(call, forward.layer(call), arguments)
    return results(call, made.with_keyword("outputs", Tuple(tuple(zeros))))


def _zeros(kind: TensorType, forward: Forward) -> Expr:
    made = Name("ops.zeros")(Tuple(tuple(map(forward.size, kind.shape))))
    return made if kind.dtype == "f32" else made.with_keyword("dtype", DTYPES[kind.dtype])
