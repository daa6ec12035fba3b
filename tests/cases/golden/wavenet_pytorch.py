"""Made from wavenet.nn.

WaveNet (van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio",
arXiv:1609.03499): what sample comes next, of 256 by the mu-law, from all before it.

input T samples, as numbers from 0 to 255; 1,283,776 parameters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Conv1d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Gated(nn.Module):
    """A gated convolution over what was, with a way around; and what it tells."""

    def __init__(self, dilation: int = 1):
        super().__init__()
        self.dilation = dilation
        self.conv1d = nn.Conv1d(64, 64, 2, dilation=dilation)
        self.conv1d_2 = nn.Conv1d(64, 64, 2, dilation=dilation)
        self.conv1d_3 = nn.Conv1d(64, 64, 1)
        self.conv1d_4 = nn.Conv1d(64, 256, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.tanh(self.conv1d(F.pad(x, (self.dilation, 0)))) * torch.sigmoid(
            self.conv1d_2(F.pad(x, (self.dilation, 0)))
        )
        output = x + self.conv1d_3(y)
        output_2 = self.conv1d_4(y)
        return output, output_2


class WaveNet(nn.Module):
    """samples i64[N, T] -> logits [N, T, 256] (as in the spec)"""

    def __init__(self):
        super().__init__()
        self.conv1d = nn.Conv1d(256, 64, 2)
        self.gated_layers = nn.ModuleList(
            [Gated(2**i) for _ in range(3) for i in range(10)]
        )
        self.conv1d_2 = nn.Conv1d(256, 256, 1)
        self.conv1d_3 = nn.Conv1d(256, 256, 1)
        self.apply(init_weights)

    def forward(self, samples: Tensor) -> Tensor:
        x = F.one_hot(samples, 256).to(torch.float32)
        x = F.pad(x, (0, 0, 1, 0)).transpose(1, 2)  # [N, 256, T + 1]
        x = self.conv1d(x)
        x, more = self.gated_layers[0](x)
        told = more
        for gated in self.gated_layers[1:]:
            x, more = gated(x)
            told = told + more
        x = F.relu(told)
        x = F.relu(self.conv1d_2(x))
        logits = self.conv1d_3(x)
        return logits.transpose(1, 2)
