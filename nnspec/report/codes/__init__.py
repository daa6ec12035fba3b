"""Long explanations of diagnostics: one markdown file a code, `nnspec explain E0301`."""

from __future__ import annotations

from pathlib import Path

from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

_FOLDER = Path(__file__).parent


def known_codes() -> dict[str, str]:
    """Code to title (the first line of its file), in order."""
    return {p.stem: _title(p) for p in sorted(_FOLDER.glob("[EW]*.md"))}


def explanation(code: str) -> str:
    """The text for a code; raises `SpecError` for one that does not exist."""
    codes = known_codes()
    if code.upper() not in codes:
        raise SpecError(
            Diagnostic(
                "E0707",
                f"there is no code `{code}`",
                helps=did_you_mean(code.upper(), codes) or ("`nnspec explain` lists them",),
            )
        )
    return (_FOLDER / f"{code.upper()}.md").read_text(encoding="utf-8")


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip().removeprefix(f"{path.stem}: ")
