"""Element types, as PyTorch calls them, and what it cannot run in them."""

from codegen.dtypes import BYTES, Lacks
from nnspec.catalogue.ops.losses import Accuracy
from nnspec.catalogue.ops.norms import LocalResponseNorm
from nnspec.catalogue.ops.pooling import AvgPool3D

DTYPES = {
    "f16": "torch.float16",
    "bf16": "torch.bfloat16",
    "f32": "torch.float32",
    "f64": "torch.float64",
    "i8": "torch.int8",
    "u8": "torch.uint8",
    "i32": "torch.int32",
    "i64": "torch.int64",
    "bool": "torch.bool",
}

_ON_GPUS = "PyTorch averages volumes in it on GPUs only"
LACKS: Lacks = {
    "f16": dict.fromkeys((AvgPool3D, LocalResponseNorm), _ON_GPUS),
    "bf16": dict.fromkeys((AvgPool3D, LocalResponseNorm), _ON_GPUS),
    "f64": {Accuracy: "its form counts in f32"},
    **BYTES,
}
