"""Native records: what they write of an op can be read back, so an importer has the same tables."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from grouped import each

import codegen
from codegen.python.native import Table
from codegen.rules import REQUIRED, Native
from nnspec.catalogue.ops import Example
from nnspec.graph.graph import Node
from nnspec.graph.single import single
from nnspec.views.reference.written import use


def records() -> Iterator[tuple[str, Native]]:
    """Of every Python target, those of all its families."""
    for module in pkgutil.walk_packages(codegen.__path__, "codegen."):
        if ".ops." in module.name:
            table = getattr(importlib.import_module(module.name), "TABLE", None)
            if isinstance(table, Table):
                for native in table.natives.values():
                    yield module.name.split(".")[1], native


CASES = [(target, native, e) for target, native in records() for e in native.op.examples()]


@each(
    CASES,
    name=lambda case: f"{case[0]} {use(case[2])}",
    group=lambda case: f"{case[0]} {case[1].op.name}",
)
def test_read_back(case: tuple[str, Native, Example]) -> None:
    """The arguments of a call, without those that are the framework's defaults, give the fields again."""
    _, native, example = case
    (node,) = single(example).steps
    assert isinstance(node, Node)
    positional, keywords = [], {}
    for argument in native.arguments:
        value = argument.written(node)
        if argument.keyword is None:
            positional.append(value)
        elif value is not REQUIRED:
            keywords[argument.keyword] = value
    fields = native.read(positional, keywords)
    assert fields == {name: getattr(node.op, name) for name in fields}
