"""Optimizers; PyTorch's meaning is the language's."""

from __future__ import annotations

from codegen.python.source import Expr, Name
from nnspec.catalogue.optimizers import SGD, Adam, Optimizer


def optimizer(value: Optimizer, parameters: Expr, rate: Expr | None = None) -> Expr:
    """`torch.optim.Adam(net.parameters())`; `rate`: in place of the optimizer's own."""
    match value:
        case Adam(lr=lr, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=decay):
            made = Name("torch.optim.Adam")(parameters)
            if rate is not None or lr != 1e-3:
                made = made.with_keyword("lr", lr if rate is None else rate)
            if (beta1, beta2) != (0.9, 0.999):
                made = made.with_keyword("betas", (beta1, beta2))
            if epsilon != 1e-8:
                made = made.with_keyword("eps", epsilon)
        case SGD(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay):
            made = Name("torch.optim.SGD")(parameters)
            made = made.with_keyword("lr", lr if rate is None else rate)
            if momentum:
                made = made.with_keyword("momentum", momentum)
            if nesterov and momentum:
                made = made.with_keyword("nesterov", True)
        case _:
            raise TypeError(f"PyTorch has no optimizer for {value}")
    return made.with_keyword("weight_decay", decay) if decay else made
