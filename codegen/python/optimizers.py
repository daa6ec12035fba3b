"""Classes of a framework that mean what an optimizer of the library means, stated as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.python.scalars import tells
from codegen.python.source import Call, Expr, Name, lift
from codegen.rules import REQUIRED
from nnspec.graph.updates import Argument, Schedule, Update

Arguments = Mapping[str, Argument]
"""Parameters of an optimizer, by name."""

RATE = "lr"
"""The parameter that the frameworks' classes take a schedule for."""

Source = str | tuple[str, ...] | Callable[[Arguments], object]


@dataclass(frozen=True)
class Setting:
    """A keyword of a class.

    source: the optimizer's parameter, several as a tuple, or a function of all of them.
    default: the framework's own: a setting that is equal to it is left out.
    """

    keyword: str
    source: Source
    default: Any = REQUIRED

    def value(self, arguments: Arguments) -> object:
        match self.source:
            case str(name):
                return arguments[name]
            case tuple(names):
                return tuple(arguments[name] for name in names)
            case function:
                return function(arguments)


@dataclass(frozen=True)
class NativeOptimizer:
    """A class for those uses of the library's block that it `covers`."""

    block: str
    call: str
    settings: tuple[Setting, ...]
    covers: Callable[[Arguments], bool] = lambda arguments: True


def native(
    block: str,
    call: str,
    *settings: Setting,
    covers: Callable[[Arguments], bool] = lambda arguments: True,
) -> NativeOptimizer:
    return NativeOptimizer(block, call, settings, covers)


def looks_ahead(arguments: Arguments) -> bool:
    """Nesterov's momentum; without a momentum there is none."""
    return bool(arguments["nesterov"] and arguments["momentum"])


def steady(arguments: Arguments) -> bool:
    """Without a momentum, or with one learning rate: some frameworks' velocities hold the rates of their steps."""
    return not (isinstance(arguments[RATE], Schedule) and arguments["momentum"])


def decays(arguments: Arguments) -> bool:
    return bool(arguments["weight_decay"])


def entry_of(table: Sequence[NativeOptimizer], update: Update) -> NativeOptimizer | None:
    """The class for an optimizer; None where its rule has to be written: for a block of the writer's own, and
    where a schedule gives another parameter than the learning rate, or is no function of numbers."""
    if not update.shipped or update.scheduled - {RATE}:
        return None
    rate = update.arguments.get(RATE)
    if isinstance(rate, Schedule) and not tells(rate.graph("f32")):
        return None
    own = (e for e in table if e.block == update.block and e.covers(update.arguments))
    return next(own, None)


def class_of(table: Sequence[NativeOptimizer], update: Update) -> str | None:
    """The name of its class; None where its rule has to be written."""
    entry = entry_of(table, update)
    return None if entry is None else entry.call


def made(
    table: Sequence[NativeOptimizer],
    update: Update,
    rate: Expr | None,
    *arguments: Expr,
) -> Call:
    """`torch.optim.Adam(net.parameters())`; `rate`: an expression in place of the learning rate, which is left out
    where a schedule gives it and there is none."""
    entry = entry_of(table, update)
    assert entry is not None, "an optimizer without a class is written by its rule"
    keywords: dict[str, Expr] = {}
    for setting in entry.settings:
        value = setting.value(update.arguments)
        if setting.source == RATE and (rate is not None or RATE in update.scheduled):
            keywords |= {} if rate is None else {setting.keyword: rate}
        elif setting.default is REQUIRED or value != setting.default:
            keywords[setting.keyword] = lift(value)
    return Name(entry.call)(*arguments, **keywords)
