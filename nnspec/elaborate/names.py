"""Names of layers in a graph."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


def snake_case(name: str) -> str:
    """`Conv2D` to `conv2d`, `MaxPool2D` to `max_pool2d`, `ConvBN` to `conv_bn`, `LSTM` to `lstm`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return spaced.lower()


def pascal_case(name: str) -> str:
    """`stem` to `Stem`, `down_block` to `DownBlock`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) or name


@dataclass
class Namer:
    """Unique names within one graph: the second `dense` is `dense_2`."""

    used: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def claim(self, wanted: str) -> str:
        name = wanted
        while name in self.used:
            self.counts[wanted] = self.counts.get(wanted, 1) + 1
            name = f"{wanted}_{self.counts[wanted]}"
        self.used.add(name)
        return name
