"""Starts the process that trains, and hears of it until it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from nnspec.core.files import STAGED, write_file
from nnspec.driver import worker
from nnspec.driver.training.folder import LOG, RunFolder
from nnspec.report.diagnostics import Diagnostic, SpecError

REQUEST = f"{STAGED}request.json"
Event = dict[str, Any]


def followed(
    target: str, request: Mapping[str, Any], folder: RunFolder, hear: Callable[[Event], None]
) -> Event:
    """Run it to its end; its last event. Raises `SpecError` for what it refuses, and where it breaks off.

    hear: is given every event. What the process prints goes to the folder's log. It holds the folder's lock as
    long as it lives, and lives no longer than this process.
    """
    path = folder.path / REQUEST
    write_file(path, json.dumps(request))
    reading, writing = os.pipe()
    log = folder.path / LOG
    with log.open("ab") as output, os.fdopen(reading, encoding="utf-8") as events:
        printed = output.tell()
        command = [sys.executable, "-m", "nnspec.driver.training.process", str(path), str(writing)]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(writing, folder.lock),
                env={**worker.environment(), "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        finally:
            os.close(writing)
        last: Event = {}
        try:
            for line in events:
                last = json.loads(line)
                hear(last)
            status = process.wait()
        finally:
            # Whoever stops this process stops the one that it started.
            process.kill()
            process.wait()
            path.unlink(missing_ok=True)
    if last.get("event") == "refused":
        raise SpecError(*(_diagnostic(told) for told in last["diagnostics"]))
    if status or last.get("event") not in ("done", "astray"):
        with log.open("rb") as said:
            said.seek(printed)
            raise worker.WorkerError(target, said.read().decode(errors="replace"), status)
    return last


def _diagnostic(told: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        told["code"], told["message"], notes=tuple(told["notes"]), helps=tuple(told["helps"])
    )
