"""ONNX of the zoo beside PyTorch's export of the generated modules: `python benchmarks/zoo_onnx.py [NAME ...]`.

Both with the same weights and optimised by onnxruntime at every level, then: how many nodes are left, whether outputs are
the same at several batch sizes and lengths, and what a run takes of one thread, the two in turns in one process. It is the
thread's own time that is counted, so that others on the machine matter little.
Networks are as small as those of the tests, where what each node costs by itself shows most, or with `--full` as large
as the files say. How the rows are read stands in `README.md`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from beside_pytorch import difference, fed, there, trials_of  # noqa: E402
from zoo_models import ZOO, models, ours, theirs  # noqa: E402

SIZES = ((1, 4, 6), (2, 7, 3), (3, 5, 7))
FULL_SIZES = ((1, 16, 24), (3, 33, 20), (2, 128, 96))
"""Of what is symbolic, the batch first: those of each trial. The last are those of the export, and of the time."""

ENOUGH = 0.02
"""Seconds of one side in a round: short, so that both sides meet the same machine."""


@dataclass
class Row:
    """What was found of one model.

    nodes: ours and theirs after optimisation, loops' bodies counted. kinds: operators of which the two have another number.
    fixed: theirs is of one size only, and ours was told it. apart: the largest difference of an output, of its scale.
    seconds: the best of a run of each. ratio: the median over the rounds. error: what PyTorch could not export.
    """

    model: str
    nodes: list[int] = field(default_factory=list)
    kinds: dict[str, list[int]] = field(default_factory=dict)
    fixed: bool = False
    apart: float = 0.0
    seconds: list[float] = field(default_factory=list)
    ratio: float = 0.0
    error: str = ""


def measure(name: str, options: argparse.Namespace) -> Iterator[Row]:
    """A row for each model of a file."""
    for called, model in models(name, options.full).items():
        row = Row(called)
        trials = trials_of(model, FULL_SIZES if options.full else SIZES)
        path, entry = ours(model, options.opset)
        feeds = [(sizes, there(entry, given)) for sizes, given in trials]
        try:
            other, row.fixed = theirs(model, trials[-1][1], options.keep)
        except Exception as error:  # noqa: BLE001  exporters fail with whatever they meet
            row.error = f"{type(error).__name__}: {error}".partition("\n")[0][:60]
            row.nodes = [session(path, {}, options.keep / "ours.onnx")[1].total()]
        else:
            compare(row, path, other, feeds, options)
        yield row


def compare(row: Row, path: Path, other: Path, feeds: Any, options: argparse.Namespace) -> None:
    """Fill in a row."""
    b, kinds_b = session(other, {}, options.keep / f"{row.model}_theirs.onnx")
    expected = [runs(b, arrays) for _, arrays in feeds]
    row.fixed = row.fixed or None in expected
    sizes = feeds[-1][0] if row.fixed else {}
    a, kinds_a = session(path, sizes, options.keep / f"{row.model}_ours.onnx")
    row.nodes = [kinds_a.total(), kinds_b.total()]
    names = sorted({*kinds_a, *kinds_b})
    row.kinds = {k: [kinds_a[k], kinds_b[k]] for k in names if kinds_a[k] != kinds_b[k]}
    for (_, arrays), wanted in zip(feeds, expected, strict=True):
        if wanted is not None:
            row.apart = max(row.apart, difference(runs(a, arrays) or [], wanted))
    row.seconds, row.ratio = in_turns([a, b], feeds[-1][1], options.rounds)


def session(path: Path, sizes: dict[str, int], optimised: Path) -> tuple[Any, Counter[str]]:
    """A model as onnxruntime optimises it, and how many operators of each kind it then has."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(optimised)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "w")
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", "1024"
    )
    for symbol, size in sizes.items():
        options.add_free_dimension_override_by_name(symbol, size)
    made = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    kinds: Counter[str] = Counter()
    graphs = [onnx.load(optimised, load_external_data=False).graph]
    for graph in graphs:
        kinds.update(node.op_type for node in graph.node)
        graphs += [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    return made, kinds


def runs(model: Any, arrays: list[Any]) -> list[Any] | None:
    """The outputs; None where the model does not run at these sizes."""
    try:
        found: list[Any] = model.run(None, fed(model, arrays))
    except Exception:  # noqa: BLE001  onnxruntime's own errors have no common base
        return None
    return found


def in_turns(models: list[Any], arrays: list[Any], rounds: int) -> tuple[list[float], float]:
    """The best seconds of a run of each, and the median of the ratios of all rounds."""
    feeds = [fed(model, arrays) for model in models]

    def seconds(side: int, count: int) -> float:
        start = time.thread_time()
        for _ in range(count):
            models[side].run(None, feeds[side])
        return (time.thread_time() - start) / count

    count = max(1, int(ENOUGH / max(min(seconds(0, 3), seconds(1, 3)), 1e-7)))
    pairs = []
    for number in range(rounds):
        first = number % 2
        found = {side: seconds(side, count) for side in (first, 1 - first)}
        pairs.append((found[0], found[1]))
    best = [min(column) for column in zip(*pairs, strict=True)]
    return best, statistics.median(a / b for a, b in pairs)


def line(name: str, row: dict[str, Any]) -> str:
    title = f"{name:<21} {row['model']:<17} {row['nodes'][0]:5}"
    if row["error"]:
        return f"{title}       {row['error']}"
    (a, b), apart = (1000 * s for s in row["seconds"]), row["apart"]
    return (
        f"{title} {row['nodes'][1]:5}  {apart:5.0e} {a:9.3f} {b:9.3f} ms"
        f"  best {a / b:.3f}  median {row['ratio']:.3f}{'  fixed' * row['fixed']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="files of specs/zoo; by default all of them")
    parser.add_argument("--full", action="store_true", help="as large as the files say")
    parser.add_argument("--opset", type=int, default=20, help="of ours; theirs is PyTorch's own")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--keep", type=Path, help="where exports are kept for the next time")
    parser.add_argument("--case", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep = options.keep or Path(tempfile.mkdtemp(prefix="nnspec-zoo-"))
    if options.case:
        warnings.simplefilter("ignore")
        rows = [asdict(row) for name in options.names for row in measure(name, options)]
        print(json.dumps(rows))
        return
    found: dict[str, Any] = {}
    for name in options.names or sorted(p.stem for p in ZOO.glob("*.nn")):
        folder = options.keep / f"{name}{'_full' * options.full}"
        folder.mkdir(parents=True, exist_ok=True)
        # Each in a process of its own: what an exporter leaves behind is no one else's.
        settings = [
            "--keep",
            str(folder),
            "--opset",
            str(options.opset),
            *["--full"] * options.full,
        ]
        command = [sys.executable, __file__, name, "--case", "--rounds", str(options.rounds)]
        process = subprocess.run([*command, *settings], capture_output=True, text=True, check=False)
        if process.returncode:
            sys.exit(f"{name} failed:\n{process.stderr}")
        found[name] = json.loads(process.stdout.strip().splitlines()[-1])
        if options.format == "table":
            print("\n".join(line(name, row) for row in found[name]), flush=True)
    if options.format == "json":
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
