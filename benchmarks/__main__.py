"""Every benchmark, one after the other: `python -m benchmarks`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

for name in ("startup", "scaling", "train_step", "onnx_export", "zoo_onnx"):
    print(f"== {name}", flush=True)
    subprocess.run([sys.executable, HERE / f"{name}.py"], check=True, cwd=HERE.parent)
