"""What every target offers to the rest of nnspec, without importing its framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nnspec.catalogue.ops.base import Op
from nnspec.core.declare import Declaration, declaration
from nnspec.core.files import Content
from nnspec.graph.graph import Graph, Program
from nnspec.graph.layouts import Layouts
from nnspec.graph.updates import Update
from nnspec.graph.weight_map import WeightMap

if TYPE_CHECKING:
    from codegen.foreign import Foreign


@dataclass(frozen=True)
class EmittedModel:
    """How a model of the program stands in the emitted files.

    class_name: in the generated module; the graph's name for ONNX.
    weight_map: canonical paths to native names and layouts.
    """

    class_name: str
    weight_map: WeightMap
    input_layouts: Layouts
    output_layouts: Layouts


@dataclass(frozen=True)
class ProgramNames:
    """What a generated file has for one training program, by name; "" where it has nothing of the kind.

    main: reads the command line and trains.
    make: makes what updates given networks: their optimizers (or, in Keras, compiles the network or
        makes the trainer).
    step: an update on a batch; evaluate: the same figures without one; both where there are such functions.
    prepare: what `fit` takes, from columns by name.
    counted: whether `step` takes an iterator that counts the steps, after the optimizers.
    hybrid: whether networks are compiled before they are trained, where the framework asks for it.
    """

    main: str
    make: str
    step: str = ""
    evaluate: str = ""
    prepare: str = ""
    more: tuple[str, ...] = ()
    counted: bool = False
    hybrid: bool = False

    def all(self) -> tuple[str, ...]:
        """All of them, and the file's further names for the program (`more`)."""
        known = (self.main, self.make, self.step, self.evaluate, self.prepare, *self.more)
        return tuple(name for name in known if name)


@dataclass(frozen=True)
class Emitted:
    """What a target made of a program.

    files: by name: text, bytes, or (where it is large) a function that writes the file it is told; names
        are `<stem>_<target>.py` or `<stem>.onnx`, never paths.
    models: for every model of the program and every network of its training programs.
    batch_layouts: by training program, one for each column of its batch.
    programs: by training program, the functions that a file has for it.
    """

    files: dict[str, Content]
    models: dict[Graph, EmittedModel] = field(default_factory=dict)
    batch_layouts: dict[str, Layouts] = field(default_factory=dict)
    programs: dict[str, ProgramNames] = field(default_factory=dict)


AFTER_STEPS = ("weights after 1 step", "weights after 10 steps", "weights after 100 steps")
"""Quantities of a report that optimizers have a part in."""


@dataclass(frozen=True)
class Fault:
    """A fault of a framework's own, in f64, that `verify` names and bounds by itself.

    of: the op whose uses it concerns; or by name the optimizer of the library, or `clip_value` of an update. quantities: of a report. bound: relative; reason: what is wrong there.
    spreads: whether it reaches what other nodes of the network give, too. uses: which uses of the op.
    """

    of: type[Op] | str
    quantities: tuple[str, ...]
    bound: float
    reason: str
    spreads: bool = False
    uses: Callable[[Any], bool] = lambda op: True

    def concerns(self, used: Op | str) -> bool:
        """Whether it is about an op, or an optimizer of that name."""
        if isinstance(self.of, str) or isinstance(used, str):
            return self.of == used
        return isinstance(used, self.of) and self.uses(used)


@declaration
class NoOptions(Declaration):
    """Of a target of which nothing can be chosen."""

    name = "options"


class Target(Protocol):
    """A package under `codegen/`: `emit` is all that the compiler needs.

    name: "pytorch". extra: what to install, as in `pip install "nnspec[pytorch]"`; None where the
    core suffices. modules: what must be importable to run it. suffix: of native weight files.
    holds_weights: whether its files hold the weights, which `emit` then takes as `weights`.
    faults: of the framework, which `verify` allows for.
    foreign: suffixes of files of weights that others wrote with it, which `read_foreign` reads; it raises
        `OSError`, and `ForeignError` (a `ValueError`) where a file is not what its suffix says.
    native_optimizer: the class that stands for an optimizer, None where it is written from its block.
    Options: declares what `emit` takes by name beside that, and with it the flags of `nnspec build`.
    """

    name: str
    extra: str | None
    modules: tuple[str, ...]
    suffix: str
    holds_weights: bool
    faults: tuple[Fault, ...]
    foreign: tuple[str, ...]
    Options: type[Declaration]

    def read_foreign(self, path: Path) -> Foreign: ...

    def native_optimizer(self, update: Update) -> str | None: ...

    def emit(self, program: Program, *, stem: str, provenance: str) -> Emitted: ...
