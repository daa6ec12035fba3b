"""The Python interface; it mirrors the commands.

spec = nnspec.load("digits_cnn.nn")
model = spec.model("DigitsCNN", classes=100)
spec.build("onnx", weights="trained.safetensors")
spec.verify()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.compiler import compile_source
from nnspec.driver.sources import read_source
from nnspec.elaborate.sources import SAVED, Noted, Sources, shown
from nnspec.graph.exported import exported
from nnspec.graph.graph import Graph, Program
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.training import Training
from nnspec.report.diagnostics import Diagnostic, Reporter, SpecError, did_you_mean
from nnspec.report.source import Source

if TYPE_CHECKING:
    from codegen.target import Emitted
    from nnspec.driver.importing.run import Imported
    from nnspec.driver.training.job import Job, Progress, Trained
    from nnspec.driver.verify.report import Report
    from nnspec.graph.weight_map import Array
    from nnspec.views.summary import Summary


def load(
    path_or_text: str | Path,
    /,
    *,
    roots: Sequence[str | Path] = (),
    parameters: Mapping[str, Any] | None = None,
    unsaved: Mapping[str | Path, str] | None = None,
    **named: Any,
) -> Spec:
    """Compile a spec from a file, or from its text; raises `SpecError` when it is wrong.

    A string is a path when it ends in `.nn`, else text. `roots` are further folders for imports;
    `unsaved` has texts that stand in the place of files, this one or those it imports.
    Parameters of the file's models and programs are given by name, `classes=100`, or in `parameters`,
    which also takes names such as `roots`.
    """
    sources = Sources(unsaved) if unsaved else SAVED
    if isinstance(path_or_text, str) and not path_or_text.endswith(".nn"):
        source = Source("<text>", path_or_text)
    else:
        path = Path(path_or_text)
        source = sources.source(path) if sources.unsaved else read_source(path)
    given = {**(parameters or {}), **named}
    return compile_spec(source, tuple(Path(r) for r in roots), given, sources)


def compile_spec(
    source: Source,
    roots: tuple[Path, ...],
    parameters: Mapping[str, Any],
    sources: Sources = SAVED,
) -> Spec:
    """The spec of a source; raises `SpecError` with everything that is wrong with it."""
    reporter = Reporter()
    program = compile_source(source, reporter, roots=roots, parameters=parameters, sources=sources)
    reporter.raise_errors()
    lints = tuple(reporter.diagnostics)
    return Spec(source, program, lints, roots, sources=sources, parameters=dict(parameters))


@dataclass(frozen=True)
class Spec:
    """A compiled file. `lints` are its warnings; `whole` is the file's program where this spec is a
    part of it, and says what the weights are called in a file of several networks; `parameters` are those
    that were given."""

    source: Source
    program: Program
    lints: tuple[Diagnostic, ...] = ()
    roots: tuple[Path, ...] = ()
    whole: Program | None = None
    sources: Sources = SAVED
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What generated files are called after."""
        return "spec" if self.source.path.startswith("<") else Path(self.source.path).stem

    @property
    def folder(self) -> Path:
        """Where relative paths of the spec count from."""
        return Path() if self.source.path.startswith("<") else Path(self.source.path).parent

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """Every model that the file declares."""
        return tuple(Model(graph, self) for graph in self.program.models)

    def model(self, name: str | None = None, /, **parameters: Any) -> Model:
        """A model by name (or the only one), with parameters in place of its defaults.

        The name may be that of a training program's network: `net`, or `Program.net` where two
        programs have one of that name.
        """
        from nnspec.driver.stored import owners

        spec = (
            compile_spec(self.source, self.roots, parameters, self.sources) if parameters else self
        )
        if name is None and len(spec.models) == 1:
            return spec.models[0]
        known = {o.name: Model(o.model, spec) for o in owners(spec.program)}
        known |= {n: Model(g, spec) for n, g in exported(spec.program).items()}
        if name in known:
            return known[name]
        raise SpecError(_which("model", name, list(known), spec.source.path))

    def only(self, name: str) -> Spec:
        """The same file as if it held this model alone, and no training program."""
        return self.model(name).alone()

    def training(self, name: str | None = None) -> Training:
        """A training program by name (or the only one)."""
        names = [t.name for t in self.program.trainings]
        if name is None and len(names) == 1:
            return self.program.trainings[0]
        if name in names:
            return self.program.trainings[names.index(name)]
        raise SpecError(_which("training program", name, names, self.source.path))

    def build(self, target: str, *, weights: str | Path | None = None, **options: Any) -> Emitted:
        """What a target makes of the file: `.files` is name to text or bytes.

        weights: a canonical file, for targets whose files hold weights.
        options: the target's own (`opset`, `layout`, `style`).
        """
        from nnspec.driver.build import emit
        from nnspec.driver.requirements import targets_named
        from nnspec.driver.stored import load_all

        [found] = targets_named([target])
        stored = load_all(Path(weights), self.program, self.whole) if weights is not None else None
        return emit(self, found, options, stored)

    def verify(
        self,
        targets: Sequence[str] | None = None,
        *,
        seed: int = 0,
        quick: bool = False,
        long: bool = False,
        say: Callable[[str], None] = lambda text: None,
    ) -> Report:
        """Compare the targets (all that are installed) with the definition, on the same weights and inputs.

        quick: one optimizer step instead of ten; long: a hundred, in f32 too. say: told what is done next.
        """
        from nnspec.driver.requirements import compared
        from nnspec.driver.verify.bench import SINGLE_STEP
        from nnspec.driver.verify.run import LONG, STEPS, verify

        chosen, skipped = compared(targets)
        at = LONG if long else SINGLE_STEP if quick else STEPS
        return verify(self.program, chosen, skipped=skipped, seed=seed, at=at, say=say)

    def initial_weights(self, seed: int = 0) -> Mapping[str, Array]:
        """Canonical weights as the initialisers draw them, of all networks of the file."""
        from nnspec.driver.stored import joined, owners
        from nnspec.graph.weights import InitialWeights

        known = owners(self.program)
        drawn = {o.name: InitialWeights(weights_of(o.model), seed + i) for i, o in enumerate(known)}
        return joined(drawn)

    def import_weights(
        self, source: str | Path, *, table: str | Path | None = None, model: str | None = None
    ) -> Imported:
        """Find a model's weights in a file that somebody else wrote; `docs/import.md` says how.

        `.report` says what was found where, `.weights` are canonical, `.save(path)` writes them.
        `.whole()` raises `SpecError` where a weight has no source, which else begins as the spec says.
        table: which name is which; without one, names, shapes and order tell, and `.table` is the text of a table.
        """
        from nnspec.driver.importing.run import import_weights

        told = Path(table) if table is not None else None
        return import_weights(self, Path(source), table=told, owner=model)

    def train(
        self,
        target: str,
        *,
        program: str | None = None,
        weights: str | Path | None = None,
        run: str | Path | bool = False,
        checkpoint_every: int | None = None,
        tensorboard: bool = False,
        report: Callable[[Progress], None] | None = None,
        meanwhile: Callable[[Progress], None] | None = None,
        **options: int,
    ) -> Trained:
        """Train with the generated functions of a framework; `.weights` are canonical.

        weights: canonical, to start from; options: `epochs`, `batch_size`, `seed`.
        run: a folder to keep the run in (true: the next under `runs/`), which `nnspec.resume` takes up again;
        checkpoint_every: steps between checkpoints, beside those after each epoch.
        tensorboard: whether its folder gets files for TensorBoard.
        report: called after each epoch; meanwhile: every second or so within one.
        """
        from nnspec.driver.stored import load_networks
        from nnspec.driver.training.run import Kept, train

        training = self.training(program)
        job = self._job(target, training, checkpoint_every, report, meanwhile, options)
        job = replace(job, board=tensorboard)
        initial = None
        if weights is not None:
            initial = load_networks(Path(weights), training, self.program)
        if run is False:
            return train(job, initial=initial)
        sources = Noted(self.sources)
        compile_spec(self.source, self.roots, self.parameters, sources)
        path = self.source.path
        main = path if path.startswith("<") else str(Path(path).absolute())
        spec = {
            "path": main,
            "parameters": dict(self.parameters),
            "roots": [str(root.absolute()) for root in self.roots],
        }
        name = f"{self.stem}-{training.name}-{target}"
        folder = None if run is True else Path(run)
        kept = Kept(folder, name, spec, {main: self.source.text} | sources.texts)
        return train(job, initial=initial, kept=kept)

    def _job(
        self,
        target: str,
        training: Training,
        every: int | None,
        report: Callable[[Progress], None] | None,
        meanwhile: Callable[[Progress], None] | None,
        options: Mapping[str, int],
    ) -> Job:
        """What is trained, and who hears of it."""
        from nnspec.driver.requirements import require, runnable_named
        from nnspec.driver.training.job import Job, ignored

        found = runnable_named(target)
        require(found, "train")
        spec = replace(self, program=replace(self.program, trainings=(training,)))
        emitted = spec.build(target)
        return Job(
            training,
            found,
            emitted,
            self.folder,
            options,
            every,
            report or ignored,
            meanwhile or ignored,
        )

    def summary(self) -> tuple[Summary, ...]:
        """Layers, shapes, weights and costs of each model."""
        return tuple(model.summary() for model in self.models)

    def _repr_html_(self) -> str:
        return "".join(f"<h4>{escape(m.name)}</h4>{m._repr_svg_()}" for m in self.models)

    def __repr__(self) -> str:
        names = ", ".join(m.name for m in self.models)
        return f"<nnspec.Spec {self.source.path}: {names or 'no model'}>"


def resume(
    run: str | Path,
    *,
    report: Callable[[Progress], None] | None = None,
    meanwhile: Callable[[Progress], None] | None = None,
    warn: Callable[[Diagnostic], None] = lambda diagnostic: None,
) -> Trained:
    """Go on with a run that was broken off, from its folder: with its own copy of the spec, its settings, and the
    last of its checkpoints. What comes of it is, bit for bit, what would have come of it undisturbed.
    warn: is given what is to be said of checkpoints that are damaged.

    Raises `SpecError` (E0621, E0622, E0624) where there is no such run, or it would be another one.
    """
    from nnspec.driver.stored import load_networks
    from nnspec.driver.training.folder import INITIAL, RunFolder
    from nnspec.driver.training.run import check_resumable
    from nnspec.driver.training.run import resume as go_on

    folder = RunFolder.existing(Path(run))
    try:
        about = folder.about
        check_resumable(folder)
        told, texts = about["spec"], folder.texts()
        main = told["path"]
        source = Source(main if main.startswith("<") else shown(Path(main)), texts[main])
        roots = tuple(map(Path, told["roots"]))
        spec = compile_spec(source, roots, told["parameters"], Sources(texts))
        training = spec.training(about["program"])
        every = about["settings"]["checkpoint_every"]
        job = spec._job(about["target"], training, every, report, meanwhile, about["given"])
        initial, path = None, folder.path / INITIAL
        if path.exists():
            initial = load_networks(path, training, spec.program)
        job = replace(job, root=Path(about["root"]), board=about["tensorboard"])
        return go_on(job, folder, initial, warn)
    finally:
        folder.close()


@dataclass(frozen=True)
class Model:
    """One model of a file; shows itself as a picture in a notebook."""

    graph: Graph
    spec: Spec

    @property
    def name(self) -> str:
        return self.graph.name

    def build(self, target: str, **options: Any) -> Emitted:
        """What a target makes of this model alone."""
        return self.alone().build(target, **options)

    def verify(self, targets: Sequence[str] | None = None, *, seed: int = 0) -> Report:
        """Compare the targets on this model alone."""
        return self.alone().verify(targets, seed=seed)

    def summary(self) -> Summary:
        """Layers, output shapes, weights, FLOPs and memory."""
        from nnspec.views.summary import summarize

        return summarize(self.graph)

    def draw(self, format: str = "svg") -> str:
        """The picture as text: "svg", "dot" or "mermaid"."""
        from nnspec.views.drawing import DRAWINGS

        return DRAWINGS[format](self.graph)

    def alone(self) -> Spec:
        """The spec as if its file held this model alone, and no training program."""
        program = replace(self.spec.program, models=(self.graph,), trainings=())
        return replace(self.spec, program=program, whole=self.spec.whole or self.spec.program)

    def _repr_svg_(self) -> str:
        return self.draw("svg")

    def __repr__(self) -> str:
        return f"<nnspec.Model {self.name}>"


def _which(kind: str, name: str | None, names: list[str], path: str) -> Diagnostic:
    """The diagnostic for a model or program that is not named, or not there."""
    known = (f"it has: {', '.join(names)}",) if names else ()
    if name is None:
        message = f"`{path}` has {len(names) or 'no'} {kind}s" + ("; say which" if names else "")
        return Diagnostic("E0705", message, notes=known)
    message = f"`{path}` has no {kind} `{name}`"
    return Diagnostic("E0705", message, notes=known, helps=did_you_mean(name, names))
