"""Element types, as Keras calls them, and what it cannot run in them."""

from codegen.dtypes import Lacks
from nnspec.catalogue.ops.ctc import Ctc
from nnspec.catalogue.ops.losses import Accuracy
from nnspec.catalogue.ops.pooling import AvgPool3D, MaxPool3D
from nnspec.catalogue.ops.recurrent import Recurrent

DTYPES = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "u8": "uint8",
    "i32": "int32",
    "i64": "int64",
    "bool": "bool",
}

LACKS: Lacks = {
    "f16": dict.fromkeys((AvgPool3D, MaxPool3D), "TensorFlow pools volumes in it on GPUs only"),
    "bf16": {
        Recurrent: "its recurrent matrix begins orthogonal, which TensorFlow cannot make in bf16"
    },
    "f64": {Accuracy: "Keras counts in f32", Ctc: "TensorFlow computes it in f32"},
}
