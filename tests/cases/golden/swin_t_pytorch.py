"""Made from swin_t.nn.

Swin-T (Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using
Shifted Windows", arXiv:2103.14030), without the random depth of its training.

input 224x224x3; 28,288,354 parameters; 4.5 G multiply-adds.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def distances(x):
    """For each two cells of a window, which row of the table of biases is theirs."""
    x = torch.arange(x.shape[1], device=x.device)
    place = x[:7]
    apart = place.unsqueeze(1) - place + 6
    rows = 13 * apart.unsqueeze(1).unsqueeze(3) + apart.unsqueeze(0).unsqueeze(2)
    return rows.reshape(49, 49)


def windows(x):
    """An image cut into windows: `[N, H, W, C]` to `[N, windows, side * side, C]`."""
    cells = x.reshape(-1, x.shape[1] // 7, 7, x.shape[2] // 7, 7, x.shape[3])
    return cells.transpose(2, 3).reshape(
        -1, x.shape[1] * x.shape[2] // 49, 49, x.shape[3]
    )


def whole(x, image):
    """The windows put together again, beside the image that they were cut from."""
    cells = x.reshape(-1, image.shape[1] // 7, image.shape[2] // 7, 7, 7, x.shape[3])
    return cells.transpose(2, 3).reshape(
        -1, image.shape[1], image.shape[2], image.shape[3]
    )


def rolled(x, shift):
    """The image moved up and left by `shift` cells; what leaves it comes in at the
    other end.
    """
    x = torch.cat([x[:, shift:], x[:, :shift]], dim=1)
    return torch.cat([x[:, :, shift:], x[:, :, :shift]], dim=2)


def neighbours(x):
    """Which cells of a shifted window were neighbours before: `[windows, 1, cells,
    cells]`.
    """
    down = torch.arange(x.shape[1], dtype=x.dtype, device=x.device)
    across = torch.arange(x.shape[2], dtype=x.dtype, device=x.device)
    strip = (down >= x.shape[1] - 7).to(torch.float32) + (down >= x.shape[1] - 3).to(
        torch.float32
    )
    band = (across >= x.shape[2] - 7).to(torch.float32) + (across >= x.shape[2] - 3).to(
        torch.float32
    )
    regions = 3 * strip.unsqueeze(1) + band
    x = regions.unsqueeze(0).unsqueeze(3)
    x = windows(x)
    region = x[0, :, :, 0]
    x = region.unsqueeze(2) == region.unsqueeze(1)
    return x.unsqueeze(1)


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class WindowAttention(nn.Module):
    """Attention within windows, with a bias learnt for each distance between two cells."""

    def __init__(self, in_features: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_features = in_features
        self.dense = nn.Linear(in_features, 3 * in_features)
        self.dense_2 = nn.Linear(in_features, in_features)
        self.table = nn.Parameter(nn.init.normal_(torch.empty(169, heads), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        y = distances(x)
        y = self.table[y]
        bias = y.permute(2, 0, 1)
        cells = windows(x)
        y = self.dense(cells)
        qkv = y.reshape(
            -1, x.shape[1] * x.shape[2] // 49, 49, 3, self.heads, 32
        ).permute(3, 0, 1, 4, 2, 5)
        scores = qkv[0] * 0.1767766952966369 @ qkv[1].transpose(3, 4) + bias
        y = F.softmax(scores, dim=-1) @ qkv[2]
        seen = y.transpose(2, 3)
        y = seen.reshape(-1, x.shape[1] * x.shape[2] // 49, 49, self.in_features)
        y = self.dense_2(y)
        return whole(y, x)


class Layer(nn.Module):
    def __init__(self, features: int, heads: int):
        super().__init__()
        self.layer_norm = nn.LayerNorm(features)
        self.window_attention = WindowAttention(features, heads)
        self.layer_norm_2 = nn.LayerNorm(features)
        self.dense = nn.Linear(features, 4 * features)
        self.dense_2 = nn.Linear(4 * features, features)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer_norm(x)
        x = x + self.window_attention(y)
        y = self.layer_norm_2(x)
        y = F.gelu(self.dense(y))
        return x + self.dense_2(y)


class WindowAttentionShift3(nn.Module):
    """Attention within windows, with a bias learnt for each distance between two cells."""

    def __init__(self, in_features: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_features = in_features
        self.dense = nn.Linear(in_features, 3 * in_features)
        self.dense_2 = nn.Linear(in_features, in_features)
        self.table = nn.Parameter(nn.init.normal_(torch.empty(169, heads), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        y = distances(x)
        y = self.table[y]
        bias = y.permute(2, 0, 1)
        cells = rolled(x, 3)
        cells = windows(cells)
        y = self.dense(cells)
        qkv = y.reshape(
            -1, x.shape[1] * x.shape[2] // 49, 49, 3, self.heads, 32
        ).permute(3, 0, 1, 4, 2, 5)
        scores = qkv[0] * 0.1767766952966369 @ qkv[1].transpose(3, 4) + bias
        scores = torch.where(neighbours(x), scores, -1000000000.0)
        y = F.softmax(scores, dim=-1) @ qkv[2]
        seen = y.transpose(2, 3)
        y = seen.reshape(-1, x.shape[1] * x.shape[2] // 49, 49, self.in_features)
        y = self.dense_2(y)
        y = whole(y, x)
        return rolled(y, -3)


class Layer2(nn.Module):
    def __init__(self, features: int, heads: int):
        super().__init__()
        self.layer_norm = nn.LayerNorm(features)
        self.window_attention = WindowAttentionShift3(features, heads)
        self.layer_norm_2 = nn.LayerNorm(features)
        self.dense = nn.Linear(features, 4 * features)
        self.dense_2 = nn.Linear(4 * features, features)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer_norm(x)
        x = x + self.window_attention(y)
        y = self.layer_norm_2(x)
        y = F.gelu(self.dense(y))
        return x + self.dense_2(y)


class Merge(nn.Module):
    """Half the size, twice the features."""

    def __init__(self, features: int):
        super().__init__()
        self.layer_norm = nn.LayerNorm(features)
        self.dense = nn.Linear(features, features // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat(
            [x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]], dim=-1
        )
        x = self.layer_norm(y)
        return self.dense(x)


class SwinT(nn.Module):
    """image [N, 3, 224, 224] (NCHW) -> logits [N, 1000]"""

    def __init__(self):
        super().__init__()
        self.conv2d = nn.Conv2d(3, 96, 4, stride=4)
        self.layer_norm = nn.LayerNorm(96)
        self.layers = nn.ModuleList([Layer(96, 3), Layer2(96, 3)])
        self.merge = Merge(384)
        self.layers_3 = nn.ModuleList([Layer(192, 6), Layer2(192, 6)])
        self.merge_2 = Merge(768)
        self.layers_5 = nn.ModuleList(
            [
                Layer(384, 12),
                Layer2(384, 12),
                Layer(384, 12),
                Layer2(384, 12),
                Layer(384, 12),
                Layer2(384, 12),
            ],
        )
        self.merge_3 = Merge(1536)
        self.layers_11 = nn.ModuleList([Layer(768, 24) for _ in range(2)])
        self.layer_norm_2 = nn.LayerNorm(768)
        self.dense = nn.Linear(768, 1000)
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv2d(image)
        x = x.permute(0, 2, 3, 1)  # [N, 56, 56, 96]
        x = self.layer_norm(x)
        for layer in self.layers:
            x = layer(x)
        x = self.merge(x)
        for layer in self.layers_3:
            x = layer(x)
        x = self.merge_2(x)
        for layer in self.layers_5:
            x = layer(x)
        x = self.merge_3(x)
        for layer in self.layers_11:
            x = layer(x)
        x = self.layer_norm_2(x)
        x = x.mean(dim=(1, 2))
        return self.dense(x)
