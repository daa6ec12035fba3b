"""Figures of runs over their epochs as an SVG: a panel for each figure, a colour for each run, dashes for what is held out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from nnspec.report.text import printable

Points = Sequence[tuple[float, float]]
"""Epoch and figure."""

WIDTH, HEIGHT, MARGIN, LINE = 340.0, 220.0, 46.0, 16.0
COLOURS = ("#3b5b92", "#c2571a", "#3d8b5f", "#8a4f9e", "#b3404a", "#7a6a2f", "#2f8f9d", "#666f7a")
HELD_OUT = "val_"

_STYLE = """
  .nn { font: 11px ui-sans-serif, system-ui, sans-serif; } .nn text { fill: #1f2933; }
  .nn .tick { fill: #52606d; font-size: 10px; } .nn .title { font-weight: 600; }
  .nn .grid { stroke: #e4e7eb; } .nn .curve { fill: none; stroke-width: 1.6; }
  .nn .held { stroke-dasharray: 5 3; }
"""


def to_svg(runs: Mapping[str, Mapping[str, Points]]) -> str:
    """runs: by name, the points of each figure by its name; `val_loss` is drawn beside `loss`."""
    named = {name.removeprefix(HELD_OUT): None for figures in runs.values() for name in figures}
    legend = LINE * len(runs) + LINE
    width, height = WIDTH * max(len(named), 1), HEIGHT + legend
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nn" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for place, name in enumerate(named):
        lines += _panel(name, runs, place * WIDTH)
    for place, run in enumerate(runs):
        y = HEIGHT + LINE * (place + 0.5)
        colour = COLOURS[place % len(COLOURS)]
        lines.append(f'<path class="curve" d="M{MARGIN} {y}h18" stroke="{colour}"/>')
        lines.append(f'<text x="{MARGIN + 24}" y="{y + 4}">{escape(printable(run))}</text>')
    lines.append(
        f'<text class="tick" x="{MARGIN}" y="{HEIGHT + LINE * len(runs) + 12}">'
        "dashed: held out</text>"
    )
    return "\n".join([*lines, "</svg>"]) + "\n"


@dataclass(frozen=True)
class _Axis:
    """Numbers along a stretch of pixels, with round ones to mark."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, number: float) -> float:
        span = self.high - self.low or 1.0
        return self.begin + (number - self.low) / span * (self.end - self.begin)

    def marks(self, count: int) -> list[float]:
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        rough = span / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _panel(name: str, runs: Mapping[str, Mapping[str, Points]], left: float) -> Iterator[str]:
    curves: list[tuple[str, str, Points]] = []
    for place, figures in enumerate(runs.values()):
        colour = COLOURS[place % len(COLOURS)]
        for own, kind in ((name, "curve"), (HELD_OUT + name, "curve held")):
            finite = [p for p in figures.get(own, ()) if math.isfinite(p[1])]
            if finite:
                curves.append((colour, kind, finite))
    xs = [x for *_, points in curves for x, _ in points] or [0.0, 1.0]
    ys = [y for *_, points in curves for _, y in points] or [0.0, 1.0]
    across = _Axis(min(xs), max(xs), left + MARGIN, left + WIDTH - 14)
    up = _Axis(min(ys), max(ys), HEIGHT - 30, 28)
    yield f'<text class="title" x="{across.begin}" y="16">{escape(printable(name))}</text>'
    for mark in up.marks(4):
        y = up.at(mark)
        yield f'<path class="grid" d="M{across.begin:.1f} {y:.1f}H{across.end:.1f}"/>'
        yield f'<text class="tick" x="{across.begin - 4:.1f}" y="{y + 3:.1f}" text-anchor="end">{mark:.4g}</text>'
    for mark in across.marks(5):
        x = across.at(mark)
        yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{mark:.4g}</text>'
    for colour, kind, drawn in curves:
        path = " ".join(f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in drawn)
        if len(drawn) == 1:
            x, y = drawn[0]
            yield f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="2.5" fill="{colour}"/>'
        else:
            yield f'<path class="{kind}" d="M{path}" stroke="{colour}"/>'
