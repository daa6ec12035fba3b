"""What an ONNX model reads, and what may be given for it: one rule for arrays and pictures.

An array is taken where it holds the kind of number that the input does (whole numbers, fractions, truth values,
text) and every value fits: widths may differ, kinds may not. Bytes given to an input of fractions, from a
picture or from an array of uint8, are pixels: their 0 to 255 become 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nnspec.graph.layouts import Layout
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.graph.weight_map import Array

BRIGHTEST = 255

KINDS = {"f": "fractions", "i": "whole numbers", "b": "truth values", "U": "text"}
_KIND_OF = {"f": "f", "i": "i", "u": "i", "b": "b", "U": "U", "O": "U"}


@dataclass(frozen=True)
class ElementType:
    """A row of the table of ONNX's element types.

    onnx: as onnxruntime spells it; numpy: of arrays, in ml_dtypes where NumPy has none; code: of
    `TensorProto`, for the types that onnxruntime does not take as arrays.
    """

    onnx: str
    numpy: str
    kind: str
    code: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.code is None:
            return np.dtype(self.numpy)
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, self.numpy))


ELEMENT_TYPES = {
    t.onnx: t
    for t in (
        ElementType("float", "float32", "f"),
        ElementType("float16", "float16", "f"),
        ElementType("double", "float64", "f"),
        ElementType("bfloat16", "bfloat16", "f", code=16),
        ElementType("float8e4m3fn", "float8_e4m3fn", "f", code=17),
        ElementType("float8e4m3fnuz", "float8_e4m3fnuz", "f", code=18),
        ElementType("float8e5m2", "float8_e5m2", "f", code=19),
        ElementType("float8e5m2fnuz", "float8_e5m2fnuz", "f", code=20),
        *(ElementType(f"{u}int{n}", f"{u}int{n}", "i") for u in ("", "u") for n in (8, 16, 32, 64)),
        ElementType("bool", "bool", "b"),
        ElementType("string", "object", "U"),
    )
}
"""Complex numbers and those of fewer than 8 bits have no place at onnxruntime's boundary."""


def element_type(spelled: str) -> ElementType | None:
    """The type of `tensor(float)`; None for sequences, maps and what onnxruntime cannot exchange."""
    return ELEMENT_TYPES.get(spelled.removeprefix("tensor(").removesuffix(")"))


@dataclass(frozen=True)
class Input:
    """What a model reads.

    type: its elements; None where no file can hold them (`spelled` says what they are).
    shape: numbers, names, or None for sizes that the model does not say.
    layout: None where it is not known.
    choices: how many there are to choose from, where the values are indices.
    """

    name: str
    spelled: str
    shape: tuple[int | str | None, ...]
    layout: Layout | None = None
    choices: int | None = None

    @property
    def type(self) -> ElementType | None:
        return element_type(self.spelled)

    def __str__(self) -> str:
        sizes = ", ".join("?" if d is None else str(d) for d in self.shape)
        name = self.type.numpy if self.type and self.type.kind != "U" else self.spelled
        order = f" ({self.layout})" if self.layout and self.layout.axes else ""
        return f"{name}[{sizes}]{order}"


def converted(wanted: Input, array: Array, origin: str) -> Array:
    """The array with the input's element type; raises `SpecError` (E0715) where its values do not fit.

    origin: what messages call it: the file's name.
    """
    if wanted.type is None:
        raise _wrong(wanted, origin, f"takes {wanted.spelled}, which no file can hold")
    kind, target = wanted.type.kind, wanted.type.dtype
    # ml_dtypes' own kinds are those of opaque bytes.
    given = "f" if array.dtype.name.startswith(("bfloat", "float8")) else array.dtype.kind
    if array.dtype == np.uint8 and kind == "f":
        return (array.astype(np.float32) / np.float32(BRIGHTEST)).astype(target)
    if _KIND_OF.get(given) != kind:
        shown = array.dtype.name if given != "U" else "text"
        helps = _ways(kind, given, target)
        raise _wrong(wanted, origin, f"takes {KINDS[kind]}, and is given {shown}", *helps)
    _check_values(wanted, array, origin, target)
    return np.asarray(array.astype(target, copy=False), order="C")


def _ways(kind: str, given: str, target: np.dtype[Any]) -> tuple[str, ...]:
    if kind == "U" or given not in "fiub":
        return ()
    rounding = "round first: `np.rint(a)." if (kind, given) == ("i", "f") else "`a."
    return (f'say that they are meant: {rounding}astype("{target.name}")` before saving',)


def _check_values(wanted: Input, array: Array, origin: str, target: np.dtype[Any]) -> None:
    """Whole numbers within the type and the choices; fractions that do not become infinite."""
    if array.size == 0 or wanted.type is None:
        return
    if wanted.type.kind == "i":
        low, high = int(np.iinfo(target).min), int(np.iinfo(target).max)
        if wanted.choices is not None:
            low, high = 0, wanted.choices - 1
        for place in (array.argmin(), array.argmax()):
            value = int(array.flat[place])
            if not low <= value <= high:
                what = "indices" if wanted.choices is not None else f"{target.name} numbers"
                raise _outside(wanted, origin, f"{what} from {low} to {high}", value, array, place)
    elif wanted.type.kind == "f" and array.dtype != target:
        with np.errstate(over="ignore"):
            lost = np.isfinite(array) & ~np.isfinite(array.astype(target))
        if lost.any():
            place = lost.argmax()
            takes = f"{target.name}, which cannot hold all of it"
            raise _outside(wanted, origin, takes, float(array.flat[place]), array, place)


def _outside(
    wanted: Input, origin: str, takes: str, value: float, array: Array, place: Any
) -> SpecError:
    at = [int(i) for i in np.unravel_index(place, array.shape)]
    return _wrong(wanted, origin, f"takes {takes}; found {value} at {at}")


def check_shapes(inputs: Mapping[str, tuple[Input, Array]], *, named: bool) -> None:
    """Raise `SpecError` (E0713) where an array has another shape than its input.

    named: a size of one name is the same everywhere, as in models that nnspec made.
    """
    sizes: dict[str, tuple[int, str]] = {}
    for name, (wanted, array) in inputs.items():
        fits = len(wanted.shape) == array.ndim and all(
            not isinstance(want, int) or want == have
            for want, have in zip(wanted.shape, array.shape, strict=True)
        )
        if not fits:
            message = f"input `{name}` is {wanted}, but is given {list(array.shape)}"
            raise SpecError(Diagnostic("E0713", message))
        for want, have in zip(wanted.shape, array.shape, strict=True):
            if not named or not isinstance(want, str) or not want.isidentifier():
                continue
            first, where = sizes.setdefault(want, (have, name))
            if first != have:
                message = f"`{want}` is {first} in `{where}`, but {have} in `{name}`"
                raise SpecError(Diagnostic("E0713", message))


def _wrong(wanted: Input, origin: str, what: str, *helps: str) -> SpecError:
    source = "" if origin == wanted.name else f" (from `{origin}`)"
    return SpecError(Diagnostic("E0715", f"input `{wanted.name}`{source} {what}", helps=helps))
