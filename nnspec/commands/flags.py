"""Flags made from what is declared: options of targets, arguments of data sets, with their help and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nnspec.commands.settings import parse_value

if TYPE_CHECKING:
    from nnspec.core.fields import Field

_GIVEN = "nnspec.declared_options"


class TargetCommand(TyperCommand):
    """A command that takes the options of every target; they are looked up when it is called."""

    def get_params(self, ctx: Any) -> list[Any]:
        from codegen import TARGETS

        *own, help_flag = super().get_params(ctx)
        declared = [(t.name, t.Options.arguments()) for t in TARGETS.values()]
        return [*own, *_flags(declared), help_flag]


class DataCommand(TyperCommand):
    """A command that takes the arguments of every data set."""

    def get_params(self, ctx: Any) -> list[Any]:
        from nnspec.catalogue.data.catalogue import DATASETS

        *own, help_flag = super().get_params(ctx)
        declared = [(name, kind.arguments()) for name, kind in DATASETS.items()]
        return [*own, *_flags(declared), help_flag]


def given_options(context: typer.Context) -> dict[str, Any]:
    """The options that the command line gives, unchecked."""
    given: dict[str, Any] = context.meta.get(_GIVEN, {})
    return given


def _flags(declared: Iterable[tuple[str, tuple[Field, ...]]]) -> list[Any]:
    helps: dict[str, list[str]] = {}
    metavars: dict[str, str] = {}
    for owner, fields in declared:
        for field in fields:
            default = "" if field.is_required else f"; default {field.default}"
            told = f"{owner}: {field.doc}{default}"
            helps.setdefault(field.name, []).append(told)
            metavars[field.name] = "|".join(field.kind.choices) or "VALUE"
    return _parameters(
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option(
                    f"--{name.replace('_', '-')}",
                    metavar=metavars[name],
                    help="; ".join(lines),
                    callback=_keep,
                    expose_value=False,
                ),
            ],
        )
        for name, lines in helps.items()
    )


def _keep(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> None:
    if value is not None:
        context.meta.setdefault(_GIVEN, {})[parameter.name] = parse_value(value)


def _parameters(parameters: Iterable[inspect.Parameter]) -> list[Any]:
    """As typer makes them from the signature of a command."""

    def command() -> None:
        """Never called: only its flags are wanted."""

    command.__signature__ = inspect.Signature(list(parameters))  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)
