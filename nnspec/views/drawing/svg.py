"""The picture as SVG, without any program beside nnspec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from nnspec.graph.graph import Call, Graph, Node, Value, Weight
from nnspec.report.text import printable
from nnspec.views.drawing import labels
from nnspec.views.drawing.layered import Item, Route, place

CHAR = 7.0  # of the 11.5 px monospace face
SMALL_CHAR = 6.1
LINE = 16.0
PAD = 10.0
TITLE = 22.0

_STYLE = """
  .nn { font: 11.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
  .nn text { fill: #1f2933; text-anchor: middle; } .nn .title { font-weight: 600; }
  .nn .shape { fill: #52606d; font-size: 10px; text-anchor: start; }
  .nn .halo { stroke: #ffffff; stroke-width: 3px; }
  .nn .name { fill: #3b5b92; text-anchor: start; font-weight: 600; }
  .nn .op { fill: #eef3fb; stroke: #9db2d3; } .nn .input { fill: #e6f4ea; stroke: #8fc0a0; }
  .nn .output { fill: #fdf1dc; stroke: #dcb977; } .nn .weight { fill: #f5f5f5; stroke: #bbb; }
  .nn .block { fill: #3b5b92; fill-opacity: 0.05; stroke: #8aa0c0; }
  .nn path { fill: none; stroke: #7b8794; } .nn .head { fill: #7b8794; stroke: none; }
"""


_ARROW = (
    '<defs><marker id="nn-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" class="head"/></marker></defs>'
)


@dataclass(frozen=True)
class _Box:
    """What an item shows: lines of text, or (a block) a call and its body laid out."""

    kind: str
    lines: tuple[str, ...] = ()
    call: Call | None = None
    scope: _Scope | None = None


@dataclass(frozen=True)
class _Scope:
    """One graph laid out. `entries` and `exits` are where edges from outside join."""

    items: tuple[Item, ...]
    routes: tuple[Route, ...]
    entries: tuple[Item, ...]
    exits: tuple[Item, ...]
    width: float
    height: float


def to_svg(graph: Graph) -> str:
    """Inputs at the top, outputs at the bottom, blocks as boxes, shapes on the edges."""
    scope = _Layout(outermost=True).of(graph)
    width, height = scope.width + 2 * PAD, scope.height + 2 * PAD
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nn" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{_plain(graph.name)}</title>",
        f"<style>{_STYLE}</style>",
        _ARROW,
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *_draw(scope, PAD, PAD),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class _Layout:
    """Turns one graph's values and steps into items and edges, and places them."""

    def __init__(self, outermost: bool) -> None:
        self.outermost = outermost
        self.sources: list[Item] = []
        self.items: list[Item] = []
        self.edges: list[tuple[Item, Item, object]] = []
        self.maker: dict[Value, Item] = {}
        self.constants: dict[Value, object] = {}

    def of(self, graph: Graph) -> _Scope:
        for value in graph.inputs:
            self.maker[value] = self.port("input", value.name or "input")
        entries = tuple(self.items)
        for step in graph.steps:
            if isinstance(step, Node) and labels.is_constant(step):
                self.constants[step.outputs[0]] = labels.constant_of(step)
            else:
                self.step(step)
        exits = []
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            exits.append(self.port("output", name))
            self.connect(value, exits[-1])
        self.align(exits)
        items = (*self.sources, *self.items)
        routes, width, height = place(items, self.edges)
        return _Scope(items, tuple(routes), entries, tuple(exits), width, height)

    def step(self, step: Node | Call) -> None:
        if isinstance(step, Call):
            item = _block(step)
        else:
            given = tuple(self.constants[v] for v in step.inputs if v in self.constants)
            lines = (labels.title(step), labels.detail(step, given))
            item = _text("op", tuple(filter(None, lines)))
        # The shape stands to the right of the edge that leaves the middle.
        longest = max((len(str(v.type)) for v in step.outputs), default=0)
        item.width = max(item.width, 2 * (longest * SMALL_CHAR + 8))
        self.items.append(item)
        for value in step.inputs:
            self.connect(value, item)
        self.maker.update(dict.fromkeys(step.outputs, item))

    def port(self, kind: str, name: str) -> Item:
        """An input or output: a box of its own, or the point where a block's edge comes in."""
        item = _text(kind, (name,)) if self.outermost else Item(1.0, 0.0, _Box("port"))
        self.items.append(item)
        return item

    def connect(self, value: Value, target: Item) -> None:
        if value in self.constants:
            return
        if value not in self.maker:
            name = labels.weight_label(value) if isinstance(value, Weight) else str(value.type)
            self.maker[value] = _text("weight", (name,))
            self.sources.append(self.maker[value])
        self.edges.append((self.maker[value], target, value))

    def align(self, exits: list[Item]) -> None:
        """Let all outputs stand in the last row."""
        depth = dict.fromkeys([*self.sources, *self.items], 0)
        for source, target, _ in self.edges:  # in order of evaluation
            depth[target] = max(depth[target], depth[source] + 1)
        for item in exits:
            item.rank = max(depth.values())


def _plain(text: str) -> str:
    """Text of the spec between tags: no markup, and no character that XML has not."""
    return escape(printable(text))


def _text(kind: str, lines: tuple[str, ...]) -> Item:
    width = max(len(line) for line in lines) * CHAR + 2 * PAD
    return Item(width, len(lines) * LINE + PAD, _Box(kind, lines))


def _block(call: Call) -> Item:
    scope = _Layout(outermost=False).of(call.body)
    title = labels.title(call)
    width = max(scope.width, len(title) * CHAR) + 2 * PAD
    return Item(width, scope.height + 2 * TITLE, _Box("block", (title,), call, scope))


def _box_of(item: Item) -> _Box | None:
    return item.payload if isinstance(item.payload, _Box) else None


def _draw(scope: _Scope, left: float, top: float) -> Iterator[str]:
    for route in scope.routes:
        yield _edge(route, left, top)
    for item in scope.items:
        box = _box_of(item)
        if box is not None and box.kind != "port":
            yield from _draw_box(item, box, left, top)
    yield from _shapes(scope, left, top)


def _shapes(scope: _Scope, left: float, top: float) -> Iterator[str]:
    """The type of each value, once, where it leaves what makes it."""
    unlabelled = _seen_inside(scope)
    for route in scope.routes:
        value, first = route.payload, route.items[0]
        if isinstance(value, Value) and value in unlabelled:
            unlabelled.remove(value)
            x, _ = _end(first, value, left, top, leaving=True)
            y = top + first.y + first.height
            spot = f'x="{x + 5:.1f}" y="{y + 14:.1f}"'
            yield f'<text class="shape halo" {spot}>{_plain(str(value.type))}</text>'
            yield f'<text class="shape" {spot}>{_plain(str(value.type))}</text>'


def _seen_inside(scope: _Scope) -> set[object]:
    """Values whose shape is written here: not those that the graph around writes anyway."""
    ports = {i for i in (*scope.entries, *scope.exits) if (b := _box_of(i)) and b.kind == "port"}
    return {r.payload for r in scope.routes if r.items[0] not in ports and r.items[-1] not in ports}


def _draw_box(item: Item, box: _Box, left: float, top: float) -> Iterator[str]:
    x, y = left + item.x - item.width / 2, top + item.y
    yield (
        f'<rect class="{box.kind}" x="{x:.1f}" y="{y:.1f}" width="{item.width:.1f}" '
        f'height="{item.height:.1f}" rx="6"/>'
    )
    if box.scope is not None:
        yield f'<text class="name" x="{x + 8:.1f}" y="{y + 14:.1f}">{_plain(box.lines[0])}</text>'
        yield from _draw(box.scope, left + item.x - box.scope.width / 2, y + TITLE)
        return
    for i, line in enumerate(box.lines):
        style = ' class="title"' if i == 0 else ""
        baseline = y + PAD / 2 + LINE * (i + 0.75)
        yield f'<text{style} x="{left + item.x:.1f}" y="{baseline:.1f}">{_plain(line)}</text>'


def _edge(route: Route, left: float, top: float) -> str:
    first, *middle, last = route.items
    assert isinstance(route.payload, Value)
    x, y = _end(first, route.payload, left, top, leaving=True)
    path = f"M{x:.1f},{y:.1f}"
    if y < (bottom := top + first.y + first.height):
        y = bottom
        path += f" V{y:.1f}"
    for point in middle:
        path += _curve(x, y, left + point.x, top + point.y)
        x, y = left + point.x, top + point.y + point.height
        path += f" V{y:.1f}"
    end_x, end_y = _end(last, route.payload, left, top, leaving=False)
    path += _curve(x, y, end_x, top + last.y)
    if end_y > top + last.y:
        path += f" V{end_y:.1f}"
    # Inside a block's border the edge goes on, so that only the last stretch has a head.
    box = _box_of(last)
    goes_on = box is not None and (box.kind == "port" or box.scope is not None)
    head = "" if goes_on else ' marker-end="url(#nn-arrow)"'
    return f'<path d="{path}"{head}/>'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    bend = (to_y - y) / 2
    return f" C{x:.1f},{y + bend:.1f} {to_x:.1f},{to_y - bend:.1f} {to_x:.1f},{to_y:.1f}"


def _end(item: Item, value: Value, left: float, top: float, leaving: bool) -> tuple[float, float]:
    """Where an edge meets an item: within a block its own entry or exit, else the border's middle."""
    x, y = left + item.x, top + item.y
    box = _box_of(item)
    if box is None or box.scope is None or box.call is None:
        return x, y + (item.height if leaving else 0)
    values, ports = (
        (box.call.outputs, box.scope.exits) if leaving else (box.call.inputs, box.scope.entries)
    )
    port = ports[values.index(value)]
    return x - box.scope.width / 2 + port.x, y + TITLE + port.y
