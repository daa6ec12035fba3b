"""Networks whose weights follow another's."""

import torch
from torch import nn


@torch.no_grad()
def average(follower: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the weights of a network, running statistics too, a step towards another's."""
    weights = net.state_dict()
    for name, mean in follower.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(weights[name], 1 - decay)
        else:
            mean.copy_(weights[name])
