"""`docs/adding-an-op.md`, carried out on a copy of the source."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "adding-an-op.md").read_text()
CHANGE = re.compile(r"^```diff (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
[SPEC] = re.findall(r"^```nn after\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def apply(path: Path, change: str) -> None:
    """Replace the one place that has the lines marked ` ` and `-` with those marked ` ` and `+`."""
    lines = [line if line else " " for line in change.splitlines()]
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name} has no such lines:\n{before}"
    path.write_text(text.replace(before, after))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source with the page's changes, and the page's spec beside it."""
    for folder in ("nnspec", "codegen", "grammar"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name, change in CHANGE.findall(PAGE):
        apply(tmp_path / name, change)
    (tmp_path / "smooth.nn").write_text(SPEC)
    return tmp_path


def nnspec(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nnspec", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_language_knows_the_op(copy: Path) -> None:
    assert nnspec(copy, "check", "smooth.nn").returncode == 0
    (copy / "wrong.nn").write_text(SPEC.replace("-> softsign", "-> softsing"))
    assert "did you mean `softsign`?" in nnspec(copy, "check", "wrong.nn").stderr
    result = nnspec(copy, "build", "smooth.nn", "-o", "out")
    assert result.returncode == 0, result.stderr


@pytest.mark.framework
def test_the_targets_agree(copy: Path) -> None:
    result = nnspec(copy, "verify", "smooth.nn", "--format", "json")
    [report] = json.loads(result.stdout)
    assert report["agrees"], result.stdout
    assert len(report["targets"]) == 4
