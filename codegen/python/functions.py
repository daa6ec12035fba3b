"""Functions of a generated file: those of the spec, and those that stand in for ops that the target lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from codegen.python.dialect import Dialect
from codegen.python.docs import doc_of
from codegen.python.forward import Forward
from codegen.python.merging import literal_columns, replaced, same_argument, skeleton, without_notes
from codegen.python.names import distinct, identifier
from codegen.python.sharing import Naming, Shared, Sizes, tell
from codegen.python.sizes import shapes_of
from codegen.python.source import Call as Application
from codegen.python.source import Expr, FunctionDef, Name, Parameter, Return, Stmt, Tuple
from codegen.python.source.tree import names
from nnspec.core.dims import Dim
from nnspec.graph.graph import Call, Graph, Program, graphs
from nnspec.graph.training import Training

Shape = tuple[Dim, ...]


@dataclass(eq=False)
class Function(Shared):
    """One definition for all bodies that read alike but for numbers.

    drafts: as each body would have it, with the sizes of its inputs and its place in `bodies`.
    """

    name: str = ""
    bodies: list[Graph] = field(default_factory=list)
    drafts: dict[tuple[FunctionDef, tuple[Shape, ...]], int] = field(default_factory=dict)

    def add(self, body: Graph, draft: FunctionDef) -> int:
        """The number of the instance."""
        key = (draft, tuple(v.type.shape for v in body.inputs))
        if key not in self.drafts:
            self.drafts[key] = len(self.bodies)
            self.bodies.append(body)
        return self.drafts[key]


class Functions:
    """Written when they are learnt: all bodies of a file at once, so that those that differ in numbers are one."""

    def __init__(self) -> None:
        self._avoided: set[str] = set()
        self._called: dict[Graph, tuple[Function, int]] = {}
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
        function = Name(self.name(body, caller.dialect))
        shared, index = self._called[body]
        first = [Name(name) for name in caller.dialect.function_parameters]
        given, named = shared.given(index)
        return Application(function, (*first, *arguments, *given), tuple(named.items()))

    def name(self, body: Graph, dialect: Dialect) -> str:
        """What a function is called in the file."""
        if body not in self._called:
            self.learn([body], dialect)
        return self._called[body][0].name

    def learn(self, within: Iterable[Graph], dialect: Dialect) -> None:
        """The functions among graphs, and those that are applied in graphs."""
        height: dict[Graph, int] = {}
        order: list[Graph] = []

        def measure(graph: Graph) -> int:
            if graph not in height:
                applied = [s.body for s in graph.steps if isinstance(s, Call)]
                below = max(map(measure, applied), default=0)
                height[graph] = below + (graph.kind == "function")
                if graph.kind == "function" and graph not in self._called:
                    order.append(graph)
            return height[graph]

        for graph in within:
            measure(graph)
        level: dict[int, list[Graph]] = {}
        for body in order:
            level.setdefault(height[body], []).append(body)
        definitions: dict[Function, FunctionDef] = {}
        for number in sorted(level):
            definitions |= self._level(level[number], dialect.functions_in or dialect)
        places = {body: i for i, body in enumerate(order)}
        for function in sorted(definitions, key=lambda f: places[f.bodies[0]]):
            definition = definitions[function]
            if definition not in self._definitions:
                self._definitions.append(definition)

    def _level(self, bodies: Sequence[Graph], dialect: Dialect) -> dict[Function, FunctionDef]:
        """Bodies whose own functions are known already."""
        alike: dict[object, Function] = {}
        for body in bodies:
            draft = _draft(body, dialect)
            function = alike.setdefault((skeleton(draft), body.doc), Function())
            self._called[body] = function, function.add(body, draft)
        return {function: self._finish(function, dialect) for function in alike.values()}

    def _finish(self, function: Function, dialect: Dialect) -> FunctionDef:
        """The definition, under a name of its own."""
        definition = _merged(function, dialect)
        wanted = function.bodies[0].name
        key = (wanted, definition)
        if key not in self._names:
            reserved = _reserved(dialect)
            taken = {*reserved, *self._avoided, *self._names.values()}
            self._names[key] = distinct(identifier(wanted, reserved), taken)
        function.name = self._names[key]
        return replace(definition, name=function.name)


def _reserved(dialect: Dialect) -> set[str]:
    return {*dialect.imports, *dialect.helpers, *dialect.reserved, *dialect.forward_names}


def _draft(body: Graph, dialect: Dialect) -> FunctionDef:
    """The function as this body would have it."""
    reserved = _reserved(dialect)
    parameters: list[str] = []
    for value in body.inputs:
        wanted = identifier(value.name or "x", reserved)
        parameters.append(distinct(wanted, parameters))
    inputs = tuple(zip(body.inputs, parameters, strict=True))
    inner = Forward(dialect, inputs, body.steps, body.outputs, layer=Name)
    inner.run()
    results = tuple(map(inner.result, body.outputs))
    returned: Expr = results[0] if len(results) == 1 else Tuple(results)
    given = tuple(map(Parameter, (*dialect.function_parameters, *parameters)))
    return FunctionDef(body.name, given, (*inner.body(), Return(returned)))


def _merged(function: Function, dialect: Dialect) -> FunctionDef:
    """What the bodies have in common; where they differ, parameters and sizes of the operands."""
    drafts = [draft for draft, _ in function.drafts]
    first = drafts[0]
    inputs = [p.name for p in first.parameters[len(dialect.function_parameters) :]]
    used = {*_reserved(dialect), *inputs, *names(*first.body)}

    def free(wanted: str) -> str:
        taken = {*used, *function.parameters, *function.held}
        return distinct(identifier(wanted, used), taken)

    naming = Naming(
        lambda column: same_argument(column, [b.arguments for b in function.bodies]),
        free,
        free,
        Sizes(dialect, first.body, shapes_of(inputs, function.bodies)),
    )
    told = tell(literal_columns([d.body for d in drafts]), function, naming)
    body = replaced(first.body, {place: at.write("") for place, at in told.items()})
    if len(drafts) > 1:
        body = (*function.prologue, *without_notes(body))
    given = (*first.parameters, *function.signature(typed=False))
    doc = doc_of(function.bodies, function.parameters)
    return replace(first, parameters=given, body=body, doc=doc)


def applied(trainings: Iterable[Training]) -> list[Graph]:
    """The functions that steps of programs apply."""
    calls = [s for t in trainings for s in t.steps if isinstance(s, Call)]
    return [s.body for s in calls if s.body.kind == "function"]


def parameter_names(program: Program) -> frozenset[str]:
    """Names of everything in a program that becomes a parameter of a generated function or method."""
    networks = [n.model for t in program.trainings for n in t.networks]
    called = [s.body for t in program.trainings for s in t.steps if isinstance(s, Call)]
    inner = (g for graph in (*program.models, *networks, *called) for g in graphs(graph))
    values = [v for graph in inner for v in graph.inputs]
    values += [v for t in program.trainings for v in t.batch]
    names = {n.name for t in program.trainings for n in t.networks}
    return frozenset(names | {v.name for v in values if v.name is not None})
