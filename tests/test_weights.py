"""Canonical files: the same bytes from the same weights, and a clear word on every file that does not fit."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.core.types import TensorType
from nnspec.driver import stored
from nnspec.driver.native import owner_path
from nnspec.graph import weight_files
from nnspec.graph.graph import Weight
from nnspec.report.codes import explanation
from nnspec.report.diagnostics import SpecError

MODEL = [
    Weight(TensorType("f32", (2, 3)), path="dense.weight", role="weight"),
    Weight(TensorType("f32", (2,)), path="dense.bias", role="bias"),
]
ARRAYS = {
    "dense.weight": np.arange(6, dtype="f4").reshape(2, 3),
    "dense.bias": np.array([7, 8], "f4"),
}


def problems(path: Path) -> list[Any]:
    with pytest.raises(SpecError) as caught:
        weight_files.fit(weight_files.load(path), MODEL, str(path))
    for found in caught.value.diagnostics:
        assert len(explanation(found.code)) > 100
    return list(caught.value.diagnostics)


def entry(dtype: str, shape: list[Any], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def raw(path: Path, header: bytes | object, body: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
    return path


def test_round_trip(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    weight_files.save(first, ARRAYS)
    weight_files.save(second, dict(reversed(ARRAYS.items())))
    assert first.read_bytes() == second.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"a.safetensors", "b.safetensors"}
    for name, array in weight_files.fit(weight_files.load(first), MODEL, str(first)).items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, ARRAYS[name])


TWO_PROGRAMS = """\
model A { input x: f32[N, 4]  output y = x -> Dense(3) }
model B { input x: f32[N, 4]  output y = x -> Dense(2) }
train T1 {
  net = A()
  batch x: f32[N, 4], y: i64[N]
  minimize cross_entropy(net(x), y) using Adam()
}
train T2 {
  net = B()
  twin = B()
  batch x: f32[N, 4], y: i64[N]
  minimize cross_entropy(net(x) + twin(x), y) using Adam()
}
"""


def test_networks_of_several_programs(tmp_path: Path) -> None:
    """Each finds its own weights under a name that no other has, in a file of all and of one program."""
    spec = nnspec.load(TWO_PROGRAMS)
    path = tmp_path / "all.safetensors"
    every = spec.initial_weights()
    weight_files.save(path, every)
    assert {n.rpartition(".dense")[0] for n in every} == {"T1.net", "T2.net", "twin"}
    found = stored.load_networks(path, spec.training("T2"), spec.program)
    np.testing.assert_array_equal(found["net"]["dense.weight"], every["T2.net.dense.weight"])
    np.testing.assert_array_equal(found["twin"]["dense.weight"], every["twin.dense.weight"])
    part = spec.only("T1.net")
    (own,) = stored.load_all(path, part.program, part.whole).values()
    np.testing.assert_array_equal(own["dense.weight"], every["T1.net.dense.weight"])
    weight_files.save(path, stored.joined(found))
    again = stored.load_networks(path, spec.training("T2"), spec.program)
    np.testing.assert_array_equal(again["net"]["dense.weight"], found["net"]["dense.weight"])
    with pytest.raises(SpecError, match=r"T1.net, T2.net, twin"):
        spec.only("net")


def test_instances_of_one_model_have_each_their_own(tmp_path: Path) -> None:
    text = TWO_PROGRAMS.replace("twin = B()", "twin = B()\n  third = B()")
    text = text.replace("+ twin(x)", "+ twin(x) + third(x)")
    spec = nnspec.load(text)
    path = tmp_path / "all.safetensors"
    every = spec.initial_weights()
    weight_files.save(path, every)
    found = stored.load_owners(path, spec.program)
    assert len(found) == 4
    for owner, arrays in found.items():
        own = every[f"{owner.name}.dense.weight"]
        np.testing.assert_array_equal(arrays["dense.weight"], own)
    # What each program is given with `--weights`, or extends by its networks' names.
    names = [owner_path(Path("x.params"), owner, spec.program).name for owner in found]
    assert names == ["x-T1.params", "x-T2-net.params", "x-T2-twin.params", "x-T2-third.params"]


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weight_files.save(
        path, {"dense.wieght": ARRAYS["dense.weight"], "dense.bias": ARRAYS["dense.bias"]}
    )
    lacks, extra = problems(path)
    assert lacks.code == "E0613" and "`dense.weight`" in lacks.message
    assert lacks.helps == ("did you mean `dense.wieght`?",)
    assert extra.code == "E0614" and "`dense.wieght`" in extra.message


def test_shapes_and_types_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weight_files.save(
        path, {"dense.weight": np.zeros((3, 2), "f4"), "dense.bias": np.zeros(2, "int32")}
    )
    shape, dtype = problems(path)
    assert shape.code == "E0615" and "[3, 2]" in shape.message and "f32[2, 3]" in shape.message
    assert dtype.code == "E0616" and "int32" in dtype.message


def test_unreadable(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.safetensors")[0].code == "E0611"
    assert problems(tmp_path)[0].code == "E0611"


BROKEN: dict[str, tuple[object, bytes, int | None]] = {
    "header beyond the file": (b"{}", b"", 2**62),
    "header of the greatest length": (b"{}", b"", 2**64 - 1),
    "not JSON": (b"not json", b"", None),
    "not text": (b"\xff\xfe{}", b"", None),
    "nested deeply": (b'{"a":' + b"[" * 100_000, b"", None),
    "endless number": (b'{"a":' + b"9" * 10_000 + b"}", b"", None),
    "a list": ([1, 2], b"", None),
    "cut off": ({"dense.weight": entry("F32", [2, 3], 0, 24)}, b"\0" * 9, None),
    "bytes left over": ({"dense.weight": entry("F32", [2, 3], 0, 24)}, b"\0" * 99, None),
    "overlapping": (
        {"a": entry("F32", [2, 3], 0, 24), "b": entry("F32", [2, 3], 0, 24)},
        b"\0" * 24,
        None,
    ),
    "begins before the data": ({"a": entry("F32", [2, 3], -5, 24)}, b"\0" * 24, None),
    "absurd size": ({"a": entry("F32", [10**30, 3], 0, 24)}, b"\0" * 24, None),
    "size that overflows": ({"a": entry("F32", [2**40, 2**40], 0, 24)}, b"\0" * 24, None),
    "unknown type": ({"a": entry("X7", [2, 3], 0, 24)}, b"\0" * 24, None),
    "entry without offsets": ({"a": {"dtype": "F32"}}, b"", None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file(name: str, tmp_path: Path) -> None:
    header, body, length = BROKEN[name]
    (found,) = problems(raw(tmp_path / "w.safetensors", header, body, length))
    assert found.code == "E0612"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04\x95cos\nsystem\n."])
def test_other_formats(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    assert problems(path)[0].code == "E0612"


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    weight_files.save(whole, ARRAYS)
    data = whole.read_bytes()
    for length in range(len(data)):
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(data[:length])
        assert problems(cut)[0].code == "E0612"
