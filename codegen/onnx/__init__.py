"""ONNX: one portable model with its weights inside, lowered from the graph directly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.dtypes import check_types
from codegen.target import Emitted, EmittedModel, Fault
from nnspec.core.declare import Declaration, declaration
from nnspec.core.fields import arg
from nnspec.core.kinds import choice, whole
from nnspec.core.names import snake_case
from nnspec.graph.exported import exported
from nnspec.graph.graph import Graph, Program
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.updates import Update

if TYPE_CHECKING:
    from codegen.foreign import Foreign
    from nnspec.core.files import Content
    from nnspec.graph.weight_map import Array

name = "onnx"
extra: str | None = "cpu"
modules: tuple[str, ...] = ("onnxruntime",)
suffix = ".onnx"

foreign: tuple[str, ...] = (".onnx",)
holds_weights = True
faults: tuple[Fault, ...] = ()


@declaration
class Options(Declaration):
    """What can be chosen."""

    name = "onnx"
    opset: int = arg("operator set of the model", whole(17, 24), default=20)
    layout: str = arg(
        "order of the axes of image inputs and outputs", choice("nchw", "nhwc"), default="nchw"
    )


def native_optimizer(update: Update) -> str | None:
    """None: a model is not trained here."""
    return None


def read_foreign(path: Path) -> Foreign:
    """The initialisers of a model."""
    from codegen.onnx.stored import read

    return read(path)


def emit(
    program: Program,
    *,
    stem: str,
    provenance: str,
    opset: int = Options.opset,
    layout: str = Options.layout,
    weights: Mapping[Graph, Mapping[str, Array]] | None = None,
) -> Emitted:
    """One `.onnx` for each model: `<stem>.onnx`, `<stem>_<model>.onnx` where there are several.

    Beside a model above 2 GiB stands `<name>.onnx.data` with its weights.

    weights: canonical, by model; by default those of `nnspec init` with seed 0.
    """
    from codegen.onnx.about import about
    from codegen.onnx.dtypes import DTYPES
    from codegen.onnx.files import model_files
    from codegen.onnx.model import build
    from codegen.onnx.normed import with_normed
    from codegen.onnx.operator_sets import operator_set
    from nnspec.graph.passes.layout import lower
    from nnspec.graph.passes.legalize import legalize
    from nnspec.graph.weights import InitialWeights

    check_types(program, "ONNX", DTYPES, "it has no such tensors")
    files: dict[str, Content] = {}
    models: dict[Graph, EmittedModel] = {}
    found = exported(program)
    legality = operator_set(opset).legality
    for called, model in found.items():
        legal = with_normed(legalize(model, legality))
        lowered = lower(legal, images_first=layout == "nchw")
        arrays = (weights or {}).get(model) or InitialWeights(weights_of(model), 0)
        told = about(model, lowered, provenance)
        frame = build(lowered, opset=opset, about=told)
        file = f"{stem}.onnx" if len(found) == 1 else f"{stem}_{file_part(called)}.onnx"
        files |= model_files(file, frame, arrays)
        models[model] = EmittedModel(
            model.name, frame.entries, lowered.input_layouts, lowered.output_layouts
        )
    return Emitted(files, models)


def file_part(name: str) -> str:
    """What a model is called in a file's name: `small`, `distilled_net`."""
    return "_".join(map(snake_case, name.split(".")))
