"""Columns that are not in memory: read by rows, the same as if they were."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nnspec
from nnspec.catalogue.data.catalogue import DataSource, Wanted
from nnspec.catalogue.data.dataset import Dataset, load
from nnspec.catalogue.data.rows import Chosen, checksum, in_memory, parts
from nnspec.core import arrays
from nnspec.driver.columns import check_columns
from nnspec.driver.training.batches import Column, Columns
from nnspec.driver.training.data import DataRequest, wanted
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
        for begin, end in ((1, 3), (4, 9), (3, 1)):
            rows = np.arange(5)[begin:end]
            assert train["next"][begin:end].tolist() == train["next"][rows].tolist()
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
    read = [Column("x", "f32", (1, 0)), Column("y", "i64")]
    for rows in (np.array([7, 0, 7]), slice(40, 60)):
        taken, same = (Columns(d.train, read).take(rows) for d in (own, small))
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


def test_images_are_decoded_when_their_rows_are_taken(tmp_path: Path) -> None:
    left, right = np.zeros((2, 30, 50, 3), "u1")
    left[:, 10:40] = (0, 51, 255)
    right[:] = 255
    for part in ("train", "validation"):
        for name, pixels in (("b", left), ("a", right)):
            (tmp_path / part / name / "deep").mkdir(parents=True)
            Image.fromarray(pixels).save(tmp_path / part / name / "deep" / "x.png")
    (tmp_path / "train" / ".hidden").touch()
    found = load(DataSource("image_folder", {"path": ".", "size": 3}), tmp_path)
    assert found.train["label"].tolist() == [0, 1]
    for columns in (found.train, found.validation):
        assert columns["image"].shape == (2, 3, 3, 3)
        white, blue = columns["image"][:]
        assert (white == 1).all()
        assert blue[:, 1].tolist() == [np.float32([0, 0.2, 1]).tolist()] * 3
    (tmp_path / "train" / "a" / "deep" / "x.png").unlink()
    with pytest.raises(SpecError, match="cannot be read: no such file"):
        found.train["image"][np.array([0])]
    alone = load(DataSource("image_folder", {"path": "train/b/deep", "channels": 1}), tmp_path)
    assert list(alone.train) == ["image"]
    assert alone.train["image"][:].shape == (1, 32, 32, 1)


CSV = """\
width;height;species;note
1.5; 2;setosa;"a; b"
-.5;;virginica;

3;4;setosa;x
"""


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "iris.csv").write_text("\ufeff" + CSV)
    arguments = {
        "path": "iris.csv",
        "separator": ";",
        "categories": (("species", "virginica", "setosa"),),
        "join": (("x", "height", "width"),),
        "fill": 9.0,
    }
    shape = ("N",)
    columns = [Wanted("x", "f32", (*shape, 2)), Wanted("species", "i64", shape)]
    train = load(DataSource("csv", arguments), tmp_path, columns).train
    assert train["x"].tolist() == [[2, 1.5], [9, -0.5], [4, 3]]
    assert train["species"].tolist() == [1, 0, 1]
    assert train["species"].dtype == np.int64
    with pytest.raises(SpecError, match="'a; b' for `note` in line 2"):
        load(DataSource("csv", arguments), tmp_path)


def test_cifar10(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        records = random.integers(0, 256, (2, 3073)).astype("u1")
        records[:, 0] %= 10
        records.tofile(tmp_path / f"{name}.bin")
    found = load(DataSource("cifar10", {"path": "."}), tmp_path)
    assert found.train["image"].shape == (10, 32, 32, 3)
    assert found.validation["label"].tolist() == records[:, 0].tolist()
    image = found.validation["image"][np.array([1])][0]
    assert image[3, 5, 2] == records[1, 1 + 2 * 1024 + 3 * 32 + 5] / np.float32(255)


def test_synthetic_rows_fit_the_batch(tmp_path: Path) -> None:
    program = """
model Net {
  input text: i32[N, T]
  output text -> Embedding(5, 8) -> Dense(3)
}

train T {
  net = Net()
  batch text: i32[N, T], mask: bool[N, T], y: i64[N, T], z: f32[N, 3]
  minimize cross_entropy(net(text), y) + mean(z) + mean(cast(mask, f32)) using SGD
  data = synthetic(rows = 300)
  validation = 0.1
}
"""
    training = nnspec.load(program).training()
    settings = training.settings
    assert settings.data is not None
    data = DataRequest(settings.data, settings.validation, ".", 0, wanted(training)).read()
    check_columns(training, data, settings.batch_size)
    shown = {n: (c.dtype.str, c.shape) for n, c in data.train.items()}
    assert shown["text"] == ("<i4", (270, 8))
    assert shown["mask"][0] == "|b1"
    assert [int(data.train[n].max()) for n in ("text", "y")] == [4, 2]


LIMITED = """
import re, resource, sys, threading
import numpy as np
import nnspec
from nnspec.driver.training.batches import Column, Columns, ahead
from nnspec.driver.training.data import DataRequest, wanted
from nnspec.driver.columns import check_columns

training = nnspec.load(open("t.nn").read()).training()
settings = training.settings
used = int(re.search(r"VmData:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) << 10
# What threads reserve for their stacks counts too.
threading.stack_size(1 << 20)
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


def test_a_folder_of_images_larger_than_memory(tmp_path: Path) -> None:
    for i, name in enumerate(("cats", "dogs")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (64, 64), (i, number, 9)).save(tmp_path / f"pets/{name}/{number}.png")
    program = """
model Net {
  input image: f32[N, 512, 512, 3]
  output image -> flatten -> Dense(2)
}

train T {
  net = Net()
  batch image: f32[N, 512, 512, 3], label: i64[N]
  minimize cross_entropy(net(image), label) using SGD
  data = image_folder("pets", size = 512)
  batch_size = 2
}
"""
    assert gone_through(tmp_path, program) == 40


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
