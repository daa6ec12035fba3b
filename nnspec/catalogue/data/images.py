"""Reading one image that anybody may have made."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
MODES = {1: "L", 3: "RGB"}
MOST_PIXELS = 1 << 26
TOO_LARGE = f"is an image of more than {MOST_PIXELS:,} pixels"
Got = TypeVar("Got")


class Refused(ValueError):
    """What is wrong with an image, to be said after its name."""


def pillow(wanted_by: Path) -> None:
    """Raise `SpecError` (E0702) where Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise SpecError(
            Diagnostic(
                "E0702",
                f"reading images from `{wanted_by}` needs `pillow`, not installed here",
                helps=('pip install "nnspec[images]"',),
            )
        ) from None


def decoded(path: Path, size: int, channels: int) -> Array:
    """The square in the middle of an image, as bytes [size, size, channels]; raises `SpecError`."""
    from PIL import Image, ImageOps

    def pixels(image: Any) -> Array:
        # JPEG can be decoded at half its size and less, as long as there are enough pixels left.
        image.draft(None, (2 * size, 2 * size))
        fitted = ImageOps.fit(
            image.convert(MODES[channels]), (size, size), Image.Resampling.BILINEAR
        )
        return np.array(fitted, np.uint8).reshape(size, size, channels)

    return _opened(path, pixels)


def fault(path: Path, *, whole: bool) -> Diagnostic | None:
    """What is wrong with an image; of its pixels, where the whole is looked at."""

    def looked_at(image: Any) -> None:
        if whole:
            image.draft(None, (1, 1))
            image.load()

    try:
        _opened(path, looked_at)
    except SpecError as error:
        return error.diagnostics[0]
    return None


def _opened(path: Path, use: Callable[[Any], Got]) -> Got:
    from PIL import Image, UnidentifiedImageError

    # Our own bound is the lower one; a warning would only come beside it.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Refused(TOO_LARGE)
            if image.mode.startswith(("I", "F")):
                raise Refused("has pixels of more than 8 bits, which are not read")
            return use(image)
    except Refused as error:
        raise _bad(path, str(error)) from None
    except Image.DecompressionBombError:
        raise _bad(path, TOO_LARGE) from None
    except UnidentifiedImageError:
        raise _bad(path, "is no image", f"read are {', '.join(FORMATS)}") from None
    except Exception as error:  # noqa: BLE001  each of Pillow's readers fails in its own way
        told = error.strerror if isinstance(error, OSError) else None
        what = f"cannot be read: {told.lower()}" if told else "is damaged: it cannot be decoded"
        raise _bad(path, what) from None


def _bad(path: Path, what: str, *notes: str) -> SpecError:
    helps = ("take it out of the folder, or put a whole one in its place",)
    return SpecError(Diagnostic("E0603", f"`{path}` {what}", notes=notes, helps=helps))
