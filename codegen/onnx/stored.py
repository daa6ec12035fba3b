"""Reads the initialisers of an ONNX model, in the order in which its nodes use them.

Matrices that `MatMul` multiplies from the right, and those of a `Gemm` that does not turn them, stand as (in, out).
Arrays that stand in a file beside the model are read from its own folder only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from codegen.foreign import Foreign, ForeignError, Stored, StoredArrays, check_size
from codegen.onnx.dtypes import DTYPES
from nnspec.core import dtypes, inputs
from nnspec.graph.weight_map import Array

LARGEST = 2**31
DEEPEST = 20
_TYPES: dict[int, np.dtype[Any]] = {
    int(number): dtypes.DTYPES[name].numpy for name, number in DTYPES.items()
}


def read(path: Path) -> Foreign:
    """The initialisers of a model, by name; raises `OSError` and `ForeignError`."""
    inputs.reads(path)
    if path.stat().st_size > LARGEST:
        raise ForeignError("is larger than a message of protobuf can be")
    model = ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise ForeignError("is not an ONNX model, or ends early") from None
    if not model.HasField("graph"):
        raise ForeignError("is not an ONNX model")
    tensors: dict[str, TensorProto] = {}
    turned: set[str] = set()
    order: dict[str, None] = {}
    for graph in _graphs(model.graph, 0):
        tensors |= {t.name: t for t in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.output:
                values = [a.t for a in node.attribute if a.name == "value"]
                tensors |= dict(zip(node.output, values))
            order |= dict.fromkeys(node.input)
            if _turns(node):
                turned.add(node.input[1])
    if not all(isinstance(n, str) for n in tensors):
        raise ForeignError("has a name that is no text")
    names = [n for n in order if n in tensors] + [n for n in tensors if n not in order]
    found = {n: _stored(tensors[n], path, n in turned) for n in names}
    return Foreign(StoredArrays({n: stored for n, stored in found.items() if stored is not None}))


def _graphs(graph: GraphProto, depth: int) -> Iterator[GraphProto]:
    """A graph and those of its branches and loops."""
    yield graph
    if depth < DEEPEST:
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == AttributeProto.GRAPH:
                    yield from _graphs(attribute.g, depth + 1)


def _turns(node: NodeProto) -> bool:
    if len(node.input) < 2:
        return False
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not turned)


def _stored(tensor: TensorProto, path: Path, turned: bool) -> Stored | None:
    """A tensor of the file; None for text and the like."""
    shape = tuple(tensor.dims)
    if tensor.data_type not in _TYPES or tensor.HasField("segment") or min(shape, default=0) < 0:
        return None
    dtype = _TYPES[tensor.data_type]
    check_size(math.prod(shape) * dtype.itemsize)
    turned = turned and len(shape) == 2

    def read() -> Array:
        found = _elements(tensor, path, shape, dtype)
        return found.T if turned else found

    return Stored(shape[::-1] if turned else shape, dtype, read)


def _elements(
    tensor: TensorProto, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    count = math.prod(shape)
    if tensor.data_location == TensorProto.EXTERNAL:
        content = _beside(tensor, path, count * dtype.itemsize)
    elif tensor.HasField("raw_data"):
        content = tensor.raw_data
    else:
        try:
            return np.asarray(numpy_helper.to_array(tensor)).astype(dtype).reshape(shape)
        except (ValueError, TypeError) as error:
            raise ForeignError(f"has a damaged tensor `{tensor.name[:80]}`: {error}") from None
    if len(content) != count * dtype.itemsize:
        raise ForeignError(f"has a tensor `{tensor.name[:80]}` without all its elements")
    return np.frombuffer(content, dtype).reshape(shape)


def _beside(tensor: TensorProto, path: Path, size: int) -> bytes:
    """The bytes of a tensor in a file of the same folder, or of one below it."""
    told = {e.key: e.value for e in tensor.external_data}
    place = PurePosixPath(told.get("location", ""))
    file = path.parent / place
    folder = path.parent.resolve()
    if place.is_absolute() or ".." in place.parts or not file.resolve().is_relative_to(folder):
        raise ForeignError(f"keeps `{tensor.name[:80]}` outside its own folder, which is not read")
    start, length = told.get("offset", "0"), told.get("length", str(size))
    if not start.isdecimal() or not length.isdecimal() or int(length) != size or not file.is_file():
        raise ForeignError(f"keeps `{tensor.name[:80]}` in a file that is not there, or too short")
    inputs.reads(file)
    with file.open("rb") as stream:
        stream.seek(min(int(start), 2**62))
        return stream.read(size)
