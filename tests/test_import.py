"""Weights of others: every format gives the same canonical weights, tables say what they should, and no file,
however damaged, ends in anything but a diagnostic."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nnspec
from nnspec.cli import status
from nnspec.graph import weight_files
from nnspec.report.diagnostics import SpecError

CASES = Path(__file__).parent / "cases" / "import"
FILES = sorted(p for p in CASES.iterdir() if p.suffix not in (".nn", ".py"))
HDF5 = (".h5", ".keras")


def files(*, hdf5: bool = True) -> list[object]:
    """The files of every format; HDF5 takes h5py, which comes with a framework."""
    found = FILES if hdf5 else [p for p in FILES if p.suffix not in HDF5]
    marks = {suffix: [pytest.mark.framework] for suffix in HDF5}
    return [pytest.param(p, marks=marks.get(p.suffix, []), id=p.name) for p in found]


def model(path: Path) -> str:
    return path.name.partition(".")[0].partition("_")[0]


@pytest.mark.parametrize("path", files())
def test_every_format(path: Path, tmp_path: Path) -> None:
    """Found without a table, and by the table that this gives, whatever the file calls them."""
    spec = nnspec.load(CASES / f"{model(path)}.nn")
    truth = weight_files.load(CASES / f"{model(path)}.safetensors")
    found = spec.import_weights(path).whole()
    assert not found.report.guessed
    table = tmp_path / "x.weights.toml"
    found.save(tmp_path / "x.safetensors", table)
    again = spec.import_weights(path, table=table).whole()
    for weights in (found.weights, again.weights, weight_files.load(tmp_path / "x.safetensors")):
        assert set(weights) == set(truth)
        for name in truth:
            np.testing.assert_array_equal(weights[name], truth[name], err_msg=name)


@pytest.mark.parametrize("path", files(hdf5=False))
def test_damaged_files_are_refused_or_read(path: Path, tmp_path: Path) -> None:
    spec = nnspec.load(CASES / f"{model(path)}.nn")
    chance, content = random.Random(0), path.read_bytes()
    damaged = [content[: len(content) * i // 50] for i in range(50)]
    for _ in range(100):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 3, 10])):
            changed[chance.randrange(len(changed))] = chance.choice([0, 1, 127, 128, 255])
        damaged.append(bytes(changed))
    broken = tmp_path / path.name
    for content in damaged:
        broken.write_bytes(content)
        try:
            dict(spec.import_weights(broken).weights)
        except SpecError as error:
            assert all(d.code.startswith("E061") for d in error.diagnostics)


def test_a_cell_is_a_layer_of_one_step(tmp_path: Path) -> None:
    """PyTorch's `LSTMCell` numbers no layers, and its matrices may be of one shape."""
    spec = nnspec.load("model M { input x: f32[N, T, 2]\n output y = x -> LSTM(2) }")
    cell = {
        "cell.weight_ih": np.arange(16, dtype="f4").reshape(8, 2),
        "cell.weight_hh": np.arange(16, 32, dtype="f4").reshape(8, 2),
        "cell.bias_ih": np.arange(8, dtype="f4"),
        "cell.bias_hh": np.ones(8, "f4"),
    }
    weight_files.save(tmp_path / "w.safetensors", cell)
    found = spec.import_weights(tmp_path / "w.safetensors").whole()
    expected = {
        "lstm.weight_ih_l0": cell["cell.weight_ih"],
        "lstm.weight_hh_l0": cell["cell.weight_hh"],
        "lstm.bias_l0": cell["cell.bias_ih"] + 1,
    }
    for name, array in expected.items():
        np.testing.assert_array_equal(found.weights[name], array, err_msg=name)


def test_what_widens_is_not_what_narrows(tmp_path: Path) -> None:
    """Kernels that differ by the order of their axes, as in every inverted residual."""
    spec = nnspec.load(
        """\
block Pair {
  input x
  output x -> Conv2D(6, 1, use_bias = false) as c1 -> Conv2D(2, 1, use_bias = false) as c2
}
model M {
  input image: f32[N, 8, 8, 2]
  x = image
  for _ in range(2) { x = x -> Pair as first }
  for _ in range(2) { x = x -> Pair as second }
  output x
}
"""
    )
    theirs = {
        f"layers.{i}.{name}.weight": np.full(shape, i, "f4")
        for i in range(4)
        for name, shape in (("0.0", (6, 2, 1, 1)), ("1", (2, 6, 1, 1)))
    }
    weight_files.save(tmp_path / "w.safetensors", theirs)
    found = spec.import_weights(tmp_path / "w.safetensors").whole()
    assert [t.sources[0] for t in found.report.taken] == list(theirs)


def test_a_table_turns_cuts_joins_and_adds(tmp_path: Path) -> None:
    spec = nnspec.load(
        """\
model M {
  input x: f32[N, 2]
  output y = x -> Dense(2) as q -> Dense(2) as k -> Dense(4, use_bias = false) as both
}
"""
    )
    fused = np.arange(8, dtype="f4").reshape(2, 4)
    held = {
        "h.0.qk.weight": fused,
        "h.0.a": fused[0, :2],
        "h.0.b": fused[1, :2],
        "one": fused.T[:2].copy(),
        "two": fused.T[2:].copy(),
        "step": np.zeros((), "f4"),
        "k.bias": fused[1, 2:],
    }
    weight_files.save(tmp_path / "w.safetensors", held)
    table = tmp_path / "t.toml"
    table.write_text(
        """\
ignore = ["st*"]
[names]
"h.{i}.qk.weight" = { to = ["q.weight", "k.weight"], transpose = true }
"h.{i}.a" = { to = "q.bias", add = "h.{i}.b", plus = 0.5 }
"one" = { to = "both.weight", join = ["two"] }
"""
    )
    found = spec.import_weights(tmp_path / "w.safetensors", table=table).whole()
    expected = {
        "q.weight": fused.T[:2], "k.weight": fused.T[2:], "both.weight": fused.T,
        "q.bias": fused[0, :2] + fused[1, :2] + 0.5, "k.bias": held["k.bias"],
    }  # fmt: skip
    assert not found.report.left and found.report.ignored == ("step",)
    for name, array in expected.items():
        np.testing.assert_array_equal(found.weights[name], array, err_msg=name)


WRONG = {
    "name = 1": "there is no `name`",
    "[names": "it is not TOML",
    "x = " + "[" * 5000: "it is not TOML",
    "[names]\nfc = 3": "`fc` is neither a name nor a table",
    '[names]\nfc = { too = "x" }': "`fc` has no `too`",
    '[names]\n"fc1.weight" = "dens.weight"': "which the model does not have",
    '[names]\n"fc{i}.weight" = "dense{j}.weight"': "`{j}` stands nowhere on the left side",
    '[names]\n"fc{i+1}.weight" = "dense"': "`{i+1}` can stand on the right side only",
    '[names]\n"{a}{b}{c}{d}{e}{f}{g}" = "x"': "leaves more than 6 places open",
    '[names]\n"fc1.weight" = "dense_2.weight"': "has shape [4, 4], which does not become",
    '[names]\n"fc1.bias" = "dense.bias"\n"bn1.bias" = "dense.bias"': "is given twice",
    '[names]\n"fc1.bias" = { to = "dense.bias", add = "fc" }': "not in the file",
    '[names]\n"fc1.bias" = { to = "dense.bias", transpose = [1] }': "is not an order of axes",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_table(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(SpecError) as caught:
        nnspec.load(CASES / "small.nn").import_weights(
            CASES / "small.pt", table=tmp_path / "t.toml"
        )
    assert WRONG[text] in " ".join(d.message for d in caught.value.diagnostics)


def test_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The table that is found is written once, and a file that nobody named is never written over."""
    spec = tmp_path / "small.nn"
    spec.write_text((CASES / "small.nn").read_text().replace("-> Dense(3)", "-> Dense(5) as head"))
    line = ["weights", "import", str(CASES / "small.pt"), "--into", str(spec)]
    assert status(line) == 1
    assert "has no source for `head.weight`, `head.bias`" in capfd.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["small.nn"]
    assert status([*line, "--partial", "--format", "json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["missing"] == ["head.weight", "head.bias"]
    assert '"fc1.{role}" = "dense.{role}"' in (tmp_path / "small.weights.toml").read_text()
    assert status([*line, "--partial"]) == 1
    assert "it is there already" in capfd.readouterr().err
    again = [*line, "--partial", "-o", str(tmp_path / "b.safetensors")]
    assert status(again) == 0
    assert (tmp_path / "b.safetensors").read_bytes() == (
        tmp_path / "small.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01}q\x02(X\x05\x00\x00\x00modelq\x03h\x02uh\x03h\x02u.",
        b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x02]q\x00h\x00a" * 1000 + b".",
    ],
)
def test_pickles_are_not_run(text: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("x/data.pkl", text)
    with pytest.raises(SpecError) as caught:
        nnspec.load(CASES / "small.nn").import_weights(tmp_path / "w.pt")
    assert [d.code for d in caught.value.diagnostics] == ["E0618"]
