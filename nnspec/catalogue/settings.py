"""What a training program sets: by assignment (`epochs = 10`), and of each update (`every = 5`)."""

from __future__ import annotations

from typing import Any

from nnspec.catalogue.data.catalogue import DataSource, dataset
from nnspec.core.declare import Declaration, declaration
from nnspec.core.fields import arg
from nnspec.core.kinds import (
    anything,
    boolean,
    choice,
    instance,
    optional,
    positive,
    require,
    string,
    whole,
)


@declaration
class Best(Declaration):
    """The epoch in which a figure is best: `keep = best("val_accuracy")`."""

    name = "best"
    figure: str = arg("a loss or metric by its name; of what is held out, `val_` before it", string)
    highest: bool | None = arg(
        "whether the highest is best; by default as the metric has it, of losses the lowest",
        optional(boolean),
        default=None,
    )


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


held_out = require(
    "a data set such as `digits()`, or a share of the rows between 0 and 1",
    lambda value: isinstance(value, DataSource) or _is_share(value),
)


@declaration
class Settings(Declaration):
    """The assignments of a training program that are not values of the step.

    Exactly one of `epochs` and `steps` is set.
    """

    name = "train"
    data: DataSource | None = arg("what is trained on", dataset, default=None)
    validation: DataSource | float | None = arg(
        "what metrics are held against: a data set, or a share of the rows of `data`",
        held_out,
        default=None,
    )
    epochs: int | None = arg("how often the data is gone through", whole(1), default=1)
    steps: int | None = arg("how many batches, instead of `epochs`", whole(1), default=None)
    batch_size: int = arg("rows of a batch", whole(1), default=32)
    accumulate: int = arg(
        "so many batches make one update, of the mean of their gradients", whole(1), default=1
    )
    keep: Best | None = arg(
        "which epoch's weights a run ends with; by default the last one's",
        instance('an epoch, as in `best("val_loss")`', Best),
        default=None,
    )
    early_stop: int | None = arg(
        "after how many epochs without a better figure a run ends: that of `keep`, or else the held-out loss",
        whole(1),
        default=None,
    )
    seed: int = arg("drives shuffling and random numbers", whole(0, 2**32 - 1), default=0)
    precision: str = arg("what is computed in", choice("f32"), default="f32")


@declaration
class Making(Declaration):
    """What a program decides of an update, whatever the optimizer: given with its parameters."""

    name = "using"
    every: int | None = arg(
        "the update is made on each so-many-th step; 1 by default", whole(1), default=None
    )
    accumulate: int | None = arg(
        "so many steps make one update, of the mean of their gradients", whole(1), default=None
    )
    clip_norm: float | None = arg(
        "gradients are scaled down together where their joint norm is greater",
        positive,
        default=None,
    )
    clip_value: float | None = arg(
        "each element of a gradient is kept between this and its opposite", positive, default=None
    )
    no_decay: tuple[Any, ...] = arg(
        "weights that do not decay: `bias`, `norm`, `embedding`, networks and their parts",
        anything,
        default=(),
    )

    @property
    def says_when(self) -> bool:
        """Whether it says on which steps the update is made; else the program does."""
        return self.every is not None or self.accumulate is not None
