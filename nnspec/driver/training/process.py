"""The process that trains: `python -m nnspec.driver.training.process REQUEST PIPE`, with a framework in it.

It reads what to do from a JSON file and tells what happens as lines of JSON through a pipe of its own; what
frameworks print goes where its starter put standard output. It ends as soon as its starter does.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codegen.running import RunRequest, named_weights
from codegen.target import ProgramNames
from nnspec.driver.generated import load_module
from nnspec.driver.training import checkpoints, failure
from nnspec.driver.training.batches import Column, Columns
from nnspec.driver.training.data import DataRequest
from nnspec.driver.training.loop import Loop, NotFinite
from nnspec.driver.training.plan import Plan
from nnspec.driver.training.watch import Watch
from nnspec.graph import weight_files
from nnspec.report.diagnostics import SpecError

Tell = Callable[[dict[str, Any]], None]


def main(arguments: Sequence[str]) -> None:
    path, pipe = arguments
    threading.Thread(target=_end_with_starter, daemon=True).start()
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    with open(int(pipe), "w", encoding="utf-8") as events:

        def tell(event: dict[str, Any]) -> None:
            events.write(json.dumps(event) + "\n")
            events.flush()

        try:
            run(request, tell)
        except SpecError as error:
            told = [
                {
                    "code": d.code,
                    "message": d.message,
                    "notes": [n for n in d.notes if isinstance(n, str)],
                    "helps": list(d.helps),
                }
                for d in error.diagnostics
            ]
            tell({"event": "refused", "diagnostics": told})


def _end_with_starter() -> None:
    """Standard input is a pipe that nobody writes to: it ends when its other end is gone."""
    while os.read(0, 1):
        pass
    os._exit(1)


def run(request: Mapping[str, Any], tell: Tell) -> None:
    """Begin the run, or go on from its last checkpoint."""
    loop, begin = _prepared(request, tell)
    tell({"event": "begun", "device": loop.runner.device, "step": begin.place.step if begin else 0})
    try:
        loop.run(begin)
    except NotFinite:
        tell({"event": "astray", **failure.searched(loop)})
        return
    tell({"event": "done"})


def _prepared(request: Mapping[str, Any], tell: Tell) -> tuple[Loop, checkpoints.Checkpoint | None]:
    folder, asked = Path(request["folder"]), request["run"]
    begin, _ = checkpoints.load(folder) if request["resume"] else (None, [])
    start = weight_files.load(Path(request["weights"])) if begin is None else begin.arrays
    columns = [Column(c["name"], c["dtype"], c["order"]) for c in request["columns"]]
    data = DataRequest.from_json(request["data"]).read()
    names = tuple(c.name for c in columns)
    train = Columns(data.train, columns)
    held_out = Columns(data.validation, columns) if data.validation.keys() & set(names) else None
    plan = Plan(**request["plan"])
    functions = ProgramNames(**{**asked["functions"], "more": tuple(asked["functions"]["more"])})
    networks = tuple((name, cls) for name, cls in asked["networks"])
    wanted = RunRequest(functions, networks, names, asked["summaries"], asked["accumulates"])
    kind = importlib.import_module(f"codegen.{request['target']}.runner").Runner
    module = load_module(Path(request["module"]))
    sample = train.take(slice(0, plan.batch_size))
    runner = kind(module, wanted, named_weights(start), sample, plan.draws(0))
    watch = None if request["watch"] is None else Watch(**request["watch"])
    every, losses = request["checkpoint_every"], request["losses"]
    loop = Loop(runner, plan, train, held_out, folder, losses, every, tell, watch)
    return loop, begin


if __name__ == "__main__":
    # Under its importable name, so that there is one of each class.
    importlib.import_module("nnspec.driver.training.process").main(sys.argv[1:])
