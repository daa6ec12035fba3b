"""Importing generated files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nnspec.driver.generated import load_module


def test_a_file_that_is_written_anew_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one second and of one size: Python's bytecode beside it would be that of the first."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "made.py"
    found = []
    for number in range(3):
        path.write_text(f"value = {number}\n")
        os.utime(path, (1_000_000, 1_000_000))
        found.append(load_module(path).value)
    assert found == [0, 1, 2]
    assert not (tmp_path / "__pycache__").exists()
