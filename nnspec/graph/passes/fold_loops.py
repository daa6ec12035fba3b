"""The passes of a `for` that repeats an update, as one that is done several times.

Contract: the same updates in the same order, of the same numbers; passes differ in their values and random draws only.
What else differs from pass to pass stays as it is: a number, or a value that one pass leaves to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from nnspec.graph.flow import Flow, way_of
from nnspec.graph.graph import Call, Graph, Node, Step, Value
from nnspec.graph.training import Gradient, Minimize, Repeat, Training, TrainStep


@dataclass(frozen=True)
class Run:
    """Equal passes one behind the other, each up to and with an update."""

    start: int
    length: int
    times: int

    @property
    def last(self) -> int:
        """Where the last pass begins."""
        return self.start + self.length * (self.times - 1)


def fold_loops(training: Training) -> Training:
    """The program with loops, inner ones first."""
    refused: set[tuple[Minimize, int]] = set()
    while True:
        steps = training.steps
        runs = [r for r in _runs(steps) if (_closing(steps, r), r.length) not in refused]
        if not runs:
            return training
        run = min(runs, key=lambda r: (r.length, -r.times, r.start))
        folded = _folded(training, run)
        if folded is None:
            refused.add((_closing(steps, run), run.length))
        else:
            training = folded


def _closing(steps: Sequence[TrainStep], run: Run) -> Minimize:
    """The update that ends the last pass."""
    update = steps[run.last + run.length - 1]
    assert isinstance(update, Minimize)
    return update


def _runs(steps: Sequence[TrainStep]) -> Iterator[Run]:
    """Every run that ends its passes with an update that one `minimize` of the text made."""
    before: dict[object, int] = {}
    known = 0
    for place, step in enumerate(steps):
        if not isinstance(step, Minimize) or step.span is None:
            continue
        first = before.get(step.span)
        before[step.span] = place
        if first is None or place < known:
            continue
        length = place - first
        start = first - length + 1
        times = 1
        while start >= 0 and _alike(steps, start, start + times * length, length):
            times += 1
        if times > 1:
            yield Run(start, length, times)
            known = start + times * length


def _alike(steps: Sequence[TrainStep], start: int, other: int, length: int) -> bool:
    """Whether a pass reads as the first one does."""
    pair = _Pair()
    pass_ = steps[other : other + length]
    return len(pass_) == length and all(map(pair.step, steps[start : start + length], pass_))


@dataclass
class _Pair:
    """Two passes beside each other; known: what stands in the second for values of the first."""

    known: dict[Value, Value] = field(default_factory=dict)

    def step(self, one: TrainStep, two: TrainStep) -> bool:
        match one, two:
            case Repeat(), Repeat():
                return (one.times, one.updates) == (two.times, two.updates)
            case Minimize(), Minimize():
                same = one.span == two.span and one.over == two.over and one.update is two.update
                return same and self.read((one.loss,), (two.loss,))
            case Node(), Node():
                same = type(one) is type(two) and one.op == two.op and one.weights == two.weights
                return same and self.applied(one, two)
            case Call(), Call():
                same = one.body is two.body or self.function(one.body, two.body)
                return same and self.applied(one, two)
            case _:
                return False

    def applied(self, one: Step, two: Step) -> bool:
        return (
            one.layer == two.layer
            and self.read(one.inputs, two.inputs)
            and self.made(one.outputs, two.outputs)
        )

    def function(self, one: Graph, two: Graph) -> bool:
        """Whether two applications of a function of the language work out the same."""
        return (
            one.kind == two.kind == "function"
            and (one.name, one.output_names) == (two.name, two.output_names)
            and len(one.steps) == len(two.steps)
            and self.made(one.inputs, two.inputs)
            and all(map(self.step, one.steps, two.steps))
            and self.read(one.outputs, two.outputs)
        )

    def read(self, one: Sequence[Value], two: Sequence[Value]) -> bool:
        return len(one) == len(two) and all(
            self.known.get(a, a) is b for a, b in zip(one, two, strict=True)
        )

    def made(self, one: Sequence[Value], two: Sequence[Value]) -> bool:
        self.known.update(zip(one, two))
        return [(v.type, v.name) for v in one] == [(v.type, v.name) for v in two]


def _folded(training: Training, run: Run) -> Training | None:
    """The program with one pass, the last; None where that would not be the same."""
    steps = training.steps
    pass_ = steps[run.last : run.last + run.length]
    after = steps[run.last + run.length :]
    gone = {v for s in steps[run.start : run.last] for v in _made(s)}
    read = {v for s in after for v in _read(s)} | {m.value for m in training.metrics}
    repeat = Repeat(run.times, sum(isinstance(s, Minimize) for s in pass_))
    folded = replace(training, steps=(*steps[: run.start], repeat, *pass_, *after))
    return folded if gone.isdisjoint(read) and _is_closed(folded, pass_) else None


def _made(step: TrainStep) -> Sequence[Value]:
    return step.outputs if isinstance(step, (Node, Call)) else ()


def _read(step: TrainStep) -> Sequence[Value]:
    match step:
        case Minimize():
            return (step.loss,)
        case Repeat():
            return ()
        case _:
            return step.inputs


def _is_closed(training: Training, body: Sequence[TrainStep]) -> bool:
    """Whether every derivative goes back either within a pass or outside it."""
    flow, inside = Flow(training), set(body)
    for place, step in enumerate(training.steps):
        if isinstance(step, Minimize):
            way = set[TrainStep](flow.through(step))
        elif isinstance(step, Gradient):
            way = set(way_of(step, training.steps[:place]))
        else:
            continue
        if way - inside if step in inside else way & inside:
            return False
    return True
