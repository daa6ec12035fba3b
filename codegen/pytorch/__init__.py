"""PyTorch: one file with `nn.Module`s and a plain training loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.dtypes import check_types
from codegen.python.classes import build_classes
from codegen.python.emission import described, lowered_program, weight_map
from codegen.python.file import module_doc, module_text
from codegen.python.functions import Functions, applied, parameter_names
from codegen.python.gradients import watching
from codegen.python.optimizers import class_of
from codegen.python.rules import rates, written
from codegen.python.scalars import scalars
from codegen.python.source import ClassDef, Stmt
from codegen.python.training import Source, reserved
from codegen.pytorch import train
from codegen.pytorch.dialect import DIALECT, beginning_as, native_name
from codegen.pytorch.dtypes import DTYPES
from codegen.pytorch.initializers import init_weights, usual_beginnings
from codegen.pytorch.optimizers import NATIVE
from codegen.target import AFTER_STEPS, Emitted, EmittedModel, Fault, NoOptions
from nnspec.catalogue.ops.gated import HardSigmoid
from nnspec.graph.graph import Program, walk
from nnspec.graph.updates import Update

if TYPE_CHECKING:
    from codegen.foreign import Foreign

name = "pytorch"
extra: str | None = "pytorch"
modules = ("torch", "safetensors")
suffix = ".safetensors"
foreign: tuple[str, ...] = (".pt", ".pth", ".bin")
holds_weights = False
faults = (
    Fault(
        HardSigmoid,
        ("gradients", *AFTER_STEPS),
        1e-7,
        "PyTorch's derivative of hardsigmoid holds 1 / 6 as f32",
        spreads=True,
    ),
    Fault(
        "Nadam",
        AFTER_STEPS,
        1e-6,
        "PyTorch's NAdam keeps the product of its momenta as f32",
    ),
)
Options = NoOptions


def native_optimizer(update: Update) -> str | None:
    """The class that stands for an optimizer; None where its block is written."""
    return class_of(NATIVE, update)


def read_foreign(path: Path) -> Foreign:
    """The tensors of a state dict."""
    from codegen.pytorch.state_dict import read

    return read(path)


def emit(program: Program, *, stem: str, provenance: str) -> Emitted:
    """`<stem>_pytorch.py`, with a class for each model and a loop for each training program."""
    check_types(program, "PyTorch", DTYPES, "it has no such tensors")
    dialect = replace(DIALECT, standing_in=Functions())
    program = replace(program, trainings=tuple(map(watching, program.trainings)))
    lowered = lowered_program(program, dialect.legality)
    nodes = [node for graph in lowered.graphs for node in walk(graph)]
    usual = usual_beginnings(nodes)
    dialect = replace(dialect, layers=beginning_as(usual))
    trainings = [t.training for t in lowered.trainings]
    named = [train.names(t, trainings) for t in trainings]
    dialect.standing_in.avoid([*parameter_names(program), *reserved(named)])
    classes = build_classes(
        lowered.graphs, dialect, describe=described(lowered), reserved=reserved(named)
    )
    body: list[Stmt] = []
    if (start := init_weights(nodes, usual)) is not None:
        body.append(start)
    body += classes.definitions
    held = [d.name for d in classes.definitions if isinstance(d, ClassDef)]
    dialect.standing_in.learn(applied(trainings), dialect)
    taken = [*reserved(named), *held]
    rules = written(trainings, dialect, NATIVE, taken)
    changing = rates(trainings, scalars(dialect), NATIVE, taken)
    sources = [
        Source(
            t.training,
            declared,
            trainings,
            names,
            classes,
            t.batch_layouts,
            dialect,
            rules,
            changing,
        )
        for t, declared, names in zip(lowered.trainings, program.trainings, named, strict=True)
    ]
    loops = train.definitions(sources)
    models = {
        logical: EmittedModel(
            classes.names[physical.graph],
            weight_map(classes.plans[physical.graph], physical.reorders, native_name),
            physical.input_layouts,
            physical.output_layouts,
        )
        for logical, physical in lowered.models.items()
    }
    text = module_text(module_doc(provenance, program), body, dialect, program=loops)
    layouts = {t.training.name: t.batch_layouts for t in lowered.trainings}
    programs = {t.name: names for t, names in zip(trainings, named, strict=True)}
    return Emitted({f"{stem}_pytorch.py": text}, models, layouts, programs)
