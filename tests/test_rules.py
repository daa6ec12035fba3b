"""Native records: what they write of an op can be read back, so an importer has the same tables."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from uses import uses

import codegen
from codegen.python.native import Table
from codegen.rules import REQUIRED, Native
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


CASES = [
    pytest.param(native, example, id=f"{target} {use(example)}")
    for target, native in records()
    for example in uses()
    if type(example.op) is native.op
]


@pytest.mark.parametrize(("native", "example"), CASES)
def test_read_back(native: Native, example: Any) -> None:
    """The arguments of a call, without those that are the framework's defaults, give the fields again."""
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
