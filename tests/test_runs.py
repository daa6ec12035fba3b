"""Runs that are kept: killed and taken up again, damaged, refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from nnspec import SpecError, __version__, load
from nnspec.commands.app import app
from nnspec.driver.training import checkpoints
from nnspec.driver.training import folder as run_folder
from nnspec.driver.training.checkpoints import Checkpoint, Place
from nnspec.driver.training.folder import RunFolder
from nnspec.driver.training.plan import planned
from nnspec.driver.training.tensorboard import Board
from nnspec.driver.training.watch import Watch, watched
from nnspec.graph import weight_files

ROOT = Path(__file__).parent.parent
SPEC = """\
from parts import Head

model Net {
  input x: f32[N, 6]
  output y = x -> Dense(16) -> BatchNorm -> relu -> Dropout(0.3) -> Head
}

train T {
  net = Net()
  batch x: f32[N, 6], y: i64[N]
  logits = net(x + 0.1 * random_normal([N, 6]))
  minimize cross_entropy(logits, y) using Adam(lr = Cosine(0.01, steps = 40))
  metric accuracy(logits, y)
  data = npz("data.npz")
  epochs = 4
  accumulate = 2
  batch_size = 10
}
"""
PARTS = """\
block Head() {
  input x: f32[N, 16]
  output x -> Dense(3)
}
"""


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specs")
    (folder / "t.nn").write_text(SPEC)
    (folder / "parts.nn").write_text(PARTS)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 6)).astype("f4"), random.integers(0, 3, 64)
    np.savez(folder / "data.npz", x=x, y=y, validation_x=x[:9], validation_y=y[:9])
    return folder


def command(*words: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nnspec", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def ended(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return errors


def outcome(run: Path) -> tuple[bytes, list[object]]:
    """The weights, and the figures of each epoch."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    told = [(line["epoch"], line["step"], line["figures"]) for line in lines]
    return (run / "weights.safetensors").read_bytes(), list(told)


@pytest.mark.framework
@pytest.mark.parametrize("target", ["pytorch", "keras", "gluon"])
def test_a_killed_run_goes_on_bit_for_bit(target: str, specs: Path, tmp_path: Path) -> None:
    given = ("train", specs / "t.nn", "-t", target, "--checkpoint-every", 3)
    ended(command(*given, "--run", tmp_path / "whole", cwd=tmp_path))
    process = command(*given, "--run", tmp_path / "killed", cwd=tmp_path)
    while not (tmp_path / "killed" / "checkpoint-00000012").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    # The one that trains is left to end by itself.
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((tmp_path / "killed" / "run.json").read_text())["status"] == "running"
    ended(command("train", "--resume", tmp_path / "killed", cwd=tmp_path))
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_order_and_draws_are_told_by_numbers() -> None:
    plan = planned(23, 5, 7, epochs=None, steps=12)
    assert (plan.batches, plan.epochs, plan.length(2), plan.length(3)) == (5, 3, 5, 2)
    first = np.concatenate(list(plan.epoch(1)))
    assert sorted(first.tolist()) == list(range(23))
    assert [len(rows) for rows in plan.epoch(1)] == [5, 5, 5, 5, 3]
    again = list(plan.epoch(1, begin=3))
    assert np.array_equal(np.concatenate(again), first[15:])
    assert not np.array_equal(np.concatenate(list(plan.epoch(2))), first)
    assert len({plan.draws(step) for step in range(12)}) == 12


def state(step: int) -> Checkpoint:
    return Checkpoint(Place(step), {"weights/net/w": np.full(3, step, "f4")}, {"steps": step})


def test_the_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (0, 3, 7):
        checkpoints.save(tmp_path, state(step))
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        "checkpoint-00000003",
        "checkpoint-00000007",
    ]
    found, damaged = checkpoints.load(tmp_path)
    assert found is not None and found.place.step == 7 and found.numbers == {"steps": 7}
    assert not damaged


@pytest.mark.parametrize("name", [checkpoints.STATE, checkpoints.ABOUT])
def test_a_damaged_checkpoint_is_told_and_passed_over(name: str, tmp_path: Path) -> None:
    checkpoints.save(tmp_path, state(3))
    checkpoints.save(tmp_path, state(7))
    path = tmp_path / "checkpoint-00000007" / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    found, [damaged] = checkpoints.load(tmp_path)
    assert found is not None and found.place.step == 3
    assert damaged.code == "W0623"
    checkpoints.forget_after(tmp_path, 3)
    assert checkpoints.load(tmp_path)[1] == []


def test_what_a_full_disk_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints.save(tmp_path, state(3))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(tmp_path, state(7))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-00000003"]


def test_a_new_run_says_what_it_needs(specs: Path) -> None:
    for words, says in (([], "needs a spec, FILE"), ([str(specs / "t.nn")], "needs `--target`")):
        result = CliRunner().invoke(app, ["train", *words])
        assert says in str(result.exception)


REFUSED: dict[str, tuple[dict[str, object], list[str], str]] = {
    "no run": ({}, [], "holds no run"),
    "done": ({"status": "done"}, [], "is done: its weights are in"),
    "version": ({"nnspec": "0.0.1"}, [], "was begun by nnspec 0.0.1"),
    "spec": ({"status": "stopped"}, [], "is not what the run began with"),
    "epochs": ({"status": "stopped"}, ["--epochs", "5"], "`--epochs 5` contradicts the run"),
    "set": ({"status": "stopped"}, ["--set", "a=1"], "`--set` and `--resume`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_is_not_taken_up(case: str, tmp_path: Path) -> None:
    changes, flags, says = REFUSED[case]
    if changes:
        spec = {"path": "t.nn", "files": [{"path": "t.nn", "copy": "t.nn", "sha256": ""}]}
        settings = {"epochs": 4, "batch_size": 10, "seed": 0, "checkpoint_every": None}
        about = {"nnspec": __version__, "target": "pytorch", "program": "T", "spec": spec}
        text = json.dumps(about | {"settings": settings} | changes)
        (tmp_path / "run.json").write_text(text)
    result = CliRunner().invoke(app, ["train", "--resume", str(tmp_path), *flags])
    assert isinstance(result.exception, SpecError)
    assert says in str(result.exception)


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "PATIENCE", 0.0)
    first = RunFolder.new(tmp_path / "run", "x")
    with pytest.raises(SpecError, match=f"being worked on by process {os.getpid()}"):
        RunFolder(tmp_path / "run").taken()
    first.close()
    RunFolder(tmp_path / "run").taken().close()
    with pytest.raises(SpecError, match="is not empty"):
        RunFolder.new(tmp_path / "run", "x")


def kept(folder: Path, name: str, status: str, losses: list[float], **settings: object) -> None:
    """A run as `nnspec train` leaves it."""
    path = folder / name
    path.mkdir(parents=True)
    about = {
        "settings": {"epochs": 4, "batch_size": 10} | settings,
        "spec": {"path": "/a/t.nn", "files": [{"sha256": "1234567890"}], "parameters": {}},
        "plan": {"rows": 64, "batch_size": 10, "steps": 28, "seed": 0},
        "program": "T",
        "target": "pytorch",
        "versions": {"torch": "2"},
        "status": status,
        "begun": name,
    }
    (path / "run.json").write_text(json.dumps(about))
    lines = [
        {"epoch": i, "step": 7 * i, "figures": {"loss": x, "val_loss": x / 2}}
        for i, x in enumerate(losses, 1)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_runs_are_listed_and_compared(tmp_path: Path) -> None:
    kept(tmp_path, "a-1", "done", [2.0, 1.5, 1.25, 1.0])
    kept(tmp_path, "a-2", "running", [2.0, 1.75], seed=3)
    result = CliRunner().invoke(app, ["runs", str(tmp_path)])
    lines = [line.split() for line in result.output.splitlines()]
    assert lines == [
        ["run", "status", "epoch", "figures", "seed"],
        ["a-1", "done", "4/4", "loss", "1.0000", "val_loss", "0.5000"],
        ["a-2", "stopped", "2/4", "loss", "1.7500", "val_loss", "0.8750", "3"],
    ]
    told = json.loads(CliRunner().invoke(app, ["runs", str(tmp_path), "--format", "json"]).output)
    assert [run["epoch"] for run in told] == [4, 2]
    drawn = tmp_path / "c.svg"
    CliRunner().invoke(app, ["runs", str(tmp_path), "--plot", str(drawn)])
    picture = ElementTree.fromstring(drawn.read_text())
    curves = [
        e for e in picture.iter() if "curve" in e.get("class", "") and "L" not in e.get("d", "")
    ]
    # Two runs, each with what it trained on and what was held out, and two lines of the legend.
    assert len(curves) == 2 * 2 + 2


WATCHED: dict[str, tuple[str, bool, Watch | str]] = {
    "held-out loss": ("early_stop = 3", True, Watch("val_loss", False, False, 3)),
    "loss": ("early_stop = 3", False, Watch("loss", False, False, 3)),
    "metric": ('keep = best("val_accuracy")', True, Watch("val_accuracy", True, True, None)),
    "error": ('keep = best("error")', False, Watch("error", False, True, None)),
    "own": ('keep = best("odd", highest = true)', True, Watch("odd", True, True, None)),
    "nobody knows": (
        'keep = best("odd")',
        True,
        "is `odd` best where it is highest, or where it is lowest?",
    ),
    "misspelt": ('keep = best("acuracy")', False, "did you mean `accuracy`?"),
    "nothing held out": ('keep = best("val_loss")', False, "which this run does not tell"),
}


@pytest.mark.parametrize("case", WATCHED)
def test_what_a_run_goes_by(case: str) -> None:
    setting, held_out, expected = WATCHED[case]
    more = "  metric error = perplexity(logits, y)\n  metric odd = max(logits)\n"
    head = PARTS + SPEC.replace("from parts import Head\n", "")
    text = head.replace("  data =", f"{more}  {setting}\n  data =")
    program = load(text).training()
    if isinstance(expected, Watch):
        assert watched(program, held_out=held_out) == expected
    else:
        with pytest.raises(SpecError) as caught:
            watched(program, held_out=held_out)
        assert expected in str(caught.value)


@pytest.mark.framework
def test_the_best_epoch_is_kept_and_a_run_ends_early(specs: Path, tmp_path: Path) -> None:
    text = SPEC.replace("epochs = 4", 'epochs = 40\n  early_stop = 2\n  keep = best("val_loss")')
    (specs / "best.nn").write_text(text.replace("0.01, steps = 40", "0.2, steps = 400"))
    spec = load(specs / "best.nn")
    trained = spec.train("pytorch", run=tmp_path / "run")
    losses = [p.figures["val_loss"] for p in trained.history]
    assert trained.best == int(np.argmin(losses)) + 1 == len(losses) - 2 < 38
    checkpoint, _ = checkpoints.load(tmp_path / "run")
    assert checkpoint is not None
    last = checkpoint.arrays["weights/net/dense.weight"]
    assert not np.array_equal(trained.weights["net"]["dense.weight"], last)


@pytest.mark.framework
def test_tensorflow_reads_what_tensorboard_is_told(tmp_path: Path) -> None:
    first = Board(tmp_path, 0)
    first.tell(7, {"loss": 1.5, "val_loss": 2.5})
    first.tell(14, {"loss": 1.25, "val_loss": 2.25})
    Board(tmp_path, 7).tell(14, {"loss": 1.25, "val_loss": 2.25})
    code = (
        "import sys, tensorflow as tf\n"
        "for path in sorted(sys.argv[1:]):\n"
        "    for e in tf.compat.v1.train.summary_iterator(path):\n"
        "        for v in e.summary.value: print(e.step, v.tag, v.simple_value)\n"
        "        if e.session_log.status == 1: print('start', e.step)\n"
    )
    files = sorted(map(str, (tmp_path / "validation").iterdir()))
    run = [sys.executable, "-c", code, *files]
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert told == ["start 1", "7 loss 2.5", "14 loss 2.25", "start 8", "14 loss 2.25"]


@pytest.mark.framework
def test_the_step_that_leaves_the_finite_numbers(specs: Path, tmp_path: Path) -> None:
    text = SPEC.replace("Adam(lr = Cosine(0.01, steps = 40))", "SGD(lr = 1e30)")
    (specs / "far.nn").write_text(text)
    spec = load(specs / "far.nn")
    with pytest.raises(SpecError, match="E0605") as caught:
        spec.train("pytorch", run=tmp_path / "run")
    told = str(caught.value)
    assert "at step 3, in epoch 1" in told
    assert "the first numbers that are not finite come from here" in told
    before = weight_files.load(tmp_path / "run" / "before.safetensors")
    assert all(np.isfinite(before[name]).all() for name in before)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
