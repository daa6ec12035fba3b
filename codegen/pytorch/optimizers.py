"""Optimizers; PyTorch's meaning is the language's."""

from __future__ import annotations

from codegen.python.optimizers import Setting, looks_ahead, made, native
from codegen.python.source import Expr
from nnspec.graph.updates import Update

DECAY = Setting("weight_decay", "weight_decay", 0.0)
BETAS = (
    Setting("betas", ("beta1", "beta2"), (0.9, 0.999)),
    Setting("eps", "epsilon", 1e-8),
)
NATIVE = (
    native("Adam", "torch.optim.Adam", Setting("lr", "lr", 1e-3), *BETAS, DECAY),
    native(
        "AdamW",
        "torch.optim.AdamW",
        Setting("lr", "lr", 1e-3),
        *BETAS,
        Setting("weight_decay", "weight_decay", 1e-2),
    ),
    native("Adamax", "torch.optim.Adamax", Setting("lr", "lr", 2e-3), *BETAS, DECAY),
    native(
        "Nadam",
        "torch.optim.NAdam",
        Setting("lr", "lr", 2e-3),
        *BETAS,
        Setting("momentum_decay", "momentum_decay", 4e-3),
        DECAY,
    ),
    native(
        "RMSprop",
        "torch.optim.RMSprop",
        Setting("lr", "lr", 1e-2),
        Setting("alpha", "rho", 0.99),
        Setting("eps", "epsilon", 1e-8),
        Setting("momentum", "momentum", 0.0),
        Setting("centered", "centered", False),
        DECAY,
    ),
    native(
        "Adagrad",
        "torch.optim.Adagrad",
        Setting("lr", "lr", 1e-2),
        Setting("initial_accumulator_value", "initial_accumulator", 0.0),
        Setting("eps", "epsilon", 1e-10),
        DECAY,
    ),
    native(
        "Adadelta",
        "torch.optim.Adadelta",
        Setting("lr", "lr", 1.0),
        Setting("rho", "rho", 0.9),
        Setting("eps", "epsilon", 1e-6),
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
