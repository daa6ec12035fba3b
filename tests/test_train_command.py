"""`nnspec train` beside the frameworks: what is refused before they start, and how a run ends that does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.catalogue.data.dataset import Dataset
from nnspec.driver.columns import check_columns
from nnspec.driver.training import run
from nnspec.driver.worker import WorkerError
from nnspec.report.diagnostics import SpecError

ROOT = Path(__file__).parent.parent
SPEC = str(ROOT / "specs" / "digits_cnn.nn")

PROGRAM = """\
model Net {
  input x: f32[N, 8]
  output y = x -> Dense(4) -> BatchNorm -> relu -> Dense(3)
}

train T {
  net = Net()
  batch x: f32[N, 8], y: i64[N]
  minimize cross_entropy(net(x), y) using Adam()
  data = npz("data.npz")
  batch_size = 4
}
"""

X, Y = np.zeros((6, 8), "f4"), np.arange(6) % 3
CASES: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "labels above": ({"x": X, "y": Y + 1}, "column `y` holds 3 in row 2"),
    "labels below": ({"x": X, "y": Y - 1}, "column `y` holds -1 in row 0"),
    "range": ({"x": X, "y": Y - 1}, "the program takes 0 to 2 there"),
    "float labels": ({"x": X, "y": Y + 0.0}, "column `y` should hold whole numbers, found float64[6]"),
    "no rows": ({"x": X[:0], "y": Y[:0]}, "column `x` has no rows"),
    "shape": ({"x": X[:, :7], "y": Y}, "column `x` should be f32[N, 8], found float32[6, 7]"),
    "rank": ({"x": X, "y": Y[:, None]}, "column `y` should be i64[N], found int64[6, 1]"),
    "rows": ({"x": X, "y": Y[:5]}, "column `y` should be i64[N], found int64[5]"),
    "text": ({"x": X.astype(str), "y": Y}, "column `x` should hold numbers"),
    "missing": ({"x": X}, "the data has no column `y`"),
    "held out": ({"x": X, "y": Y, "validation_x": X}, "the data has no column `validation_y`"),
    "held-out labels": (
        {"x": X, "y": Y, "validation_x": X, "validation_y": Y + 9},
        "column `validation_y` holds 9 in row 0",
    ),
    "not a number": ({"x": np.where(np.arange(6) == 4, np.nan, X.T).T, "y": Y}, "column `x` holds nan in row 4"),
    "one row": ({"x": X[:5], "y": Y[:5]}, "5 rows in batches of 4 leave a last batch of one row"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_data_is_held_against_the_program(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, says = CASES[case]
    np.savez(tmp_path / "data.npz", **columns)
    (tmp_path / "t.nn").write_text(PROGRAM)
    monkeypatch.setattr("nnspec.driver.requirements.require", lambda *_: None)
    monkeypatch.setattr(run, "followed", None)  # nothing may be started
    with pytest.raises(SpecError) as caught:
        nnspec.load(tmp_path / "t.nn").train("pytorch")
    if case == "rows":
        says = "has columns that differ in length"
    assert says in str(caught.value)


def test_good_data_is_taken() -> None:
    training = nnspec.load(PROGRAM).training()
    good = {"x": X, "y": Y}
    check_columns(training, Dataset(good, {}), 4)
    check_columns(training, Dataset({"x": X.astype("f8"), "y": Y.astype("u1")}, good), 6)


@pytest.mark.parametrize(
    "label",
    [
        "y, ignore_label = -1",
        "where(y < 0, 0, y)",
        "maximum(y, 0)",
        "minimum(y + 1, 2)",
    ],
)
def test_labels_that_the_program_changes_are_judged_as_they_are_used(label: str) -> None:
    text = PROGRAM.replace("cross_entropy(net(x), y)", f"cross_entropy(net(x), {label})")
    training = nnspec.load(text).training()
    check_columns(training, Dataset({"x": X, "y": Y - (Y == 0)}, {}), 4)
    if "ignore" in label:
        with pytest.raises(SpecError, match="`cross_entropy` is given 3 from row 3 of the data"):
            check_columns(
                training, Dataset({"x": X, "y": np.where(np.arange(6) == 3, 3, Y)}, {}), 4
            )


TRACEBACK = """\
Traceback (most recent call last):
  File "x.py", line 3, in <module>
    fail()
mxnet.base.MXNetError: shapes differ
Stack trace:
  [bt] (0) libmxnet.so
"""


@pytest.mark.parametrize(
    ("output", "status", "says"),
    [
        (TRACEBACK, 1, "mxnet.base.MXNetError: shapes differ"),
        ("cannot read data.npz: it is empty\n", 1, "cannot read data.npz: it is empty"),
        ("", -9, "stopped by SIGKILL, as the system does when there is no memory left"),
        ("", 3, "ended with status 3"),
    ],
)
def test_what_a_worker_died_of(output: str, status: int, says: str) -> None:
    [diagnostic] = WorkerError("gluon", output, status).diagnostics
    assert says in diagnostic.message
    assert diagnostic.notes == ()


def started(tmp_path: Path, setup: str) -> subprocess.Popen[str]:
    """`nnspec train` in a process, whose temporary files stand in `tmp_path / "tmp"`."""
    (tmp_path / "tmp").mkdir()
    code = (
        "import time, resource; from nnspec.driver import requirements; "
        "from nnspec.driver.training import run; "
        f"requirements.require = lambda *_: None; {setup}; "
        f"from nnspec.cli import main; main(['train', '{SPEC}', '-t', 'pytorch'])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_terminated_says_so(tmp_path: Path) -> None:
    wait = "run.followed = lambda *_: (print('ready', flush=True), time.sleep(60))"
    process = started(tmp_path, wait)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (128 + signal.SIGTERM, "")
    [folder] = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "stopped"
    assert not list(folder.glob(".nnspec-*"))
    assert not list((tmp_path / "tmp").iterdir())


def test_a_full_disk_is_told_and_leaves_nothing_half(tmp_path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))"
    process = started(tmp_path, limit)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "E0703" in errors and "file too large" in errors
    assert "Traceback" not in errors
    [folder] = (tmp_path / "runs").iterdir()
    assert not list(folder.glob(".nnspec-*"))
    assert not list((tmp_path / "tmp").iterdir())
