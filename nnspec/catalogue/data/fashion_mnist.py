"""Fashion-MNIST: the same four IDX files as MNIST's, of clothes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nnspec.catalogue.data.catalogue import DATASETS, DataSet
from nnspec.catalogue.data.mnist import read_parts
from nnspec.core.fields import arg
from nnspec.core.kinds import string

if TYPE_CHECKING:
    from nnspec.catalogue.data.catalogue import Columns


@DATASETS.add
class FashionMnist(DataSet):
    """The 70,000 pictures of clothes of Xiao et al. (2017), read from the IDX files in a directory.

    `image` f32[N, 28, 28, 1] in [0, 1] and `label` i64[N].
    """

    name = "fashion_mnist"
    columns = ("image", "label")
    path: str = arg("directory with the four IDX files", string, default="fashion_mnist")

    def read(self, root: Path) -> tuple[Columns, Columns]:
        where = "get them from Fashion-MNIST's page (Zalando Research offers them as `.gz`; no need to unpack)"
        return read_parts(root / self.path, self.name, where)
