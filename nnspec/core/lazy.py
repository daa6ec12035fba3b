"""NumPy, imported when it is first used: checking a spec needs no arrays, and is to feel instant."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Lazy:
        def __getattr__(self, name: str) -> Any:
            found = getattr(importlib.import_module("numpy"), name)
            setattr(self, name, found)  # from now on, a lookup as of any module
            return found

    np = _Lazy()

__all__ = ["np"]
