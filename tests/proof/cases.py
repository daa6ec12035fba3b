"""One text through all that reads specs: what may not happen, whatever the text is."""

from __future__ import annotations

import ast
import signal
import traceback
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, TypeVar

from mutations import MARK

import nnspec
from nnspec.compiler import compile_source
from nnspec.driver.build import emit
from nnspec.driver.requirements import targets_named
from nnspec.graph.graph import weights
from nnspec.report.diagnostics import Reporter, SpecError
from nnspec.report.render import render, to_json
from nnspec.report.source import Source
from nnspec.syntax import tree
from nnspec.syntax.format import format_source
from nnspec.syntax.parse import parse
from nnspec.views.drawing import DRAWINGS

SECONDS = 10
MOST_WEIGHTS = 1_000_000
"""Numbers that an ONNX model is written with here: what a spec asks for by its sizes is no fault."""

OUTPUTS: list[tuple[str, dict[str, Any]]] = [
    ("pytorch", {}), ("keras", {}), ("gluon", {}), ("gluon", {"style": "symbol"}), ("onnx", {}),
]  # fmt: skip
STATEMENTS = (
    ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.FunctionDef,
    ast.ClassDef, ast.Return, ast.For, ast.If, ast.With, ast.Raise, ast.Try, ast.Assert, ast.Pass,
    ast.While, ast.Delete, ast.Continue, ast.Break, ast.Nonlocal,
)  # fmt: skip

T = TypeVar("T")


class Fault(Exception):
    """What a text brought to light."""


class Hang(BaseException):
    """A stage took longer than `SECONDS` of the processor's time."""


def _hang(number: int, frame: object) -> None:
    raise Hang


@contextmanager
def stage(name: str) -> Iterator[None]:
    """No exception but `SpecError`, and no more than `SECONDS`."""
    signal.signal(signal.SIGVTALRM, _hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    except (SpecError, Fault):
        raise
    except Hang:
        raise Fault(f"{name}: more than {SECONDS} s") from None
    except MemoryError:
        raise Fault(f"{name}: more memory than there is") from None
    except Exception as error:  # noqa: BLE001  any other is a fault
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
        raise Fault(f"{name}: {type(error).__name__} at {where}: {str(error)[:200]}") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def run(text: str) -> str:
    """How far the text came: "refused" or "emitted"; raises `Fault`."""
    source = Source("<text>", text)
    _formatted(source)
    reporter = Reporter()
    with stage("check"):
        compile_source(source, reporter)
        render(reporter.diagnostics)
        to_json(reporter.diagnostics)
    if reporter.errors:
        return "refused"
    _emitted(nnspec.load(text), _strings(source))
    return "emitted"


def _formatted(source: Source) -> None:
    try:
        with stage("fmt"):
            once = format_source(source)
    except SpecError:
        return
    try:
        with stage("fmt of its own text"):
            if format_source(Source("<text>", once)) != once:
                raise Fault("fmt: its own text changes once more")
    except SpecError as error:
        raise Fault(f"fmt: its own text is refused: {error.diagnostics[0].message}") from None


def _emitted(spec: nnspec.Spec, strings: set[str]) -> None:
    for name, options in OUTPUTS:
        [target] = targets_named([name])
        if name == "onnx" and _numbers(spec) > MOST_WEIGHTS:
            continue
        try:
            with stage(f"{name}{' as symbols' if options else ''}"):
                files = emit(spec, target, options).files
        except SpecError:
            continue
        for content in files.values():
            if isinstance(content, str):
                _check_python(name, content, strings)
    for graph in spec.program.models:
        with stage("drawing"):
            ElementTree.fromstring(DRAWINGS["svg"](graph))
            for drawing in DRAWINGS.values():
                drawing(graph)


def _numbers(spec: nnspec.Spec) -> int:
    models = {*spec.program.models, *(n.model for t in spec.program.trainings for n in t.networks)}
    shapes = [w.type.shape for m in models for w in weights(m)]
    return sum(prod(d for d in shape if isinstance(d, int)) for shape in shapes)


def _check_python(target: str, text: str, strings: set[str]) -> None:
    """It parses; statements are of kinds that the compiler writes; marked text is in docstrings and in
    strings that the spec holds as they are."""
    with stage(f"parsing what {target} got"):
        module = ast.parse(text.encode())
    docs: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docs |= {id(first), id(first.value)}
    for node in ast.walk(module):
        if isinstance(node, ast.stmt) and not isinstance(node, STATEMENTS):
            raise Fault(f"{target}: a statement {type(node).__name__}")
        if (
            isinstance(node, ast.Expr)
            and not isinstance(node.value, ast.Call)
            and id(node) not in docs
        ):
            raise Fault(f"{target}: {ast.unparse(node)[:80]} stands alone")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            if MARK in node.value and node.value not in strings:
                raise Fault(f"{target}: text became a string: {node.value[:80]!r}")
        elif MARK in str(getattr(node, "id", "")) + str(getattr(node, "attr", "")):
            raise Fault(f"{target}: text became code: {ast.unparse(node)[:80]}")


def _strings(source: Source) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [parse(source, Reporter())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.String):
            found.add(node.value)
        elif isinstance(node, tuple):
            waiting += node
        elif isinstance(node, tree.Tree):
            waiting += vars(node).values()
    return found
