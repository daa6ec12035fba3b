"""Padding that depends on the size of the input."""

import torch.nn.functional as F
from torch import Tensor


def same_padding(x: Tensor, kernel, stride, dilation=(1, 1, 1), value=0.0) -> Tensor:
    """Pad the input so that a window finds size / stride places, the odd cell at the end."""
    around: list[int] = []
    for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        around = [total // 2, total - total // 2, *around]
    return F.pad(x, around, value=value)
