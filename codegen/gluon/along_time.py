"""A cell along time by MXNet's `foreach`."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.gluon.namespace import PLACE
from codegen.python.along_time import applied, results
from codegen.python.forward import Forward
from codegen.python.source import Expr, Name
from nnspec.graph.graph import Call


def scan(call: Call, arguments: Sequence[Expr], forward: Forward) -> Expr:
    """The call of `along_time` (`snippets/along_time.py`)."""
    return results(call, applied(call, forward.layer(call), arguments, (Name(PLACE),)))
