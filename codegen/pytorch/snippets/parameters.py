"""Layers whose parameters stay, or begin otherwise than by default."""

from torch import nn


def frozen(layer: nn.Module, *names: str) -> nn.Module:
    """The layer, with parameters of it that stay as they are."""
    for name in names:
        getattr(layer, name).requires_grad_(False)
    return layer


def starting(layer: nn.Module, **initializers) -> nn.Module:
    """The layer, with a note for `init_weights` on how its parameters begin."""
    layer.initializers = initializers
    return layer


def unfrozen(parameters) -> list[nn.Parameter]:
    """Those that an update moves."""
    return [parameter for parameter in parameters if parameter.requires_grad]
