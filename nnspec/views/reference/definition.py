"""What an op is in simpler ones, as lines of the language: its expansion, read off a graph.

Ops of the expansion stay whole, so that each definition is one step towards the primitives. A value that is
used once stands where it is used.
"""

from __future__ import annotations

from collections import Counter

from nnspec.catalogue.ops.base import Example
from nnspec.catalogue.ops.elementwise import Constant
from nnspec.catalogue.ops.shaping import Slice
from nnspec.graph.graph import Node, Value
from nnspec.graph.single import single
from nnspec.graph.site import GraphSite, expanded
from nnspec.views.reference.written import arguments, value_text

INFIX = {
    "less": ("<", 1), "less_equal": ("<=", 1), "greater": (">", 1), "greater_equal": (">=", 1),
    "equal": ("==", 1), "not_equal": ("!=", 1), "add": ("+", 2), "subtract": ("-", 2),
    "multiply": ("*", 3), "divide": ("/", 3), "matmul": ("@", 3), "power": ("**", 5),
}  # fmt: skip
SIGN, ATOM = 4, 6
"""How tightly the parts of an expression hold together, as in the language."""

LONGEST = 44
"""So many characters may stand inside another expression."""
MOST_LINES = 12


def definition(example: Example) -> str | None:
    """The expansion of a use; None for a primitive. What is told step by step is shown for two steps."""
    if example.op.is_primitive():
        return None
    text = _written(example)
    if text.count("\n") < MOST_LINES or example.inputs[0].rank != 3:
        return text
    x, *others = example.inputs
    return _written(Example(example.op, (x.with_shape((x.shape[0], 2, x.shape[2])), *others)))


def _written(example: Example) -> str:
    (node,) = single(example).steps
    assert isinstance(node, Node)
    site = GraphSite(whole=lambda op: True)
    results = expanded(node, site)
    return _Writer(node, [s for s in site.steps if isinstance(s, Node)], results).text()


class _Writer:
    def __init__(self, origin: Node, steps: list[Node], results: tuple[Value, ...]) -> None:
        self.steps, self.results = steps, results
        self.names = {v: v.name or "x" for v in origin.inputs}
        self.names |= {w: w.role or w.path for w in origin.weights}
        self.readers = Counter(v for s in steps for v in s.inputs)
        self.readers.update(results)
        self.parts: dict[Value, tuple[str, int]] = {v: (n, ATOM) for v, n in self.names.items()}

    def text(self) -> str:
        lines = []
        for step in self.steps:
            text, level = self.expression(step)
            if len(step.outputs) == 1:
                (value,) = step.outputs
                if isinstance(step.op, Constant) or self.inline(value, text):
                    self.parts[value] = text, level
                    continue
            lines.append(f"{', '.join(map(self.named, step.outputs))} = {text}")
        return "\n".join([*lines, f"output {', '.join(self.parts[v][0] for v in self.results)}"])

    def inline(self, value: Value, text: str) -> bool:
        return self.readers[value] <= 1 and (len(text) <= LONGEST or value in self.results)

    def named(self, value: Value) -> str:
        name = f"v{sum(n.startswith('v') for n in self.names.values()) + 1}"
        self.names[value] = name
        self.parts[value] = name, ATOM
        return name

    def operand(self, value: Value, level: int) -> str:
        text, own = self.parts[value]
        return text if own >= level else f"({text})"

    def expression(self, step: Node) -> tuple[str, int]:
        """A step and how tightly it holds together."""
        op = step.op
        if isinstance(op, Constant):
            return value_text(op.value), ATOM if op.value >= 0 else SIGN
        if op.name == "negative":
            return f"-{self.operand(step.inputs[0], SIGN)}", SIGN
        if op.name in INFIX:
            sign, level = INFIX[op.name]
            left, right = step.inputs
            tight = (level + 1, level) if op.name == "power" else (level, level + 1)
            first, second = self.operand(left, tight[0]), self.operand(right, tight[1])
            return f"{first} {sign} {second}", level
        if isinstance(op, Slice):
            return f"{self.operand(step.inputs[0], ATOM)}[{_subscripts(op)}]", ATOM
        given = [self.operand(v, 0) for v in step.inputs]
        return f"{op.name}({', '.join([*given, *arguments(op)])})", ATOM


def _subscripts(op: Slice) -> str:
    """`:, 2:4, 0`."""
    parts = []
    for axis, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True)):
        if axis in op.squeeze:
            parts.append(str(start or 0))
            continue
        bounds = f"{'' if start is None else start}:{'' if end is None else end}"
        parts.append(bounds if step == 1 else f"{bounds}:{step}")
    return ", ".join(parts)
