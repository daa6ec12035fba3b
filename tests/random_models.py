"""Random valid models, made from the declarations: any op that the catalogue has, applied to any values that fit.

Which arguments an op has comes from its examples, which values it takes from its own shape rule, what their
elements may be from the domains of its operands. Nothing here names an op but to bring a value into a domain, and
to join what goes side by side. Around the ops stand the structures of the language: blocks, repeats, shared
layers, pipes and parallels.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

from uses import SIZES, concrete

from nnspec.catalogue.ops import OPS, Example, Op, ShapeError
from nnspec.core.dims import symbol
from nnspec.core.types import TensorType
from nnspec.graph.evaluate.sizes import with_sizes
from nnspec.views.reference.written import written

N, T = symbol("N"), symbol("T")
STARTS = (
    TensorType("f32", (N, 9, 7, 4)),
    TensorType("f32", (N, 5, 3)),
    TensorType("f32", (N, T, 5)),
    TensorType("f32", (N, 6)),
    TensorType("f32", (N, 4, 4)),
    TensorType("f32", (2, 3, 5, 4)),
    TensorType("f32", (N, 4, 3, 5, 2)),
)
WHOLE = (
    TensorType("i64", (N, 6)),
    TensorType("i64", (N, 5, 3)),
    TensorType("bool", (N, 6)),
    TensorType("bool", (N, 5, 3)),
)
LARGEST = 4000
"""Elements of a value."""

INTO = {"positive": "(abs({0}) + 0.5)", "nonzero": "(abs({0}) + 0.5)", "unit": "sigmoid({0})"}
"""A value of any floats as one of a domain."""

EXAMPLES: dict[str, list[Example]] = {
    name: list(op.examples()) for name, op in sorted(OPS.items()) if op.operands and not op.hidden
}
UNARY = [
    example
    for examples in EXAMPLES.values()
    for example in examples
    if len(example.inputs) == 1 and example.op.operands[0].domain == "real"
]


@dataclass(frozen=True)
class Statement:
    """One line, with the values that it makes and reads; a block counts as read."""

    text: str
    makes: tuple[str, ...]
    reads: tuple[str, ...]


@dataclass
class Scope:
    """The body of a model or block so far: statements, and the values that can be used.

    closed: what is not there cannot become an input.
    """

    closed: bool = False
    inputs: dict[str, TensorType] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    values: dict[str, TensorType] = field(default_factory=dict)

    def input(self, type: TensorType) -> str:
        name = f"x{len(self.values)}"
        self.inputs[name] = self.values[name] = type
        return name

    def add(self, text: str, type: TensorType, reads: Sequence[str], rest: int = 0) -> None:
        name = f"v{len(self.values)}"
        target = ", ".join([name, *("_" for _ in range(rest))])
        self.statements.append(Statement(f"{target} = {text}", (name,), tuple(reads)))
        self.values[name] = type

    def body(self, outputs: Sequence[str]) -> str:
        """The lines that these outputs need."""
        inputs, lines = self.needed(outputs)
        inputs = [f"input {n}" for n in inputs]
        return "".join(f"  {line}\n" for line in (*inputs, *lines, f"output {', '.join(outputs)}"))

    def needed(self, outputs: Sequence[str]) -> tuple[list[str], list[str]]:
        """The inputs and statements that these outputs need."""
        needed, kept = {*outputs}, list[str]()
        for statement in reversed(self.statements):
            if needed.intersection(statement.makes):
                needed.update(statement.reads)
                kept.append(statement.text)
        inputs = [f"{n}: {_written(t)}" for n, t in self.inputs.items() if n in needed]
        return inputs, kept[::-1]

    def ends(self) -> list[str]:
        """Values that nothing reads."""
        read = {name for statement in self.statements for name in statement.reads}
        return [
            name for s in self.statements for name in s.makes if name in self.values.keys() - read
        ]


@dataclass(frozen=True)
class Block:
    """A declared block: what it takes and gives."""

    name: str
    text: str
    type: TensorType
    result: TensorType


class Writer:
    """One model. Fewer steps of the same seed are the beginning of the same model."""

    def __init__(self, seed: str, steps: int, prefix: str = "") -> None:
        self.random = random.Random(seed)
        self.prefix = prefix
        self.blocks: list[Block] = []
        self.cells: dict[str, str] = {}
        self.scope = Scope()
        for _ in range(self.random.randint(1, 3)):
            self.scope.input(self.random.choice(STARTS))
        for start in WHOLE:
            if self.random.random() < 0.2:
                self.scope.input(start)
        structures = [
            self._block,
            self._apply,
            self._shared,
            self._pipe,
            self._parallel,
            self._repeat,
            self._scan,
        ]
        for _ in range(steps):
            if self.random.random() < 0.6 or not self.random.choice(structures)(self.scope):
                self._op(self.scope)

    def text(self, name: str, outputs: Sequence[str] = ()) -> str:
        """The model, or what of it some outputs need."""
        body = self.scope.body(outputs or self.scope.ends())
        blocks = [b.text for b in self.blocks if f"{b.name}()" in body]
        cells = [text for cell, text in self.cells.items() if f"{cell}()" in body]
        return "\n".join([*blocks, *cells, f"model {name} {{\n{body}}}\n"])

    def _op(self, scope: Scope) -> bool:
        """Any op, on values that fit it."""
        names = list(EXAMPLES)
        self.random.shuffle(names)
        examples = (self.random.choice(EXAMPLES[name]) for name in names if EXAMPLES[name])
        return any(self._applied(scope, example) for example in examples)

    def _applied(self, scope: Scope, example: Example) -> bool:
        """The op on values of the scope; on inputs of its own where none fit."""
        for _ in range(6):
            chosen = [self._operand(scope, i, example) for i in range(len(example.inputs))]
            names = [name for name in chosen if name is not None]
            if len(names) < len(chosen):
                return False
            if self._added(scope, example.op, names):
                return True
        return not scope.closed and self._added(
            scope, example.op, list(map(scope.input, example.inputs))
        )

    def _added(self, scope: Scope, op: Op, names: list[str]) -> bool:
        types = [scope.values[name] for name in names]
        if not fits(op, types):
            return False
        result, *rest = op.infer(*types)
        scope.add(self._call(scope, op, names), result, names, len(rest))
        return True

    def _operand(self, scope: Scope, place: int, example: Example) -> str | None:
        """A value of the scope, by preference a late one; indices come from an input of their own.

        Now and then it is whole or true numbers in place of fractions, where the op has them too.
        """
        wanted = example.inputs[place]
        if wanted.is_float and self.random.random() < 0.2:
            whole = [t for t in WHOLE if t.rank == wanted.rank]
            wanted = self.random.choice(whole or [wanted])
        if place not in example.op.index_bounds(*example.inputs):
            alike = [
                v
                for v, t in scope.values.items()
                if (t.dtype, t.rank) == (wanted.dtype, wanted.rank)
            ]
            if alike and (
                wanted.is_float or wanted.dtype == "bool" or example.inputs[place].is_float
            ):
                return self.random.choice(alike[-4:])
        return None if scope.closed else scope.input(wanted)

    def _call(self, scope: Scope, op: Op, operands: list[str]) -> str:
        domains = [o.domain for o in op.operands]
        domains += domains[-1:] * (len(operands) - len(domains))
        given = [
            INTO[domain].format(name) if domain in INTO and scope.values[name].is_float else name
            for domain, name in zip(domains, operands, strict=False)
        ]
        head = given[0] if len(given) == 1 else f"({', '.join(given)})"
        if op.is_layer():
            return f"{head} -> {written(op)}"
        name, _, rest = written(op).partition("(")
        return f"{name}({', '.join([*given, rest[:-1]] if rest else given)})"

    def _floats(self, scope: Scope) -> str:
        floats = [v for v, t in scope.values.items() if t.is_float]
        return self.random.choice(floats[-4:])

    def _stages(self, type: TensorType, count: int) -> tuple[list[str], TensorType]:
        """Ops of one operand and one result, one behind another."""
        stages: list[str] = []
        for _ in range(40):
            example = self.random.choice(UNARY)
            if len(stages) < count and fits(example.op, [type]) and _is_single(example.op, type):
                stages.append(written(example.op))
                [type] = example.op.infer(type)
        return stages, type

    def _pipe(self, scope: Scope) -> bool:
        start = self._floats(scope)
        stages, type = self._stages(scope.values[start], self.random.randint(2, 4))
        if stages:
            scope.add(" -> ".join([start, *stages]), type, [start])
        return bool(stages)

    def _parallel(self, scope: Scope) -> bool:
        """Branches that differ in the last size at most, joined."""
        start = self._floats(scope)
        branches: list[tuple[str, TensorType]] = [("identity", scope.values[start])]
        for _ in range(12):
            stages, type = self._stages(scope.values[start], 1)
            if stages and type.shape[:-1] == branches[0][1].shape[:-1] and len(branches) < 3:
                branches.append((stages[0], type))
        self.random.shuffle(branches)
        types = [t for _, t in branches]
        join = "concat"
        if len(set(types)) == 1 and self.random.random() < 0.5:
            join = self.random.choice(["add", "maximum", "multiply"])
            del branches[2:], types[2:]
        op = OPS[join]()
        if len(branches) < 2 or not fits(op, types):
            return False
        [result] = op.infer(*types)
        scope.add(f"{start} -> ({' | '.join(s for s, _ in branches)}) -> {join}", result, [start])
        return True

    def _block(self, scope: Scope) -> bool:
        """Some steps as a block of its own, applied at once."""
        start = self._floats(scope)
        if not _is_named(scope.values[start]):
            return False
        inner = Scope(closed=True)
        name = inner.input(scope.values[start])
        self._some(inner)
        ends = [e for e in inner.ends() if inner.values[e].is_float]
        if not ends:
            return False
        last = ends[-1]
        type, result = inner.values[name], inner.values[last]
        title = f"{self.prefix}Part{len(self.blocks)}"
        residual = type == result and self.random.random() < 0.5
        body = inner.body([last])
        if residual:
            body = body.replace(f"output {last}", f"output {name} + {last}")
        self.blocks.append(Block(title, f"block {title} {{\n{body}}}\n", type, result))
        return self._apply(scope)

    def _some(self, inner: Scope) -> None:
        """Steps of what is declared."""
        for _ in range(self.random.randint(1, 3)):
            self.random.choice([self._op, self._op, self._pipe, self._parallel])(inner)

    def _scan(self, scope: Scope) -> bool:
        """A cell of its own along the second axis, as long as that is; once, or twice with the state handed on."""
        floats = [v for v, t in scope.values.items() if t.is_float and t.rank > 1 and _is_named(t)]
        if not floats:
            return False
        start = self.random.choice(floats[-4:])
        type = scope.values[start]
        step = replace(type, shape=(type.shape[0], *type.shape[2:]))
        title = f"{self.prefix}Cell{len(self.cells)}"
        text, made = self._cell(title, step)
        self.cells[title] = text
        stacked = replace(made, shape=(*made.shape[:1], type.shape[1], *made.shape[1:]))
        y, h, cell = (f"{letter}{len(scope.values)}" for letter in ("y", "h", "cell"))
        scope.statements.append(Statement(f"{cell} = {title}()", (cell,), ()))
        states = [v for v, t in scope.values.items() if t == step]
        given = self.random.sample(states, min(len(states), self.random.randint(0, 1)))
        reads = [cell, start, *given]
        for again in range(self.random.randint(1, 2)):
            operands = [cell, f"{start} * 0.5" if again else start, *given]
            text = f"{y}, {h} = scan({', '.join(operands)})"
            scope.statements.append(Statement(text, (y, h), reads))
            scope.values |= {y: stacked, h: step}
            reads, given, y, h = [cell, start, h], [h], f"{y}b", f"{h}b"
        return True

    def _cell(self, title: str, step: TensorType) -> tuple[str, TensorType]:
        """Its text, and what it puts out at a step beside its state."""
        inner = Scope(closed=True)
        x, h = inner.input(step), inner.input(step)
        self._some(inner)
        made = [v for s in inner.statements for v in s.makes]
        seen = self.random.choice([v for v in made if inner.values[v].rank] or [x])
        new = self.random.choice([v for v in made if inner.values[v] == step] or [h])
        begin = self.random.choice([" = 0.5", f": {_written(step)} = 0.25"])
        _, lines = inner.needed([seen, new])
        head = f"input {x}: {_written(step)}, {h}{begin}"
        last = f"output {seen}, {h} = tanh({x} + 0.5 * {h} - {new})"
        body = "".join(f"  {line}\n" for line in (head, *lines, last))
        return f"block {title} {{\n{body}}}\n", inner.values[seen]

    def _apply(self, scope: Scope) -> bool:
        """A block, on a value of the type that it is for; repeated where it gives what it takes."""
        uses = [(b, v) for b in self.blocks for v, t in scope.values.items() if t == b.type]
        if not uses:
            return False
        block, start = self.random.choice(uses[-4:])
        times = f" * {self.random.randint(2, 3)}" if block.type == block.result else ""
        scope.add(f"{start} -> {block.name}(){times}", block.result, [start])
        return True

    def _shared(self, scope: Scope) -> bool:
        """One layer or block, applied to two values of one type."""
        start = self._floats(scope)
        type = scope.values[start]
        other = self.random.choice([v for v, t in scope.values.items() if t == type])
        layers = [(f"{b.name}()", b.result) for b in self.blocks if b.type == type]
        for example in self.random.sample(UNARY, 40):
            if example.op.is_layer() and fits(example.op, [type]) and _is_single(example.op, type):
                layer = written(example.op)
                layer += "" if "(" in layer else "()"
                layers.append((layer, example.op.infer(type)[0]))
        if not layers:
            return False
        chosen, result = self.random.choice(layers)
        name = f"shared{len(scope.values)}"
        scope.statements.append(Statement(f"{name} = {chosen}", (name,), ()))
        twice = f"{name}({start}) - {name}(0.5 * {other})"
        scope.add(twice, result, [start, other, name])
        return True

    def _repeat(self, scope: Scope) -> bool:
        """A layer that gives what it takes, several times."""
        start = self._floats(scope)
        type = scope.values[start]
        for example in self.random.sample(UNARY, len(UNARY)):
            if (
                example.op.is_layer()
                and fits(example.op, [type])
                and example.op.infer(type) == (type,)
            ):
                count = self.random.randint(2, 3)
                scope.add(f"{start} -> {written(example.op)} * {count}", type, [start])
                return True
        return False


def fits(op: Op, types: Sequence[TensorType]) -> bool:
    """Whether the op takes operands of these types, whatever sizes are, and makes nothing large of them.

    A size among its arguments would have to have a name where the op stands, which it has not in a block.
    """
    if with_sizes(op, SIZES) != op:
        return False
    try:
        op.infer(*types)
        op.weights(*types)
        numbers = concrete(Example(op, tuple(types)))
        results = numbers.op.infer(*numbers.inputs)
    except ShapeError:
        return False
    counts = [[d for d in t.shape if isinstance(d, int)] for t in results]
    return all(min(sizes, default=1) > 0 and prod(sizes) <= LARGEST for sizes in counts)


def _is_single(op: Op, type: TensorType) -> bool:
    results = op.infer(type)
    return len(results) == 1 and results[0].is_float


def _is_named(type: TensorType) -> bool:
    """Whether all its sizes are numbers or have a name, as where a block says its inputs."""
    return all(isinstance(d, int) or d in (N, T) for d in type.shape)


def _written(type: TensorType) -> str:
    return f"{type.dtype}[{', '.join(map(str, type.shape))}]"


def spec(seed: int, models: int, steps: int = 6) -> str:
    """Several models in one file."""
    return "\n".join(Writer(f"{seed}/{i}", steps, f"M{i}").text(f"M{i}") for i in range(models))


def ops_of(text: str) -> set[str]:
    """Which ops of the catalogue a text names."""
    return {
        n for n in EXAMPLES if any(f"{before}{n}" in text for before in ("-> ", "= ", "| ", "("))
    }
