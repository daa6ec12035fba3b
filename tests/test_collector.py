"""What is made while the collector is paused is freed in the end, though it refers to itself."""

from __future__ import annotations

import gc
import weakref

import pytest

from nnspec.core import collector


class Knot:
    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()  # what other tests left young would count
    monkeypatch.setattr(collector, "ENOUGH", 10_000)
    monkeypatch.setattr(collector, "_unseen", 0)
    with collector.paused():
        seen = weakref.ref(Knot())
        kept = [[i] for i in range(1000)]
    assert gc.isenabled()
    assert seen() is not None, "nothing is walked yet"
    for _ in range(20):
        with collector.paused():
            kept += [[i] for i in range(1000)]
    assert seen() is None
