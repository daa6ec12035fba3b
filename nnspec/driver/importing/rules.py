"""The table of what was found: names that differ in numbers alone become one pattern."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from nnspec.driver.importing.patterns import PatternError, is_open
from nnspec.driver.importing.table import Rule, Table
from nnspec.driver.importing.taken import Taken
from nnspec.graph.weight_map import Permute

_NUMBER = re.compile(r"\d+")
_LETTERS = "ijklmn"

Numbers = tuple[int, ...]


def table_of(taken: Iterable[Taken], left: Sequence[str]) -> Table:
    """A table that says the same, in as few lines as simple patterns make it."""
    grouped: dict[tuple[str, ...], list[Taken]] = defaultdict(list)
    for one in taken:
        grouped[one.sources].append(one)
    rules = [_rule(group) for group in grouped.values()]
    more = [name for r in rules for name in (*r.add, *r.join)]
    ignore = _ignored(left, [*(r.source for r in rules), *more])
    numbers = _with_numbers_open(rules)
    for shorter in (_with_roles_open(numbers), _with_roles_open(rules), tuple(numbers)):
        table = Table(shorter, ignore)
        # A pattern may reach what another line says, or an array that nothing was taken from.
        if _says(table, rules, [*left, *more]):
            return table
    return Table(tuple(rules), ignore)


def _rule(group: Sequence[Taken]) -> Rule:
    first = group[0]
    to = tuple(t.path for t in sorted(group, key=lambda t: t.cut.start if t.cut else 0))
    turn = first.transpose
    if len(first.form) == 1 and isinstance(first.form[0], Permute):
        order = first.form[0].order
        turn = tuple(order.index(i) for i in range(len(order)))
    axis = first.cut.axis if first.cut else first.axis
    joined, more = first.joined, first.sources[1:]
    return Rule(
        first.sources[0], to, () if joined else more, more if joined else (), axis, transpose=turn
    )


def _ignored(left: Sequence[str], used: Sequence[str]) -> tuple[str, ...]:
    """Names of what is of no use; those that end alike as one pattern, where nothing else ends so."""
    ends = Counter(_end(name) for name in left)
    taken = {_end(name) for name in used}
    found = (
        f"*.{_end(name)}" if ends[_end(name)] > 1 and _end(name) not in taken else name
        for name in left
        if not is_open(name)
    )
    return tuple(dict.fromkeys(found))


def _end(name: str) -> str:
    return name.rpartition(".")[2]


def _with_numbers_open(rules: Sequence[Rule]) -> list[Rule]:
    """One rule for all whose names are the same but for numbers, where those on the left give the others."""
    kinds: dict[Rule, list[Rule]] = defaultdict(list)
    for rule in rules:
        kind = _renamed(rule, _NUMBER.sub("#", rule.source), _bare)
        kinds[kind].append(rule)
    found: list[Rule] = []
    for group in kinds.values():
        pattern = _pattern(group) if len(group) > 1 else None
        found += group if pattern is None else [pattern]
    return found


def _bare(name: str) -> str:
    """A name of a spec without the numbers that repeated layers are given: `stage_2.0` is `stage.#`."""
    return ".".join(
        "#" if part.isdecimal() else re.sub(r"_\d+$", "", part) for part in name.split(".")
    )


def _counted(name: str) -> Numbers:
    """The numbers of a spec's name, one for each part: `stage.0.conv_2` has 1, 0, 2."""
    found = (re.search(r"(?:^|_)(\d+)$", part) for part in name.split("."))
    return tuple(int(n[1]) if n else 1 for n in found)


def _pattern(group: Sequence[Rule]) -> Rule | None:
    rows = [tuple(map(int, _NUMBER.findall(rule.source))) for rule in group]
    columns = list(zip(*rows, strict=True))
    open_columns = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if not 0 < len(open_columns) <= len(_LETTERS):
        return None
    letters = dict(zip(open_columns, _LETTERS))
    position = iter(range(len(columns)))

    def opened(number: re.Match[str]) -> str:
        letter = letters.get(next(position))
        return number[0] if letter is None else f"{{{letter}}}"

    source = _NUMBER.sub(opened, group[0].source)
    others = [[*r.to, *r.add, *r.join] for r in group]
    names: dict[str, str] = {}
    for places in zip(*others, strict=True):
        name = _opened(places, columns, letters)
        if name is None:
            return None
        names[places[0]] = name
    return _renamed(group[0], source, names.__getitem__)


def _opened(
    names: Sequence[str], columns: Sequence[Numbers], letters: Mapping[int, str]
) -> str | None:
    """A name on the right, in all rules of a group, with letters for those numbers that change."""
    parts = names[0].split(".")
    for at, column in enumerate(zip(*map(_counted, names), strict=True)):
        if len(set(column)) == 1:
            continue
        for place, letter in letters.items():
            offsets = {number - other for number, other in zip(column, columns[place])}
            if len(offsets) == 1:
                more = f"{offset:+d}" if (offset := offsets.pop()) else ""
                once = "" if parts[at].isdecimal() else "_"
                bare = "" if parts[at].isdecimal() else _bare(parts[at])
                parts[at] = f"{bare}{{{once}{letter}{more}}}"
                break
        else:
            return None
    return ".".join(parts)


def _with_roles_open(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """One rule for a layer's weights that are called the same on both sides."""
    kinds: dict[Rule | str, list[Rule]] = defaultdict(list)
    for rule in rules:
        role = _end(rule.source)
        if role == rule.source or any(_end(to) != role for to in rule.to) or rule.add or rule.join:
            kinds[rule.source].append(rule)
        else:
            kinds[_renamed(rule, _open_role(rule.source), _open_role)].append(rule)
    return tuple(
        rule
        for kind, group in kinds.items()
        for rule in ([kind] if isinstance(kind, Rule) and len(group) > 1 else group)
    )


def _open_role(name: str) -> str:
    return f"{name.rpartition('.')[0]}.{{role}}"


def _renamed(rule: Rule, source: str, name: Callable[[str], str]) -> Rule:
    to, add, join = (tuple(map(name, names)) for names in (rule.to, rule.add, rule.join))
    return replace(rule, source=source, to=to, add=add, join=join)


def _says(table: Table, rules: Sequence[Rule], left: Sequence[str]) -> bool:
    """Whether a table says of every array what the rules do, and nothing of those that are left."""
    try:
        lines = table.lines([*(r.source for r in rules), *left])
    except PatternError:
        return False
    wanted = {r.source: ((r.source, *r.add, *r.join), r.to) for r in rules}
    return {line.sources[0]: (line.sources, line.to) for line in lines} == wanted
