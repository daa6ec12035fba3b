"""Finds, without a table, where a model's weights stand in a file: by names, shapes and order.

Layers are compared, not arrays: a layer's shapes tell much. Those that could be one another fall into groups by their
names without numbers (`layer#.#.conv#`), which stand for the same part of repeated blocks. Groups of the same
size are one another, the likest names first, and within a group order decides. What rests on order alone is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from codegen.foreign import Foreign, Form
from nnspec.catalogue.ops.attention import MultiHeadAttention
from nnspec.catalogue.ops.dense import Dense
from nnspec.driver.importing.parts import (
    SAME_ROLE,
    FilePart,
    ModelPart,
    file_parts,
    likeness,
    model_parts,
    skeleton,
)
from nnspec.driver.importing.taken import Place, Taken, cuts, fitting, shape_of
from nnspec.graph.graph import Graph, Node, Weight
from nnspec.graph.weight_map import Permute, Transform

NAME, SHAPE, ALIKE, ORDER = "name", "shape", "likeness", "order"

Signature = tuple[tuple[int, ...], ...]
Key = Callable[[FilePart], Signature]
Part = TypeVar("Part", ModelPart, FilePart)


@dataclass
class _Search:
    """What has been found so far, and what is left."""

    form: Form
    ordered: bool
    model: list[ModelPart]
    file: list[FilePart]
    taken: list[Taken] = field(default_factory=list)

    def pair(self, part: ModelPart, source: FilePart, how: str) -> bool:
        """Take a layer's weights from a layer of the file, where each finds its own."""
        found = _roles(part, source, self.form, how)
        if found is None:
            return False
        self.taken += found
        self.model.remove(part)
        self.file.remove(source)
        return True


def match(model: Graph, foreign: Foreign) -> list[Taken]:
    """Where the weights stand, as far as it can be told."""
    file = file_parts(foreign.arrays)
    form = _turned(foreign.form) if _matrices_are_turned(file) else foreign.form
    search = _Search(form, foreign.ordered, model_parts(model), file)
    by_name = {part.name: part for part in file}
    for part in list(search.model):
        same = by_name.get(part.name)
        if same is not None and same in search.file:
            search.pair(part, same, NAME)
    _kernels(search)
    _by_signature(search, _signature)
    _fused(search)
    _by_signature(search, _with_one_bias)
    return search.taken


def _by_signature(search: _Search, key: Key) -> None:
    wanted: dict[Signature, list[ModelPart]] = defaultdict(list)
    for part in search.model:
        wanted[_sorted(p.shape for p in part.places)].append(part)
    held: dict[Signature, list[FilePart]] = defaultdict(list)
    for source in search.file:
        held[key(source)].append(source)
    for signature, parts in wanted.items():
        if sources := held.get(signature):
            _class(search, parts, sources)


def _kernels(search: _Search) -> None:
    """Convolutions by their kernels as the format keeps them: what widens and what narrows again differ by
    their axes alone."""
    wanted: dict[Signature, list[ModelPart]] = defaultdict(list)
    for part in search.model:
        forms = [(p.shape, search.form(p.node, p.weight)) for p in part.places]
        shapes = [shape_of(shape, form) or shape for shape, form in forms]
        if any(len(shape) > 2 for shape in shapes):
            wanted[tuple(sorted(shapes))].append(part)
    held: dict[Signature, list[FilePart]] = defaultdict(list)
    for source in search.file:
        held[tuple(sorted(shape for _, shape in source.arrays.values()))].append(source)
    for signature, parts in wanted.items():
        if len(held[signature]) == len(parts):
            _class(search, parts, held[signature])


def _class(search: _Search, parts: list[ModelPart], sources: list[FilePart]) -> None:
    """Pair layers of the same shapes."""
    if len(parts) == len(sources) == 1:
        search.pair(parts[0], sources[0], SHAPE)
        return
    ours, theirs = _groups(parts), _groups(sources)
    ranked = sorted(
        (
            (-likeness(a, b), i, j, a, b)
            for i, a in enumerate(ours)
            for j, b in enumerate(theirs)
            if len(ours[a]) == len(theirs[b])
        ),
    )
    sizes = [len(group) for group in ours.values()]
    for worth, _, _, a, b in ranked:
        if a in ours and b in theirs:
            mine, other = ours.pop(a), theirs.pop(b)
            alone = sizes.count(len(mine)) == 1
            _in_order(search, mine, other, ALIKE if worth < 0 or alone else ORDER)
    mine = [part for group in ours.values() for part in group]
    other = [source for group in theirs.values() for source in group]
    if len(mine) == len(other):
        _in_order(search, mine, other, ORDER)


def _groups(parts: Sequence[Part]) -> dict[str, list[Part]]:
    groups: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        groups[skeleton(part.name)].append(part)
    return groups


def _in_order(search: _Search, parts: list[ModelPart], sources: list[FilePart], how: str) -> None:
    parts = sorted(parts, key=lambda p: p.position)
    sources = sorted(sources, key=lambda s: (() if search.ordered else s.numbers, s.position))
    for part, source in zip(parts, sources, strict=True):
        search.pair(part, source, how)


def _signature(source: FilePart) -> Signature:
    return _sorted(shape for _, shape in source.arrays.values())


def _with_one_bias(source: FilePart) -> Signature:
    """As if what two biases add were one, which is all that an LSTM has in the language."""
    return _sorted(s for role, (_, s) in source.arrays.items() if not role.startswith("bias_hh"))


def _sorted(shapes: Iterable[tuple[int, ...]]) -> Signature:
    """Shapes whatever the order of layers, of axes, and with or without axes of size 1."""
    return tuple(sorted(tuple(sorted(n for n in shape if n != 1)) for shape in shapes))


def _roles(part: ModelPart, source: FilePart, form: Form, how: str) -> list[Taken] | None:
    """Which array each weight of a layer is: the one of its role, else the first that fits."""
    left = dict(source.arrays)
    found: list[Taken] = []
    for exact in (True, False):
        for place in part.places:
            if any(t.path == place.weight.path for t in found):
                continue
            for role, (name, shape) in left.items():
                if exact and place.role not in _own_roles(role):
                    continue
                fit = fitting(shape, place, form)
                if fit is not None:
                    found.append(Taken(place.weight.path, (name,), how, form=fit))
                    del left[role]
                    break
    if len(found) < len(part.places):
        return None
    return [_both_biases(taken, left) for taken in found]


def _own_roles(role: str) -> tuple[str, str]:
    """What the role is in the language: of two biases that are added, the first stands for both."""
    own = SAME_ROLE.get(role, role)
    return own, own.replace("bias_ih_", "bias_")


def _both_biases(taken: Taken, left: Mapping[str, tuple[str, tuple[int, ...]]]) -> Taken:
    """An LSTM's bias is the sum of two where the file has two."""
    for role, (name, _) in left.items():
        if role.startswith("bias_hh") and name == taken.sources[0].replace("bias_ih", "bias_hh"):
            return replace(taken, sources=(*taken.sources, name))
    return taken


def _fused(search: _Search) -> None:
    """Layers whose arrays hold those of several, one after the other: query, key and value in one."""
    for group in _groups(search.file).values():
        count, first = len(group), group[0]
        for triple in _neighbours(search.model, count):
            parts = [sorted(p, key=lambda p: p.position) for p in triple]
            found: list[Taken] = []
            for row in range(count):
                found += _cut(group[row], [p[row] for p in parts], search.form) or []
            wanted = sum(len(p.places) for g in parts for p in g)
            if found and len(found) == wanted and len(first.arrays) * 3 * count == wanted:
                search.taken += found
                for part in (p for g in parts for p in g):
                    search.model.remove(part)
                for source in group:
                    search.file.remove(source)
                break


def _neighbours(model: Sequence[ModelPart], count: int) -> list[list[list[ModelPart]]]:
    """Groups called query, key and value, in this order, of so many layers each."""
    groups = {n: g for n, g in _groups(model).items() if len(g) == count}
    triples = []
    for name, group in groups.items():
        for words in (("query", "key", "value"), ("q", "k", "v")):
            before, found, after = name.rpartition(words[0])
            others = [f"{before}{word}{after}" for word in words[1:]]
            if found and all(other in groups for other in others):
                triples.append([group, *(groups[o] for o in others)])
    return triples


def _cut(source: FilePart, parts: Sequence[ModelPart], form: Form) -> list[Taken] | None:
    found: list[Taken] = []
    for role, (name, shape) in source.arrays.items():
        own = SAME_ROLE.get(role, role)
        places = [p for part in parts for p in part.places if p.role == own]
        if len(places) != len(parts):
            return None
        turned = bool(form(places[0].node, places[0].weight)) and len(shape) == 2
        lying = (shape[1], shape[0]) if turned else shape
        pieces = cuts(lying, places, 0)
        if pieces is None:
            return None
        order = (1, 0) if turned else None
        found += [
            Taken(p.weight.path, (name,), ALIKE, transpose=order, cut=piece)
            for p, piece in zip(places, pieces, strict=True)
        ]
    return found


def _matrices_are_turned(file: Sequence[FilePart]) -> bool:
    """Whether matrices stand as (in, out) although the format has no custom of its own: biases tell."""
    turned = usual = 0
    for part in file:
        shapes = {SAME_ROLE.get(role, role): shape for role, (_, shape) in part.arrays.items()}
        matrix, bias = shapes.get("weight", ()), shapes.get("bias", ())
        if len(matrix) == 2 and len(bias) == 1 and matrix[0] != matrix[1]:
            turned += bias[0] == matrix[1]
            usual += bias[0] == matrix[0]
    return turned > 0 and usual == 0


def _turned(form: Form) -> Form:
    def turned(node: Node | None, weight: Weight) -> tuple[Transform, ...]:
        matrices = (Dense, MultiHeadAttention)
        if (
            node is not None
            and isinstance(node.op, matrices)
            and Place(weight, node).role == "weight"
        ):
            return (Permute((1, 0)),)
        return form(node, weight)

    return turned
