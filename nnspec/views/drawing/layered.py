"""Placing boxes in rows (after Sugiyama): ranks by longest path, then order, then positions.

Items and the edges between them come in; every item leaves with `x` and `y`. An edge that passes
rows on its way gets a point in each, so that it goes around the boxes there; one that passes very many
does so near its ends only, and behind what lies between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

GAP_X = 24.0
GAP_Y = 40.0
SWEEPS = 4

FAR = 64
"""Rows that an edge goes around one by one: points in all of them would grow with the square of a picture."""

NEAR = 2
"""Of an edge that passes more, the rows at each end."""


@dataclass(eq=False)
class Item:
    """A box, or (`width` 0) the point of a passing edge. `x`, `y`: centre of the top edge."""

    width: float
    height: float
    payload: object = None
    rank: int = 0
    x: float = 0.0
    y: float = 0.0
    above: list[Item] = field(default_factory=list)
    below: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Route:
    """An edge: from `items[0]` through the passing points to `items[-1]`."""

    items: tuple[Item, ...]
    payload: object


def place(
    items: Sequence[Item], edges: Sequence[tuple[Item, Item, object]]
) -> tuple[list[Route], float, float]:
    """Give every item its place (items in an order in which edges lead forward).

    Returns the edges' routes, and the width and height of the whole.
    """
    _rank(items, edges)
    rows: list[list[Item]] = [[] for _ in range(1 + max((i.rank for i in items), default=0))]
    for item in items:
        rows[item.rank].append(item)
    routes = _routes(edges, rows)
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        for row in rows if downward else reversed(rows):
            _order(row, (lambda i: i.above) if downward else (lambda i: i.below), rows)
    _spread(rows)
    return routes, *_extent(rows)


def _rank(items: Sequence[Item], edges: Sequence[tuple[Item, Item, object]]) -> None:
    incoming: dict[Item, list[Item]] = {}
    for source, target, _ in edges:
        incoming.setdefault(target, []).append(source)
    for item in items:
        item.rank = max([item.rank, *(1 + s.rank for s in incoming.get(item, ()))])


def _routes(edges: Sequence[tuple[Item, Item, object]], rows: list[list[Item]]) -> list[Route]:
    passing: dict[tuple[int, object], list[Item]] = {}

    def point(above: Item | None, rank: int) -> Item:
        made = Item(0.0, 0.0, rank=rank)
        rows[rank].append(made)
        if above is not None:
            _join(above, made)
        return made

    routes = []
    for source, target, payload in edges:
        # Edges of one value share their points: a skip connection is one line that branches.
        points = passing.setdefault((id(source), payload), [])
        count = target.rank - source.rank - 1
        is_far = count > FAR
        shared = NEAR if is_far else count
        while len(points) < shared:
            points.append(point(points[-1] if points else source, source.rank + len(points) + 1))
        between = points[:shared]
        if is_far:
            own = [point(None, target.rank - NEAR)]
            own += [point(own[-1], rank) for rank in range(target.rank - NEAR + 1, target.rank)]
            between = between + own
        _join(between[-1] if between else source, target)
        routes.append(Route((source, *between, target), payload))
    return routes


def _join(upper: Item, lower: Item) -> None:
    upper.below.append(lower)
    lower.above.append(upper)


def _order(
    row: list[Item], neighbours: Callable[[Item], list[Item]], rows: list[list[Item]]
) -> None:
    """Sort a row by the mean position of what each item is joined to."""
    if len(row) < 2:
        return
    position: dict[Item, int] = {}
    for other in {n.rank for item in row for n in neighbours(item)}:
        position.update({item: i for i, item in enumerate(rows[other])})
    own = {item: i for i, item in enumerate(row)}

    def key(item: Item) -> float:
        near = neighbours(item)
        return sum(position[n] for n in near) / len(near) if near else float(own[item])

    row.sort(key=key)


def _spread(rows: list[list[Item]]) -> None:
    for row in rows:
        _settle(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        for row in rows if downward else list(reversed(rows)):
            wanted = []
            for item in row:
                near = item.above if downward else item.below
                wanted.append(sum(n.x for n in near) / len(near) if near else item.x)
            _settle(row, wanted)


def _settle(row: list[Item], wanted: list[float]) -> None:
    """Put items as near to where they want to be as their order and widths let them."""
    if not row:
        return
    left = float("-inf")
    for item, x in zip(row, wanted):
        item.x = max(x, left + item.width / 2)
        left = item.x + item.width / 2 + GAP_X
    shift = sum(x - item.x for item, x in zip(row, wanted)) / len(row)
    for item in row:
        item.x += shift


def _extent(rows: list[list[Item]]) -> tuple[float, float]:
    everything = [item for row in rows for item in row]
    if not everything:
        return 0.0, 0.0
    left = min(i.x - i.width / 2 for i in everything)
    right = max(i.x + i.width / 2 for i in everything)
    y = 0.0
    for row in rows:
        height = max((i.height for i in row), default=0.0)
        for item in row:
            item.x -= left
            item.y = y
            if not item.width:
                item.height = height
        y += height + GAP_Y
    return right - left, y - GAP_Y
