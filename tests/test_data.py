"""Data sets: digits that ship with nnspec, MNIST's IDX files, one's own .npz."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from nnspec.catalogue.data import digits
from nnspec.catalogue.data import mnist as idx
from nnspec.catalogue.data.catalogue import DataSource
from nnspec.catalogue.data.dataset import load
from nnspec.report.diagnostics import SpecError


def test_digits_are_the_public_ones_each_once() -> None:
    from sklearn.datasets import load_digits

    train, held_out = digits.read(size=8)
    images = np.concatenate([train["image"], held_out["image"]])[..., 0] * 16
    ours = sorted(image.astype(int).tobytes() for image in images)
    theirs = sorted(image.astype(int).tobytes() for image in load_digits().images)
    assert ours == theirs


def test_digits_split() -> None:
    dataset = load(DataSource("digits", {"size": 28}), Path())
    assert dataset.train["image"].shape == (1437, 28, 28, 1)
    assert dataset.validation["image"].shape == (360, 28, 28, 1)
    assert np.bincount(dataset.validation["label"]).tolist() == [36] * 10
    for part in (dataset.train, dataset.validation):
        assert part["image"].dtype == np.float32
        assert part["label"].dtype == np.int64
        assert part["image"].min() == 0.0
        assert part["image"].max() <= 1.0
    assert set(dataset.arrays()) == {"image", "label", "validation_image", "validation_label"}


def test_resize_is_bilinear_with_half_pixel_centres() -> None:
    row = np.array([[[0.0, 4.0]]])
    assert digits.resize(np.repeat(row, 2, axis=1), 4)[0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
    images = np.random.default_rng(0).random((3, 8, 8))
    assert np.array_equal(digits.resize(images, 8), images)
    assert digits.resize(np.ones((1, 8, 8)), 29).tolist() == np.ones((1, 29, 29)).tolist()


def write_idx(path: Path, array: np.ndarray, *, cut: int = 0) -> None:
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    content = content[: len(content) - cut]
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for prefix, count, suffix in (("train", 7, ".gz"), ("t10k", 3, "")):
        images = generator.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte{suffix}", images)
        write_idx(
            tmp_path / f"{prefix}-labels-idx1-ubyte{suffix}", np.arange(count).astype(np.uint8)
        )
    return tmp_path


def test_mnist_reads_idx_plain_and_gzipped(mnist: Path) -> None:
    dataset = load(DataSource("mnist", {"path": mnist.name}), mnist.parent)
    assert dataset.train["image"].shape == (7, 28, 28, 1)
    assert dataset.validation["label"].tolist() == [0, 1, 2]
    assert dataset.train["image"].dtype == np.float32
    assert dataset.train["image"].max() <= 1.0


def test_mnist_says_where_to_get_missing_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(DataSource("mnist", {"path": "nowhere"}), tmp_path)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "E0602"
    assert "train-images-idx3-ubyte" in diagnostic.message
    assert any("MNIST database" in help for help in diagnostic.helps)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "within its header"),
        (b"\0\0\x08\x01\0\0", "within its header"),
        (b"\0\0\x0d\x01" + struct.pack(">I", 1) + b"x", "begins with 00 00 0d 01"),
        (b"PK\x03\x04" + bytes(20), "begins with 50 4b 03 04"),
        (b"\0\0\x08\x01" + struct.pack(">I", 9) + b"123", "holds 9 elements, but has 3"),
        (b"\0\0\x08\x01" + struct.pack(">I", 2**32 - 1) + b"123", "holds 4294967295 elements"),
    ],
)
def test_idx_that_is_none(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        idx.read_idx(path, 1)
    assert says in caught.value.diagnostics[0].message


def test_idx_gzip_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 1000) + bytes(1000))[:-12])
    with pytest.raises(SpecError, match="cannot be read"):
        idx.read_idx(path, 1)


def test_mnist_parts_must_match(mnist: Path) -> None:
    write_idx(mnist / "t10k-labels-idx1-ubyte", np.arange(4).astype(np.uint8))
    with pytest.raises(SpecError, match="3 images but 4 labels"):
        load(DataSource("mnist", {"path": "."}), mnist)


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.ones((4, 2)), validation_x=np.ones((1, 2)))
    dataset = load(DataSource("npz", {"path": "own.npz"}), tmp_path)
    assert dataset.train["x"].shape == (4, 2)
    assert dataset.validation["x"].shape == (1, 2)


def test_npz_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SpecError, match="holds Python objects"):
        load(DataSource("npz", {"path": "own.npz"}), tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04cut"])
def test_npz_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load(DataSource("npz", {"path": "own.npz"}), tmp_path)
    assert caught.value.diagnostics[0].code == "E0603"


def test_unknown_data_set_has_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(DataSource("digit"), tmp_path)
    assert caught.value.diagnostics[0].helps == ("did you mean `digits`?",)
