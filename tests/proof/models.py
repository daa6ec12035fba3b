"""`make proof`: random models on all targets, against the definition.

    python tests/proof/models.py --count 2000 --seed 1

Python targets compute in f64, some dozens of models a process; ONNX in f32, by onnxruntime. What was done stands
in a file (`--state`), so that a run that was stopped goes on where it was. `--only NUMBER` shows a model and its end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}

from fuzz import State  # noqa: E402
from random_cases import Case, Unfit, answers, case_of, drawn, onnx_outputs, request  # noqa: E402
from random_models import Writer  # noqa: E402

from codegen import TARGETS  # noqa: E402
from nnspec.report.diagnostics import SpecError  # noqa: E402

STEPS = 8
BATCH = 40
"""Models that one process of a target runs."""


def judged(cases: Mapping[int, Case], targets: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """`(number, target, "agrees" | "refused" | what is wrong)` for every case and target."""
    for name in targets:
        if name == "onnx":
            yield from ((number, name, _by_onnxruntime(case)) for number, case in cases.items())
            continue
        with tempfile.TemporaryDirectory() as folder:
            requests = {}
            for number, case in cases.items():
                try:
                    path = Path(folder) / f"m{number}.py"
                    requests[number] = request(TARGETS[name], case, path)
                except SpecError as error:
                    yield number, name, _refused(error)
                except Exception as error:  # noqa: BLE001  what the compiler may not do
                    yield number, name, f"emission: {type(error).__name__}: {error}"
            found = answers(TARGETS[name], list(requests.values()))
            for (number, one), outputs in zip(requests.items(), found, strict=True):
                if isinstance(outputs, str):
                    yield number, name, outputs
                else:
                    yield number, name, _verdict(one.wrong(outputs))


def _by_onnxruntime(case: Case) -> str:
    try:
        return _verdict(case.wrong(onnx_outputs(case), "f32"))
    except SpecError as error:
        return _refused(error)
    except Exception as error:  # noqa: BLE001  the checker's, onnxruntime's or our own
        return f"{type(error).__name__}: {str(error)[:300]}"


def _refused(error: SpecError) -> str:
    codes = {d.code for d in error.diagnostics}
    return "refused" if codes == {"E0704"} else str(error)


def _verdict(wrong: Sequence[str]) -> str:
    return f"differs in {', '.join(wrong)}" if wrong else "agrees"


GOOD = ("agrees", "refused")


def shrunk(writer: Writer, target: str) -> str:
    """The smallest text, of those that give one value and what it needs, that is still wrong."""
    names = [
        name for s in writer.scope.statements for name in s.makes if name in writer.scope.values
    ]
    texts = sorted((writer.text("Model", [name]) for name in names), key=len)
    cases = {}
    for number, text in enumerate(texts):
        try:
            cases[number] = case_of(text)
        except Unfit:
            continue
    wrong = [number for number, _, verdict in judged(cases, [target]) if verdict not in GOOD]
    return texts[wrong[0]] if wrong else writer.text("Model")


def work(state: State, numbers: range, targets: Sequence[str]) -> None:
    """One batch: what agrees is counted, what does not is shrunk and told."""
    writers: dict[int, Writer] = {}
    cases: dict[int, Case] = {}
    for number in numbers:
        writers[number], cases[number] = drawn(f"{state.seed}/{number}", STEPS)
    for number, target, verdict in judged(cases, targets):
        kind = f"{target} {verdict if verdict in GOOD else 'wrong'}"
        state.counts[kind] = state.counts.get(kind, 0) + 1
        if verdict not in GOOD:
            state.faults[number] = f"{target}: {verdict}"
            print(f"# {number}, {target}: {verdict}\n{shrunk(writers[number], target)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "proof" / "models.json")
    parser.add_argument("--only", type=int, help="show and run one number")
    given = parser.parse_args()
    if given.only is not None:
        writer, case = drawn(f"{given.seed}/{given.only}", STEPS)
        print(case.text)
        for _, target, verdict in judged({given.only: case}, given.targets):
            print(f"{target}: {verdict}")
            if verdict not in GOOD:
                print(shrunk(writer, target))
        return 0
    state = State.read(given.state, given.seed)
    begin, before = time.monotonic(), state.seconds
    while state.next < given.count:
        numbers = range(state.next, min(state.next + BATCH, given.count))
        work(state, numbers, given.targets)
        state.next = numbers.stop
        state.seconds = before + time.monotonic() - begin
        state.write(given.state)
        told = ", ".join(f"{n:,} {kind}" for kind, n in sorted(state.counts.items()))
        print(f"{state.next:,} of {given.count:,}: {told}", file=sys.stderr, flush=True)
    print(f"{state.next:,} models of seed {state.seed} in {state.seconds:.0f} s: {state.counts}")
    for fault, times in Counter(state.faults.values()).most_common():
        print(f"{times:6}  {fault}")
    return 1 if state.faults else 0


if __name__ == "__main__":
    sys.exit(main())
