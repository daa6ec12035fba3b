"""Made from resnet50.nn.

ResNet-50 (He et al. 2015, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385), as torchvision has it.

input 224x224x3; 25,557,032 parameters; 4.09 G multiply-adds.
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
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ConvBN(nn.Module):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(
        self,
        in_channels: int,
        filters: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ):
        super().__init__()
        self.conv2d = nn.Conv2d(
            in_channels, filters, kernel, stride=stride, padding=padding, bias=False
        )
        self.batch_norm = BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2d(x)
        x = self.batch_norm(x)
        return F.relu(x)


class ConvBN2(nn.Module):
    """A convolution, its batch normalised, an activation (Ioffe and Szegedy 2015)."""

    def __init__(self, in_channels: int, filters: int, stride: int = 1):
        super().__init__()
        self.conv2d = nn.Conv2d(in_channels, filters, 1, stride=stride, bias=False)
        self.batch_norm = BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2d(x)
        return self.batch_norm(x)


class Bottleneck(nn.Module):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, in_channels: int, filters: int, stride: int = 1):
        super().__init__()
        self.conv_bn = ConvBN(in_channels, filters, 1)
        self.conv_bn_2 = ConvBN(filters, filters, 3, stride=stride, padding=1)
        self.conv_bn_3 = ConvBN2(filters, 4 * filters)
        self.shortcut = ConvBN2(in_channels, 4 * filters, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        x = self.shortcut(x)
        return F.relu(x + y)


class Bottleneck2(nn.Module):
    """Narrowed, convolved, widened, and a way around (He et al. 2016)."""

    def __init__(self, in_channels: int, filters: int):
        super().__init__()
        self.conv_bn = ConvBN(in_channels, filters, 1)
        self.conv_bn_2 = ConvBN(filters, filters, 3, padding=1)
        self.conv_bn_3 = ConvBN2(filters, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_bn(x)
        y = self.conv_bn_2(y)
        y = self.conv_bn_3(y)
        return F.relu(x + y)


class ResNet50(nn.Module):
    """image [N, 3, 224, 224] (NCHW) -> logits [N, 1000]"""

    def __init__(self):
        super().__init__()
        self.conv_bn = ConvBN(3, 64, 7, stride=2, padding=3)
        self.max_pool2d = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage = nn.Sequential(
            Bottleneck(64, 64), Bottleneck2(256, 64), Bottleneck2(256, 64)
        )
        self.stage_2 = nn.Sequential(
            Bottleneck(256, 128, stride=2), *[Bottleneck2(512, 128) for _ in range(3)]
        )
        self.stage_3 = nn.Sequential(
            Bottleneck(512, 256, stride=2), *[Bottleneck2(1024, 256) for _ in range(5)]
        )
        self.stage_4 = nn.Sequential(
            Bottleneck(1024, 512, stride=2),
            Bottleneck2(2048, 512),
            Bottleneck2(2048, 512),
        )
        self.dense = nn.Linear(2048, 1000)
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv_bn(image)
        x = self.max_pool2d(x)
        x = self.stage(x)
        x = self.stage_2(x)
        x = self.stage_3(x)
        x = self.stage_4(x)
        x = x.mean(dim=(2, 3))
        return self.dense(x)
