"""nnspec: one `.nn` file becomes Keras, PyTorch and Gluon source and an ONNX model.

spec = nnspec.load("digits_cnn.nn")
spec.build("pytorch").files            # name -> text
spec.model("DigitsCNN", classes=100).summary()
spec.verify().agrees
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnspec.core.version import __version__

__all__ = ["Diagnostic", "Model", "Spec", "SpecError", "__version__", "load", "resume"]

if TYPE_CHECKING:
    from nnspec.api import Model, Spec, load, resume
    from nnspec.report.diagnostics import Diagnostic, SpecError

_HOME = {
    "load": "nnspec.api",
    "resume": "nnspec.api",
    "Spec": "nnspec.api",
    "Model": "nnspec.api",
    "Diagnostic": "nnspec.report.diagnostics",
    "SpecError": "nnspec.report.diagnostics",
}


def __getattr__(name: str) -> Any:
    # Importing a submodule must not import everything: `nnspec --help` is to feel instant.
    if name not in _HOME:
        raise AttributeError(f"module `nnspec` has no attribute `{name}`")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
