"""Keras 3: one file with `keras.Model`s, trained by `fit`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.dtypes import check_types
from codegen.keras import train
from codegen.keras.dialect import registering
from codegen.keras.dtypes import DTYPES
from codegen.keras.logits import as_logits
from codegen.keras.optimizers import NATIVE
from codegen.keras.weights import native_name, piece, transforms
from codegen.python.classes import build_classes
from codegen.python.emission import LoweredProgram, described, legal_training, weight_map
from codegen.python.file import module_doc, module_text
from codegen.python.functions import Functions, applied, parameter_names
from codegen.python.gradients import TAPE, watching
from codegen.python.optimizers import class_of
from codegen.python.rules import rates, written
from codegen.python.source import ClassDef
from codegen.python.training import Source, reserved
from codegen.target import AFTER_STEPS, Emitted, EmittedModel, Fault, NoOptions
from nnspec.core.orders import plain
from nnspec.graph.graph import Program
from nnspec.graph.layouts import Layout, Layouts
from nnspec.graph.passes.layout import as_written
from nnspec.graph.passes.legalize import legalize
from nnspec.graph.updates import Update

if TYPE_CHECKING:
    from codegen.foreign import Foreign

name = "keras"
extra: str | None = "keras"
modules = ("keras", "tensorflow")
suffix = ".weights.h5"
foreign: tuple[str, ...] = (".h5", ".keras")
holds_weights = False
faults: tuple[Fault, ...] = (
    *(
        Fault("SGD", quantities, bound, "Keras's SGD takes its momentum as f32")
        # What is off adds up in the velocity.
        for quantities, bound in ((AFTER_STEPS[:2], 1e-6), (AFTER_STEPS[2:], 1e-5))
    ),
    *(
        Fault(name, AFTER_STEPS, 1e-7, "Keras takes the decay beside a class as f32")
        for name in ("AdamW", "Lion")
    ),
    Fault("clip_value", ("gradients", *AFTER_STEPS), 1e-7, "Keras takes `clipvalue` as f32"),
)
Options = NoOptions


def native_optimizer(update: Update) -> str | None:
    """The class that stands for an optimizer; None where its block is written."""
    return class_of(NATIVE, update)


def read_foreign(path: Path) -> Foreign:
    """The weights of a saved model, or of a file of weights."""
    from codegen.keras.stored import read

    return read(path)


def emit(program: Program, *, stem: str, provenance: str) -> Emitted:
    """`<stem>_keras.py`, with a class for each model and what trains it for each training program."""
    check_types(program, "Keras", DTYPES, "it has no such tensors")
    dialect = dataclasses.replace(registering(stem), standing_in=Functions())
    program = dataclasses.replace(program, trainings=tuple(map(watching, program.trainings)))
    legal = {model: legalize(model, dialect.legality) for model in program.models}
    trainings = [legal_training(t, dialect.legality) for t in program.trainings]
    for declared, training in zip(program.trainings, trainings, strict=True):
        for logical, network in zip(declared.networks, training.networks, strict=True):
            legal[logical.model] = network.model
    legal, trainings = as_logits(legal, trainings)
    networks = [n.model for t in trainings for n in t.networks]
    graphs = tuple(dict.fromkeys((*legal.values(), *networks)))
    layouts = {graph: as_written(graph) for graph in graphs}
    named = [train.names(t, trainings) for t in trainings]
    own = reserved(named)
    dialect.standing_in.avoid([*parameter_names(program), *own])
    classes = build_classes(
        graphs,
        dialect,
        describe=described(LoweredProgram(layouts, ())),
        reserved=own,
    )
    # No variable of a program takes the name of a class or function.
    taken = dialect.reserved.union(own, classes.names.values(), ("tape", TAPE))
    dialect = dataclasses.replace(dialect, reserved=taken)
    batches: dict[str, Layouts] = {
        t.name: tuple(Layout(plain(v.type.rank)) for v in t.batch) for t in trainings
    }
    held = [d.name for d in classes.definitions if isinstance(d, ClassDef)]
    dialect.standing_in.learn(applied(trainings), dialect)
    names = [*reserved(named), *held]
    rules = written(trainings, dialect, NATIVE, names)
    changing = rates(trainings, dialect, NATIVE, names)
    sources = [
        Source(t, declared, trainings, names, classes, batches[t.name], dialect, rules, changing)
        for t, declared, names in zip(trainings, program.trainings, named, strict=True)
    ]
    body = train.definitions(sources)
    models = {
        logical: EmittedModel(
            classes.names[graph],
            weight_map(classes.plans[graph], {}, native_name, transforms, piece),
            layouts[graph].input_layouts,
            layouts[graph].output_layouts,
        )
        for logical, graph in legal.items()
    }
    text = module_text(module_doc(provenance, program), classes.definitions, dialect, program=body)
    programs = {t.name: names for t, names in zip(trainings, named, strict=True)}
    return Emitted({f"{stem}_keras.py": text}, models, batches, programs)
