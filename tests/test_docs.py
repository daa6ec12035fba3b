"""What the documentation shows is true: examples compile, links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

import nnspec
from nnspec.report.codes import known_codes

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLE = re.compile(r"^```nn\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")

EXAMPLES = [
    pytest.param(match[1], id=f"{page.name}:{page.read_text()[: match.start()].count(chr(10)) + 1}")
    for page in PAGES
    for match in EXAMPLE.finditer(page.read_text())
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_example_compiles_and_is_formatted(text: str) -> None:
    from nnspec.report.source import Source
    from nnspec.syntax.format import format_source

    spec = nnspec.load(text)
    assert spec.models
    assert not spec.lints
    assert format_source(Source("<text>", text)) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not broken


def test_readme_shows_what_is_generated() -> None:
    location = ROOT / "tools" / "readme.py"
    spec = importlib.util.spec_from_file_location("readme", location)
    assert spec is not None
    assert spec.loader is not None
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    page = readme.README.read_text()
    assert page == readme.updated(page), "run `python tools/readme.py`"
    assert (ROOT / "specs" / "digits_cnn.nn").read_text() in page


def test_every_code_has_an_explanation() -> None:
    sources = [p for folder in ("nnspec", "codegen") for p in (ROOT / folder).rglob("*.py")]
    used = {code for p in sources for code in re.findall(r'"([EW]\d{4})"', p.read_text())}
    assert used == set(known_codes())
