"""The long run of `make proof`, begun: it works, and goes on where it was."""

import json
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parent / "proof" / "fuzz.py"


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
