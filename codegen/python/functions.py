"""Functions of a generated file that stand in for ops that the target lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codegen.python.names import distinct, identifier
from codegen.python.source import Expr, FunctionDef, Name, Parameter, Return, Stmt, Tuple
from nnspec.graph.graph import Graph

if TYPE_CHECKING:
    from codegen.python.forward import Forward


class Functions:
    """One definition for all bodies that read alike; written when a forward pass first calls it."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, FunctionDef], str] = {}
        self._definitions: list[Stmt] = []

    @property
    def definitions(self) -> tuple[Stmt, ...]:
        """In an order in which each follows those that it calls."""
        return tuple(self._definitions)

    def call(self, body: Graph, arguments: Sequence[Expr], caller: Forward) -> Expr:
        """The application of a function; `caller` is the forward pass in which it stands."""
        dialect = caller.dialect
        first = [Name(name) for name in dialect.function_parameters]
        return Name(self._name(body, caller))(*first, *arguments)

    def _name(self, body: Graph, caller: Forward) -> str:
        dialect = caller.dialect
        reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved, *dialect.forward_names}
        parameters: list[str] = []
        for value in body.inputs:
            wanted = identifier(value.name or "x", reserved)
            parameters.append(distinct(wanted, parameters))
        inner = caller.inside(body, parameters)
        results = tuple(map(inner.result, body.outputs))
        returned: Expr = results[0] if len(results) == 1 else Tuple(results)
        definition = FunctionDef(
            body.name,
            tuple(map(Parameter, (*dialect.function_parameters, *parameters))),
            (*inner.body(), Return(returned)),
            doc=body.doc,
        )
        key = (body.name, definition)
        if key not in self._names:
            taken = {*reserved, *self._names.values()}
            name = distinct(identifier(body.name, reserved), taken)
            self._names[key] = name
            self._definitions.append(
                FunctionDef(name, definition.parameters, definition.body, doc=definition.doc)
            )
        return self._names[key]
