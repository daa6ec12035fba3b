"""Targets: each turns a program into source of its framework, or into a model file."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import cast

from codegen.target import Target


class _Targets(Mapping[str, Target]):
    """Name to target, in the order in which they are listed; a target is imported when first asked for."""

    names = ("pytorch", "keras", "gluon", "onnx")

    def __getitem__(self, name: str) -> Target:
        if name not in self.names:
            raise KeyError(name)
        return cast(Target, importlib.import_module(f"codegen.{name}"))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


TARGETS: Mapping[str, Target] = _Targets()
