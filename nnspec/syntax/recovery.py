"""Going on after a syntax error: what it means, and where the next statement begins."""

from __future__ import annotations

import re

from nnspec.report.diagnostics import Diagnostic, Label
from nnspec.report.source import Source, Span
from nnspec.syntax.lalr import Found

STATEMENTS = "input output weight for if assert batch minimize metric"
DECLARATIONS = "block model train from"

_LINE_START = re.compile(
    r"^[ \t]*(?=(?:##|(?:" + "|".join((STATEMENTS + " " + DECLARATIONS).split()) + r")\b"
    r"|[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*\s*=(?!=)|\}))",
    re.MULTILINE,
)
_DECLARATION = re.compile(r"^(?:block|model|train|from)\b", re.MULTILINE)


# What a person would call what the parser waits for, most telling first.
_EXPECTATIONS = (
    ({"NUMBER", "STRING", "LSQB"}, "an expression"),
    ({"$END", "BLOCK", "MODEL"}, "`block`, `model`, `train`, `from` or a constant"),
    ({"RBRACE", "OUTPUT"}, "a statement or `}`"),
    ({"LBRACE", "LPAR"}, "`{` or `(`"),
)
_TOKENS = {
    "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "LBRACE": "`{`", "RBRACE": "`}`",
    "COMMA": "`,`", "COLON": "`:`", "EQUAL": "`=`", "DOT": "`.`", "VBAR": "`|`", "NAME": "a name",
    "STRING": "a string", "USING": "`using`", "IMPORT": "`import`", "IN": "`in`", "THEN": "`then`",
    "ELSE": "`else`", "__ANON_0": "`->`", "$END": "the end of the file",
}  # fmt: skip

_HINTS: tuple[tuple[str, str], ...] = (
    (r"'", 'strings stand in double quotes: `"same"`'),
    (r";", "statements need no end mark: leave out the `;`"),
    (r"//.*", "comments begin with `#`"),
    (r"&&?", "write `and`"),
    (r"\|\|", "write `or`"),
    (r"!", "write `not`"),
    (r"(def|class|fn|func|function)\b", "a reusable piece of graph is a `block Name(...) { ... }`"),
    (r"(while|return|let|var|const)\b", "there is no such statement in the language"),
    (r"(elif)\b", "write `else if`"),
    (r"=>", "a pipe is `->`"),
    (r"(\+|-|\*|/|@)=", "write the whole: `x = x + y`"),
    (r"\|>", "a pipe is `->`"),
    (r"\^", "a power is `a ** b`"),
)


def swallowed(text: str, found: Found) -> Found:
    """The word of a statement that was read as a name because the one before it lacks its end.

    In `y =` followed by `output x`, `output` is a name as far as the grammar goes, and the parser
    stops only later; a person sees the mistake at `output`.
    """
    pattern = r"(?m)^[ \t]*(" + "|".join(STATEMENTS.split()) + r")\b(?!\s*[=(.])"
    for match in reversed(list(re.finditer(pattern, text[: found.start]))):
        before = text[: match.start()].rstrip()
        if text.count("\n", match.start(), found.start) > 2:
            break
        if re.search(r"(=|->|[-+*/,(\[|@%])$", before):
            expected = frozenset({"NUMBER", "STRING", "LSQB"})
            return Found(match.start(1), match.end(1), match[1], expected)
    return found


def explain(source: Source, text: str, found: Found) -> Diagnostic:
    """The diagnostic for a syntax error."""
    span = Span(source, found.start, max(found.end, found.start))
    word = re.search(r"\w+\s*$", text[: found.start])
    places = [found.start, *([word.start()] if word else [])]
    helps = tuple(
        hint for pattern, hint in _HINTS if any(re.match(pattern, text[at:]) for at in places)
    )
    wanted = _expected(found.expected)
    opened = _unclosed(text[: found.start])
    notes: tuple[Label | str, ...] = ()
    if found.text == '"':
        return Diagnostic(
            "E0103",
            "a string is not closed",
            Label(
                Span(source, found.start, _line_end(text, found.start)),
                'expected a `"` before the end of the line',
            ),
        )
    if not found.text:
        if opened is not None:
            notes = (Label(Span(source, opened, opened + 1), "opened here"),)
        return Diagnostic(
            "E0102",
            "the file ends in the middle of something",
            Label(span, f"expected {wanted}, found the end of the file"),
            notes,
            helps,
        )
    if opened is not None and text[opened] in "([" and _begins_statement(text, found.start):
        notes = (
            Label(
                Span(source, opened, opened + 1),
                "opened here, not closed before the next statement",
            ),
        )
    if not found.text.isascii() or not found.text.isprintable():
        shown = found.text if found.text.isprintable() else repr(found.text)[1:-1]
        return Diagnostic(
            "E0104",
            f"`{shown}` is no character of the language",
            Label(span, "names are ASCII letters, digits and `_`"),
            (),
            helps,
        )
    before = text[: found.start].rstrip()
    if found.text == "." and re.search(r"\bfrom$", before):
        return Diagnostic(
            "E0902",
            "an import leads out of its folder",
            Label(span, "a module's name begins with a name"),
            (),
            ("modules lie beside this file, below a folder given with -I, or in nnspec's library",),
        )
    if found.text in ("<", ">", "<=", ">=", "==", "!=") and "COMPARE" not in found.expected:
        helps = (*helps, "comparisons do not chain: write `a < b and b < c`")
    if found.text == "=" and before and "EQUAL" not in found.expected:
        helps = (
            *helps,
            "a comparison is `==`; a named argument stands in a call: `f(name = value)`",
        )
    inside = text[opened] if opened is not None else ""
    if found.text == "for" and inside in ("[", "("):
        helps = (*helps, "a statement makes a list: `for x in xs { ys = ys + [x + 1] }`")
    if found.text == "else" and re.search(r"\bif\b.*$", before):
        helps = (*helps, "a choice is `if condition then a else b`")
    if before.endswith("=") and found.text == "{":
        helps = (*helps, "lists stand in `[...]`, tuples in `(...)`")
    return Diagnostic(
        "E0101",
        f"expected {wanted}, found `{_word(text, found)}`",
        Label(span, "not expected here"),
        notes,
        helps,
    )


def statement_range(text: str, at: int) -> tuple[int, int]:
    """The statement (or declaration) around a place, to be left out before reading goes on."""
    starts = [m.start() for m in _LINE_START.finditer(text)]
    before = [s for s in starts if s <= at and text[s:at].strip()]
    start = before[-1] if before else 0
    inside = _depth(text[:start]) > 0
    if not inside or _DECLARATION.match(text, start):
        following = [m.start() for m in _DECLARATION.finditer(text, start + 1) if m.start() > at]
        heads = [m.end() for m in re.finditer(r"\{", text[start:at])]
        if inside or not heads or _DECLARATION.match(text, start):
            # A broken head takes its whole declaration with it.
            return start, max(following[0] if following else len(text), at + 1)
    after = [s for s in starts if s >= at and s > start]
    end = after[0] if after else len(text)
    end = max(end, start + 1, at + 1 if end <= at and not _begins_statement(text, at) else end)
    return start, _balanced(text, start, end)


def _balanced(text: str, start: int, end: int) -> int:
    """The end, moved to where the brackets `{` that are left out are closed."""
    depth = 0
    for match in re.finditer(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*|[{}]', text[start:]):
        if start + match.start() >= end and depth <= 0:
            break
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and start + match.end() > end:
            return start + match.end()
    return end


def blank(text: str) -> str:
    """As many blanks, with the line ends where they were."""
    return "".join(c if c == "\n" else " " for c in text)


def _expected(tokens: frozenset[str]) -> str:
    for needed, words in _EXPECTATIONS:
        if needed <= tokens:
            return words
    named = sorted({_TOKENS[t] for t in tokens if t in _TOKENS})
    if not named:
        return "something else"
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " or " + named[-1]


def _word(text: str, found: Found) -> str:
    match = re.match(r"\w+|.", text[found.start :])
    return found.text if len(found.text) > 1 or match is None else match[0]


def _begins_statement(text: str, at: int) -> bool:
    line = text.rfind("\n", 0, at) + 1
    return not text[line:at].strip() and _LINE_START.match(text, line) is not None


def _unclosed(text: str) -> int | None:
    """Offset of the innermost bracket that is still open."""
    stack: list[int] = []
    for match in re.finditer(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*|[()\[\]{}]', text):
        if match[0] in ("(", "[", "{"):
            stack.append(match.start())
        elif match[0] in (")", "]", "}") and stack:
            stack.pop()
    return stack[-1] if stack else None


def _depth(text: str) -> int:
    bare = re.sub(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*', "", text)
    return bare.count("{") - bare.count("}")


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
