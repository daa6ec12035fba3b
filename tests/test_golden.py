"""Generated source as files: `cases/golden/<name>.nn`, or one of the zoo, and what each target makes of it.

`make golden` writes the expected files anew; the review is the diff.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from codegen import TARGETS
from nnspec.compiler import load
from nnspec.graph.graph import Program

FOLDER = Path(__file__).parent / "cases" / "golden"
ALL = FOLDER.parents[2] / "specs"
SPECS = [
    *sorted(FOLDER.glob("*.nn")),
    *(
        ALL / f"zoo/{n}.nn"
        for n in ("resnet50", "vit_b16", "unet", "gpt2", "llama", "swin_t", "wavenet")
    ),
]
PYTHON = ("pytorch", "keras", "gluon")
UPDATE = bool(os.environ.get("NNSPEC_UPDATE_GOLDEN"))


@cache
def program(spec: Path, run: int) -> Program:
    return load(spec)


def sources(spec: Path, target: str, run: int = 1) -> dict[str, str]:
    """The Python files that a target makes of a spec."""
    emitted = TARGETS[target].emit(
        program(spec, run), stem=spec.stem, provenance=f"Made from {spec.name}."
    )
    return {n: t for n, t in emitted.files.items() if isinstance(t, str) and n.endswith(".py")}


@pytest.mark.parametrize("target", PYTHON)
@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_golden(spec: Path, target: str) -> None:
    made = sources(spec, target)
    assert made == sources(spec, target, run=2), "two runs differ"
    for name, text in made.items():
        if UPDATE:
            (FOLDER / name).write_text(text, encoding="utf-8")
        assert text == (FOLDER / name).read_text(encoding="utf-8")
        compile(text, name, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("target", PYTHON)
def test_same_in_another_process(target: str) -> None:
    """Nothing depends on the order of sets or on addresses."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; import test_golden as t; "
        "print(*(s for p in t.SPECS for s in t.sources(p, sys.argv[1]).values()))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, target, str(Path(__file__).parent)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


REST = [path for path in sorted(ALL.rglob("*.nn")) if path not in SPECS]


@pytest.mark.parametrize("target", PYTHON)
def test_ruff_has_nothing_to_say_of_golden_files(target: str) -> None:
    """Which are what the target makes, by `test_golden`."""
    ruff_has_nothing_to_say(*FOLDER.glob(f"*_{target}.py"))


@pytest.mark.slow
@pytest.mark.parametrize("target", PYTHON)
def test_ruff_has_nothing_to_say_of_the_rest(target: str, tmp_path: Path) -> None:
    for spec in REST:
        for name, text in sources(spec, target).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
    ruff_has_nothing_to_say(tmp_path)


def ruff_has_nothing_to_say(*paths: Path) -> None:
    """Unchanged by `ruff format`, clean under `ruff check` with sorted imports."""
    assert paths
    for command in (["format", "--diff"], ["check", "--extend-select", "I,RUF012"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", *map(str, paths)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
