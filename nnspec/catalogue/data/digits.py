"""1,797 handwritten digits that ship with nnspec: 1,437 to train on, 360 held out.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998 (CC BY 4.0), the 8x8 test part; see `tools/make_digits.py`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.core.fields import arg
from nnspec.core.kinds import whole
from nnspec.core.lazy import np
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns

    Array = np.ndarray[Any, Any]

FILE = Path(__file__).with_name("digits.npz")
HELD_OUT = 360
BRIGHTEST = 16
LARGEST = 512


@DATASETS.add
class Digits(DataSet):
    """1,797 handwritten digits of 8x8 cells that ship with nnspec, resized on request (UCI, 1998)."""

    name = "digits"
    columns = ("image", "label")
    size: int = arg("edge of the images", whole(1), default=8)

    def read(self, root: Path) -> tuple[Columns, Columns]:
        return read(self.size)


def read(size: int = 8) -> tuple[dict[str, Array], dict[str, Array]]:
    """`image` f32[N, size, size, 1] in [0, 1] and `label` i64[N]; training part, held-out part."""
    if size > LARGEST:
        raise SpecError(
            Diagnostic("E0801", f"digits of size {size} are beyond the limit of {LARGEST}")
        )
    pixels, labels = _stored()
    image = resize(pixels.astype(np.float64) / BRIGHTEST, size).astype(np.float32)[..., np.newaxis]
    label = labels.astype(np.int64)
    cut = len(label) - HELD_OUT
    return (
        {"image": image[:cut], "label": label[:cut]},
        {"image": image[cut:], "label": label[cut:]},
    )


def resize(images: Array, size: int) -> Array:
    """Bilinear resampling of [N, H, W] with half-pixel centres, the edge repeated beyond the border.

    Only elementwise arithmetic, so that every machine gets the same bits.
    """
    return _resample(_resample(images, size, axis=1), size, axis=2)


def _resample(images: Array, size: int, axis: int) -> Array:
    length = images.shape[axis]
    if size == length:
        return images
    centre = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0, length - 1)
    left = np.floor(centre).astype(int)
    right = np.minimum(left + 1, length - 1)
    share = (centre - left).reshape([-1 if i == axis else 1 for i in range(images.ndim)])
    blended: Array = images.take(left, axis) * (1 - share) + images.take(right, axis) * share
    return blended


@cache
def _stored() -> tuple[Array, Array]:
    with np.load(FILE, allow_pickle=False) as file:
        return file["image"], file["label"]
