"""How everything here is timed: interleaved, one process each, the best of several medians.

These machines change speed in mid-run, so a figure means something only beside its peer's of the
same round. A script calls `compare(__file__, cases)`; each case runs as `SCRIPT --case NAME`, which
must print one line of JSON, `{"seconds": median}` and whatever else it measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def median_of(function: Callable[[], object], repeats: int, warmups: int = 3) -> float:
    """Median seconds of a call, after some that do not count."""
    for _ in range(warmups):
        function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def run_case(script: str, name: str) -> dict[str, Any]:
    """One case in a process of its own."""
    process = subprocess.run(
        [sys.executable, script, "--case", name], capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(f"{script} --case {name} failed:\n{process.stderr}")
    result: dict[str, Any] = json.loads(process.stdout.strip().splitlines()[-1])
    return result


def compare(script: str, names: Sequence[str], rounds: int) -> dict[str, dict[str, Any]]:
    """For each case the round with the least median."""
    best: dict[str, dict[str, Any]] = {}
    for number in range(rounds):
        for name in names:
            print(f"\rround {number + 1}/{rounds}: {name:<40}", end="", file=sys.stderr, flush=True)
            result = run_case(script, name)
            if name not in best or result["seconds"] < best[name]["seconds"]:
                best[name] = result
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return best


def main(
    script: str, cases: dict[str, Callable[[], dict[str, Any]]], rounds: int
) -> dict[str, dict[str, Any]] | None:
    """Either one case (printed as JSON, returns None) or all of them interleaved."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=list(cases))
    parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(cases[options.case]()))
        return None
    return compare(script, list(cases), options.rounds)
