"""Columns that are not in memory: read by rows, the same as if they were."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnspec.catalogue.data.catalogue import DataSource
from nnspec.catalogue.data.dataset import Dataset, load
from nnspec.catalogue.data.rows import Chosen, checksum, in_memory, parts
from nnspec.core import arrays
from nnspec.driver.training.batches import Column, Columns
from nnspec.driver.training.data import DataRequest
from nnspec.report.diagnostics import SpecError

ROOT = Path(__file__).parent.parent
TEXT = b"to be, or not to be: that is the question"


def test_a_text_is_windows_and_what_follows(tmp_path: Path) -> None:
    (tmp_path / "hamlet.txt").write_bytes(TEXT)
    np.save(tmp_path / "ids.npy", np.frombuffer(TEXT, "u1").astype("u2"))
    np.frombuffer(TEXT, "u1").astype("<u2").tofile(tmp_path / "ids.bin")
    for name in ("hamlet.txt", "ids.npy", "ids.bin"):
        train = load(DataSource("tokens", {"path": name, "length": 8}), tmp_path).train
        assert train["text"].shape == (5, 8)
        assert bytes(train["text"][:].reshape(-1).tolist()) == TEXT[:40]
        assert bytes(train["next"][np.array([4, 0])].reshape(-1).tolist()) == TEXT[33:] + TEXT[1:9]


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_stay_in_their_file(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MAPPED", 1000)
    x = np.asarray(np.random.default_rng(0).normal(size=(50, 8)), order=order)  # type: ignore[call-overload]
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(50))
    np.savez_compressed(tmp_path / "small.npz", x=x, y=np.arange(50))
    own, small = (load(DataSource("npz", {"path": f"{n}.npz"}), tmp_path) for n in ("own", "small"))
    assert [in_memory(own.train[n]) for n in "xy"] == [False, True]
    assert in_memory(small.train["x"])
    assert checksum(own.train["x"]) == checksum(small.train["x"])
    wanted = [Column("x", "f32", (1, 0)), Column("y", "i64")]
    for rows in (np.array([7, 0, 7]), slice(40, 60)):
        taken, same = (Columns(d.train, wanted).take(rows) for d in (own, small))
        for one, other in zip(taken, same, strict=True):
            assert one.dtype == other.dtype
            assert one.flags.writeable
            assert np.array_equal(one, other)


def test_an_archive_that_says_more_than_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MAPPED", 1000)
    path = tmp_path / "own.npz"
    np.savez(path, x=np.zeros((50, 8)))
    path.write_bytes(path.read_bytes().replace(b"(50, 8)", b"(90, 8)"))
    with pytest.raises(SpecError, match=r"says that it holds float64\[90, 8\]"):
        load(DataSource("npz", {"path": "own.npz"}), tmp_path)


def test_a_share_of_the_rows_is_held_out(tmp_path: Path) -> None:
    (tmp_path / "hamlet.txt").write_bytes(TEXT)
    for name, arguments in (("tokens", {"path": "hamlet.txt", "length": 4}), ("digits", {})):
        request = DataRequest(DataSource(name, arguments), 0.2, str(tmp_path), 3, ())
        whole = load(request.data, tmp_path).train
        found = DataRequest.from_json(request.to_json()).read()
        column = next(iter(whole))
        rows = len(whole[column])
        assert len(found.validation[column]) == round(rows / 5)
        both = [*found.train[column][:].tolist(), *found.validation[column][:].tolist()]
        assert sorted(both) == sorted(whole[column][:].tolist())
        again, other = (Dataset(whole, {}).split(0.2, seed) for seed in (3, 4))
        assert checksum(again.train[column]) == checksum(found.train[column])
        assert checksum(other.train[column]) != checksum(found.train[column])


def test_chosen_rows_of_chosen_rows() -> None:
    rows = Chosen(Chosen(np.arange(10) * 10, np.array([9, 3, 5])), np.array([2, 0]))
    assert rows[:].tolist() == [50, 90]
    assert [begin for begin, _ in parts(rows)] == [0]


LIMITED = """
import re, resource, sys
import numpy as np
import nnspec
from nnspec.driver.training.batches import Column, Columns, ahead
from nnspec.driver.training.data import DataRequest, wanted
from nnspec.driver.columns import check_columns

training = nnspec.load(open("t.nn").read()).training()
settings = training.settings
used = int(re.search(r"VmData:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) << 10
limit = used + (64 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(96 << 20, "u1")
except MemoryError:
    pass
else:
    sys.exit("memory is not limited")
data = DataRequest(settings.data, settings.validation, ".", 0, wanted(training)).read()
check_columns(training, data, settings.batch_size)
columns = Columns(data.train, [Column(c.name, c.type.dtype) for c in training.batch])
rows = 0
for _, batch in ahead(columns.parts(settings.batch_size), columns.take):
    rows += len(batch[0])
print(rows)
"""


def gone_through(folder: Path, program: str) -> int:
    """Rows of a program's data, checked and taken in batches where 64 MiB more are all there is."""
    (folder / "t.nn").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_a_file_of_tokens_larger_than_memory(tmp_path: Path) -> None:
    with (tmp_path / "ids.bin").open("wb") as file:
        file.truncate(128 << 20)
    program = """
model Next {
  input text: i64[N, T]
  output text -> Embedding(64, 8) -> Dense(64)
}

train T {
  net = Next()
  batch text: i64[N, 1024], next: i64[N, 1024]
  minimize cross_entropy(net(text), next) using SGD
  data = tokens("ids.bin", length = 1024)
  batch_size = 64
}
"""
    assert gone_through(tmp_path, program) == (64 << 20) // 1024 - 1
