"""Importing a generated file, in the worker's process."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class _Source(SourceFileLoader):
    """Reads the source, never bytecode beside it: that is told apart by size and second, and a file that is written
    anew may have both of the one before."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def load_module(path: Path) -> ModuleType:
    """The file as a module; the name it gets hides no other module."""
    name = f"generated_{path.stem}"
    loader = _Source(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise ImportError(f"{path} is not a Python program")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module
