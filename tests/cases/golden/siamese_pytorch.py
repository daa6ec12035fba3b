"""Made from siamese.nn."""

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


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv2d = nn.Conv2d(8, 8, 1)
        self.avg_pool2d = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.conv2d(x), self.avg_pool2d(x), x


class Siamese(nn.Module):
    """Two inputs through one encoder, compared; bound compositions and parallels.

    left [N, 3, 12, 10] (NCHW), right [N, 3, 12, 10] (NCHW) -> distance [N], similarity
    [N], code_a [N, 16]
    """

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding="same"),
            BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.branches = Branches()
        self.head = nn.Sequential(
            nn.Linear(720, 32), nn.Tanh(), nn.Dropout(0.2), nn.Linear(32, 16)
        )
        self.apply(init_weights)

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = self.stem(left)
        b = self.stem(right)
        x, y, z = self.branches(a)
        c = torch.cat([x, y, z], dim=1)  # [N, 24, 6, 5]
        x, y, z = self.branches(b)
        d = torch.cat([x, y, z], dim=1)  # [N, 24, 6, 5]
        # Both codes come from the same head.
        x = torch.flatten(c, 1).reshape(-1, 24, 6, 5)  # [N, 24, 6, 5]
        x = x.permute(0, 2, 3, 1).reshape(-1, 720)  # [N, 720]
        code_a = self.head(x)
        x = torch.flatten(d, 1).reshape(-1, 24, 6, 5)  # [N, 24, 6, 5]
        x = x.permute(0, 2, 3, 1).reshape(-1, 720)  # [N, 720]
        code_b = self.head(x)
        x = (code_a - code_b) * (code_a - code_b)
        distance = x.mean(dim=-1)
        return distance, torch.exp(-distance), code_a
