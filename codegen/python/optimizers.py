"""Classes of a framework that mean what an optimizer of the catalogue means, stated as values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.python.source import Call, Expr, Name, lift
from codegen.rules import REQUIRED
from nnspec.catalogue.optimizers import Optimizer

Source = str | tuple[str, ...] | Callable[[Any], object]


@dataclass(frozen=True)
class Setting:
    """A keyword of a class.

    source: the optimizer's parameter, several as a tuple, or a function of the optimizer.
    default: the framework's own: a setting that is equal to it is left out.
    """

    keyword: str
    source: Source
    default: Any = REQUIRED

    def value(self, optimizer: Optimizer) -> object:
        match self.source:
            case str(name):
                return getattr(optimizer, name)
            case tuple(names):
                return tuple(getattr(optimizer, name) for name in names)
            case function:
                return function(optimizer)


@dataclass(frozen=True)
class NativeOptimizer:
    """A class for those optimizers of a kind that it `covers`."""

    kind: type[Optimizer]
    call: str
    settings: tuple[Setting, ...]
    covers: Callable[[Any], bool] = lambda optimizer: True


def native(
    kind: type[Optimizer],
    call: str,
    *settings: Setting,
    covers: Callable[[Any], bool] = lambda optimizer: True,
) -> NativeOptimizer:
    return NativeOptimizer(kind, call, settings, covers)


def looks_ahead(optimizer: Any) -> bool:
    """Nesterov's momentum; without a momentum there is none."""
    return bool(optimizer.nesterov and optimizer.momentum)


def decays(optimizer: Any) -> bool:
    return bool(optimizer.weight_decay)


def entry_of(table: Sequence[NativeOptimizer], optimizer: Optimizer) -> NativeOptimizer | None:
    """The class for an optimizer; None where its rule has to be written."""
    return next((e for e in table if isinstance(optimizer, e.kind) and e.covers(optimizer)), None)


def made(
    table: Sequence[NativeOptimizer],
    optimizer: Optimizer,
    rate: Expr | None,
    *arguments: Expr,
) -> Call:
    """`torch.optim.Adam(net.parameters())`; `rate`: an expression in place of the learning rate."""
    entry = entry_of(table, optimizer)
    assert entry is not None, "an optimizer without a class is written by its rule"
    keywords: dict[str, Expr] = {}
    for setting in entry.settings:
        value = setting.value(optimizer)
        if setting.source == "lr" and rate is not None:
            keywords[setting.keyword] = rate
        elif setting.default is REQUIRED or value != setting.default:
            keywords[setting.keyword] = lift(value)
    return Name(entry.call)(*arguments, **keywords)
