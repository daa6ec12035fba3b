"""Keras 3 (on TensorFlow): one file with `keras.Model`s and `compile`/`fit` or a `train_step`."""

from __future__ import annotations

import dataclasses
from functools import partial

from codegen import program as programs
from codegen.classes import build_classes
from codegen.emission import described_logical, weight_map
from codegen.keras import train
from codegen.keras.module import DIALECT, frame
from codegen.keras.weights import native_name, transforms
from codegen.module import module_text
from codegen.python_source import Stmt
from codegen.target import Emitted, EmittedModel, Layouts
from nnspec.graph import Program

name = "keras"
extra: str | None = "keras"
modules = ("keras", "tensorflow")
suffix = ".weights.h5"

FUNCTIONS = (*programs.FUNCTIONS, "compile_model", "inputs_and_targets", "make_trainer")


def emit(program: Program, *, stem: str, provenance: str) -> Emitted:
    """`<stem>_keras.py`, with a class for each model and what trains them.

    Images keep their channels last, as in the language: the graph is written as it is.
    """
    networks = (n.model for t in program.trainings for n in t.networks)
    graphs = tuple(dict.fromkeys([*program.models, *networks]))
    dialect = dataclasses.replace(DIALECT, frame=partial(frame, package=stem))
    suffixes = {t: programs.suffix(t, program.trainings) for t in program.trainings}
    functions = [f + s for s in suffixes.values() for f in FUNCTIONS]
    trainers = [f"{t.name}Trainer" for t in program.trainings]
    classes = build_classes(
        graphs, dialect, describe=described_logical, reserved=[*functions, *trainers]
    )
    sources = [
        train.TrainingSource(t, classes.names, classes.plans, s) for t, s in suffixes.items()
    ]
    loops: list[Stmt] = [d for source in sources for d in train.definitions(source)]
    if sources:
        loops += train.main(sources)
    models = {
        graph: EmittedModel(
            classes.names[graph],
            weight_map(classes.plans[graph], {}, native_name, transforms),
            _layouts(len(graph.inputs)),
            _layouts(len(graph.outputs)),
        )
        for graph in graphs
    }
    text = module_text(provenance, classes.definitions, dialect, program=loops)
    layouts = {t.name: _layouts(len(t.batch)) for t in program.trainings}
    return Emitted({f"{stem}_keras.py": text}, models, layouts)


def _layouts(count: int) -> Layouts:
    return (None,) * count
