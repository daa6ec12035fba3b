from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("explain", short_help="explain an error code")(explain)


def explain(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="E0301, say")] = None,
) -> None:
    """Explain an error code: what it means, an example, the way out. Without a code: list them.

    \b
    Examples:
      nnspec explain E0301
      nnspec explain
    """
    from nnspec.report.codes import explanation, known_codes

    if code is None:
        for known, title in known_codes().items():
            print(f"{known}  {title}")
    else:
        print(explanation(code))
