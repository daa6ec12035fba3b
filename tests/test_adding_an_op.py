"""`docs/adding-an-op.md` and the changes of `cases/adding`, carried out on a copy of the source, and counted.

`NNSPEC_UPDATE_GOLDEN=1` writes the table of `docs/architecture.md` anew.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codegen import TARGETS

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "cases" / "adding"
PAGE = (ROOT / "docs" / "adding-an-op.md").read_text()
ARCHITECTURE = ROOT / "docs" / "architecture.md"
CHANGE = re.compile(r"^```diff (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
[SPEC] = re.findall(r"^```nn after\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PLACES = re.compile(r"(?<=<!-- places -->\n).*?(?=<!-- end -->)", re.DOTALL)

Changes = list[tuple[str, str]]
"""Files, and what becomes of some lines of each."""

ROWS = ("layer", "loss", "optimizer", "schedule", "data_set", "element_type")
PAGES: Changes = CHANGE.findall(PAGE)
DECLARED: dict[str, Changes] = {"function": [c for c in PAGES if c[0].startswith("nnspec/")]} | {
    row: CHANGE.findall((CASES / f"{row}.md").read_text()) for row in ROWS
}
NATIVE: Changes = [
    *(c for c in PAGES if c[0].startswith("codegen/")),
    *CHANGE.findall((CASES / "native.md").read_text()),
]


def apply(path: Path, change: str) -> None:
    """Replace the one place that has the lines marked ` ` and `-` with those marked ` ` and `+`."""
    lines = [line if line else " " for line in change.splitlines()]
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    text = path.read_text() if before else ""
    assert not before or text.count(before) == 1, f"{path.name} has no such lines:\n{before}"
    path.write_text(text.replace(before, after) if before else after)


def copied(folder: Path, native: bool) -> Path:
    """The source with all of the changes, and the specs that use them; bytecode too, of what stays as it is."""
    for name in ("nnspec", "codegen", "grammar"):
        ignored = shutil.ignore_patterns("*.pyc.*")  # another process is writing these
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for changes in [*DECLARED.values(), *([NATIVE] if native else [])]:
        for name, change in changes:
            apply(folder / name, change)
    for spec in CASES.glob("*.nn"):
        shutil.copy(spec, folder)
    (folder / "smooth.nn").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With declarations only: no line in any target."""
    return copied(tmp_path_factory.mktemp("declared"), native=False)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With native forms of the function, too."""
    return copied(tmp_path_factory.mktemp("native"), native=True)


def nnspec(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nnspec", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_places() -> None:
    """The table of the architecture is what these changes are."""
    shown = ["| to add | files | places | where |", "| --- | --- | --- | --- |"]
    for row, changes in DECLARED.items():
        article = "an" if row[0] in "aeio" else "a"
        shown.append(_row(f"{article} {row.replace('_', ' ')}", changes))
    for target in TARGETS:
        changes = [c for c in NATIVE if c[0].startswith(f"codegen/{target}/")]
        if changes:
            shown.append(_row(f"a native form in `{target}`", changes))
    page = ARCHITECTURE.read_text()
    table = "\n".join(shown) + "\n"
    if os.environ.get("NNSPEC_UPDATE_GOLDEN"):
        ARCHITECTURE.write_text(PLACES.sub(lambda _: table, page))
    else:
        assert PLACES.findall(page) == [table], "NNSPEC_UPDATE_GOLDEN=1 writes it"
    assert all(len(changes) == 1 for changes in DECLARED.values())
    assert not any(name.startswith("codegen/") for c in DECLARED.values() for name, _ in c)


def _row(what: str, changes: Changes) -> str:
    files = list(dict.fromkeys(name for name, _ in changes))
    imports = sum(_only_imports(change) for _, change in changes)
    places = f"{len(changes) - imports}{', and its import' if imports else ''}"
    return f"| {what} | {len(files)} | {places} | {', '.join(f'`{f}`' for f in files)} |"


def _only_imports(change: str) -> bool:
    added = [line[1:].strip() for line in change.splitlines() if line.startswith("+")]
    return all(re.fullmatch(r"from .* import .*|\w+,", line) for line in added)


def test_the_language_knows_the_op(declared: Path) -> None:
    specs = ("smooth.nn", "all.nn", "types.nn")
    for command in (["check", *specs], *(["summary", spec] for spec in specs)):
        result = nnspec(declared, *command)
        assert result.returncode == 0, result.stderr
    (declared / "wrong.nn").write_text(SPEC.replace("-> cosh", "-> coshh"))
    assert "did you mean `cosh`?" in nnspec(declared, "check", "wrong.nn").stderr


def test_every_target_writes_it(declared: Path, native: Path) -> None:
    """From its meaning, as a function of its name; or by the framework's."""
    for copy, written in (declared, "def cosh("), (native, ".cosh("):
        for spec in ("smooth.nn", "all.nn"):
            result = nnspec(copy, "build", spec, "-o", "out")
            assert result.returncode == 0, result.stderr
        files = list((copy / "out").glob("smooth_*.py"))
        assert len(files) == len(TARGETS) - 1  # ONNX is no text
        assert all(written in file.read_text() for file in files)


def test_a_data_set_is_read(declared: Path) -> None:
    result = nnspec(declared, "data", "waves", "--rows", "50", "-o", "waves.npz")
    assert result.returncode == 0, result.stderr
    assert (declared / "waves.npz").exists()


@pytest.fixture(scope="module")
def refused(declared: Path) -> str:
    """What a build says whose type no target has."""
    return nnspec(declared, "build", "types.nn", "-o", "out").stderr


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_refuses_what_its_types_lack(refused: str, target: str) -> None:
    assert f"error[e0704]: {target} cannot express u16" in refused.lower()


def test_the_definition_runs_it(declared: Path) -> None:
    """Whatever its element type."""
    code = (
        "import nnspec, numpy as np\n"
        "from nnspec.graph.evaluate import evaluate_model\n"
        "from nnspec.graph.weights import initialize\n"
        "from nnspec.graph.graph import weights\n"
        "[m] = nnspec.load(open('types.nn').read()).program.models\n"
        "x = np.array([[1, 2, 3, 4, 65535]], 'u2')\n"
        "print(evaluate_model(m, [x], initialize(weights(m), 0)).outputs[0].shape)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=declared,
        env={**os.environ, "PYTHONPATH": str(declared)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "(1, 3)\n", run.stderr


@pytest.mark.framework
@pytest.mark.parametrize("copy", ("declared", "native"))
def test_the_targets_agree(copy: str, request: pytest.FixtureRequest) -> None:
    """In outputs, losses, gradients and steps, with the definition."""
    folder: Path = request.getfixturevalue(copy)
    result = nnspec(folder, "verify", "smooth.nn", "all.nn", "--format", "json")
    reports = json.loads(result.stdout)
    assert all(report["agrees"] for report in reports), result.stdout
    assert all({*report["targets"]} == {"definition", *TARGETS} for report in reports)
