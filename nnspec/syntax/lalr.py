"""The automaton of `tables.json` run over a text: what the builder makes of each rule, and no tree between.

Which terminal a place of the text is depends on what may stand there (`input` is a name after `x =`).
Nearly always the longest match of all terminals decides; only where that may not stand here are the
terminals of the state asked alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_TABLES = json.loads(Path(__file__).with_name("tables.json").read_text(encoding="utf-8"))
TERMINALS: list[tuple[str, str, bool]] = _TABLES["terminals"]
"""Name, regular expression, and whether it is a fixed word or sign; the first that matches wins."""
IGNORED = frozenset[str](_TABLES["ignored"])
RULES: list[tuple[str, int, str, list[int | None]]] = _TABLES["rules"]
"""Left side, length, method ("" passes the only part on, "*" makes a list), and what the method is
given: places among the parts, `~i` for a list at `i` to be spread, None for a part that was left out."""
ACTIONS: list[dict[str, int]] = _TABLES["actions"]
"""Per state what a terminal does: shift to that state, or reduce by rule `~action`."""
GOTO: list[dict[str, int]] = _TABLES["goto"]
"""Per state where a left side leads."""
(ACCEPT,) = _TABLES["accept"]


class Token(NamedTuple):
    """A terminal that means something, with its place."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Found:
    """Where the parser stopped: a stretch of text ("" at the end), and what it would have taken."""

    start: int
    end: int
    text: str
    expected: frozenset[str]


class Unexpected(Exception):
    """The text is none of the grammar."""

    def __init__(self, found: Found) -> None:
        self.found = found
        super().__init__(found.text)


Make = Callable[[int, int, list[Any]], Any]
"""What a rule becomes: from the range of its text and its parts."""

END, OTHER = "$END", "OTHER"
_NAME = "NAME"
_WORDS = {word: name for name, word, fixed in TERMINALS if fixed and word.isalpha()}
_BINDING = re.compile(r"\s*(,|=[^=])")
_SPACES = "|".join(p for name, p, _ in TERMINALS if name in IGNORED and name.startswith("_"))


def _pattern(names: frozenset[str]) -> str:
    """What matches any of the terminals; words that are names as well are told apart afterwards."""
    return "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern, _ in TERMINALS
        if name in names and not (_NAME in names and pattern in _WORDS)
    )


_EVERYWHERE = re.compile(
    f"(?:{_SPACES})*(?:{_pattern(frozenset(t[0] for t in TERMINALS))}"
    rf"|(?P<END>\Z)|(?P<{OTHER}>[\s\S]))"
)


@cache
def _in_state(names: frozenset[str]) -> tuple[re.Pattern[str], frozenset[str]]:
    """The terminals of a state alone, and the names of those that the pattern tells apart."""
    pattern = re.compile(_pattern(names | {*IGNORED}))
    return pattern, frozenset(pattern.groupindex) - {*IGNORED}


_passed: dict[tuple[int, str, str], int] = {}
"""Where a chain of rules that pass their only part on leads: from a state, a left side, a terminal."""


def _pass(state: int, left: str, terminal: str) -> int:
    following = GOTO[state][left]
    while (action := ACTIONS[following].get(terminal, 0)) < 0:
        left, _, method, _ = RULES[~action]
        if method:
            break
        following = GOTO[state][left]
    return following


def parse(text: str, make: Sequence[Make | None], comments: list[tuple[int, int]]) -> Any:
    """What the first rule becomes; raises `Unexpected`. Fills in the ranges of the comments.

    make: for each rule, in the order of the tables; None where it passes its only part on.
    """
    states = [0]
    values: list[Any] = []
    starts: list[int] = []
    tokens = _EVERYWHERE.finditer(text)
    state, before = 0, 0
    while True:
        match = next(tokens)
        terminal = match.lastgroup or OTHER
        start, end = match.span(terminal)
        actions = ACTIONS[state]
        if terminal == _NAME:
            word = _WORDS.get(text[start:end])
            if (
                word is not None
                and word in actions
                and not (actions[word] < 0 and _is_bound(text, end, word, states))
            ):
                terminal = word
        elif terminal == "END":
            terminal = END
        action = actions.get(terminal)
        if action is None:
            if terminal in IGNORED:
                comments.append((start, end))
                continue
            if terminal != END:
                terminal, end = _contextual(text, start, end, terminal, states)
                action = actions[terminal]
                tokens = _EVERYWHERE.finditer(text, end)
        while action is not None and action < 0:
            left, size, method, kept = RULES[~action]
            if not method:
                key = (states[-2], left, terminal)
                following = _passed.get(key)
                if following is None:
                    following = _passed[key] = _pass(*key)
                states[-1] = state = following
            else:
                parts = values[-size:] if size else []
                first = starts[-size] if size else start
                if method == "*":
                    value: Any = parts[0] if kept[0] == -1 else []
                    value.append(parts[kept[-1] or 0])
                else:
                    function = make[~action]
                    assert function is not None
                    value = function(first, before, _kept(parts, kept))
                if size:
                    del states[-size:], values[-size:], starts[-size:]
                state = GOTO[states[-1]][left]
                states.append(state)
                values.append(value)
                starts.append(first)
            if state == ACCEPT:
                return values[0]
            action = ACTIONS[state].get(terminal)
        if action is None:
            where = (start, end, text[start:end]) if terminal != END else (len(text), len(text), "")
            wanted = _accepted(states) or frozenset(ACTIONS[state])
            raise Unexpected(Found(*where, wanted))
        state = action
        states.append(state)
        values.append(Token(terminal, text[start:end], start, end))
        starts.append(start)
        before = end


def _kept(parts: list[Any], kept: list[int | None]) -> list[Any]:
    """The parts that mean something; lists of `*` and `+` spread."""
    children: list[Any] = []
    for place in kept:
        if place is None:
            children.append(None)
        elif place < 0:
            children += parts[~place]
        else:
            children.append(parts[place])
    return children


def _contextual(
    text: str, start: int, end: int, terminal: str, states: list[int]
) -> tuple[str, int]:
    """The terminal at a place, and its end, where only those of the state are asked."""
    pattern, names = _in_state(frozenset(ACTIONS[states[-1]]) - {END})
    match = pattern.match(text, start)
    if match and match.lastgroup:
        return match.lastgroup, match.end()
    if terminal == OTHER:
        raise Unexpected(Found(start, start + 1, text[start : start + 1], names))
    raise Unexpected(Found(start, end, text[start:end], _accepted(states) or names))


def _accepted(states: list[int]) -> frozenset[str]:
    """Terminals that can stand here, once what is finished has been put together."""
    return frozenset(t for t in ACTIONS[states[-1]] if _shifts(list(states), t))


def _is_bound(text: str, end: int, word: str, states: list[int]) -> bool:
    """Whether a word is a name, `batch = x.shape[0]`: what ends before it is a statement of a block, where
    the word begins no other."""
    return _BINDING.match(text, end) is not None and not _shifts(list(states), word)


def _shifts(states: list[int], terminal: str) -> bool:
    while (action := ACTIONS[states[-1]].get(terminal)) is not None:
        if action >= 0:
            return True
        left, size, _, _ = RULES[~action]
        del states[len(states) - size :]
        states.append(GOTO[states[-1]][left])
        if states[-1] == ACCEPT:
            return True
    return False


def rules(method: Callable[[str], Make]) -> list[Make | None]:
    """What `parse` takes as `make`: for each rule the method of its name."""
    return [None if name in ("", "*") else method(name) for _, _, name, _ in RULES]
