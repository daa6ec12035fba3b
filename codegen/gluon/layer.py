"""Layers, which MXNet has twice: as a block of `gluon.nn` that makes its own parameters, and as an operator
whose weights are variables of a symbol graph. One record says both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codegen.python.native import Table
from codegen.rules import PLAIN, REQUIRED, Argument, Form, Native
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Node

INVERSE = Form(lambda value: not value, lambda value: not value)
"""`no_bias` for `use_bias`."""


@dataclass(frozen=True)
class Both:
    """One argument of a layer.

    source: the field of the op, or a function of the node. block, operator: what each calls it; None where it
    is not told. default: of both; `operator_default` where the operator has another.
    hint: of what the block takes by position, what to call it as a parameter of a shared class.
    """

    source: str | Callable[[Node], Any]
    block: str | None = None
    operator: str | None = None
    default: Any = REQUIRED
    form: Form = PLAIN
    operator_form: Form = PLAIN
    operator_default: Any = None
    first: bool = False
    hint: str | None = None

    def of_block(self) -> Argument:
        keyword = None if self.first else self.block
        return Argument(self.source, keyword, self.default, self.form, self.hint)

    def of_operator(self) -> Argument:
        own = self.default if self.operator_default is None else self.operator_default
        return Argument(self.source, self.operator, own, self.operator_form)

    @property
    def in_block(self) -> bool:
        return self.first or self.block is not None


def first(
    source: str | Callable[[Node], Any],
    hint: str | None,
    operator: str,
    form: Form = PLAIN,
    operator_form: Form = PLAIN,
) -> Both:
    """An argument that the block takes by position."""
    return Both(
        source, None, operator, form=form, operator_form=operator_form, first=True, hint=hint
    )


@dataclass
class Layers(Table):
    """A family with layers.

    operators: each layer as an operator; its weights are `variables`, by role.
    """

    operators: dict[type[Op], Native] = field(default_factory=dict)

    def layer(
        self,
        op: type[Op],
        block: str,
        operator: str,
        *arguments: Both,
        weights: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        legal: Callable[[Node], bool] = lambda node: True,
    ) -> None:
        """A layer, as both. weights: of the block, by role, where they are called otherwise than in the
        language; variables: of the operator, where these have yet other names."""
        own = dict(weights or {})
        given = tuple(a.of_block() for a in arguments if a.in_block)
        self.add(Native(op, block, "layer", given, own, legal=legal))
        told = tuple(a.of_operator() for a in arguments if a.operator is not None)
        self.operators[op] = Native(op, operator, "function", told, {**own, **(variables or {})})
