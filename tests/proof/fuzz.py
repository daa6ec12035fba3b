"""`make proof`: mutated texts through check, fmt, emission and drawing, in processes with limits.

    python tests/proof/fuzz.py --count 100000 --seed 1 --workers 2

What was done stands in a file (`--state`), so that a run that was stopped goes on where it was. A number
that failed is run again with `--only NUMBER`, which shows its text.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MEMORY = 2**30
PATIENCE = 300
"""Seconds after which a worker that says nothing is ended: code in C does not hear of the limit."""

BATCH = 1000
"""Texts that one process works through."""


@dataclass
class State:
    """How far a run is."""

    seed: int
    next: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, seed: int) -> State:
        if path.exists():
            found = json.loads(path.read_text())
            if found["seed"] == seed:
                return cls(**found | {"faults": {int(k): v for k, v in found["faults"].items()}})
        return cls(seed)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))


def work(seed: int, first: int, last: int) -> None:
    """In a worker: one line for each number."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    from cases import Fault, run
    from mutations import Mutator

    mutator = Mutator(seed)
    for number in range(first, last):
        try:
            outcome = run(mutator.text(number))
        except Fault as fault:
            outcome = f"! {fault}"
            gc.collect()  # what was left is not to be cleared away in the time of the next text
        print(number, json.dumps(outcome), flush=True)


class Worker:
    """A process that works through a batch; begun again behind a number that ended it."""

    def __init__(self, state: State, first: int, last: int) -> None:
        self.state, self.at, self.last = state, first, last
        self.begin()

    def begin(self) -> None:
        command = [sys.executable, __file__, "--work", str(self.at), str(self.last)]
        self.heard = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--seed", str(self.state.seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )

    def step(self) -> bool:
        """Hear one line; whether there is more to come."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 0.05)
        if not ready:
            if time.monotonic() - self.heard < PATIENCE:
                return True
            self.process.kill()
            return self._ended("hang that nothing interrupts")
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            return self.at < self.last and self._ended(f"the process ended with {code}")
        number, _, outcome = line.decode().partition(" ")
        self._note(int(number), json.loads(outcome))
        return True

    def _ended(self, why: str) -> bool:
        self._note(self.at, f"! {why}")
        self.process.wait()
        if self.at < self.last:
            self.begin()
        return self.at < self.last

    def _note(self, number: int, outcome: str) -> None:
        self.at, self.heard = number + 1, time.monotonic()
        kind = "faults" if outcome.startswith("!") else outcome
        self.state.counts[kind] = self.state.counts.get(kind, 0) + 1
        if kind == "faults":
            self.state.faults[number] = outcome[2:]
            print(f"{number}: {outcome[2:]}", file=sys.stderr, flush=True)


def drive(state: State, path: Path, count: int, workers: int) -> None:
    """Work until `count` texts are done; batches end whole, so the state is that of a number."""
    begin, before, shown = time.monotonic(), state.seconds, 0.0
    while state.next < count:
        size = -(-min(BATCH * workers, count - state.next) // workers)
        edges = [min(state.next + i * size, count) for i in range(workers + 1)]
        running = [Worker(state, a, b) for a, b in zip(edges, edges[1:]) if a < b]
        while running:
            running = [w for w in running if w.step()]
            done = sum(state.counts.values())
            state.seconds = before + time.monotonic() - begin
            if running and time.monotonic() < shown + 5:
                continue
            shown = time.monotonic()
            told = ", ".join(f"{n:,} {kind}" for kind, n in sorted(state.counts.items()))
            print(f"{done:,} of {count:,}: {told}", file=sys.stderr, flush=True)
        state.next = edges[-1]
        state.write(path)


def report(state: State) -> int:
    """What was found, one line for each kind of fault; 1 if there is one."""
    print(f"{state.next:,} texts of seed {state.seed} in {state.seconds:.0f} s: {state.counts}")
    kinds = Counter(state.faults.values())
    for fault, times in kinds.most_common():
        first = next(n for n, f in state.faults.items() if f == fault)
        print(f"{times:6}  {fault}  (--only {first})")
    return 1 if kinds else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "proof" / "fuzz.json")
    parser.add_argument("--only", type=int, help="show and run one number, here")
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.seed, *given.work)
        return 0
    if given.only is not None:
        sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
        from cases import run
        from mutations import Mutator

        text = Mutator(given.seed).text(given.only)
        print(text)
        print(run(text))
        return 0
    state = State.read(given.state, given.seed)
    drive(state, given.state, given.count, given.workers)
    return report(state)


if __name__ == "__main__":
    sys.exit(main())
