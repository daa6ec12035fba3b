"""`nnspec run`: one rule for what it reads, on models of nnspec and of others."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from nnspec import cli
from nnspec.core import arrays
from nnspec.driver import inference
from nnspec.driver.tensors import ELEMENT_TYPES

SPEC = """\
model Net {
  input image: f32[N, 4, 6, 1]
  same = image -> MaxPool2D(1)
  output doubled = same + same
}
"""
TOKENS = """\
model Tokens {
  input tokens: i64[N, T]
  input scale: f32[N, 3]
  output y = mean(tokens -> Embedding(5, 3), axis = 1) * scale
}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each test runs, with the files that the cases name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.nn").write_text(SPEC)
    (tmp_path / "tokens.nn").write_text(TOKENS)
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    Image.fromarray(pixels).save("a.png")
    Image.fromarray(pixels[::-1]).save("b.png")
    np.save("bytes.npy", pixels[np.newaxis, ..., np.newaxis])
    np.save("good.npy", np.zeros((2, 4, 6, 1), "f4"))
    np.save("scale.npy", np.ones((2, 3), "f8"))
    for name, array in {
        "tokens": [[0, 4], [1, 2]],
        "high": [[0, 4], [1, 5]],
        "low": [[0, -1], [1, 2]],
        "fractions": [[0.0, 1.5], [1, 2]],
        "complex": [[1j, 1], [1, 2]],
        "dates": np.array([["2026-01-01"] * 2] * 2, "M8[D]"),
        "text": [["a", "b"], ["c", "d"]],
        "huge": np.full((1, 4, 6, 1), 1e300),
        "counts": np.ones((1, 4, 6, 1), "i8"),
        "three": np.zeros((3, 2), "i8"),
    }.items():
        np.save(name, np.array(array))
    return tmp_path


def run(*arguments: str) -> int:
    return cli.status(["run", *arguments])


def outputs(*arguments: str) -> dict[str, np.ndarray]:
    assert run(*arguments, "-o", "out.npz") == 0
    with np.load("out.npz") as file:
        return dict(file)


def test_pictures_make_a_batch_and_bytes_are_pixels() -> None:
    both = outputs("net.nn", "a.png", "b.png")["doubled"]
    assert both.shape == (2, 4, 6, 1)
    np.testing.assert_allclose(both[0, 1, 2, 0], 2 * 80 / 255, rtol=1e-6)
    np.testing.assert_array_equal(both[0, ::-1], both[1])
    np.testing.assert_array_equal(outputs("net.nn", "bytes.npy")["doubled"], both[:1])
    mixed = outputs("net.nn", "image=good.npy", "image=a.png")["doubled"]
    np.testing.assert_array_equal(mixed[2:], both[:1])


def test_an_onnx_file_reads_pictures_in_its_own_layout() -> None:
    assert cli.status(["build", "net.nn", "--target", "onnx"]) == 0
    expected = outputs("net.nn", "a.png")["doubled"]
    found = outputs("net.onnx", "a.png")["doubled"]
    np.testing.assert_array_equal(found, expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tokens=high.npy"], "indices from 0 to 4; found 5 at [1, 1]"),
        (["tokens=low.npy"], "indices from 0 to 4; found -1 at [0, 1]"),
        (["tokens=fractions.npy"], "takes whole numbers, and is given float64"),
        (["tokens=complex.npy"], "is given complex128"),
        (["tokens=dates.npy"], "is given datetime64[D]"),
        (["tokens=text.npy"], "is given text"),
        (["tokens=three.npy"], "`N` is 3 in `tokens`, but 2 in `scale`"),
        (["tokens=tokens.npy", "good.npy"], "there is no input left for `good.npy`"),
        (["token=tokens.npy"], "did you mean `tokens`?"),
        ([], "no value for the input `tokens`"),
        (["tokens=a.png"], "`a.png` is a picture"),
        (["tokens="], "names no file"),
    ],
)
def test_what_does_not_fit_is_told(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("tokens.nn", "scale=scale.npy", *arguments) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("huge.npy", "float32, which cannot hold all of it; found 1e+300 at [0, 0, 0, 0]"),
        ("counts.npy", "takes fractions, and is given int64"),
        ("scale.npy", "is float32[N, 4, 6, 1] (NHWC), but is given [2, 3]"),
        ("net.nn", "it is no `.npy`, no `.npz` and no picture"),
        ("nowhere.npy", "no such file"),
        (".", "is a directory"),
    ],
)
def test_other_files_are_told(file: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("net.nn", file) == 1
    assert says in capsys.readouterr().err


def npy(array: np.ndarray, **header: object) -> bytes:
    """A `.npy`, whose header may lie."""
    told = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape} | header
    text = repr(told).encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + array.tobytes()


def archive(content: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("image.npy", content)
    return buffer.getvalue()


GOOD = npy(np.zeros((1, 4, 6, 1), "f4"))


def spoilt(content: bytes, find: bytes, put: bytes) -> bytes:
    assert find in content
    return content.replace(find, put)


ENCRYPTED = bytearray(archive(GOOD))
ENCRYPTED[6] |= 1
ENCRYPTED[ENCRYPTED.index(b"PK\x01\x02") + 8] |= 1
DEFLATED = zlib.compress(GOOD, 6, -15)
BROKEN = {
    "corrupt": (spoilt(archive(GOOD), DEFLATED[:9], b"\xff" * 9), "damaged"),
    "encrypted": (bytes(ENCRYPTED), "encrypted"),
    "not npy": (archive(b"hello"), "is not a .npy array"),
    "unknown compression": (spoilt(archive(GOOD), b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"), "damaged"),
    "cut member": (archive(GOOD[:-8]), "ends early"),
    "too large": (archive(npy(np.zeros(1), shape=(10**15,))), "bytes long"),
    "too large to be": (npy(np.zeros(1), shape=(2**62, 2**62)), "bytes long"),
    "negative": (npy(np.zeros(1), shape=(-1, -8)), "bytes long"),
    "objects": (archive(npy(np.zeros(1), descr="|O")), "Python objects"),
    "records": (archive(npy(np.zeros(1), descr=[("a", "<f4")])), "records"),
    "header": (npy(np.zeros(1), shape="("), "is not a .npy array"),
    "nested header": (b"\x93NUMPY\x01\x00\x88\x13" + b"(" * 5000, "is not a .npy array"),
    "cut zip": (archive(GOOD)[:40], "is not a .npz"),
    "nothing": (b"", "is not a .npz"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_arrays(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for `run`, whatever the suffix, and for `data npz`."""
    content, says = BROKEN[case]
    Path("x.npz").write_bytes(content)
    assert run("net.nn", "image=x.npz") == 1
    assert says in capsys.readouterr().err
    if content.startswith(b"PK"):
        assert cli.status(["data", "npz", "--set", "path=x.npz", "-o", "y.npz"]) == 1
        err = capsys.readouterr().err
        assert says in err and "E0603" in err


def test_arrays_beyond_memory_are_not_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(arrays, "memory", lambda: 1000)
    np.savez_compressed("zeros.npz", image=np.zeros((100, 4, 6, 1), "f4"))
    assert run("net.nn", "zeros.npz") == 1
    assert "more than this machine's memory" in capsys.readouterr().err


def test_npy_is_no_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["data", "npz", "--set", "path=good.npy", "-o", "y.npz"]) == 1
    assert "single array" in capsys.readouterr().err


def identity(element: int, shape: tuple[object, ...] = ("N", 2)) -> Path:
    value = [helper.make_tensor_value_info(n, element, shape) for n in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g", *([v] for v in value)
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    path = Path(f"identity_{element}.onnx")
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", ELEMENT_TYPES)
def test_every_element_type(name: str) -> None:
    """Through someone else's model, from an array of the type or of one that it becomes."""
    kind = ELEMENT_TYPES[name]
    element = getattr(TensorProto, name.upper())
    values = {"f": [[0.5, -2]], "i": [[1, 7]], "b": [[True, False]], "U": [["a", "bc"]]}
    array = np.array(values[kind.kind])
    engine = inference.load(identity(element))
    found = engine.run({"x": array})["y"]
    assert found.dtype == kind.dtype
    assert found.tolist() == array.tolist()
    np.save("x.npy", array)
    assert outputs(f"identity_{element}.onnx", "x.npy")["y"].tolist() == array.tolist()


def test_every_element_type_is_in_the_table() -> None:
    """But for complex numbers, and those that are scales or parts of a byte."""
    known = set(TensorProto.DataType.keys()) - {
        "UNDEFINED",
        "COMPLEX64",
        "COMPLEX128",
        "FLOAT8E8M0",
    }
    whole = {name for name in known if not re.search(r"INT[24]$|FLOAT[46]", name)}
    assert whole == {name.upper() for name in ELEMENT_TYPES}


def test_models_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])],
        "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.save(model, "none.onnx")
    assert run("none.onnx") == 0
    assert "[1. 2.]" in capsys.readouterr().out
    assert run("none.onnx", "good.npy") == 1
    assert "no input left" in capsys.readouterr().err
    complex_model = identity(TensorProto.COMPLEX64).read_bytes()
    for content in (b"", b"\x00" * 50, b"onnx" * 50, model.SerializeToString()[:-9], complex_model):
        Path("broken.onnx").write_bytes(content)
        assert run("broken.onnx", "good.npy") == 1
        assert "E0711" in capsys.readouterr().err
    table = helper.make_tensor("table", TensorProto.FLOAT, [2], [1.0, 2.0])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        [table],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9),
        "g.onnx",
    )
    np.save("x.npy", np.array([7]))
    assert run("g.onnx", "x.npy") == 1
    assert "E0717" in capsys.readouterr().err
    assert run("g.onnx", "x.npy", "--set", "a=1") == 2


def test_large_outputs_are_shown_short(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("many.npy", np.zeros((200, 4, 6, 1), "f4"))
    assert run("net.nn", "many.npy") == 0
    text = capsys.readouterr().out
    assert "doubled float32[200, 4, 6, 1]" in text and "..." in text and len(text) < 3000


def test_bench_says_and_takes_sizes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nnspec.driver.runner.SECONDS", 0.0)
    measure = ["tokens.nn", "--bench", "--threads", "1", "--warm-up", "0"]
    assert run(*measure, "--batch", "2", "--size", "T=7") == 0
    assert "batch 2, T = 7:" in capsys.readouterr().out
    assert run(*measure, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["latency"]["sizes"] == {"N": 1, "T": 1}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bench", "--size", "t=3"], "did you mean `T`?"),
        (["--bench", "--size", "T=0"], "NAME=N"),
        (["--batch", "3"], "means nothing without `--bench`"),
        (["--bench", "tokens=tokens.npy", "--batch", "3"], "means nothing beside inputs"),
    ],
)
def test_bench_options(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tokens.nn", *arguments) == 2
    assert says in capsys.readouterr().err


def test_the_definition_runs_a_spec_and_reads_as_onnxruntime_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = {}
    for device in ("cpu", "definition"):
        command = ["run", "tokens.nn", "tokens=tokens.npy", "scale=scale.npy", "--device", device]
        assert cli.status([*command, "--format", "json"]) == 0
        said[device] = json.loads(capsys.readouterr().out)
    assert said["definition"]["device"] == "definition"
    a, b = (said[d]["outputs"]["y"]["values"] for d in ("cpu", "definition"))
    np.testing.assert_allclose(a, b, rtol=1e-6)
    assert cli.status(["run", "tokens.nn", "tokens=high.npy", "scale=scale.npy",
                       "--device", "definition"]) == 1  # fmt: skip
    assert "E0715" in capsys.readouterr().err
    assert cli.status(["run", "model.onnx", "--device", "definition"]) == 2


def test_the_definition_draws(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "noise.nn").write_text(
        "model Noise { input x: f32[N] output y = x + random_uniform([1]) }"
    )
    np.save("zeros.npy", np.zeros(2, "f4"))
    assert run("noise.nn", "zeros.npy", "--device", "definition", "--format", "json") == 0
    values = json.loads(capsys.readouterr().out)["outputs"]["y"]["values"]
    assert values[0] == values[1]
    assert 0 <= values[0] < 1


@pytest.mark.parametrize("device", ["cpu", "definition"])
def test_a_seed_makes_what_is_drawn_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    spec = "model Noise {\n  input x: f32[N, 3]\n  output y = x + random_normal([N, 3])\n}\n"
    (folder / "noise.nn").write_text(spec)
    np.save(folder / "zeros.npy", np.zeros((4, 3), "f4"))
    said = []
    for seed in (["--seed", "7"], ["--seed", "7"], ["--seed", "8"]):
        assert run("noise.nn", "zeros.npy", "--device", device, "--format", "json", *seed) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2]
