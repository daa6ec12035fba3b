"""The ONNX reference evaluator: what every target is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from codegen.onnx.module import LEGALITY, RULES, build, build_step
from codegen.python.emission import legal_training
from nnspec.catalogue.ops.windows import same_padding
from nnspec.graph.graph import Graph
from nnspec.graph.passes.layout import lower, lower_training
from nnspec.graph.passes.legalize import legalize
from nnspec.graph.training import Minimize, Training
from nnspec.graph.weight_map import Array

OPSET = 20
EVALUATED = replace(LEGALITY, native=lambda node: type(node.op) in RULES)
"""The evaluator has every operator in every type; what onnxruntime lacks is no matter here."""


class MaxPool(OpRun):
    """The operator as its specification has it: the evaluator's own mixes up the axes of uneven pads."""

    op_domain = ""

    def _run(
        self,
        x: Array,
        auto_pad: str | None = None,
        ceil_mode: int | None = None,
        dilations: Sequence[int] | None = None,
        kernel_shape: Sequence[int] = (),
        pads: Sequence[int] | None = None,
        storage_order: int | None = None,
        strides: Sequence[int] | None = None,
    ) -> tuple[Array]:
        steps = strides or [1] * len(kernel_shape)
        around = [(0, 0), (0, 0)]
        for i, (size, kernel, step) in enumerate(
            zip(x.shape[2:], kernel_shape, steps, strict=True)
        ):
            if auto_pad == "SAME_UPPER":
                around.append(same_padding(size, kernel, step, 1))
            else:
                around.append((pads[i], pads[i + len(kernel_shape)]) if pads else (0, 0))
        padded = np.pad(x, around, constant_values=-np.inf)
        axes = tuple(range(2, x.ndim))
        view = np.lib.stride_tricks.sliding_window_view
        windows = view(padded, tuple(kernel_shape), axes)  # type: ignore[call-overload]
        places = (slice(None), slice(None), *(slice(None, None, step) for step in steps))
        return (windows[places].max(axis=tuple(range(x.ndim, windows.ndim))),)


def outputs(model: Graph, weights: Mapping[str, Array], inputs: Sequence[Array]) -> list[Array]:
    """Outputs of a model in evaluation mode; everything in the language's layout."""
    lowered = lower(legalize(model, EVALUATED), images_first=False)
    proto = build(lowered, opset=OPSET, metadata={}).filled(weights)
    feeds = {i.name: a for i, a in zip(proto.graph.input, inputs, strict=True)}
    return list(ReferenceEvaluator(proto, new_ops=[MaxPool]).run(None, feeds))


def losses(
    training: Training, weights: Mapping[str, Mapping[str, Array]], batch: Sequence[Array]
) -> list[Array]:
    """The losses of a step, before any update, in training mode."""
    lowered = lower_training(legal_training(training, EVALUATED))
    proto = build_step(lowered, weights, opset=OPSET)
    feeds = {
        i.name: layout.there(a)
        for i, a, layout in zip(proto.graph.input, batch, lowered.batch_layouts, strict=True)
    }
    found = list(ReferenceEvaluator(proto, new_ops=[MaxPool]).run(None, feeds))
    return found[: sum(isinstance(s, Minimize) for s in training.steps)]
