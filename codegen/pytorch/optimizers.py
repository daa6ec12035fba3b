"""Optimizers; PyTorch's meaning is the language's."""

from __future__ import annotations

from codegen.python.optimizers import Setting, looks_ahead, made, native
from codegen.python.source import Expr
from nnspec.graph.updates import Update

DECAY = Setting("weight_decay", "weight_decay", 0.0)
NATIVE = (
    native(
        "Adam",
        "torch.optim.Adam",
        Setting("lr", "lr", 1e-3),
        Setting("betas", ("beta1", "beta2"), (0.9, 0.999)),
        Setting("eps", "epsilon", 1e-8),
        DECAY,
    ),
    native(
        "SGD",
        "torch.optim.SGD",
        Setting("lr", "lr"),
        Setting("momentum", "momentum", 0.0),
        Setting("nesterov", looks_ahead, False),
        DECAY,
    ),
)


def optimizer(update: Update, parameters: Expr, rate: Expr | None = None) -> Expr:
    """`torch.optim.Adam(net.parameters())`; `rate`: in place of the optimizer's own."""
    return made(NATIVE, update, rate, parameters)
