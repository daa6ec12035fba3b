"""Binding of arguments to the fields of a declaration or the parameters of a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnspec.catalogue.synonyms import parameter_here
from nnspec.core.fields import Field
from nnspec.elaborate.errors import error
from nnspec.elaborate.values import Reference, describe
from nnspec.report.diagnostics import Label, did_you_mean
from nnspec.report.source import Span

Positional = Sequence[tuple[Any, Span]]
Named = Mapping[str, tuple[Any, Span, Span]]
"""Name to value, span of the whole argument's value, span of the name."""


def assign(
    what: str,
    names: Sequence[str],
    positional: Positional,
    named: Named,
    span: Span,
) -> dict[str, tuple[Any, Span]]:
    """Which parameter gets which value; `what` is called with `names` in order."""
    if len(positional) > len(names):
        takes = (
            f"at most {len(names)} argument{'' if len(names) == 1 else 's'}"
            if names
            else "no arguments"
        )
        extra = positional[len(names)][1]
        raise error(
            "E0304",
            f"`{what}` takes {takes}, found {len(positional)}",
            extra,
            "one too many",
            helps=(f"its parameters are {', '.join(f'`{n}`' for n in names)}",) if names else (),
        )
    found = dict(zip(names, positional, strict=False))
    for name, (value, at, name_span) in named.items():
        if name not in names:
            helps = parameter_here(name, names) or did_you_mean(name, names)
            if not helps and names:
                helps = (f"its parameters are {', '.join(f'`{n}`' for n in names)}",)
            raise error(
                "E0302", f"`{what}` has no parameter `{name}`", name_span, "unknown", helps=helps
            )
        if name in found:
            raise error(
                "E0304",
                f"`{what}` gets `{name}` twice",
                name_span,
                "here by name",
                (Label(found[name][1], "here by position"),),
            )
        found[name] = value, at
    return found


def construct(cls: type[Any], positional: Positional, named: Named, span: Span) -> Any:
    """An op, initialiser, optimizer or data set from its arguments."""
    fields = cls.arguments()
    found = assign(cls.name, [f.name for f in fields], positional, named, span)
    return build(cls, fields, found, span)


def build(
    cls: type[Any],
    fields: Sequence[Field],
    found: Mapping[str, tuple[Any, Span]],
    span: Span,
) -> Any:
    """Check values against the fields' kinds and make the object."""
    values: dict[str, Any] = {}
    for field in fields:
        if field.name not in found:
            if field.is_required:
                raise error(
                    "E0303",
                    f"`{cls.name}` needs `{field.name}`: {field.doc}",
                    span,
                    f"`{field.name}` is missing",
                )
            continue
        value, at = found[field.name]
        if isinstance(value, Reference) and value.kind == "initializer":
            value = construct(value.target, (), {}, at)
        try:
            values[field.name] = field.kind(value)
        except ValueError as wrong:
            raise error(
                "E0301",
                f"`{field.name}` of `{cls.name}` expects {wrong}",
                at,
                f"found {describe(value)}",
                helps=_in_small_letters(value, str(wrong)),
            ) from None
    made = cls(**values)
    if (wanted := made.clash()) is not None:
        raise error("E0301", f"`{cls.name}` expects {wanted}", span, "found otherwise")
    return made


def _in_small_letters(value: Any, expects: str) -> tuple[str, ...]:
    """A help for `"SAME"` where `"same"` is meant."""
    lower = f'"{value.lower()}"' if isinstance(value, str) else ""
    return (f"write `{lower}`",) if lower and lower in expects else ()
