"""Writing a model: weights go from where they are to the file part by part, however large they are.

A model is one protobuf message of at most 2 GiB. Weights stand inside it; those of a larger model stand in a
file beside it, as ONNX's external data.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from onnx import GraphProto, ModelProto, StringStringEntryProto, TensorProto

from codegen.onnx.dtypes import DTYPES
from nnspec.core import dtypes
from nnspec.core.files import Content
from nnspec.graph.weight_map import Array, NativeWeight, WeightMap
from nnspec.graph.weights import parts_of

LARGEST = 2**31 - 1
"""Bytes of one protobuf message."""

AT_ONCE = 2**26
"""Bytes of a file that is handed on as it is; larger ones write themselves."""

PAGE = 4096
"""Where tensors begin in a file of weights, so that runtimes can map them; smaller ones stay inside."""

_DELIMITED = 2  # protobuf's wire type of messages and bytes
_GRAPH = ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA = TensorProto.RAW_DATA_FIELD_NUMBER


@dataclass(frozen=True)
class Held:
    """The content of an initialiser: canonical weights one after the other, and what is done to them."""

    entries: tuple[NativeWeight, ...]
    shape: tuple[int, ...]
    dtype: str

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * dtypes.DTYPES[self.dtype].bytes

    def tensor(self, name: str) -> TensorProto:
        """The initialiser, still without content."""
        return TensorProto(name=name, dims=self.shape, data_type=DTYPES[self.dtype])

    def parts(self, weights: Mapping[str, Array]) -> Iterator[memoryview]:
        """Its bytes, in order."""
        for entry in self.entries:
            if entry.transforms:
                pieces = iter([entry.to_native(weights[entry.path]).reshape(-1)])
            else:
                pieces = parts_of(weights, entry.path)
            for piece in pieces:
                yield piece.astype(dtypes.DTYPES[self.dtype].numpy, copy=False).view(np.uint8).data


@dataclass(frozen=True)
class Frame:
    """A model without its weights.

    shell: the model without its graph. held: what the initialisers will hold that the graph still lacks.
    """

    shell: ModelProto
    graph: GraphProto
    held: Mapping[str, Held]
    entries: WeightMap

    def whole(self) -> ModelProto:
        """The model with all initialisers, those of weights without content."""
        model = ModelProto()
        model.CopyFrom(self.shell)
        model.graph.CopyFrom(self.graph)
        model.graph.initializer.extend(held.tensor(name) for name, held in self.held.items())
        return model

    def filled(self, weights: Mapping[str, Array]) -> ModelProto:
        """The model with its weights, in memory."""
        model = self.whole()
        for tensor in model.graph.initializer:
            if tensor.name in self.held:
                tensor.raw_data = b"".join(self.held[tensor.name].parts(weights))
        return model


def model_files(name: str, frame: Frame, weights: Mapping[str, Array]) -> dict[str, Content]:
    """The files of a model by name: one, or one and that of its weights."""
    size = frame.graph.ByteSize() + sum(32 + held.size for held in frame.held.values())
    if size > LARGEST:
        return _beside(name, frame, weights)
    if size <= AT_ONCE:
        buffer = io.BytesIO()
        _write_inside(buffer, frame, weights)
        return {name: buffer.getvalue()}

    def write(path: Path) -> None:
        with path.open("wb") as file:
            _write_inside(file, frame, weights)

    return {name: write}


def _write_inside(file: BinaryIO, frame: Frame, weights: Mapping[str, Array]) -> None:
    """The message field by field, which readers take in any order: the weights last."""
    body = frame.graph.SerializeToString(deterministic=True)
    tensors = [(_head(name, held), held) for name, held in frame.held.items()]
    tags = [_tag(_INITIALIZER, len(head) + held.size) for head, held in tensors]
    size = sum(
        len(tag) + len(head) + held.size for tag, (head, held) in zip(tags, tensors, strict=True)
    )
    file.write(frame.shell.SerializeToString(deterministic=True))
    file.write(_tag(_GRAPH, len(body) + size))
    file.write(body)
    for tag, (head, held) in zip(tags, tensors, strict=True):
        file.write(tag)
        file.write(head)
        for part in held.parts(weights):
            file.write(part)


def _head(name: str, held: Held) -> bytes:
    """A tensor's message up to where its content begins."""
    begun: bytes = held.tensor(name).SerializeToString(deterministic=True)
    return begun + _tag(_RAW_DATA, held.size)


def _tag(field: int, length: int) -> bytes:
    """What protobuf writes before the bytes of a field."""
    return _varint(field << 3 | _DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _beside(name: str, frame: Frame, weights: Mapping[str, Array]) -> dict[str, Content]:
    model = frame.whole()
    location, end = f"{name}.data", 0
    placed: list[tuple[int, Held]] = []
    for tensor in model.graph.initializer:
        held = frame.held.get(tensor.name)
        if held is None:
            continue
        if held.size < PAGE:
            tensor.raw_data = b"".join(held.parts(weights))
            continue
        begin = -(-end // PAGE) * PAGE
        end = begin + held.size
        placed.append((begin, held))
        tensor.data_location = TensorProto.EXTERNAL
        told = {"location": location, "offset": begin, "length": held.size}
        tensor.external_data.extend(
            StringStringEntryProto(key=key, value=str(value)) for key, value in told.items()
        )

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for begin, held in placed:
                file.seek(begin)
                for part in held.parts(weights):
                    file.write(part)

    return {name: model.SerializeToString(deterministic=True), location: write}
