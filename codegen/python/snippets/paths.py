"""Files of programs with several networks."""

from pathlib import Path


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")
