"""Where a target keeps the channels of its images: NCHW for PyTorch, Gluon and ONNX.

`lower` turns a graph in the language's order of axes into a physical one: image ops get
`channels_first`, axes are renumbered, and a transpose stands only where the order of the elements
matters. `flatten` before `Dense` costs nothing: the columns of the matrix are reordered instead
(`Lowered.reorders`), once, when weights are converted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codegen.target import Layouts
from nnspec.catalogue.ops import OPS, Layout, Op
from nnspec.core.dims import Dim
from nnspec.core.kinds import Kind
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Graph, Node, Value, Weight, walk
from nnspec.graph.training import Metric, Minimize, Network, Training, TrainStep
from nnspec.graph.weight_map import Reorder, Transform

FIRST = (0, 3, 1, 2)
"""Axes of NHWC in the order in which NCHW keeps them."""
LAST = (0, 2, 3, 1)
"""The way back."""

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Form:
    """How a value lies in memory.

    first: an image with its channels first. grid: (H, W, C) of an image that was flattened with its
    channels first, so that its elements lie in the order C, H, W.
    """

    first: bool = False
    grid: Grid | None = None


PLAIN, IMAGE = Form(), Form(first=True)


@dataclass(frozen=True)
class Lowered:
    """A physical graph; layouts of its inputs and outputs; what happened to its weights."""

    graph: Graph
    input_layouts: Layouts
    output_layouts: Layouts
    reorders: Mapping[str, tuple[Transform, ...]]


@dataclass(frozen=True)
class LoweredTraining:
    """A physical training program; its networks by name, and the layouts of its batch."""

    training: Training
    networks: Mapping[str, Lowered]
    batch_layouts: Layouts


def lower(graph: Graph, *, boundary: str = "NCHW") -> Lowered:
    """The physical form of a model; `boundary` is the layout of its images outside, "NCHW" or "NHWC"."""
    outside = boundary == "NCHW"
    pass_ = _Pass(_shared(graph))
    forms = [
        IMAGE if outside and _is_image(v) and wants_image(v, graph.steps) else PLAIN
        for v in graph.inputs
    ]
    lowered, outputs = pass_.graph(graph, forms, keep_images=outside)
    return Lowered(
        lowered,
        _layouts(graph.inputs, forms, boundary),
        _layouts(graph.outputs, outputs, boundary),
        pass_.reorders,
    )


def lower_training(training: Training) -> LoweredTraining:
    """The physical form of a training program; each network is lowered once."""
    networks = {n.name: lower(n.model) for n in training.networks}
    pass_ = _Pass(frozenset(), networks)
    forms = [
        IMAGE if _is_image(v) and wants_image(v, training.steps, networks) else PLAIN
        for v in training.batch
    ]
    scope = _Scope(pass_)
    batch = tuple(scope.declare(v, form) for v, form in zip(training.batch, forms, strict=True))
    for step in training.steps:
        scope.step(step)
    metrics = tuple(Metric(m.name, scope.get(m.value, PLAIN), m.span) for m in training.metrics)
    physical = replace(
        training,
        networks=tuple(Network(n.name, networks[n.name].graph, n.span) for n in training.networks),
        batch=batch,
        steps=tuple(scope.steps),
        metrics=metrics,
    )
    return LoweredTraining(physical, networks, _layouts(training.batch, forms, "NCHW"))


def wants_image(
    value: Value, steps: Sequence[TrainStep], networks: Mapping[str, Lowered] | None = None
) -> bool:
    """Whether a 4-D value reaches an image op before anything that needs its elements in order."""
    reached = {value}
    for step in steps:
        if isinstance(step, Minimize) or not reached.intersection(step.inputs):
            continue
        if isinstance(step, Call):
            network = (networks or {}).get(step.layer)
            for i, v in enumerate(step.inputs):
                if v not in reached:
                    continue
                if network is not None:
                    if network.input_layouts[i] == "NCHW":
                        return True
                elif wants_image(step.body.inputs[i], step.body.steps):
                    return True
            continue
        if step.op.layout is Layout.IMAGE:
            return True
        if step.op.layout is not Layout.LOGICAL:
            reached.update(v for v in step.outputs if v.type.rank == 4)
    return False


def _layouts(values: Sequence[Value], forms: Sequence[Form], boundary: str) -> Layouts:
    if boundary == "NHWC":
        return tuple("NHWC" if _is_image(v) else None for v in values)
    return tuple("NCHW" if form.first else None for form in forms)


def _is_image(value: Value) -> bool:
    return value.type.rank == 4 and value.type.is_float


def _shared(graph: Graph) -> frozenset[str]:
    """Weights that more than one node reads: their columns cannot be reordered for one of them."""
    counts: dict[str, int] = {}
    for node in walk(graph):
        for weight in node.weights:
            counts[weight.path] = counts.get(weight.path, 0) + 1
        for value in node.inputs:
            if isinstance(value, Weight):
                counts[value.path] = counts.get(value.path, 0) + 2
    return frozenset(path for path, count in counts.items() if count > 1)


@dataclass
class _Pass:
    """What all graphs of one model share."""

    shared: frozenset[str]
    networks: Mapping[str, Lowered] = field(default_factory=dict)
    reorders: dict[str, tuple[Transform, ...]] = field(default_factory=dict)

    def graph(
        self, graph: Graph, forms: Sequence[Form], *, keep_images: bool = True
    ) -> tuple[Graph, list[Form]]:
        """The physical graph for inputs of these forms, and the forms of its outputs."""
        scope = _Scope(self)
        inputs = tuple(scope.declare(v, form) for v, form in zip(graph.inputs, forms, strict=True))
        for step in graph.steps:
            scope.step(step)
        found = [scope.form(v) for v in graph.outputs]
        found = [IMAGE if form.first and keep_images else PLAIN for form in found]
        outputs = tuple(scope.get(v, form) for v, form in zip(graph.outputs, found, strict=True))
        steps = tuple(s for s in scope.steps if not isinstance(s, Minimize))
        return replace(graph, inputs=inputs, steps=steps, outputs=outputs), found


class _Scope:
    """One graph being lowered: for each logical value its physical ones, by form."""

    def __init__(self, pass_: _Pass) -> None:
        self.pass_ = pass_
        self.steps: list[TrainStep] = []
        self.values: dict[Value, dict[Form, Value]] = {}
        self.first_form: dict[Value, Form] = {}

    # --- values

    def declare(self, value: Value, form: Form) -> Value:
        """The physical value of a logical one that comes into being in this form."""
        physical = replace(value, type=_physical(value.type, form))
        self.put(value, form, physical)
        return physical

    def put(self, value: Value, form: Form, physical: Value) -> None:
        self.values[value] = {form: physical}
        self.first_form[value] = form

    def form(self, value: Value) -> Form:
        return self.first_form.get(value, PLAIN)

    def get(self, value: Value, form: Form) -> Value:
        """A value in the form that is wanted, converted where it has another."""
        if value not in self.values:  # a weight
            self.put(value, PLAIN, value)
        known = self.values[value]
        if form not in known:
            known[form] = self.convert(value, form)
        return known[form]

    def convert(self, value: Value, form: Form) -> Value:
        have = self.form(value)
        if have.grid is not None:  # back to the order of the language: C, H, W to H, W, C
            h, w, c = have.grid
            n = value.type.shape[0]
            image = self.reshape(self.get(value, have), (n, c, h, w))
            return self.reshape(self.transpose(image, LAST), (n, h * w * c))
        if form.first:
            return self.transpose(self.get(value, PLAIN), FIRST)
        return self.transpose(self.get(value, have), LAST)

    def transpose(self, value: Value, order: tuple[int, ...]) -> Value:
        return self.add(OPS["transpose"](order), [value], value.span)

    def reshape(self, value: Value, shape: Sequence[Dim]) -> Value:
        return self.add(OPS["reshape"](tuple(shape)), [value], value.span)

    def add(self, op: Op, inputs: Sequence[Value], span: Any) -> Value:
        (kind,) = op.infer(*(v.type for v in inputs))
        output = Value(kind, None, span)
        self.steps.append(Node(op, tuple(inputs), (output,), span=span))
        return output

    # --- steps

    def step(self, step: TrainStep) -> None:
        match step:
            case Minimize():
                self.steps.append(replace(step, loss=self.get(step.loss, PLAIN)))
            case Call():
                self.call(step)
            case Node():
                self.node(step)

    def call(self, call: Call) -> None:
        network = self.pass_.networks.get(call.layer)
        if network is not None:
            forms = [IMAGE if x == "NCHW" else PLAIN for x in network.input_layouts]
            body = network.graph
            results = [IMAGE if x == "NCHW" else PLAIN for x in network.output_layouts]
        else:
            forms = [
                IMAGE
                if _is_image(p) and (self.form(v).first or wants_image(p, call.body.steps))
                else PLAIN
                for v, p in zip(call.inputs, call.body.inputs, strict=True)
            ]
            body, results = self.pass_.graph(call.body, forms)
        inputs = tuple(self.get(v, form) for v, form in zip(call.inputs, forms, strict=True))
        outputs = tuple(
            self.declare(v, form) for v, form in zip(call.outputs, results, strict=True)
        )
        self.steps.append(replace(call, body=body, inputs=inputs, outputs=outputs))

    def node(self, node: Node) -> None:
        op = node.op
        match op.layout:
            case Layout.IMAGE:
                self.emit(node, replace(op, channels_first=True), [IMAGE])  # type: ignore[call-arg]
            case Layout.CARRY if op.name == "BatchNorm":
                self.batch_norm(node)
            case Layout.CARRY:
                self.carry(node)
            case Layout.AXES:
                self.axes(node)
            case _ if op.name == "flatten":
                self.flatten(node)
            case _ if op.name == "reshape":
                self.emit(node, op, [self.same_order(node.inputs[0])])
            case _ if op.name == "slice":
                self.slice(node)
            case _ if op.name == "Dense":
                self.dense(node)
            case _:
                self.emit(node, op, [PLAIN] * len(node.inputs))

    def emit(
        self, node: Node, op: Op, forms: Sequence[Form], results: Sequence[Form] | None = None
    ) -> None:
        """The node with operands in these forms; by default, 4-D results take the operands' form."""
        inputs = tuple(self.get(v, form) for v, form in zip(node.inputs, forms, strict=True))
        types = op.infer(*(v.type for v in inputs))
        channels_first = getattr(op, "channels_first", False)
        outputs = []
        for i, (value, kind) in enumerate(zip(node.outputs, types, strict=True)):
            default = IMAGE if channels_first and kind.rank == 4 else PLAIN
            form = results[i] if results else default
            physical = Value(kind, value.name, value.span)
            self.put(value, form, physical)
            outputs.append(physical)
        self.steps.append(replace(node, op=op, inputs=inputs, outputs=tuple(outputs)))

    def carry(self, node: Node) -> None:
        """Element by element: in whatever form the operands have."""
        forms = [self.form(v) for v in node.inputs]
        rank = max((v.type.rank for v in node.inputs), default=0)
        if any(f.first for f in forms) and rank == 4:
            self.broadcast(node)
            return
        grids = {f.grid for f, v in zip(forms, node.inputs, strict=True) if v.type.rank}
        if len(grids) == 1 and None not in grids and rank == 2:
            self.emit(node, node.op, forms, [_of_rank(node.outputs[0], 2, forms)])
            return
        self.emit(node, node.op, [PLAIN] * len(forms))

    def broadcast(self, node: Node) -> None:
        """Operands against an image with its channels first: those of lower rank get its axes."""
        inputs: list[Value] = []
        for value in node.inputs:
            if value.type.rank == 4:
                inputs.append(self.get(value, IMAGE))
            elif value.type.rank == 0:
                inputs.append(self.get(value, PLAIN))
            else:
                inputs.append(self.widen(self.get(value, PLAIN)))
        types = node.op.infer(*(v.type for v in inputs))
        outputs = []
        for value, kind in zip(node.outputs, types, strict=True):
            physical = Value(kind, value.name, value.span)
            self.put(value, IMAGE if kind.rank == 4 else PLAIN, physical)
            outputs.append(physical)
        self.steps.append(replace(node, inputs=tuple(inputs), outputs=tuple(outputs)))

    def widen(self, value: Value) -> Value:
        shape = (1,) * (4 - value.type.rank) + value.type.shape
        if sum(d != 1 for d in shape) <= 1:  # moving axes of size 1 about is no more than a reshape
            return self.reshape(value, tuple(shape[i] for i in FIRST))
        return self.transpose(self.reshape(value, shape), FIRST)

    def batch_norm(self, node: Node) -> None:
        (value,) = node.inputs
        form, rank = self.form(value), value.type.rank
        if rank == 4:
            op = replace(node.op, channels_first=True)  # type: ignore[call-arg]
            self.emit(node, op, [IMAGE])
        elif form.grid is not None and not any(w.path in self.pass_.shared for w in node.weights):
            for weight in node.weights:
                self.pass_.reorders[weight.path] = (Reorder(0, form.grid, (2, 0, 1)),)
            self.emit(node, node.op, [form], [form])
        elif rank == 2:
            self.emit(node, node.op, [PLAIN])
        else:  # features second, as every framework wants them, and back
            there = (0, rank - 1, *range(1, rank - 1))
            moved = self.transpose(self.get(value, PLAIN), there)
            op = replace(node.op, channels_first=True)  # type: ignore[call-arg]
            normal = Value(moved.type, None, node.span)
            self.steps.append(replace(node, op=op, inputs=(moved,), outputs=(normal,)))
            back = self.transpose(normal, (0, *range(2, rank), 1))
            self.put(node.outputs[0], PLAIN, _rename(self.steps, back, node.outputs[0]))

    def axes(self, node: Node) -> None:
        forms = [self.form(v) for v in node.inputs]
        if not any(f.first for f in forms):
            self.emit(node, node.op, [PLAIN] * len(forms))
            return
        op = _renumber(node.op)
        (output,) = node.outputs
        if output.type.rank == 4 or output.type.rank == 0:
            form = IMAGE if output.type.rank == 4 else PLAIN
            self.emit(node, op, [IMAGE] * len(forms), [form])
            return
        gone = node.op.over(4)  # type: ignore[attr-defined]
        self.reordered(node, op, [a for a in FIRST if a not in gone])

    def reordered(self, node: Node, op: Op, left: list[int]) -> None:
        """An op on an image that drops axes: what is `left` may have to change places."""
        (value,), (output,) = node.inputs, node.outputs
        if left == sorted(left):
            self.emit(node, op, [IMAGE], [PLAIN])
            return
        source = self.get(value, IMAGE)
        (kind,) = op.infer(source.type)
        made = Value(kind, None, node.span)
        self.steps.append(replace(node, op=op, inputs=(source,), outputs=(made,)))
        order = tuple(left.index(a) for a in sorted(left))
        moved = self.transpose(made, order)
        self.put(output, PLAIN, _rename(self.steps, moved, output))

    def slice(self, node: Node) -> None:
        (value,) = node.inputs
        if not self.form(value).first:
            self.emit(node, node.op, [PLAIN])
            return
        op: Any = node.op
        squeeze = tuple(sorted(FIRST.index(a) for a in op.squeeze))
        moved = replace(
            op,
            squeeze=squeeze,
            **{
                name: tuple(getattr(op, name)[a] for a in FIRST)
                for name in ("starts", "ends", "steps")
            },
        )
        if not op.squeeze:
            self.emit(node, moved, [IMAGE], [IMAGE])
        else:
            self.reordered(node, moved, [a for a in FIRST if a not in op.squeeze])

    def same_order(self, value: Value) -> Form:
        """The form in which an image's elements lie as the language counts them, at no cost."""
        form = self.form(value)
        if not form.first:
            return PLAIN
        _, h, w, c = value.type.shape
        return IMAGE if c == 1 or (h == 1 and w == 1) else PLAIN

    def flatten(self, node: Node) -> None:
        (value,) = node.inputs
        form = self.same_order(value)
        if form.first:
            self.emit(node, node.op, [form], [PLAIN])
            return
        _, *sizes = value.type.shape
        if self.form(value).first and all(isinstance(d, int) for d in sizes):
            h, w, c = (int(str(d)) for d in sizes)
            self.emit(node, node.op, [IMAGE], [Form(grid=(h, w, c))])
            return
        self.emit(node, node.op, [PLAIN])

    def dense(self, node: Node) -> None:
        (value,) = node.inputs
        grid = self.form(value).grid
        kernel = node.weights[0]
        if grid is None or kernel.path in self.pass_.shared:
            self.emit(node, node.op, [PLAIN])
            return
        self.pass_.reorders[kernel.path] = (Reorder(1, grid, (2, 0, 1)),)
        self.emit(node, node.op, [self.form(value)], [PLAIN])


def _of_rank(value: Value, rank: int, forms: Iterable[Form]) -> Form:
    """The flattened form of the operands, for a result that has kept their shape."""
    return next(f for f in forms if f.grid) if value.type.rank == rank else PLAIN


def _rename(steps: list[TrainStep], physical: Value, logical: Value) -> Value:
    """Give the value that the last step made the writer's name."""
    named = Value(physical.type, logical.name, logical.span)
    last = steps[-1]
    assert isinstance(last, Node)
    steps[-1] = replace(last, outputs=(named,))
    return named


def _physical(kind: TensorType, form: Form) -> TensorType:
    return kind.with_shape(tuple(kind.shape[i] for i in FIRST)) if form.first else kind


def _renumber(op: Op) -> Op:
    """The op with the fields that name axes counted as the image lies in memory."""
    changes: dict[str, Any] = {}
    for spec in dataclasses.fields(op):
        kind = spec.metadata.get("kind")
        value = getattr(op, spec.name)
        if isinstance(kind, Kind) and kind.axis_like and value is not None:
            if isinstance(value, int):
                changes[spec.name] = FIRST.index(value % 4)
            else:
                changes[spec.name] = tuple(sorted(FIRST.index(a % 4) for a in value))
    return replace(op, **changes)
