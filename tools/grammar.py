"""`grammar/nn.lark` as the tables that the parser runs on: `python tools/grammar.py`.

lark reads the grammar and works out the LALR(1) automaton; what it found is written to
`nnspec/syntax/tables.json`, so that a run of nnspec neither imports lark nor does its work again. A
test compares the file with the grammar; `nnspec/syntax/lalr.py` says what stands in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark
from lark.parsers.lalr_analysis import Shift

ROOT = Path(__file__).parent.parent
GRAMMAR = ROOT / "grammar" / "nn.lark"
TABLES = ROOT / "nnspec" / "syntax" / "tables.json"


def tables(grammar: str) -> str:
    """The text of `tables.json` for a grammar."""
    parser = lark.Lark(grammar, parser="lalr", maybe_placeholders=True)
    terminals = sorted(
        parser.terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )
    automaton: Any = parser.parser.parser._parse_table  # type: ignore[union-attr]
    order = _states(automaton)
    numbers = {state: number for number, state in enumerate(order)}
    rules = sorted({r for row in automaton.states.values() for a, r in row.values() if a is not Shift},
                   key=lambda r: (r.origin.name, r.order, str(r)))  # fmt: skip
    places = {rule: number for number, rule in enumerate(rules)}
    actions, gotos = [], []
    for state in order:
        row: dict[str, int] = {}
        goto: dict[str, int] = {}
        for symbol, (action, argument) in sorted(automaton.states[state].items()):
            if action is not Shift:
                row[symbol] = ~places[argument]
            elif symbol in parser._terminals_dict or symbol == "$END":
                row[symbol] = numbers[argument]
            else:
                goto[symbol] = numbers[argument]
        actions.append(row)
        gotos.append(goto)
    (accept,) = (numbers[s] for s in automaton.end_states.values())
    written: dict[str, list[Any]] = {
        "terminals": [(t.name, t.pattern.to_regexp(), t.pattern.type == "str") for t in terminals],
        "ignored": sorted(parser.ignore_tokens),
        "rules": [_rule(rule) for rule in rules],
        "actions": actions,
        "goto": gotos,
        "accept": [accept],
    }
    parts = (
        f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, rows)) + "\n]"
        for name, rows in written.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _states(automaton: Any) -> list[int]:
    """States by the way to them from the first, whatever the order in which lark met them."""
    order = list(automaton.start_states.values())
    known = set(order)
    for state in order:
        for _, (action, following) in sorted(automaton.states[state].items()):
            if action is Shift and following not in known:
                known.add(following)
                order.append(following)
    return order


def _rule(rule: Any) -> tuple[str, int, str, tuple[int | None, ...]]:
    """A rule as lark would carry it out: unnamed signs are left out, lists of `*` and `+` spread."""
    name = rule.origin.name
    kept: list[int | None] = []
    empty = list(rule.options.empty_indices) or [False] * len(rule.expansion)
    at = 0
    for missing in empty:
        if missing:
            kept.append(None)
            continue
        symbol = rule.expansion[at]
        if symbol.is_term:
            if not symbol.filter_out:
                kept.append(at)
        else:
            kept.append(~at if symbol.name.startswith("_") else at)
        at += 1
    method = rule.alias or name
    if name.startswith("_"):
        method = "*"
    elif rule.options.expand1 and not rule.alias and len(kept) == 1:
        method = ""
    return str(name), len(rule.expansion), str(method), tuple(kept)


if __name__ == "__main__":
    TABLES.write_text(tables(GRAMMAR.read_text(encoding="utf-8")), encoding="utf-8")
