"""Tree to graph: names, compile-time values, blocks, loops, training programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.elaborate.blocks import call_block, model_graph
from nnspec.elaborate.functions import call_function
from nnspec.elaborate.limits import Budget, OutOfBudget
from nnspec.elaborate.lints import naming
from nnspec.elaborate.modules import Loader, Module
from nnspec.elaborate.resolve import look_up, resolve
from nnspec.elaborate.scanning import scan
from nnspec.elaborate.session import Session
from nnspec.elaborate.sources import SAVED, Sources
from nnspec.elaborate.training import training
from nnspec.graph.graph import Graph, Program
from nnspec.graph.training import Training
from nnspec.report.diagnostics import Diagnostic, Reporter, did_you_mean
from nnspec.report.source import Source
from nnspec.syntax import tree

if TYPE_CHECKING:
    from nnspec.elaborate.index import Index


def elaborate(
    source: Source,
    reporter: Reporter,
    *,
    path: Path | None = None,
    roots: Sequence[Path] = (),
    parameters: Mapping[str, Any] | None = None,
    sources: Sources = SAVED,
    index: Index | None = None,
) -> Program:
    """What a file means. Everything that is wrong is reported; what failed is left out.

    path: of the file, for imports beside it; roots: where imports are looked up too; parameters: in
    place of the defaults of the file's models and programs; sources: where imports are read; index: to
    be filled in with what names stand for.
    """
    loader = Loader(reporter, roots, sources)
    if path is not None:
        loader.loading.append((path.resolve(), path.stem))
    module = loader.load(source, path)
    if any(d.code.startswith("E01") for d in reporter.errors):
        return Program((), (), source.path)  # what is left of the text would only seem wrong
    modules = {module, *loader.modules.values()}
    budget = Budget.of(sum(len(m.file.span.source.text) for m in modules))
    session = Session(
        reporter, call_block, call_function, scan, budget, given=dict(parameters or {}), index=index
    )
    _check_parameters(module, session.given, reporter)
    try:
        return _program(session, module, source)
    except OutOfBudget as failure:
        session.report(failure)
        return Program((), (), source.path)
    finally:
        if index is not None:
            for one in modules:
                look_up(index, one)


def _program(session: Session, module: Module, source: Source) -> Program:
    trainings = [training(session, module, t) for t in module.trainings]
    models = [
        graph
        for declaration in module.declared.values()
        if isinstance(declaration, tree.Block) and declaration.is_model
        for graph in _models(session, module, declaration, trainings)
    ]
    resolve(session, module)
    # A block with a small first letter is a function; a model is never one.
    for declaration in module.declared.values():
        if not isinstance(declaration, tree.Block) or not declaration.is_model:
            continue
        if found := naming(declaration.name, True):
            session.reporter.report(found)
    return Program(
        tuple(models),
        tuple(t for t in trainings if t is not None),
        source.path,
        module.file.doc,
    )


def _models(
    session: Session,
    module: Module,
    declaration: tree.Block,
    trainings: Sequence[Training | None],
) -> list[Graph]:
    """What is made of a model: what the programs train of it; where they do not, or parameters were
    asked for, the model as it stands."""
    at = declaration.name.span
    networks = [n.model for t in trainings if t is not None for n in t.networks]
    trained = list(dict.fromkeys(g for g in networks if g.span == at))
    given = session.parameters(declaration)
    if trained and not given:
        return trained
    if all(p.default is not None or p.name.text in given for p in declaration.parameters):
        alone = model_graph(session, module, declaration, given)
        return list(dict.fromkeys([*([alone] if alone is not None else []), *trained]))
    return trained


def _check_parameters(module: Module, given: Mapping[str, Any], reporter: Reporter) -> None:
    """A parameter from the command line that nothing in the file has."""
    blocks: list[tree.Block | tree.Train] = [
        d for d in module.declared.values() if isinstance(d, tree.Block) and d.is_model
    ]
    known = {p.name.text for d in [*blocks, *module.trainings] for p in d.parameters}
    for name in given:
        if name not in known:
            reporter.report(
                Diagnostic(
                    "E0705",
                    f"no model or program of this file has a parameter `{name}`",
                    helps=did_you_mean(name, known)
                    or (f"parameters are {', '.join(sorted(known))}",)
                    if known
                    else (),
                )
            )


__all__ = ["elaborate"]
