"""Made from densenet.nn."""

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


class DenseLayer(nn.Module):
    """What a layer finds is set beside what it was given (Huang et al. 2017)."""

    def __init__(self, features: int):
        super().__init__()
        self.batch_norm = BatchNorm2d(features)
        self.conv2d = nn.Conv2d(features, 8, 3, padding="same", bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.batch_norm(x))
        found = self.conv2d(y)
        return torch.cat([x, found], dim=1)


class Stage(nn.Module):
    """A stage of one width."""

    def __init__(self, in_channels: int, filters: int):
        super().__init__()
        self.conv2d = nn.Conv2d(in_channels, filters, 3, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2d(x))


class DenseNet(nn.Module):
    """Layers that grow by the same amount, stages in runs, one pool for all.

    image [N, 3, 32, 32] (NCHW) -> logits [N, 10]
    """

    def __init__(self):
        super().__init__()
        self.conv2d = nn.Conv2d(3, 16, 3, padding="same")
        self.dense_layers = nn.ModuleList([DenseLayer(16 + 8 * i) for i in range(6)])
        self.max_pool2d = nn.MaxPool2d(2)
        self.body = nn.Sequential(
            Stage(64, 64), Stage(64, 64), Stage(64, 128), Stage(128, 128)
        )
        self.dense = nn.Linear(128, 10)
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv2d(image)
        for dense_layer in self.dense_layers:
            x = dense_layer(x)
        x = self.max_pool2d(x)
        x = self.body(x)
        x = self.max_pool2d(x)
        x = x.mean(dim=(2, 3))
        return self.dense(x)
