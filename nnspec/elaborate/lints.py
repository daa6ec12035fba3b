"""What is not wrong, but probably not meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnspec.elaborate.session import Body
from nnspec.elaborate.statements import bound_names
from nnspec.report.diagnostics import Diagnostic, Label
from nnspec.report.source import Span
from nnspec.syntax import tree


def lint(body: Body, statements: Sequence[tree.Statement]) -> None:
    """Bindings that nobody reads, in no branch: another use of the block may take the one that was left out."""
    if body.failed:
        return
    places: dict[str, Span] = {}
    for bound in bound_names(statements):
        places.setdefault(bound.text, bound.span)
    unread = {
        name: span
        for name, span in places.items()
        if name in body.scope.bindings and name not in body.scope.read and not name.startswith("_")
    }
    written = set(_names(statements)) if unread else set()
    columns = {n.name.text for s in statements if isinstance(s, tree.Batch) for n in s.names}
    for name, span in unread.items():
        if name not in written:
            warn(
                body,
                "W0201",
                f"`{name}` is never used",
                span,
                "leave it out: a batch names the columns that are read, and the data may have more"
                if name in columns
                else "prefix it with `_` to drop it on purpose",
            )


def _names(statements: Sequence[tree.Statement]) -> Iterator[str]:
    """Every name that stands in an expression; not those that are bound."""
    parts: list[object] = list(statements)
    while parts:
        part = parts.pop()
        if isinstance(part, tree.Name):
            yield part.text
        elif isinstance(part, tuple):
            parts.extend(part)
        elif isinstance(part, tree.Tree):
            parts.extend(vars(part).values())


def warn(body: Body, code: str, message: str, span: Span, help: str) -> None:
    """Report a lint, once for a place."""
    diagnostic = Diagnostic(code, message, Label(span), helps=(help,), severity="warning")
    if (code, span) not in body.session.seen:
        body.session.seen.add((code, span))
        body.session.reporter.report(diagnostic)


def naming(name: tree.Identifier, upper: bool) -> Diagnostic | None:
    """`Uppercase` names blocks, models and programs, `lowercase` values."""
    if name.text[:1].isupper() == upper or name.text.startswith("_"):
        return None
    wanted = "an uppercase" if upper else "a lowercase"
    return Diagnostic(
        "W0202",
        f"`{name.text}` usually begins with {wanted} letter",
        Label(name.span),
        severity="warning",
    )
