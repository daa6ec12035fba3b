"""The long runs of `make proof`, begun: they work, and go on where they were."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "proof" / "fuzz.py"
MODELS = FUZZ.with_name("models.py")


def test_a_few_mutated_texts(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for count in (4, 6):
        command = [sys.executable, str(FUZZ), "--workers", "1", "--state", str(state)]
        run = subprocess.run(
            [*command, "--count", str(count)], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
        found = json.loads(state.read_text())
        assert found["next"] == sum(found["counts"].values()) == count


def test_a_few_random_models(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(MODELS),
        "--targets",
        "onnx",
        "--state",
        str(tmp_path / "s.json"),
    ]
    run = subprocess.run([*command, "--count", "3"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads((tmp_path / "s.json").read_text())["next"] == 3


@pytest.mark.framework
def test_a_network_of_the_zoo(tmp_path: Path) -> None:
    state = tmp_path / "s.json"
    script = FUZZ.with_name("onnx_zoo.py")
    command = [sys.executable, str(script), "--only", "lenet5", "--state", str(state)]
    told = {
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in "12"
    }
    assert len(told) == 1 and "lenet5: agrees; LeNet5 " in told.pop()
    found = json.loads(state.read_text())
    found["lenet5"]["trials"][0]["right"] = False
    state.write_text(json.dumps(found))
    subprocess.run(command, capture_output=True, check=True)
    assert json.loads(state.read_text())["lenet5"]["trials"][0]["right"]
