"""`make proof`: every optimizer with every schedule, decay, clipping, accumulation and `every`, 100 steps on every target.

    python tests/proof/updates.py --state build/proof/updates.json

What was done stands in a file, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
os.environ |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

from codegen import TARGETS  # noqa: E402
from nnspec.core.files import write_files  # noqa: E402
from nnspec.driver.updates_reference import TITLES  # noqa: E402
from nnspec.driver.verify.updates import cases, judged  # noqa: E402

GROUP = 30
"""Cases that one process of a target runs."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "proof" / "updates.json")
    parser.add_argument("--count", type=int, help="at most so many cases")
    args = parser.parse_args()
    args.state.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, list[str]] = json.loads(args.state.read_text()) if args.state.exists() else {}
    targets = [TARGETS[name] for name in TITLES]
    left = (case for case in cases(every=True) if case.written not in done)
    left = islice(left, args.count)
    while group := list(islice(left, GROUP)):
        for each in judged(targets, group):
            rows = [r for r in each.report.rows if not r.agrees]
            wrong = [f"{r.target} {r.quantity} {r.tensor} {r.relative:.1e}" for r in rows]
            done[each.case.written] = [*wrong, *each.report.skipped.values()]
        write_files({args.state: json.dumps(done, indent=1)})
        print(f"{len(done)} cases, {sum(map(bool, done.values()))} wrong", flush=True)
    for written, wrong in done.items():
        if wrong:
            print(written, *wrong, sep="\n  ")
    return 1 if any(done.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
