"""Canonical weights in memory: arrays by path, `dense.weight`, in PyTorch's layouts; and how they begin."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nnspec.catalogue.initializers import Zeros, fans_of
from nnspec.core.dtypes import DTYPES
from nnspec.graph.graph import Weight

Array = np.ndarray[Any, Any]

PART = 2**20
"""Elements that are drawn or read at once."""


class LazyWeights(Mapping[str, Array], ABC):
    """Arrays that exist only while they are used, so that weights may be larger than the memory."""

    @abstractmethod
    def parts(self, path: str) -> Iterator[Array]:
        """The elements of a weight in order, in flat pieces that are small enough to hold."""

    @abstractmethod
    def shape(self, path: str) -> tuple[int, ...]:
        """Sizes of an array."""

    @abstractmethod
    def dtype(self, path: str) -> np.dtype[Any]:
        """Type of its elements."""

    def __contains__(self, path: object) -> bool:
        # A `Mapping` would read the whole array to answer.
        try:
            self.shape(str(path))
        except KeyError:
            return False
        return True

    def __getitem__(self, path: str) -> Array:
        shape = self.shape(path)
        array = np.empty(math.prod(shape), self.dtype(path))
        begun = 0
        for part in self.parts(path):
            array[begun : begun + part.size] = part
            begun += part.size
        return array.reshape(shape)


def parts_of(weights: Mapping[str, Array], path: str) -> Iterator[Array]:
    """The elements of a weight in flat pieces."""
    if isinstance(weights, LazyWeights):
        yield from weights.parts(path)
    else:
        yield weights[path].reshape(-1)


def form_of(found: Mapping[str, Array], path: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Sizes and type of an array, without its elements."""
    if isinstance(found, LazyWeights):
        return found.shape(path), found.dtype(path)
    return found[path].shape, found[path].dtype


class InitialWeights(LazyWeights):
    """What the initialisers draw, the same on every platform; each weight's values depend on its path and
    the seed alone."""

    def __init__(self, weights: Sequence[Weight], seed: int) -> None:
        self._weights = {w.path: w for w in weights}
        self._seed = seed
        self._idle = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def shape(self, path: str) -> tuple[int, ...]:
        return tuple(int(d) for d in self._weights[path].type.shape if isinstance(d, int))

    def dtype(self, path: str) -> np.dtype[Any]:
        return DTYPES[self._weights[path].type.dtype].numpy

    def parts(self, path: str) -> Iterator[Array]:
        weight, shape = self._weights[path], self.shape(path)
        initializer = weight.initializer or Zeros()
        generator = self._generator(path) if initializer.draws else self._idle
        if not initializer.elementwise:
            values = initializer.sample(shape, weight.fans, generator)
            yield values.reshape(-1).astype(self.dtype(path))
            return
        fans, size = fans_of(shape, weight.fans), math.prod(shape)
        for begun in range(0, size, PART):
            values = initializer.sample((min(PART, size - begun),), fans, generator)
            yield values.astype(self.dtype(path))

    def _generator(self, path: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self._seed}:{path}".encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def initialize(weights: Sequence[Weight], seed: int) -> dict[str, Array]:
    """Initial values, all of them at once."""
    return dict(InitialWeights(weights, seed))


class JoinedWeights(LazyWeights):
    """Weights of several models under one set of names: each name's own weights, and its path in them."""

    def __init__(self, sources: Mapping[str, tuple[LazyWeights, str]]) -> None:
        self._sources = sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def shape(self, path: str) -> tuple[int, ...]:
        weights, own = self._sources[path]
        return weights.shape(own)

    def dtype(self, path: str) -> np.dtype[Any]:
        weights, own = self._sources[path]
        return weights.dtype(own)

    def parts(self, path: str) -> Iterator[Array]:
        weights, own = self._sources[path]
        return weights.parts(own)


def count(weights: Sequence[Weight], *, trainable: bool | None = None) -> int:
    """Number of elements, of all weights or of those that are (not) trained."""
    return sum(
        math.prod(int(d) for d in w.type.shape if isinstance(d, int))
        for w in weights
        if trainable is None or w.trainable == trainable
    )
