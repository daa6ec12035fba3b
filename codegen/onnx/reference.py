"""The ONNX reference evaluator: what every target is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx.reference import ReferenceEvaluator

from codegen.layout import lower, lower_training
from codegen.onnx.module import build, build_step
from codegen.weight_map import Array
from nnspec.graph import Graph
from nnspec.training.program import Minimize, Training

OPSET = 20


def outputs(model: Graph, weights: Mapping[str, Array], inputs: Sequence[Array]) -> list[Array]:
    """Outputs of a model in evaluation mode; everything in the language's layout."""
    lowered = lower(model, boundary="NHWC")
    proto, _ = build(lowered, weights, opset=OPSET, metadata={})
    feeds = {i.name: a for i, a in zip(proto.graph.input, inputs, strict=True)}
    return list(ReferenceEvaluator(proto).run(None, feeds))


def losses(
    training: Training, weights: Mapping[str, Mapping[str, Array]], batch: Sequence[Array]
) -> list[Array]:
    """The losses of a step, before any update, in training mode."""
    lowered = lower_training(training)
    proto = build_step(lowered, weights, opset=OPSET)
    feeds = {
        i.name: a.transpose(0, 3, 1, 2) if layout == "NCHW" else a
        for i, a, layout in zip(proto.graph.input, batch, lowered.batch_layouts, strict=True)
    }
    found = list(ReferenceEvaluator(proto).run(None, feeds))
    return found[: sum(isinstance(s, Minimize) for s in training.steps)]
