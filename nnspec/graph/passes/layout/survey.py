"""Which values are wanted with their features second, found without writing anything.

A block's inputs and a model's images are tried with their features second; what ops then ask for says
whether that serves them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from nnspec.catalogue.ops.base import Reordered
from nnspec.core.orders import Form, first_form, plain_form
from nnspec.graph.graph import Call, Graph, Node, Value
from nnspec.graph.training import Minimize, Repeat, TrainStep

Forms = tuple[Form, ...]


class Wish(Enum):
    """What becomes of a value whose features stand second."""

    IMAGE = "it reaches an op over space, or meets such an op's result"
    FIRST = "it reaches an op that would turn it so"
    ANY = "nothing minds"
    PLAIN = "an op wants the language's order before any that wants another"


@dataclass
class Survey:
    """networks: forms in which the networks of a training program take and give. Results are kept."""

    networks: Mapping[str, tuple[Forms, Forms]] = field(default_factory=dict)
    _wishes: dict[Graph, tuple[Wish, ...]] = field(default_factory=dict)
    _results: dict[tuple[Graph, Forms], Forms] = field(default_factory=dict)

    def wishes(self, graph: Graph) -> tuple[Wish, ...]:
        """For each input of a block or model."""
        if graph not in self._wishes:
            self._wishes[graph] = self.wishes_of(graph.inputs, graph.steps)
        return self._wishes[graph]

    def wishes_of(self, inputs: Sequence[Value], steps: Sequence[TrainStep]) -> tuple[Wish, ...]:
        walk = _Walk(self, inputs, [_tried(v) for v in inputs])
        if not walk.origins:
            return tuple(walk.wishes)
        uses = Counter(v for s in steps if isinstance(s, (Node, Call)) for v in s.inputs)
        left = sum(uses[v] for v in walk.origins)  # readings of what still lies as an input does
        for step in steps:
            if not left or walk.is_settled:
                break
            if isinstance(step, (Node, Call)):
                left -= sum(bool(walk.origins.get(v)) for v in step.inputs)
                walk.step(step)
                left += sum(uses[v] for v in step.outputs if walk.origins.get(v))
        return tuple(walk.wishes)

    def taken(self, call: Call, forms: Forms, *, alone: bool) -> Forms:
        """How a block takes its operands; the same for every application where it is not `alone`."""
        if call.layer in self.networks:
            return self.networks[call.layer][0]
        if call.loop is not None:  # along time all lies as it was written
            return plain_forms(call.inputs)
        wanted: list[Form] = []
        for wish, form, value in zip(self.wishes(call.body), forms, call.inputs, strict=True):
            match wish:
                case Wish.IMAGE | Wish.FIRST:
                    wanted.append(first_form(value.type.rank))
                case Wish.ANY if alone:
                    wanted.append(form)
                case _:
                    wanted.append(plain_form(value.type.rank))
        return tuple(wanted)

    def given(self, call: Call, taken: Forms) -> Forms:
        """How a block gives its results."""
        if call.layer in self.networks:
            return self.networks[call.layer][1]
        if call.loop is not None:
            return plain_forms(call.outputs)
        return self.kept(call.body, self.results(call.body, taken))

    def results(self, graph: Graph, forms: Forms) -> Forms:
        """How the results of a graph lie whose inputs lie in these forms."""
        key = graph, forms
        if key not in self._results:
            walk = _Walk(self, graph.inputs, forms)
            for step in graph.steps:
                walk.step(step)
            self._results[key] = tuple(map(walk.form, graph.outputs))
        return self._results[key]

    def kept(self, body: Graph, forms: Sequence[Form]) -> Forms:
        """The forms that a block's results keep: one that wants the language's order gives it too, so
        that its repetitions are alike."""
        wishes = [w for w, v in zip(self.wishes(body), body.inputs, strict=True) if v.type.rank > 2]
        turns = not wishes or any(wish is not Wish.PLAIN for wish in wishes)
        return tuple(
            form if form.grid or (turns and form == first_form(rank)) else plain_form(rank)
            for form, rank in zip(forms, (v.type.rank for v in body.outputs), strict=True)
        )


def _tried(value: Value) -> Form:
    rank = value.type.rank
    return first_form(rank) if rank > 2 else plain_form(rank)


def plain_forms(values: Sequence[Value]) -> Forms:
    """The language's order for each."""
    return tuple(plain_form(v.type.rank) for v in values)


def asked(node: Node, forms: Forms) -> Reordered | None:
    """How an op looks for operands in these forms, where not as it was written."""
    inputs = tuple(v.type for v in node.inputs)
    return node.op.reordered(forms, inputs, tuple(v.type for v in node.outputs))


def as_written(node: Node) -> Reordered:
    """An op in the language's order."""
    return Reordered(node.op, plain_forms(node.inputs), plain_forms(node.outputs))


def only_seen(turned: Reordered | None, forms: Forms) -> bool:
    """Whether the op only turns what lies in the language's order: it is done as it was written."""
    return turned is not None and turned.op is None and forms[0].is_plain


class _Walk:
    """Follows inputs that lie in given forms; `origins` are those that a value still lies like."""

    def __init__(self, survey: Survey, inputs: Sequence[Value], forms: Sequence[Form]) -> None:
        self.survey = survey
        self.forms: dict[Value, Form] = dict(zip(inputs, forms, strict=True))
        self.origins = {
            v: frozenset((i,)) for i, v in enumerate(inputs) if not self.forms[v].is_plain
        }
        self.wishes = [Wish.ANY] * len(inputs)

    @property
    def is_settled(self) -> bool:
        """Whether no wish can become stronger."""
        return all(wish is Wish.IMAGE for wish in self.wishes)

    def form(self, value: Value) -> Form:
        return self.forms.get(value) or plain_form(value.type.rank)

    def step(self, step: TrainStep) -> None:
        if isinstance(step, (Minimize, Repeat)):
            return
        forms = tuple(self.form(v) for v in step.inputs)
        if isinstance(step, Node):
            turned = asked(step, forms)
            if turned is None or only_seen(turned, forms):
                turned = as_written(step)
            taken, given = turned.inputs, turned.outputs
            wishes = self.of_node(step, forms, taken)
        else:
            taken = self.survey.taken(step, forms, alone=True)
            given = self.survey.given(step, taken)
            wishes = self.of_call(step, taken)
        follows: frozenset[int] = frozenset()
        for value, form, want, wish in zip(step.inputs, forms, taken, wishes, strict=True):
            origins = self.origins.get(value, frozenset())
            if want != form:
                wish = Wish.PLAIN
            elif wish is Wish.ANY:
                follows |= origins
            self.wish(origins, wish)
        for value, form in zip(step.outputs, given, strict=True):
            if not form.is_plain:
                self.forms[value] = form
                self.origins[value] = follows

    def of_node(self, node: Node, forms: Forms, taken: Forms) -> list[Wish]:
        """What an op that takes its operands as they lie thinks of them."""
        if not any(self.origins.get(v) for v in node.inputs):
            return [Wish.ANY] * len(forms)
        if node.op.over_space:
            return [Wish.IMAGE] * len(forms)
        meets = any(
            not form.is_plain and not self.origins.get(v) and form == want
            for v, form, want in zip(node.inputs, forms, taken, strict=True)
        )
        if meets:
            return [Wish.IMAGE] * len(forms)
        written = as_written(node)
        untouched = asked(node, written.inputs) or written
        return [Wish.ANY if form.is_plain else Wish.FIRST for form in untouched.inputs]

    def of_call(self, call: Call, taken: Forms) -> list[Wish]:
        if call.layer in self.survey.networks:
            return [Wish.PLAIN if form.is_plain else Wish.IMAGE for form in taken]
        if call.loop is not None:
            return [Wish.ANY] * len(taken)
        return list(self.survey.wishes(call.body))

    def wish(self, origins: frozenset[int], wish: Wish) -> None:
        """The strongest wish holds."""
        strength = (Wish.ANY, Wish.PLAIN, Wish.FIRST, Wish.IMAGE)
        for i in origins:
            self.wishes[i] = max(self.wishes[i], wish, key=strength.index)
