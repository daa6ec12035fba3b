"""One graph while it is lowered: its values in the forms that ops ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nnspec.catalogue.ops.base import Op, Reordered
from nnspec.catalogue.ops.shaping import Reshape, Transpose
from nnspec.core.dims import Shape
from nnspec.core.orders import Form, Order, between, inverse, lay, plain, plain_form
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Graph, Node, Value
from nnspec.graph.passes.layout.survey import (
    Forms,
    Survey,
    as_written,
    asked,
    only_seen,
    plain_forms,
)
from nnspec.graph.training import Minimize, Repeat, TrainStep
from nnspec.graph.weight_map import Reorder, Transform


@dataclass
class Lowering:
    """What all graphs of one model share.

    shared: weights that more than one node reads: they cannot be reordered for one of them.
    networks: of a training program, already lowered.
    """

    survey: Survey
    shared: frozenset[str] = frozenset()
    networks: Mapping[str, Graph] = field(default_factory=dict)
    reorders: dict[str, tuple[Transform, ...]] = field(default_factory=dict)

    def body(self, call: Call, taken: Forms) -> tuple[Graph, Forms]:
        """What is called, and how it gives its results."""
        network = self.networks.get(call.layer)
        if network is not None:
            return network, self.survey.given(call, taken)
        scope = Scope(self, call.body.steps)
        if call.loop is not None:
            inputs = scope.begin(call.body, plain_forms(call.body.inputs))
            body = scope.end(call.body, inputs, plain_forms(call.body.outputs))
            return body, self.survey.given(call, taken)
        inputs = scope.begin(call.body, taken)
        given = self.survey.kept(call.body, scope.lying(call.body.outputs))
        return scope.end(call.body, inputs, given), given


class Scope:
    """For each logical value its physical ones, by form; the first form is the one it came into being in."""

    def __init__(self, lowering: Lowering, steps: Sequence[TrainStep]) -> None:
        self.lowering = lowering
        self.steps: list[TrainStep] = []
        self.values: dict[Value, dict[Form, Value]] = {}
        self.layers = Counter(step.layer for step in steps if isinstance(step, Call))
        self.spare: set[Node] = set()
        """Transposes that the writer asked for and that may turn out to be unneeded."""

    def begin(self, graph: Graph, forms: Forms) -> tuple[Value, ...]:
        """Lower every step, for inputs in these forms: what the inputs are then."""
        inputs = tuple(map(self.declare, graph.inputs, forms))
        for step in graph.steps:
            self.step(step)
        return inputs

    def end(self, graph: Graph, inputs: tuple[Value, ...], results: Forms) -> Graph:
        """The graph whose results are in these forms."""
        outputs = tuple(map(self.get, graph.outputs, results))
        steps = tuple(s for s in self.needed(outputs) if isinstance(s, (Node, Call)))
        return replace(graph, inputs=inputs, steps=steps, outputs=outputs)

    # --- values

    def lying(self, values: Sequence[Value]) -> Forms:
        """The forms in which values came into being."""
        return tuple(map(self.form, values))

    def declare(self, value: Value, form: Form) -> Value:
        """The physical value of a logical one that comes into being in this form."""
        physical = value
        if not form.is_plain:
            physical = replace(value, type=_physical(value.type, form))
        self.values[value] = {form: physical}
        return physical

    def form(self, value: Value) -> Form:
        known = self.values.get(value)
        return next(iter(known)) if known else plain_form(value.type.rank)

    def get(self, value: Value, form: Form) -> Value:
        """A value in the form that is wanted, converted where it has another."""
        known = self.values.setdefault(value, {})
        if not known:  # a weight
            known[plain_form(value.type.rank)] = value
        if form not in known:
            known[form] = self.convert(value, known, form)
        return known[form]

    def convert(self, value: Value, known: Mapping[Form, Value], want: Form) -> Value:
        have, physical = next(iter(known.items()))
        if have.grid:
            have = plain_form(value.type.rank)
            if have == want:
                return self.joined(value.type, physical, next(iter(known)))
            physical = self.get(value, have)
        named = want.is_plain and physical.name != value.name
        name = value.name if named else None
        # Axes of size 1 in front, and moving such axes about, need no more than a reshape.
        front = len(want.order) - value.type.rank
        shape = (1,) * front + value.type.shape
        lies = (*plain(front), *(axis + front for axis in have.order))
        if _without_ones(lies, shape) == _without_ones(want.order, shape):
            return self.add(Reshape(lay(shape, want.order)), physical, name)
        if front:
            physical = self.add(Reshape(lay(shape, lies)), physical)
        return self.add(Transpose(between(lies, want.order)), physical, name)

    def joined(self, kind: TensorType, physical: Value, form: Form) -> Value:
        """The elements of a last axis of joined ones in the language's order."""
        outer = kind.shape[:-1]
        apart = self.add(Reshape((*outer, *lay(form.grid, form.inner))), physical)
        order = (*plain(len(outer)), *(axis + len(outer) for axis in form.inner))
        return self.add(Reshape(kind.shape), self.add(Transpose(inverse(order)), apart))

    def add(self, op: Op, value: Value, name: str | None = None) -> Value:
        (kind,) = op.infer(value.type)
        output = Value(kind, name, value.span)
        self.steps.append(Node(op, (value,), (output,), span=value.span))
        return output

    # --- steps

    def step(self, step: TrainStep) -> None:
        match step:
            case Minimize():
                loss = self.get(step.loss, plain_form(step.loss.type.rank))
                self.steps.append(replace(step, loss=loss))
            case Repeat():
                self.steps.append(step)
            case Call():
                self.call(step)
            case Node():
                self.node(step)

    def call(self, call: Call) -> None:
        forms = tuple(self.form(v) for v in call.inputs)
        alone = self.layers[call.layer] == 1
        taken = self.lowering.survey.taken(call, forms, alone=alone)
        body, given = self.lowering.body(call, taken)
        inputs = tuple(self.get(v, form) for v, form in zip(call.inputs, taken, strict=True))
        outputs = tuple(self.declare(v, form) for v, form in zip(call.outputs, given, strict=True))
        self.steps.append(replace(call, body=body, inputs=inputs, outputs=outputs))

    def node(self, node: Node) -> None:
        forms = tuple(self.form(v) for v in node.inputs)
        turned = asked(node, forms)
        if turned is None or only_seen(turned, forms) or not self.may_reorder(node, turned):
            self.emit(node, as_written(node))
            if turned is not None and only_seen(turned, forms):
                (physical,) = (step for step in self.steps[-1:] if isinstance(step, Node))
                self.values[node.outputs[0]][turned.outputs[0]] = physical.inputs[0]
                self.spare.add(physical)
        elif turned.op is None:  # the same value, seen in another order
            value = self.get(node.inputs[0], turned.inputs[0])
            self.values[node.outputs[0]] = {turned.outputs[0]: value}
        else:
            self.emit(node, turned)

    def emit(self, node: Node, turned: Reordered) -> None:
        inputs = tuple(map(self.get, node.inputs, turned.inputs))
        outputs = tuple(map(self.declare, node.outputs, turned.outputs))
        assert turned.op is not None
        if turned.op is not node.op or inputs != node.inputs or outputs != node.outputs:
            node = replace(node, op=turned.op, inputs=inputs, outputs=outputs)
        self.steps.append(node)

    def may_reorder(self, node: Node, turned: Reordered) -> bool:
        """Whether the weights that run along features in another order can be reordered for this node
        alone; then they are."""
        weights = [w for w in node.weights if w.role in turned.features]
        if any(w.path in self.lowering.shared for w in weights):
            return False
        form = turned.inputs[0]
        for weight in weights:
            axis = turned.features[weight.role]
            self.lowering.reorders[weight.path] = (Reorder(axis, form.grid, form.inner),)
        return True

    def needed(self, outputs: Sequence[Value]) -> list[TrainStep]:
        """The steps, without transposes that were written and that nothing reads."""
        if not self.spare:
            return self.steps
        read = {*outputs}
        for step in self.steps:
            if isinstance(step, Minimize):
                read.add(step.loss)
            elif not isinstance(step, Repeat):
                read.update(step.inputs)
        return [
            s
            for s in self.steps
            if not (isinstance(s, Node) and s in self.spare and s.outputs[0] not in read)
        ]


def _without_ones(order: Order, shape: Shape) -> list[int]:
    return [axis for axis in order if shape[axis] != 1]


def _physical(kind: TensorType, form: Form) -> TensorType:
    return kind.with_shape(lay(kind.shape, form.order)) if not form.grid else kind
