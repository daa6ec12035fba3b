"""Where a target keeps the features of its images: second for PyTorch, Gluon and ONNX.

`lower` turns a graph in the language's order of axes into a physical one. It knows no op and no number
of axes: it asks each op how it looks for operands that lie as they do (`Op.reordered`), and writes a
transpose only where an op wants another order. `flatten` before `Dense` costs nothing: the columns of
the matrix are reordered instead (`Lowered.reorders`), once, when weights are converted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nnspec.core.orders import Form, first_form, plain_form
from nnspec.graph.graph import Call, Graph, Node, Value, Weight, walk, weights
from nnspec.graph.layouts import IMAGE_AXES, Layout, Layouts
from nnspec.graph.passes.layout.scope import Lowering, Scope
from nnspec.graph.passes.layout.survey import Forms, Survey, Wish
from nnspec.graph.training import Training
from nnspec.graph.weight_map import Transform


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


def lower(
    graph: Graph, *, images_first: bool = True, read: frozenset[str] = frozenset()
) -> Lowered:
    """The physical form of a model; outside, its images have their features second, or last.

    read: paths of weights that are read elsewhere too, and stay as they are.
    """
    survey = Survey()
    inputs = _image_inputs(graph, survey)
    taken = _forms(graph.inputs, inputs, images_first)
    lowering = Lowering(survey, _shared(graph) | read)
    scope = Scope(lowering, graph.steps)
    begun = scope.begin(graph, taken)
    outputs = _image_outputs(graph, scope.lying(graph.outputs))
    given = _forms(graph.outputs, outputs, images_first)
    physical = scope.end(graph, begun, given)
    return Lowered(physical, _layouts(taken, inputs), _layouts(given, outputs), lowering.reorders)


def as_written(graph: Graph) -> Lowered:
    """A model for a target that keeps features last, as the language does: nothing is to be done."""
    survey = Survey()
    inputs = _image_inputs(graph, survey)
    lying = survey.results(graph, _forms(graph.inputs, inputs, True))
    outputs = _image_outputs(graph, lying)
    taken = _forms(graph.inputs, inputs, False)
    given = _forms(graph.outputs, outputs, False)
    return Lowered(graph, _layouts(taken, inputs), _layouts(given, outputs), {})


def lower_training(training: Training) -> LoweredTraining:
    """The physical form of a training program; each network is lowered once."""
    operands = {v for s in training.steps if isinstance(s, (Node, Call)) for v in s.inputs}
    networks = {
        n.name: lower(n.model, read=frozenset(w.path for w in weights(n.model) if w in operands))
        for n in training.networks
    }
    survey = Survey({name: _boundary(lowered) for name, lowered in networks.items()})
    wishes = survey.wishes_of(training.batch, training.steps)
    images = tuple(map(_is_image, training.batch, wishes))
    forms = _forms(training.batch, images, True)
    graphs = {name: lowered.graph for name, lowered in networks.items()}
    scope = Scope(Lowering(survey, networks=graphs), training.steps)
    batch = tuple(map(scope.declare, training.batch, forms))
    for step in training.steps:
        scope.step(step)
    metrics = tuple(
        replace(m, value=scope.get(m.value, plain_form(m.value.type.rank)))
        for m in training.metrics
    )
    physical = replace(
        training,
        networks=tuple(replace(n, model=graphs[n.name]) for n in training.networks),
        batch=batch,
        steps=tuple(scope.needed([m.value for m in metrics])),
        metrics=metrics,
    )
    return LoweredTraining(physical, networks, _layouts(forms, images))


Flags = tuple[bool, ...]


def _image_inputs(graph: Graph, survey: Survey) -> Flags:
    """Which inputs are images or volumes, with features of their own."""
    return tuple(map(_is_image, graph.inputs, survey.wishes(graph)))


def _image_outputs(graph: Graph, lying: Forms) -> Flags:
    """Which outputs are, by the forms in which they come into being."""
    return tuple(
        v.type.rank in IMAGE_AXES and form == first_form(v.type.rank)
        for v, form in zip(graph.outputs, lying, strict=True)
    )


def _is_image(value: Value, wish: Wish) -> bool:
    return value.type.rank in IMAGE_AXES and wish is Wish.IMAGE


def _forms(values: Sequence[Value], images: Flags, first: bool) -> Forms:
    """The language's, but for images where those have their features first."""
    return tuple(
        (first_form if image and first else plain_form)(v.type.rank)
        for v, image in zip(values, images, strict=True)
    )


def _layouts(forms: Forms, images: Flags) -> Layouts:
    return tuple(
        Layout(form.order, IMAGE_AXES[len(form.order)] if image else "")
        for form, image in zip(forms, images, strict=True)
    )


def _boundary(lowered: Lowered) -> tuple[Forms, Forms]:
    taken, given = lowered.input_layouts, lowered.output_layouts
    return tuple(Form(x.order) for x in taken), tuple(Form(x.order) for x in given)


def _shared(graph: Graph) -> frozenset[str]:
    """Weights that more than one node reads: their columns cannot be reordered for one of them."""
    readers: Counter[str] = Counter()
    for node in walk(graph):
        readers.update(weight.path for weight in node.weights)
        # A tensor that is also computed with stays as it is.
        readers.update(2 * [v.path for v in node.inputs if isinstance(v, Weight)])
    return frozenset(path for path, count in readers.items() if count > 1)
