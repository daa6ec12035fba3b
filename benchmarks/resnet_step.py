"""A training step of a generated ResNet-18 beside the hand-written one: `python benchmarks/resnet_step.py`.

At 32x32 in PyTorch. Most of what generated code could cost here is in its batch norms, which keep another
variance than PyTorch's. Steps of both alternate in one process; what counts is the ratio within a round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from train_step import generated

SPEC = """
block Basic(filters, stride = 1) {
  input x
  y = x -> Conv2D(filters, 3, stride = stride, padding = 1, use_bias = false) -> BatchNorm -> relu
    -> Conv2D(filters, 3, padding = 1, use_bias = false) -> BatchNorm
  around = if stride == 1 then x
    else x -> Conv2D(filters, 1, stride = stride, use_bias = false) -> BatchNorm
  output relu(y + around)
}

model ResNet18(classes = 10) {
  input image: f32[N, 32, 32, 3]
  x = image -> Conv2D(64, 3, padding = 1, use_bias = false) -> BatchNorm -> relu
    -> Basic(64) -> Basic(64)
  for filters in [128, 256, 512] { x = x -> Basic(filters, stride = 2) -> Basic(filters) }
  output logits = x -> global_avg_pool -> Dense(classes)
}

train ResNet18 {
  net = ResNet18()
  batch image: f32[N, 32, 32, 3], label: i64[N]
  minimize cross_entropy(net(image), label) using SGD(0.01, momentum = 0.9)
}
"""


class Basic(nn.Module):
    def __init__(self, before: int, filters: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, filters, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.around = nn.Sequential()
        if stride > 1:
            convolution = nn.Conv2d(before, filters, 1, stride, bias=False)
            self.around = nn.Sequential(convolution, nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.around(x))


def by_hand() -> nn.Module:
    blocks: list[nn.Module] = [Basic(64, 64), Basic(64, 64)]
    for filters in (128, 256, 512):
        blocks += [Basic(filters // 2, filters, 2), Basic(filters, filters)]
    start = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return nn.Sequential(*start, *blocks, *end)


def stepper(net: nn.Module, step: Callable[..., Any], image: Tensor, label: Tensor) -> Any:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    return lambda: step(net, optimizer, image, label)


def hand_step(net: nn.Module, optimizer: Any, image: Tensor, label: Tensor) -> Tensor:
    loss = F.cross_entropy(net(image), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    module = generated("pytorch", SPEC)
    image = torch.randn(options.batch_size, 3, 32, 32, device=options.device)
    label = torch.randint(0, 10, (options.batch_size,), device=options.device)
    ours = stepper(module.ResNet18().to(options.device), module.train_step, image, label)
    theirs = stepper(by_hand().to(options.device), hand_step, image, label)

    def seconds(step: Callable[[], object]) -> float:
        start = time.perf_counter()
        step()
        if options.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for step in (ours, theirs) * 3:
        seconds(step)
    rounds = [(seconds(ours), seconds(theirs)) for _ in range(options.rounds)]
    a, b = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratios = sorted(x / y for x, y in rounds)
    print(
        f"generated {a * 1000:.1f} ms, by hand {b * 1000:.1f} ms, median ratio "
        f"{statistics.median(ratios):.3f} (quartiles {ratios[len(ratios) // 4]:.3f} to "
        f"{ratios[3 * len(ratios) // 4]:.3f})"
    )


if __name__ == "__main__":
    main()
