"""The spec of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnspec.driver.sources import read_source

if TYPE_CHECKING:
    from nnspec.api import Spec


def load_spec(path: Path, settings: Sequence[str] | None, roots: Sequence[Path] | None) -> Spec:
    """The compiled spec of a command, with what `--set` and `--import-root` gave it."""
    from nnspec.api import compile_spec
    from nnspec.commands.settings import parse_settings

    return compile_spec(read_source(path), tuple(roots or ()), parse_settings(settings))
