"""Made from resnet.nn."""

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


class Residual(nn.Module):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, filters: int):
        super().__init__()
        self.conv2d = nn.Conv2d(filters, filters, 3, padding="same", bias=False)
        self.batch_norm = BatchNorm2d(filters)
        self.conv2d_2 = nn.Conv2d(filters, filters, 3, padding="same", bias=False)
        self.batch_norm_2 = BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2d(x)
        y = F.relu(self.batch_norm(y))
        y = self.conv2d_2(y)
        y = self.batch_norm_2(y)
        return F.relu(y + x)


class ResidualStride2(nn.Module):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, in_channels: int, filters: int):
        super().__init__()
        self.conv2d = nn.Conv2d(in_channels, filters, 3, stride=2, bias=False)
        self.batch_norm = BatchNorm2d(filters)
        self.conv2d_2 = nn.Conv2d(filters, filters, 3, padding="same", bias=False)
        self.batch_norm_2 = BatchNorm2d(filters)
        self.conv2d_3 = nn.Conv2d(in_channels, filters, 1, stride=2, bias=False)
        self.batch_norm_3 = BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2d(F.pad(x, (0, 1, 0, 1)))
        y = F.relu(self.batch_norm(y))
        y = self.conv2d_2(y)
        y = self.batch_norm_2(y)
        x = self.conv2d_3(x)
        shortcut = self.batch_norm_3(x)
        return F.relu(y + shortcut)


class ResNet(nn.Module):
    """A small residual network.

    image [N, 3, 32, 32] (NCHW) -> logits [N, 10]
    """

    def __init__(self):
        super().__init__()
        self.conv2d = nn.Conv2d(3, 16, 3, padding="same", bias=False)
        self.batch_norm = BatchNorm2d(16)
        self.residuals = nn.ModuleList([Residual(16) for _ in range(2)])
        self.residuals_2 = nn.ModuleList([Residual(16) for _ in range(2)])
        self.residual_3 = ResidualStride2(16, 32)
        self.residual_4 = Residual(32)
        self.residual_5 = ResidualStride2(32, 64)
        self.dense = nn.Linear(64, 10)
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv2d(image)
        x = F.relu(self.batch_norm(x))
        for residual in self.residuals:
            x = residual(x)
        for residual in self.residuals_2:
            x = residual(x)
        x = self.residual_3(x)
        x = self.residual_4(x)
        x = self.residual_5(x)
        x = x.mean(dim=(2, 3))
        return self.dense(x)
