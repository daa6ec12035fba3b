"""Made from unet.nn.

U-Net (Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", arXiv:1505.04597), padded and normalised as is usual today: the map has
the size of the image.

input 256x256x3; 31,037,633 parameters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RunningStatistics(nn.Module):
    """Batch norms that keep the variance of the batch; PyTorch's own keep the sample's."""

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        weight, bias, momentum = self.weight, self.bias, self.momentum
        if not self.training:
            return F.batch_norm(x, mean, variance, weight, bias, eps=self.eps)
        self.num_batches_tracked.add_(1)
        sample = torch.zeros_like(variance)
        x = F.batch_norm(x, mean, sample, weight, bias, True, momentum, self.eps)
        # PyTorch's is n / (n - 1) times the batch's.
        variance.mul_(1 - momentum).add_(sample, alpha=1 - x.size(1) / x.numel())
        return x


class BatchNorm2d(RunningStatistics, nn.BatchNorm2d):
    pass


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ConvBN(nn.Module):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, in_channels: int, filters: int):
        super().__init__()
        self.conv2d = nn.Conv2d(in_channels, filters, 3, padding=1, bias=False)
        self.batch_norm = BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2d(x)
        x = self.batch_norm(x)
        return F.relu(x)


class Twice(nn.Module):
    def __init__(self, in_channels: int, filters: int):
        super().__init__()
        self.conv_bn = ConvBN(in_channels, filters)
        self.conv_bn_2 = ConvBN(filters, filters)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_bn(x)
        return self.conv_bn_2(x)


class Up(nn.Module):
    """Twice the size, beside what was seen at that size on the way down."""

    def __init__(self, in_channels: int, filters: int):
        super().__init__()
        self.conv_transpose2d = nn.ConvTranspose2d(in_channels, filters, 2, stride=2)
        self.twice = Twice(in_channels, filters)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        y = self.conv_transpose2d(x)
        x = torch.cat([seen, y], dim=1)
        return self.twice(x)


class UNet(nn.Module):
    """image [N, 3, 256, 256] (NCHW) -> logits [N, 1, 256, 256] (NCHW)"""

    def __init__(self):
        super().__init__()
        self.twice = Twice(3, 64)
        self.max_pool2d = nn.MaxPool2d(2)
        self.twice_2 = Twice(64, 128)
        self.twice_3 = Twice(128, 256)
        self.twice_4 = Twice(256, 512)
        self.twice_5 = Twice(512, 1024)
        self.up = Up(1024, 512)
        self.up_2 = Up(512, 256)
        self.up_3 = Up(256, 128)
        self.up_4 = Up(128, 64)
        self.conv2d = nn.Conv2d(64, 1, 1)
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        one = self.twice(image)
        x = self.max_pool2d(one)
        two = self.twice_2(x)
        x = self.max_pool2d(two)
        three = self.twice_3(x)
        x = self.max_pool2d(three)
        four = self.twice_4(x)
        x = self.max_pool2d(four)
        x = self.twice_5(x)
        x = self.up(x, four)
        x = self.up_2(x, three)
        x = self.up_3(x, two)
        x = self.up_4(x, one)
        return self.conv2d(x)
