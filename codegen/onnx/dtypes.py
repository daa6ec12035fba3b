"""Element types, as ONNX counts them, and what onnxruntime cannot run in them on CPUs."""

from onnx import TensorProto

from codegen.dtypes import BYTES, Lacks
from nnspec.catalogue.ops.activations import Softplus
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.convolution import Conv, ConvTranspose
from nnspec.catalogue.ops.dense import Embedding
from nnspec.catalogue.ops.elementwise import Constant, Same
from nnspec.catalogue.ops.gated import Gelu, HardSigmoid, HardSwish, Mish, Softsign
from nnspec.catalogue.ops.indexing import ScatterAdd
from nnspec.catalogue.ops.norms import LayerNorm, RMSNorm
from nnspec.catalogue.ops.numeric import Erf
from nnspec.catalogue.ops.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool
from nnspec.catalogue.ops.rectifiers import Celu, Elu, LeakyRelu, PReLU, Selu
from nnspec.catalogue.ops.recurrent import Recurrent
from nnspec.catalogue.ops.resizing import PixelShuffle
from nnspec.catalogue.ops.shaping import Cast, Concat, Flatten, Reshape, Slice, Transpose
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose

DTYPES = {
    "f16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
    "f32": TensorProto.FLOAT,
    "f64": TensorProto.DOUBLE,
    "i8": TensorProto.INT8,
    "u8": TensorProto.UINT8,
    "i32": TensorProto.INT32,
    "i64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}

_NO_KERNEL = "onnxruntime has no such operator on CPUs, and a narrower one would be less exact"
LACKS: Lacks = {
    "f64": dict.fromkeys(
        (
            Conv,
            ConvTranspose,
            Convolution,
            ConvolutionTranspose,
            AvgPool,
            GlobalAvgPool,
            GlobalMaxPool,
            Recurrent,
            Erf,
            Softplus,
            Gelu,
            HardSigmoid,
            HardSwish,
            Softsign,
            # Attributes are f32.
            Celu,
            Elu,
            LeakyRelu,
            Selu,
            LayerNorm,
            RMSNorm,
            PReLU,
            Mish,
        ),
        _NO_KERNEL,
    ),
    "f16": dict.fromkeys((Celu, ScatterAdd), _NO_KERNEL),
    **dict.fromkeys(
        ("i32", "i64", "bool"), {PixelShuffle: "onnxruntime moves floats so, nothing else"}
    ),
    **BYTES,
}

NARROW = "bf16"
"""onnxruntime moves it on CPUs, but computes nothing in it: it goes through f32, which holds every bf16,
so that each result is rounded once, as the operator itself would."""

MOVING: tuple[type[Op], ...] = (
    Cast, Concat, Constant, Embedding, Flatten, Reshape, Same, Slice, Transpose,
)  # fmt: skip
