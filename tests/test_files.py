"""Where output goes: through links, never over what is read, to devices and pipes as they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nnspec import cli

SPEC = "model Tiny {\n  input x: f32[N, 2]\n  output x -> Dense(3)\n}\n"
UNTIDY = SPEC.replace("output x -> Dense(3)", "output x->Dense( 3 )")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.nn").write_text(SPEC)
    return tmp_path / "spec.nn"


def test_fmt_follows_links_and_keeps_the_mode(spec: Path, tmp_path: Path) -> None:
    spec.write_text(UNTIDY)
    spec.chmod(0o640)
    link = tmp_path / "link.nn"
    link.symlink_to("spec.nn")
    assert cli.status(["fmt", "link.nn"]) == 0
    assert link.is_symlink() and spec.read_text() == SPEC
    assert stat.S_IMODE(spec.stat().st_mode) == 0o640


def test_links_to_nothing_lead_to_where_they_point(spec: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.svg"
    link.symlink_to("picture.svg")
    assert cli.status(["graph", "spec.nn", "-o", "link.svg"]) == 0
    assert link.is_symlink() and (tmp_path / "picture.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    "command",
    [
        ["init", "spec.nn", "-o", "spec.nn"],
        ["init", "spec.nn", "-o", "symbolic.nn"],
        ["graph", "spec.nn", "-o", "hard.nn"],
        ["graph", "importing.nn", "-o", "spec.nn"],
        ["weights", "convert", "spec.nn", "w.safetensors", "-o", "w.safetensors"],
        ["run", "spec.nn", "x.npz", "-o", "x.npz"],
        ["build", "x.py", "--target", "keras"],
    ],
    ids=" ".join,
)
def test_an_input_is_never_the_output(
    command: list[str], spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    (tmp_path / "symbolic.nn").symlink_to("spec.nn")
    os.link(spec, tmp_path / "hard.nn")
    (tmp_path / "importing.nn").write_text(
        "from spec import Tiny\n\n" + SPEC.replace("Tiny", "Other").replace("Dense(3)", "Tiny")
    )
    (tmp_path / "x_keras.py").write_text(SPEC)
    (tmp_path / "x.py").symlink_to("x_keras.py")
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 2), np.float32))
    assert cli.status(["init", "spec.nn", "-o", "w.safetensors"]) == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert cli.status(command) == 1
    assert "E0703" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert cli.status(["init", "spec.nn", "-o", "w.safetensors"]) == 0


def test_devices_and_pipes_are_written_to(spec: Path, tmp_path: Path) -> None:
    assert cli.status(["graph", "spec.nn", "-o", "/dev/null"]) == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)

    os.mkfifo(tmp_path / "pipe")
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_text()))
    reader.start()
    assert cli.status(["graph", "spec.nn", "-o", "pipe"]) == 0
    reader.join(10)
    assert found[0].startswith("<svg") and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert {p.name for p in tmp_path.iterdir()} == {"spec.nn", "pipe"}


def test_standard_output_by_its_name(spec: Path, tmp_path: Path) -> None:
    """Appended to, where the shell appends: the file is neither replaced nor cut."""
    script = f"echo first > all; {sys.executable} -m nnspec graph spec.nn -o /dev/stdout >> all; echo last >> all"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run(["sh", "-c", script], check=True, env=environment)
    lines = (tmp_path / "all").read_text().splitlines()
    assert lines[0] == "first" and lines[1].startswith("<svg") and lines[-2:] == ["</svg>", "last"]


def test_what_is_no_plain_file_is_left_alone(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for place, reason in (("folder", "it is a directory"), ("loop", "too many levels")):
        assert cli.status(["graph", "spec.nn", "-o", place]) == 1
        assert reason in capsys.readouterr().err


def test_what_a_killed_run_left_is_cleared(spec: Path, tmp_path: Path) -> None:
    """After a day; what is younger may be another run's."""
    for name, age in (("old", 100_000), ("young", 10)):
        left = tmp_path / f".nnspec-{name}.safetensors"
        left.write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    assert cli.status(["init", "spec.nn", "-o", "w.safetensors"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"spec.nn", "w.safetensors", ".nnspec-young.safetensors"}
