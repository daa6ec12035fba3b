"""Start-up of the commands a person waits for, beside a bare Python: `python benchmarks/startup.py`."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from interleave import main, median_of

SPEC = Path(__file__).parent.parent / "specs" / "digits_cnn.nn"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "nnspec --help": ["-m", "nnspec", "--help"],
    "nnspec check": ["-m", "nnspec", "check", str(SPEC)],
    "nnspec summary": ["-m", "nnspec", "summary", str(SPEC)],
}


def time_command(arguments: list[str]) -> dict[str, float]:
    def call() -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    return {"seconds": median_of(call, 7, 1)}


if __name__ == "__main__":
    results = main(__file__, {n: partial(time_command, a) for n, a in COMMANDS.items()}, 3)
    for name, result in (results or {}).items():
        ratio = result["seconds"] / results["python -c pass"]["seconds"]
        print(f"{name:<20} {result['seconds'] * 1000:7.0f} ms   {ratio:5.1f} x bare Python")
