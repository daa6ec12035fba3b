"""The columns that a program trains on."""

import sys
import zipfile

import numpy as np


def load_data(path: str, names: list[str]) -> tuple[list, list]:
    """Columns of an .npz file for training, and those to validate with (if any)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except (EOFError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"cannot read {path}: {error}")
    missing = [name for name in names if name not in columns]
    if missing:
        found = ", ".join(columns) or "none"
        sys.exit(f"{path} has no column {', '.join(missing)} (found: {found})")
    held_out = [f"validation_{name}" for name in names]
    validation = all(name in columns for name in held_out)
    return (
        [columns[name] for name in names],
        [columns[name] for name in held_out] if validation else [],
    )
