"""Names of layers in a graph."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Namer:
    """Unique names within one graph: the second `dense` is `dense_2`."""

    used: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def claim(self, wanted: str) -> str:
        name = wanted
        while name in self.used:
            self.counts[wanted] = self.counts.get(wanted, 1) + 1
            name = f"{wanted}_{self.counts[wanted]}"
        self.used.add(name)
        return name
