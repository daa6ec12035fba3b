#!/bin/sh
# Says what is missing on this machine before anything is downloaded.
python="$1"
if [ -z "$python" ]; then
  echo "nnspec needs Python 3.11 or later on the PATH (or: make PYTHON=/path/to/python3.11)" >&2
  exit 1
fi
"$python" - <<'CHECK'
import ctypes
import importlib.util
import sys

if sys.version_info < (3, 11):
    sys.exit(f"nnspec needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}")
if importlib.util.find_spec("ensurepip") is None:
    sys.exit("this Python has no ensurepip; on Debian and Ubuntu: apt install python3.11-venv")
if sys.platform == "linux":
    missing = []
    for library in ("libgomp.so.1", "libquadmath.so.0"):
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(library)
    if missing:
        sys.exit(
            f"MXNet (the gluon target) needs {' and '.join(missing)}; "
            "on Debian and Ubuntu: apt install libgomp1 libquadmath0"
        )
CHECK
