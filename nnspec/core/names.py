"""Names in other spellings."""

from __future__ import annotations

import re


def snake_case(name: str) -> str:
    """`Conv2D` to `conv2d`, `MaxPool2D` to `max_pool2d`, `ConvBN` to `conv_bn`, `LSTM` to `lstm`, `PReLU` to `p_relu`."""
    spaced = re.sub(
        r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.replace("ReLU", "Relu")
    )
    return spaced.lower()


def pascal_case(name: str) -> str:
    """`stem` to `Stem`, `down_block` to `DownBlock`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) or name
