"""Functions of a generated file that stand in for ops that the target lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from codegen.python.names import distinct, identifier
from codegen.python.source import Expr, FunctionDef, Name, Parameter, Return, Stmt, Tuple
from codegen.python.source.texts import first_paragraph
from nnspec.graph.graph import Call, Graph, Program, graphs

if TYPE_CHECKING:
    from codegen.python.forward import Forward


class Functions:
    """One definition for all bodies that read alike; written when a forward pass first calls it."""

    def __init__(self) -> None:
        self._avoided: set[str] = set()
        self._called: dict[Graph, str] = {}
        self._names: dict[tuple[str, FunctionDef], str] = {}
        self._definitions: list[Stmt] = []

    def avoid(self, names: Iterable[str]) -> None:
        """Names that no function may take: of parameters (`parameter_names`), which would hide it, and of
        what else the file defines. What is merely a variable gives way (`Forward.reserved`)."""
        self._avoided |= set(names)

    @property
    def names(self) -> frozenset[str]:
        """What the functions so far are called."""
        return frozenset(self._names.values())

    @property
    def definitions(self) -> tuple[Stmt, ...]:
        """In an order in which each follows those that it calls."""
        return tuple(self._definitions)

    def call(self, body: Graph, arguments: Sequence[Expr], caller: Forward) -> Expr:
        """The application of a function; `caller` is the forward pass in which it stands."""
        dialect = caller.dialect
        first = [Name(name) for name in dialect.function_parameters]
        return Name(self.name(body, caller))(*first, *arguments)

    def name(self, body: Graph, caller: Forward) -> str:
        """What a function is called in the file."""
        if body not in self._called:
            self._called[body] = self._define(body, caller)
        return self._called[body]

    def _define(self, body: Graph, caller: Forward) -> str:
        dialect = caller.dialect.functions_in or caller.dialect
        reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved, *dialect.forward_names}
        parameters: list[str] = []
        for value in body.inputs:
            wanted = identifier(value.name or "x", reserved)
            parameters.append(distinct(wanted, parameters))
        inner = caller.inside(body, parameters, dialect)
        results = tuple(map(inner.result, body.outputs))
        returned: Expr = results[0] if len(results) == 1 else Tuple(results)
        definition = FunctionDef(
            body.name,
            tuple(map(Parameter, (*dialect.function_parameters, *parameters))),
            (*inner.body(), Return(returned)),
            doc=first_paragraph(body.doc) if body.doc else None,
        )
        key = (body.name, definition)
        if key not in self._names:
            taken = {*reserved, *self._avoided, *self._names.values()}
            name = distinct(identifier(body.name, reserved), taken)
            self._names[key] = name
            self._definitions.append(
                FunctionDef(name, definition.parameters, definition.body, doc=definition.doc)
            )
        return self._names[key]


def parameter_names(program: Program) -> frozenset[str]:
    """Names of everything in a program that becomes a parameter of a generated function or method."""
    networks = [n.model for t in program.trainings for n in t.networks]
    called = [s.body for t in program.trainings for s in t.steps if isinstance(s, Call)]
    inner = (g for graph in (*program.models, *networks, *called) for g in graphs(graph))
    values = [v for graph in inner for v in graph.inputs]
    values += [v for t in program.trainings for v in t.batch]
    names = {n.name for t in program.trainings for n in t.networks}
    return frozenset(names | {v.name for v in values if v.name is not None})
