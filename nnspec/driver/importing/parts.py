"""Layers on both sides: those of the model with their weights, those that names in a file tell of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from nnspec.driver.importing.taken import Place
from nnspec.graph.graph import Call, Graph, Node
from nnspec.graph.weight_map import Array
from nnspec.graph.weights import form_of

Shape = tuple[int, ...]

_ROLE = re.compile(
    r"^(?:(?P<layer>.*?)[./_])?(?P<role>(?:weight|bias)(?:(?:_[ih]h)?_l\d+(?:_reverse)?|_[ih]h)?|kernel|gamma|beta"
    r"|embeddings?|(?:depthwise|pointwise|recurrent)_kernel|[ih]2h_(?:weight|bias)"
    r"|(?:running|moving)_(?:mean|var|variance)|vars\.\d+)$"
)
SAME_ROLE = {
    "kernel": "weight", "depthwise_kernel": "weight", "gamma": "weight", "embeddings": "weight",
    "embedding": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var",
    "moving_variance": "running_var", "weight_ih": "weight_ih_l0", "weight_hh": "weight_hh_l0",
    "bias_ih": "bias_ih_l0", "bias_hh": "bias_hh_l0",
}  # fmt: skip
"""What formats call the roles that canonical files have; PyTorch's cells number no layers."""

_NUMBER = re.compile(r"_?(\d+)(?![A-Za-z0-9])")


@dataclass(frozen=True, eq=False)
class FilePart:
    """A layer of the file. names: of its arrays, by role, with their shapes."""

    name: str
    position: int
    arrays: Mapping[str, tuple[str, Shape]]

    @property
    def numbers(self) -> tuple[int, ...]:
        return numbers(self.name)


@dataclass(frozen=True, eq=False)
class ModelPart:
    """A layer of the model, or a weight that is free."""

    name: str
    position: int
    places: tuple[Place, ...]


def model_parts(model: Graph) -> list[ModelPart]:
    """Every layer that has weights, once, in order of evaluation."""
    known: set[str] = set()
    found: list[ModelPart] = []
    for places in _places(model):
        new = tuple(p for p in places if p.weight.path not in known)
        known |= {p.weight.path for p in new}
        if new:
            path = new[0].weight.path
            name = path if new[0].node is None else path.removesuffix(f".{new[0].role}")
            found.append(ModelPart(name, len(found), new))
    return found


def _places(graph: Graph) -> Iterator[tuple[Place, ...]]:
    for weight in graph.free_weights:
        yield (Place(weight, None),)
    for step in graph.steps:
        match step:
            case Call(body):
                yield from _places(body)
            case Node() if step.weights and step.layer is not None:
                # Layers within one, as attention has them, are layers of their own elsewhere.
                for _, inner in groupby(step.weights, lambda w: w.role.rpartition(".")[0]):
                    yield tuple(Place(w, step) for w in inner)


def file_parts(arrays: Mapping[str, Array]) -> list[FilePart]:
    """The layers that names tell of; counters and the like, which are no fractions, are left out."""
    layers: dict[str, dict[str, tuple[str, Shape]]] = {}
    for name in arrays:
        shape, dtype = form_of(arrays, name)
        if dtype.kind in "iub":
            continue
        found = _ROLE.match(name)
        layer, role = (found["layer"] or "", found["role"]) if found else (name, "")
        layers.setdefault(layer, {})[role] = (name, shape)
    return [FilePart(name, i, roles) for i, (name, roles) in enumerate(layers.items())]


def numbers(name: str) -> tuple[int, ...]:
    """The numbers of a name: `layer1.0.conv2` has 1, 0, 2."""
    return tuple(int(n[:9]) for n in _NUMBER.findall(name))


def skeleton(name: str) -> str:
    """A name without its numbers: what repeated layers have in common."""
    return _NUMBER.sub("", name)


_SAME_WORD = {
    "q": "query", "k": "key", "v": "value", "proj": "output", "out": "output", "o": "output",
    "fc": "dense", "linear": "dense", "lin": "dense", "classifier": "head", "logits": "head",
    "conv2d": "conv", "conv1d": "conv", "bn": "norm", "batch": "norm", "batchnorm": "norm",
    "layernorm": "norm", "layrnorm": "norm", "ln": "norm", "pre": "before", "post": "after", "downsample": "shortcut", "skip": "shortcut",
    "emb": "embedding", "embed": "embedding", "embeddings": "embedding", "wte": "embedding",
    "wpe": "position", "pos": "position", "attn": "attention", "mha": "attention", "ffn": "mlp",
    "ff": "mlp", "feed": "mlp", "intermediate": "mlp",
}  # fmt: skip


def likeness(one: str, other: str) -> float:
    """How much two names have in common, from 0 to 1: words, under the names that people give them."""
    a, b = _words(one), _words(other)
    return 2 * len(a & b) / max(len(a) + len(b), 1)


def _words(name: str) -> set[str]:
    parts = re.findall(r"[a-z]+(?:\d+d)?", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    return {_SAME_WORD.get(word, word) for word in parts}
