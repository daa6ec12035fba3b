"""The wheel and the sdist build, install into an empty environment, and work there."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "specs" / "digits_cnn.nn"

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command, away from this checkout and its environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment.pop("VIRTUAL_ENV", None)
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(
        sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder
    )  # fmt: skip
    return folder


def test_sdist_holds_what_a_checkout_does(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("grammar/nn.lark", "specs/digits_cnn.nn", "tests/test_packaging.py", "Makefile",
                 "constraints.txt", "LICENSE", "README.md"):  # fmt: skip
        assert name in names


def test_wheel_holds_the_tables_the_codes_and_the_digits(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "nnspec/syntax/tables.json" in names
    assert "nnspec/catalogue/data/digits.npz" in names
    assert "nnspec/py.typed" in names
    assert any(name.startswith("nnspec/report/codes/E") for name in names)
    assert "codegen/pytorch/__init__.py" in names
    assert not any(name.startswith("tests/") for name in names)


def test_it_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    bin = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    run(bin / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    run(bin / "pip", "check", cwd=tmp_path)
    nnspec = bin / "nnspec"
    run(nnspec, "check", SPEC, cwd=tmp_path)
    run(nnspec, "build", SPEC, "--target", "all", "-o", "out", cwd=tmp_path)
    run(nnspec, "init", SPEC, "-o", "initial.safetensors", cwd=tmp_path)
    run(nnspec, "data", "digits", "--size", "8", "-o", "digits.npz", cwd=tmp_path)
    assert "E0" in run(nnspec, "explain", cwd=tmp_path)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {
        "digits_cnn_pytorch.py", "digits_cnn_keras.py", "digits_cnn_gluon.py", "digits_cnn.onnx"
    }  # fmt: skip
