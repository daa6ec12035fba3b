"""The commands as a user meets them: exit status, what goes where, nothing half written."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codegen import TARGETS
from nnspec import cli
from nnspec.commands import app, shortcuts
from nnspec.core.files import write_files
from nnspec.report.diagnostics import Diagnostic, SpecError

ROOT = Path(__file__).parent.parent
SPEC = str(ROOT / "specs" / "digits_cnn.nn")
GAN = str(ROOT / "specs" / "digits_dcgan.nn")
COMMANDS = [
    "check", "fmt", "build", "verify", "run", "train", "runs", "init", "summary", "graph", "data",
    "targets", "explain", "weights",
]  # fmt: skip

SMALL = """\
model Small(units = 4) {
  input x: f32[N, 3]
  output y = x -> Dense(units)
}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.nn"
    path.write_text(SMALL)
    return path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.status([command, "-h"]) == 0
    text = capsys.readouterr().out
    if command == "weights":
        assert cli.status([command, "convert", "-h"]) == 0
        text = capsys.readouterr().out
    assert "Examples:" in text
    assert f"nnspec {command}" in text


def test_a_target_that_refuses_does_not_keep_the_others_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "half.nn"
    spec.write_text("model Half { input x: bf16[N, 4]\n  output y = x -> Dense(3) }\n")
    assert cli.status(["build", str(spec), "-o", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("error[E0704]: Gluon cannot express bf16") == 1
    assert files(tmp_path) == {"half.nn", "half_pytorch.py", "half_keras.py", "half.onnx"}


def test_options_of_targets_are_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["build", "-h"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for target in TARGETS.values():
        for option in target.Options.arguments():
            assert f"--{option.name}" in text
            assert f"{target.name}: {option.doc}; default {option.default}" in text


def test_the_overview_is_what_typer_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert app.carry_out(["-h"]) == 0
    assert capsys.readouterr().out == shortcuts.OVERVIEW


@pytest.mark.parametrize("arguments", [["-h"], ["--version"], ["check", SPEC]])
def test_what_is_typed_most_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; from nnspec.cli import status; sys.stderr = None; status({arguments!r}); "
        "sys.stderr = sys.__stderr__; "
        "heavy = {'numpy', 'lark', 'onnx', 'rich', 'typer', 'torch', 'tensorflow', 'mxnet'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stderr.strip() == ""


def test_check_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["check", SPEC, GAN]) == 0
    assert capsys.readouterr().err == "2 files: no errors\n"


def test_check_reports_every_error_of_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.nn").write_text(SMALL.replace("Dense", "Dens"))
    (tmp_path / "b.nn").write_text(SMALL.replace("units)\n", "unit)\n"))
    assert cli.status(["check", str(tmp_path / "a.nn"), str(tmp_path / "b.nn")]) == 1
    err = capsys.readouterr().err
    assert "did you mean `Dense`?" in err
    assert "did you mean `units`?" in err
    assert "2 errors" in err


def test_check_json(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.write_text(SMALL.replace("Dense", "Dens"))
    assert cli.status(["check", "--format", "json", str(small)]) == 1
    captured = capsys.readouterr()
    [diagnostic] = json.loads(captured.out)
    assert (diagnostic["line"], diagnostic["severity"]) == (3, "error")
    assert captured.err == ""


def test_check_reads_standard_input() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "nnspec", "check", "-"],
        cwd=ROOT,
        input=SMALL.replace("Dense", "Dens"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "<stdin>:3:" in result.stderr
    assert "\x1b" not in result.stderr


def test_set_changes_a_parameter(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["summary", str(small), "--set", "units=100", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 400


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["chek", SPEC], 2, "Did you mean 'check'?"),
        (["check"], 2, "Missing argument"),
        (["check", "--formt", "json", SPEC], 2, "--formt"),
        (["check", "--format", "xml", SPEC], 2, "xml"),
        (["check", "nowhere.nn"], 1, "E0001"),
        (["check", str(ROOT)], 1, "E0001"),
        (["graph", SPEC, "--set", "clases=3"], 2, "did you mean `classes`?"),
        (["check", SPEC, "--set", "classes"], 2, "NAME=VALUE"),
        (["build", SPEC, "--target", "pytorh"], 2, "did you mean `pytorch`?"),
        (["build", SPEC, "--target", "pytorch", "--opset", "20"], 2, "means nothing to pytorch"),
        (["build", SPEC, "--opset", "16"], 2, "expects a whole number from 17 to 24, found 16"),
        (["build", SPEC, "--style", "blocks"], 2, 'expects "block" or "symbol"'),
        (["build", SPEC, "--model", "DigitsCN"], 2, "did you mean `DigitsCNN`?"),
        (["train", SPEC, "--target", "onnx"], 2, "E0701"),
        (["graph", GAN], 2, "Generator, Critic"),
        (["data", "digit", "-o", "x.npz"], 1, "did you mean `digits`?"),
        (["data", "digits", "--size", "0", "-o", "x.npz"], 2, "at least 1"),
        (["data", "mnist", "-o", "x.npz"], 1, "MNIST database"),
        (["explain", "E9999"], 2, "no code `E9999`"),
        (["weights", "convert", GAN, "x", "--to", "pytorch", "-o", "y"], 2, "--model G"),
        (["weights", "convert", SPEC, "no.safetensors", "-o", "y"], 1, "E0611"),
        (["init", SPEC, "-o", "/proc/nowhere/x.safetensors"], 1, "cannot write"),
        (["build", SPEC, "-o", "/proc/nowhere"], 1, "cannot write"),
        (["graph", SPEC, "-o", "/proc/nowhere.svg"], 1, "cannot write"),
        (["data", "digits", "-o", "/proc/nowhere.npz"], 1, "cannot write"),
        (["check", SPEC, "--set", "classes=1_"], 2, "is not a number"),
        (["check", SPEC, "--set", "classes=" + "9" * 5000], 2, "larger than"),
        (["check", SPEC, "--set", "classes=1e999"], 2, "larger than"),
        (["summary", SPEC, "--set", "roots=1"], 2, "has a parameter `roots`"),
        (["data", "digits", "-o", ""], 2, "an empty name is no file"),
        (["build", SPEC, "-o", ""], 2, "an empty name is no file"),
        (["check", ""], 2, "an empty name is no file"),
        (["check", "a" * 262 + ".nn"], 1, "E0001"),
        (["run", SPEC, "a" * 262 + ".npy"], 1, "E0714"),
        (["init", SPEC, "-o", "a" * 262 + ".safetensors"], 1, "file name too long"),
        (["summary", SPEC, "--model", "nets"], 2, "did you mean `net`?"),
    ],
)
def test_errors_are_explained_and_leave_nothing_behind(
    arguments: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.status(arguments) == status
    captured = capsys.readouterr()
    assert says in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert files(tmp_path) == set()


def test_missing_framework_names_the_extra(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nnspec.driver.requirements._version", lambda module: None)
    assert cli.status(["verify", str(small), "--target", "keras"]) == 1
    assert 'pip install "nnspec[keras]"' in capsys.readouterr().err


def test_an_internal_error_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("nnspec.compiler.compile_source", fail)
    assert cli.status(["check", SPEC]) == 70
    err = capsys.readouterr().err
    assert "nnspec itself failed: ZeroDivisionError: oh" in err
    assert "Traceback" not in err
    with pytest.raises(ZeroDivisionError):
        cli.status(["--debug", "check", SPEC])


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m nnspec build {SPEC} --emit tree | head -n 1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("redirection", "arguments", "status", "says"),
    [
        (">/dev/full", ["summary", SPEC], 1, "no space left on device"),
        (">&-", ["summary", SPEC], 1, "bad file descriptor"),
        (">/dev/full", ["--help"], 1, "no space left on device"),
        (">&-", ["check", SPEC], 0, "no errors"),
        ("2>&-", ["summary", SPEC], 0, "FLOPs"),
        ("2>/dev/full", ["check", "nowhere.nn"], 1, ""),
        ("<&-", ["check", "-"], 0, "no errors"),
    ],
)
def test_streams_that_are_closed_or_full(
    redirection: str, arguments: list[str], status: int, says: str
) -> None:
    command = [sys.executable, "-m", "nnspec", *arguments]
    result = subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "bash", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == status, result.stderr
    assert says in result.stdout + result.stderr
    assert "Traceback" not in result.stderr and "E0999" not in result.stderr


def test_summary_of_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    """The network of a program, which its arguments made other than the model by itself."""
    assert cli.status(["summary", GAN, "--model", "D", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "Critic"


def test_what_python_shows() -> None:
    import nnspec

    assert dir(nnspec) == sorted(nnspec.__all__)
    text = str(nnspec.load(SMALL).model().summary())
    assert "dense" in text and "16 weights (16 trained, 0 kept)" in text
    assert nnspec.load(SMALL, parameters={"units": 5}).model().summary().parameters == 20
    with pytest.raises(SpecError) as caught:
        nnspec.load(SMALL.replace("Dense", "Dens"))
    assert "3 |   output y = x -> Dens(units)" in str(caught.value)
    assert "did you mean `Dense`?" in str(caught.value)


def test_build_writes_every_target(small: Path, tmp_path: Path) -> None:
    assert cli.status(["build", str(small), "--target", "all", "-o", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out") == {
        "small_pytorch.py", "small_keras.py", "small_gluon.py", "small.onnx"
    }  # fmt: skip


def test_build_is_the_same_from_run_to_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        result = subprocess.run(
            [sys.executable, "-m", "nnspec", "build", GAN, "-o", str(tmp_path / name)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": name == "one" and "1" or "2"},
            check=False,
        )
        assert result.returncode == 0
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("stage", ["tree", "graph", "passes"])
def test_build_prints_its_stages(
    stage: str, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(small.parent)
    assert cli.status(["build", str(small), "--emit", stage]) == 0
    assert "Dense" in capsys.readouterr().out
    assert files(small.parent) == before


def test_init_is_the_same_each_time(small: Path, tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{n}.safetensors" for n in ("one", "two", "other"))
    for path, seed in ((one, "3"), (two, "3"), (other, "4")):
        assert cli.status(["init", str(small), "--seed", seed, "-o", str(path)]) == 0
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("format", ["svg", "dot", "mermaid"])
def test_graph_shows_blocks_and_shapes(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["graph", GAN, "--model", "Generator", "--format", format]) == 0
    text = capsys.readouterr().out
    assert "Grow" in text
    assert "f32[N, 28, 28, 1]" in text


def test_svg_is_xml(capsys: pytest.CaptureFixture[str]) -> None:
    import xml.etree.ElementTree as ElementTree

    assert cli.status(["graph", SPEC]) == 0
    root = ElementTree.fromstring(capsys.readouterr().out)
    assert root.tag.endswith("svg")


def test_data_writes_columns(tmp_path: Path) -> None:
    assert cli.status(["data", "digits", "--size", "8", "-o", str(tmp_path / "d.npz")]) == 0
    with np.load(tmp_path / "d.npz") as file:
        assert file["validation_image"].shape == (360, 8, 8, 1)


def test_targets_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["targets", "--format", "json"]) == 0
    found = {entry["target"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(found) == {"pytorch", "keras", "gluon", "onnx"}


def test_fmt_check_and_diff(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    untidy = SMALL.replace("units = 4", "units=4")
    small.write_text(untidy)
    assert cli.status(["fmt", "--check", str(small)]) == 1
    assert cli.status(["fmt", "--diff", str(small)]) == 1
    assert "+model Small(units = 4) {" in capsys.readouterr().out
    assert small.read_text() == untidy
    assert cli.status(["fmt", str(small)]) == 0
    assert small.read_text() == SMALL
    assert cli.status(["fmt", "--check", str(small)]) == 0


def test_the_demo_scores_above_97_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nnspec import demo

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nnspec.driver.requirements._version", lambda module: None)
    monkeypatch.setattr("nnspec.driver.runner.SECONDS", 0.0)
    assert demo.main() == 0, capsys.readouterr().out
    assert files(tmp_path / "build") == {
        "digits_cnn_pytorch.py", "digits_cnn_keras.py", "digits_cnn_gluon.py", "digits_cnn.onnx"
    }  # fmt: skip


def test_every_spec_of_the_repository_is_formatted() -> None:
    specs = sorted(str(path) for path in (ROOT / "specs").glob("*.nn"))
    assert cli.status(["fmt", "--check", *specs]) == 0


def test_files_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "old").write_text("old")

    def stop(path: Path) -> None:
        path.write_text("half")
        raise SpecError(Diagnostic("E0999", "stop"))

    for second in ({tmp_path / "taken": "b"}, {tmp_path / "b": stop}):
        with pytest.raises(SpecError):
            write_files({tmp_path / "old": "new", **second})
        assert files(tmp_path) == {"taken", "old"}
        assert (tmp_path / "old").read_text() == "old"


def test_a_file_says_how_it_was_made(small: Path, tmp_path: Path) -> None:
    """The head line of a generated file is the whole command; it writes the same file again."""
    given = ["--target", "gluon", "--style", "symbol", "--set", "units=5"]
    assert cli.status(["build", str(small), *given, "-o", str(tmp_path)]) == 0
    text = (tmp_path / "small_symbol.py").read_text()
    head = " ".join(text.partition('"""\n')[0].split())
    command = shlex.split(re.findall("`(nnspec .*?)`", head)[0])
    assert command == ["nnspec", "build", small.name, *given]
