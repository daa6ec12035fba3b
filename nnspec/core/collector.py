"""The collector of reference cycles, paused while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Make trees and graphs without their being walked again and again for cycles that they lack.

    With the collector running, a layer of 10,000 costs 1.5 times as much as one of 1,000. What nothing
    refers to any more is freed meanwhile as ever.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
