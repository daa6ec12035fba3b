"""Element types, as MXNet calls them, and what it cannot run in them."""

from codegen.dtypes import Lacks
from codegen.python.dialect import UnsupportedOp
from nnspec.catalogue.ops.algebra import MatMul
from nnspec.catalogue.ops.convolution import Conv, ConvTranspose
from nnspec.catalogue.ops.dense import Dense
from nnspec.catalogue.ops.indexing import ScatterAdd
from nnspec.catalogue.ops.losses import Accuracy
from nnspec.catalogue.ops.norms import InstanceNorm, LayerNorm, LocalResponseNorm
from nnspec.catalogue.ops.recurrent import Recurrent
from nnspec.catalogue.ops.search import Sort
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose
from nnspec.graph.graph import Node

DTYPES = {
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "u8": "uint8",
    "i32": "int32",
    "i64": "int64",
    # Zeros and ones: MXNet's operators take no booleans.
    "bool": "int8",
}

_ON_GPUS = "MXNet computes products of matrices in it on GPUs only"
_WIDER = "MXNet has it in f32 only"
_BYTES = "MXNet looks up, and adds to, parts of wider numbers only"
LACKS: Lacks = {
    "f16": {
        **dict.fromkeys(
            (Dense, MatMul, Conv, ConvTranspose, Convolution, ConvolutionTranspose, Recurrent),
            _ON_GPUS,
        ),
        Sort: "MXNet does not sort them",
        **dict.fromkeys((InstanceNorm, LocalResponseNorm), _WIDER),
    },
    "f64": {
        Accuracy: "its form counts in f32",
        LayerNorm: "MXNet keeps its epsilon as f32",
        **dict.fromkeys((InstanceNorm, LocalResponseNorm), _WIDER),
    },
    "i8": {ScatterAdd: _BYTES},
    "u8": {ScatterAdd: _BYTES},
}

WHOLE = 2**53
"""MXNet takes each number of the source as an f64, which has all whole ones so far."""


def check_whole(number: float, node: Node) -> None:
    """Raises `UnsupportedOp` where MXNet would make another whole number of it."""
    if isinstance(number, int) and abs(number) > WHOLE and not node.outputs[0].type.is_float:
        raise UnsupportedOp(node, "Gluon", f"MXNet 1.9.1 keeps no whole number beyond {WHOLE}")
