"""From files to the inputs of a model: arrays, archives of arrays, pictures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnspec.core import arrays
from nnspec.core.orders import first, inverse, lay, plain
from nnspec.driver.tensors import Input, converted
from nnspec.graph.layouts import Layout
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.graph.weight_map import Array

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""How Pillow calls pictures of so many channels."""


def read_inputs(inputs: Sequence[Input], given: Sequence[str]) -> dict[str, Array]:
    """Inputs from `FILE` or `NAME=FILE`; `.npz` files hold several by name.

    Several files for one input are a batch: they are joined along the first axis. Raises `SpecError`.
    """
    names = [i.name for i in inputs]
    parts: dict[str, list[tuple[str, Array]]] = {}
    for text in given:
        name, path = _named(text, names)
        for target, array in _arrays(path, name, inputs, list(parts)):
            wanted = next((i for i in inputs if i.name == target), None)
            if wanted is not None:
                array = converted(wanted, array, path.name)
            parts.setdefault(target, []).append((path.name, array))
    return {name: _joined(name, found) for name, found in parts.items()}


def _named(text: str, names: Sequence[str]) -> tuple[str | None, Path]:
    """A file's name may hold an equals sign itself."""
    name, equals, file = text.partition("=")
    if not text or (equals and not file):
        raise SpecError(Diagnostic("E0714", f"`{text}` names no file"))
    if equals and (name in names or not Path(text).exists()):
        return name, Path(file)
    return None, Path(text)


def _arrays(
    path: Path, name: str | None, inputs: Sequence[Input], filled: Sequence[str]
) -> list[tuple[str, Array]]:
    """What a file holds, and for which input."""
    try:
        kind = arrays.kind(path)
        if kind == "npz":
            found = arrays.read_npz(path)
            if name is None:
                return list(found.items())
            if name not in found and len(found) != 1:
                names = ", ".join(found) or "none"
                raise arrays.ArrayFileError(f"has no array `{name}` (it holds: {names})")
            return [(name, found[name] if name in found else next(iter(found.values())))]
        target = name if name is not None else _next(inputs, filled, path)
        if kind == "npy":
            return [(target, arrays.read_npy(path))]
        if path.suffix in (".npy", ".npz"):
            raise arrays.ArrayFileError(f"is not a {path.suffix}, whatever its name says")
    except OSError as error:
        raise _unreadable(path, (error.strerror or str(error)).lower()) from None
    except arrays.ArrayFileError as error:
        raise SpecError(Diagnostic("E0714", f"`{path}` {error}")) from None
    wanted = next((i for i in inputs if i.name == target), None)
    return [(target, _picture(path, wanted))]


def _next(inputs: Sequence[Input], filled: Sequence[str], path: Path) -> str:
    """The input that a file without a name is for: the only one, or the next that has none."""
    names = [i.name for i in inputs]
    free = [n for n in names if n not in filled]
    if len(names) == 1 or free:
        return names[0] if len(names) == 1 else free[0]
    raise SpecError(
        Diagnostic(
            "E0710",
            f"there is no input left for `{path}`",
            notes=(f"inputs: {', '.join(names) or 'none'}",),
            helps=(f"`{names[0]}={path}` adds it to a batch",) if names else (),
        )
    )


def _joined(name: str, parts: Sequence[tuple[str, Array]]) -> Array:
    """Several arrays as one batch."""
    (first, array), *others = parts
    for origin, other in others:
        if other.ndim == 0 or array.shape[1:] != other.shape[1:]:
            raise SpecError(
                Diagnostic(
                    "E0713",
                    f"`{first}` and `{origin}` make no batch of `{name}`: "
                    f"{list(array.shape)} and {list(other.shape)}",
                )
            )
    return np.concatenate([a for _, a in parts]) if others else array


def _picture(path: Path, wanted: Input | None) -> Array:
    """A picture as bytes, one example in the model's own layout, resized to what the model reads."""
    try:
        from PIL import Image
    except ImportError:
        raise SpecError(
            Diagnostic(
                "E0702",
                f"`{path}` holds no array, and reading a picture needs `pillow`, not installed here",
                helps=('pip install "nnspec[images]", or give a `.npy` file',),
            )
        ) from None
    layout, (height, width, channels) = _image_sizes(path, wanted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.mode.startswith(("I", "F")):
                    raise ValueError("its pixels are wider than 8 bits; save it as a `.npy`")
                changed: Any = picture.convert(MODES[channels])
                if isinstance(height, int) and isinstance(width, int):
                    changed = changed.resize((width, height))
                pixels: Array = np.array(changed, np.uint8)
    except Image.UnidentifiedImageError:
        raise _unreadable(path, "it is no `.npy`, no `.npz` and no picture") from None
    except Exception as error:  # noqa: BLE001  each of Pillow's readers fails in its own way
        lines = str(error).splitlines()
        raise _unreadable(path, lines[0] if lines else type(error).__name__) from None
    example = pixels.reshape(1, *pixels.shape[:2], -1)
    return layout.there(example)


def _image_sizes(
    path: Path, wanted: Input | None
) -> tuple[Layout, tuple[int | str | None, int | str | None, int]]:
    """Layout, height, width and channels of an input that reads pictures; raises `SpecError`."""
    if wanted is None:
        return Layout(plain(4)), (None, None, 3)
    if len(wanted.shape) == 4:
        guess = Layout(first(4) if wanted.shape[1] in MODES else plain(4))
        layout = wanted.layout or guess
        _, height, width, channels = lay(wanted.shape, inverse(layout.order))
        if isinstance(channels, int) and channels in MODES:
            return layout, (height, width, channels)
    raise SpecError(
        Diagnostic(
            "E0713",
            f"input `{wanted.name}` is {wanted}, and `{path}` is a picture",
            notes=("a picture is an example [H, W, C] of 1, 3 or 4 channels",),
        )
    )


def _unreadable(path: Path, reason: str) -> SpecError:
    return SpecError(Diagnostic("E0714", f"cannot read `{path}`: {reason}"))
