"""Steps of a graph as statements: names from the spec, single-use values nested, repeats as loops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from codegen.python import nesting
from codegen.python.dialect import Dialect, Result, UnsupportedOp
from codegen.python.loops import Segment, readers_of, run_at
from codegen.python.names import distinct, identifier
from codegen.python.nesting import operands
from codegen.python.sizes import UnknownSize, size_expression
from codegen.python.source import (
    Assign,
    Comment,
    Expr,
    Expression,
    For,
    Item,
    List,
    Literal,
    Name,
    Stmt,
    Tuple,
)
from nnspec.core.dims import Dim
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Node, Value, Weight
from nnspec.graph.training import Minimize, Repeat, TrainStep, end_of_loop

UNNAMED = ("x", "y", "z")
SHAPE_NOTES = frozenset({"flatten", "reshape", "transpose", "concat", "stack"})
_NO_TYPE = TensorType("f32", ())


class Forward:
    """Writes the statements of one function.

    inputs: values that the function's parameters hold, with the names of those parameters.
    steps: in order; roots: values that must have an expression in the end (`result`).
    layer: expression of a layer by its name in the graph (`self.conv2d`, or a network `net`).
    weight: expression of a weight that is an operand.
    together: a list of just these weights, where the program has one (training programs only).
    minimize: writes an update (training programs only); given the step and the expression of its loss.
    returned: whether the roots go into a `return`, and may be nested there; else they keep variables.
    wanted: names for values that the writer did not name.

    A function of a `Dialect` table may call `emit`, `assign`, `fresh`, `name`, `size`, `layer`.
    """

    def __init__(
        self,
        dialect: Dialect,
        inputs: Sequence[tuple[Value, str]],
        steps: Sequence[TrainStep],
        roots: Sequence[Value],
        *,
        layer: Callable[[str], Expr],
        weight: Callable[[Weight], Expr] | None = None,
        together: Callable[[Sequence[Weight]], Expr | None] | None = None,
        minimize: Callable[[Minimize, Expr, Forward], None] | None = None,
        reserved: Sequence[str] = (),
        returned: bool = True,
        wanted: Mapping[Value, str] | None = None,
    ) -> None:
        self.dialect = dialect
        self.layer_of, self.weight_of, self.minimize = layer, weight, minimize
        self.together = together
        self.inputs, self.steps, self.roots = tuple(inputs), tuple(steps), tuple(roots)
        self.wanted = wanted or {}
        self.statements: list[Stmt] = []
        self.reserved = {*dialect.imports, *dialect.helpers, *dialect.reserved, *reserved}
        self.reserved |= set(dialect.forward_names)
        self.readers = readers_of(self.steps, self.roots, self)
        self.applied = Counter(
            s.layer for s in self.steps if isinstance(s, (Node, Call)) and s.layer
        )
        self.held = Counter(c for layer in self.applied for c in _containers(layer))
        self._outer: Forward | None = None
        self._left = Counter({value: len(steps) for value, steps in self.readers.items()})
        self._bound: dict[Value, Expr] = {}
        self._pending: dict[Value, tuple[Value, ...]] = {}
        self._holder: dict[str, Value] = {}
        self._used: set[str] = set()
        self._hoisted: dict[str, Expr] = {}
        self._operands: tuple[tuple[Value, Expr], ...] = ()
        self._temporaries: list[Value] = []
        self._forced: dict[Value, str] = {}
        self._doc: str | None = None
        self._nested = nesting.nested(self.steps, self.roots, returned=returned)
        for value, name in self.inputs:
            self._bind(value, name)
        for step in self.steps:
            if isinstance(step, Call) and step.body.kind == "function":
                self.reserved.add(dialect.standing_in.name(step.body, dialect))

    # What the functions of a dialect use.

    def emit(self, statement: Stmt) -> None:
        """Write a statement before the one that takes the result."""
        self.statements.append(statement)

    def fresh(self, base: str) -> Name:
        """A variable that no living value has; it is kept until the result has been taken."""
        temporary = Value(_NO_TYPE)
        self._left[temporary] = 1
        self._temporaries.append(temporary)
        return Name(self._bind(temporary, self._choose(base)))

    def taken_over(self, value: Value, base: str) -> Name:
        """A variable for what goes on from a value: the value's own where nobody reads that afterwards."""
        held = self._bound.get(value)
        if (
            self._left[value] == 1
            and isinstance(held, Name)
            and self._holder.get(held.text) is value
        ):
            return held
        return self.fresh(base)

    def is_read(self, value: Value) -> bool:
        """Whether a step that is still to come, or the result, takes a value."""
        return self._left[value] > 0

    def assign(self, base: str, value: Expr) -> Name:
        """Give an expression a variable of its own."""
        variable = self.fresh(base)
        self.emit(Assign(variable, value))
        return variable

    def name(self, value: Expr, base: str = "x") -> Expr:
        """The expression if it may be repeated (a variable, a literal), else a variable that holds it."""
        return value if isinstance(value, (Name, Literal)) else self.assign(base, value)

    def layer(self, step: Node | Call) -> Expr:
        """The object that the step applies (`self.conv2d`)."""
        assert step.layer is not None
        return self.layer_of(step.layer)

    def size(self, dim: Dim) -> Expr:
        """A size at run time: a number, `x.shape[0]`, or arithmetic on such."""
        return size_expression(dim, self._size_at_hand)

    def several(self, values: Sequence[Value], expressions: Sequence[Expr]) -> Expr:
        """The values as a list: what an object keeps as one, else one by one."""
        held = [v for v in values if isinstance(v, Weight)]
        if self.together is not None and len(held) == len(values):
            one = self.together(held)
            if one is not None:
                return one
        return List(tuple(expressions))

    def result(self, value: Value) -> Expr:
        """The expression of a value, once its step has been written (roots; in training any that lives)."""
        if isinstance(value, Weight):
            assert self.weight_of is not None
            return self.weight_of(value)
        return self._bound[value]

    def any_input(self, dtype: str | None = None) -> Name | None:
        """A variable that holds a tensor (of an element type), for its device, say: of those that the function
        was given, or one that is still read."""
        held = [(v, name) for v, name in self.inputs if self._holder.get(name) is v]
        held += [(v, name) for name, v in self._holder.items() if self._left[v] > 0]
        kinds = ((v.type, name) for v, name in held if v.type is not _NO_TYPE)
        return next((Name(name) for kind, name in kinds if dtype in (None, kind.dtype)), None)

    @contextmanager
    def capture(self) -> Iterator[list[Stmt]]:
        """Statements written inside go to the list instead (the body of a `with`, say)."""
        outer, self.statements = self.statements, []
        try:
            yield self.statements
        finally:
            self.statements = outer

    @contextmanager
    def loop(self, steps: Sequence[TrainStep]) -> Iterator[Sequence[TrainStep]]:
        """Statements written inside are done over and over: those of the steps behind a `Repeat`."""
        repeat, *inside = steps
        assert isinstance(repeat, Repeat)
        made = {v for s in inside if isinstance(s, (Node, Call)) for v in s.outputs}
        given = [v for s in inside for v in operands(s) if v not in made]
        # The next pass reads it too, and sizes of what the function was given.
        given += [v for v, name in self.inputs if self._holder.get(name) is v]
        held = [v for v in given if not isinstance(v, Weight)]
        self._left.update(held)
        with self.capture() as body:
            yield inside
        self._release(held)
        self.emit(For(Name("_"), Name("range")(repeat.times), tuple(body)))

    def body(self) -> tuple[Stmt, ...]:
        """Everything written so far."""
        return (
            *(Assign(Name(name), value) for name, value in self._hoisted.items()),
            *self.statements,
        )

    # The steps.

    def run(self, steps: Sequence[TrainStep] | None = None) -> None:
        """Write the steps (all of them by default)."""
        steps = self.steps if steps is None else tuple(steps)
        index = 0
        while index < len(steps):
            if isinstance(steps[index], Repeat):
                end = end_of_loop(steps, index)
                with self.loop(steps[index:end]) as body:
                    self.run(body)
                index = end
                continue
            segments = run_at(self, steps, index)
            if segments and self._loop(segments):
                index += sum(len(s.steps) for s in segments)
            else:
                self.step(steps[index])
                index += 1

    def step(self, step: TrainStep) -> None:
        """Write one step."""
        assert not isinstance(step, Repeat)
        self._comment(step.doc)
        self._temporaries = []
        if isinstance(step, Minimize):
            assert self.minimize is not None
            self.minimize(step, self.result(step.loss), self)
            self._release((step.loss, *self._temporaries))
            return
        arguments = tuple(map(self.result, step.inputs))
        self._operands = tuple(zip(step.inputs, arguments, strict=True))
        result = self._apply(step, arguments)
        held = (*step.inputs, *self._temporaries)
        if isinstance(result, tuple) and (len(result) > 1 or isinstance(step, Call)):
            self._place_each(step, result, held)
        elif len(step.outputs) > 1:
            assert isinstance(result, Expr)
            self._unpack(step, result, held)
        else:
            only = result[0] if isinstance(result, tuple) else result
            self._place(step, step.outputs[0], only, held)

    def _apply(self, step: Node | Call, arguments: tuple[Expr, ...]) -> Result:
        if isinstance(step, Call):
            if step.body.kind == "function":
                return self.dialect.standing_in.call(step.body, arguments, self)
            if step.loop is not None:
                assert self.dialect.scan is not None
                return self.dialect.scan(step, arguments, self)
            return self.layer(step)(*arguments)
        kind = type(step.op)
        if kind in self.dialect.never:
            raise UnsupportedOp(step, self.dialect.name, self.dialect.never[kind])
        try:
            if kind in self.dialect.functions:
                return self.dialect.functions[kind](step, arguments, self)
        except UnknownSize as error:
            raise UnsupportedOp(step, self.dialect.name, str(error)) from None
        if kind in self.dialect.layers:
            return self.layer(step)(*arguments)
        raise UnsupportedOp(step, self.dialect.name, "it is in none of the target's tables")

    def _unpack(self, step: Node | Call, result: Expr, held: Sequence[Value]) -> None:
        self._release(held)
        if any(self._left[v] for v in step.outputs):
            targets = [self._name(v, step) if self._left[v] else "_" for v in step.outputs]
            self.emit(Assign(Tuple(tuple(map(Name, targets))), result))
        else:
            self.emit(Expression(result))

    def _place_each(
        self, step: Node | Call, results: tuple[Expr, ...], held: Sequence[Value]
    ) -> None:
        for value, expression in zip(step.outputs, results, strict=True):
            if self._left[value] and isinstance(expression, Name):
                self._bind(value, expression.text)
            elif self._left[value]:
                self.emit(Assign(Name(self._name(value, step)), expression))
        self._release(held)

    def _place(self, step: Node | Call, value: Value, result: Expr, held: Sequence[Value]) -> None:
        """Nest the result, or give it a variable."""
        another_name = value.name is None and _is_reference(result)
        if not self._left[value]:
            self._release(held)
            if isinstance(step, Call) or step.weights:
                self.emit(Expression(result))
        elif isinstance(result, Literal):
            self._release(held)
            self._bound[value] = result
        elif another_name or nesting.width(result) <= self._nested.get(step, 0):
            self._bound[value], self._pending[value] = result, tuple(held)
        else:
            self._release(held)
            noted = isinstance(step, Node) and step.op.name in SHAPE_NOTES
            note = str(value.type).removeprefix(value.type.dtype) if noted else None
            self.emit(Assign(Name(self._name(value, step)), result, note=note))

    def _loop(self, segments: tuple[Segment, ...]) -> bool:
        """Write a loop if all its passes read alike."""
        before, after = segments[0].before, segments[-1].after
        saved = (Counter(self._left), dict(self._hoisted), dict(self._holder), dict(self._bound))
        sources = [self.result(value) for value in before]
        inside = {v for s in segments for step in s.steps for v in step.outputs}
        read = [v for s in segments for step in s.steps for v in operands(step) if v not in inside]
        self._release([v for v in read if not isinstance(v, Weight)])
        variables: list[str] = []
        for start, end, source in zip(before, after, sources, strict=True):
            variable = source.text if isinstance(source, Name) else None
            wanted = end.name or (variable if variable in UNNAMED else None) or "x"
            same = identifier(wanted, self.reserved) == variable and not self._left[start]
            if variable is None or not same or variable in variables:
                others = [s.text for s in sources if isinstance(s, Name) and s is not source]
                variable = distinct(self._choose(wanted), {*variables, *others})
            variables.append(variable)
        outside = [v for v in dict.fromkeys(read) if v not in before and not isinstance(v, Weight)]
        container, _, first = segments[0].layer.rpartition(".")
        item = self._choose_other(_item(container), variables, outside)
        bodies = [self._pass(s, variables, item, outside) for s in segments]
        if bodies[0] is None or any(body != bodies[0] for body in bodies[1:]):
            self._left, self._hoisted, self._holder, self._bound = saved
            return False
        for variable, source in zip(variables, sources, strict=True):
            if source != Name(variable):
                self.emit(Assign(Name(variable), source))
        layers = self.layer_of(container)
        over = layers if first == "0" else layers[slice(int(first), None)]
        self.emit(For(Name(item), over, bodies[0]))
        for value, variable in zip(after, variables, strict=True):
            self._bind(value, variable)
        return True

    def _pass(
        self, segment: Segment, variables: Sequence[str], item: str, outside: Sequence[Value]
    ) -> tuple[Stmt, ...] | None:
        """The body of a loop, as this pass would have it; None where variables would have to change places."""
        held = (*self._holder, *self._hoisted)
        living = [n for n in held if self._alive(n) and n not in variables]
        inner = Forward(
            self.dialect,
            list(zip(segment.before, variables, strict=True)),
            segment.steps,
            segment.after,
            layer=lambda name: Name(item) if name == segment.layer else self.layer_of(name),
            weight=self.weight_of,
            together=self.together,
            reserved=(*self.reserved, *living, item),
            returned=len(variables) == 1,
        )
        inner._outer, inner._doc = self, self._doc
        inner._forced |= dict(zip(segment.after, variables, strict=True))
        for value in outside:
            inner._bound[value] = self._bound[value]
        inner.run()
        for value, variable in zip(segment.after, variables, strict=True):
            result = inner.result(value)
            if result != Name(variable):
                if len(variables) > 1:
                    return None
                inner.emit(Assign(Name(variable), result))
        return inner.body()

    # Variables.

    def _release(self, values: Sequence[Value]) -> None:
        """The values have been read once; a nested one then gives back what it had read itself."""
        for value in values:
            self._left[value] -= 1
            if not self._left[value]:
                self._release(self._pending.pop(value, ()))

    def _alive(self, name: str) -> bool:
        holder = self._holder.get(name)
        return name in self._hoisted or (holder is not None and self._left[holder] > 0)

    def _choose(self, base: str) -> str:
        """A name for a new value: the wanted one, or one like it where that is still read."""
        base = identifier(base, self.reserved)
        for option in UNNAMED if base == "x" else (base,):
            if not self._alive(option) and option not in self.reserved:
                return option
        return distinct(base, {n for n in self._used if self._alive(n)} | self.reserved)

    def _choose_other(self, base: str, taken: Sequence[str], held: Sequence[Value]) -> str:
        """A name that is none of `taken`, nor that of a value in `held`."""
        others = {n for n, v in self._holder.items() if v in held}
        name = self._choose(base)
        return distinct(name, {*taken, *others})

    def _bind(self, value: Value, name: str) -> str:
        self._bound[value] = Name(name)
        self._pending.pop(value, None)
        self._holder[name] = value
        self._used.add(name)
        return name

    def _name(self, value: Value, step: Node | Call) -> str:
        if value in self._forced:
            return self._bind(value, self._forced[value])
        name = value.name or self.wanted.get(value) or value.hint or default_name(value, step)
        return self._bind(value, self._choose(name))

    def _comment(self, doc: str | None) -> None:
        if doc and doc != self._doc:
            self.emit(Comment(doc))
        self._doc = doc

    def _size_at_hand(self, dim: Dim) -> Expr | None:
        """`x.shape[0]` for a dimension that stands as such in a tensor at hand."""
        for value, expression in self._operands:
            if isinstance(expression, Name) and dim in value.type.shape:
                return self.dialect.size(expression, value.type.shape.index(dim))
        for value, name in self.inputs:
            if dim in value.type.shape:
                expression = self.dialect.size(Name(name), value.type.shape.index(dim))
                kept = self._holder.get(name) is value
                return expression if kept else self._hoist(str(dim).lower(), expression)
        return self._outer._size_at_hand(dim) if self._outer else None

    def _hoist(self, base: str, value: Expr) -> Expr:
        """A variable set at the top, for an input whose own variable is something else by now."""
        for name, known in self._hoisted.items():
            if known == value:
                return Name(name)
        plain = "".join(c if c.isalnum() else "_" for c in base).strip("_") or "size"
        name = distinct(identifier(plain, self.reserved), self._used | self.reserved)
        self._hoisted[name] = value
        self._used.add(name)
        return Name(name)


def _is_reference(expression: Expr) -> bool:
    """A variable, or an element of one."""
    match expression:
        case Item(value, index):
            return isinstance(value, Name) and isinstance(index, Literal)
        case _:
            return isinstance(expression, Name)


def _containers(layer: str) -> Iterator[str]:
    """`stage.0` and `stage` of `stage.0.1`."""
    while "." in layer:
        layer = layer.rpartition(".")[0]
        yield layer


def _item(container: str) -> str:
    """What to call one of `blocks`, `layer` or `residual_2`."""
    name = re.sub(r"(?:\.\d+)+$", "", container).rpartition(".")[2]
    name = re.sub(r"_\d+$", "", name)
    return name.removesuffix("" if name.endswith("ss") else "s") or name


def default_name(value: Value, step: Node | Call) -> str:
    """What to call a value that the writer did not name: a network's output as the network does."""
    if isinstance(step, Call):
        model = step.body.kind == "model"
        return step.body.output_names[step.outputs.index(value)] if model else "x"
    if step.op.name == "random_normal":
        return "noise"
    return "term" if value.type.rank == 0 and len(step.inputs) > 1 else "x"
