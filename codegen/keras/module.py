"""Classes as `keras.Model` and `keras.layers.Layer`."""

from __future__ import annotations

from codegen import program
from codegen.dialect import ClassParts, Dialect
from codegen.keras.functions import FUNCTIONS, MODULES
from codegen.keras.helpers import HELPERS
from codegen.keras.initializers import initializer
from codegen.keras.layers import APPLIED, CHAINED, LAYERS, absorb
from codegen.keras.losses import LOSSES
from codegen.keras.weights import native_parts
from codegen.python_source import (
    ClassDef,
    Comprehension,
    Expr,
    Expression,
    FunctionDef,
    Import,
    List,
    Literal,
    Name,
    Parameter,
    Stmt,
    Unary,
)
from nnspec import initializers as init
from nnspec.graph import Node, Weight
from nnspec.ops.convolution import Conv2D, ConvTranspose2D
from nnspec.ops.dense import Dense
from nnspec.ops.recurrent import LSTM


def frame(parts: ClassParts, package: str = "nnspec") -> Stmt:
    """A class with its layers in `__init__` and its steps in `call`; it saves and reloads as `.keras`."""
    own = tuple(Parameter(name, Name(parts.types[name])) for name in parts.parameters)
    prologue = Expression(Name("super")().attr("__init__")(Unary("**", Name("kwargs"))))
    init_function = FunctionDef(
        "__init__",
        (Parameter("self"), *own, Parameter("**kwargs")),
        (prologue, *parts.init),
    )
    call = FunctionDef(
        "call", (Parameter("self"), *(Parameter(name) for name in parts.inputs)), parts.forward
    )
    functions = (init_function, call) if parts.init else (call,)
    return ClassDef(
        parts.name,
        (Name("keras.Model" if parts.model else "layers.Layer"),),
        functions,
        decorators=(Name("keras.saving.register_keras_serializable")(package),),
        doc=parts.doc,
    )


def repeat(layer: Expr, count: int) -> Expr:
    return Comprehension(layer, Name("_"), Name("range")(Literal(count, "depth")))


def container(layers: tuple[Expr, ...]) -> Expr:
    return List(layers)


def sequence(layers: tuple[Expr, ...]) -> Expr:
    return Name("keras.Sequential")(List(layers))


def free_weight(weight: Weight) -> Expr:
    return Name("self.add_weight")(
        name=weight.role,
        shape=weight.type.shape,
        initializer=initializer(weight.initializer or init.Zeros()),
    )


def weight_ref(weight: Weight, owner: Expr, node: Node | None) -> Expr:
    """A weight in the canonical layout."""
    if node is None:
        return (
            owner.attr(weight.role)
            if not isinstance(owner, Name)
            else Name(f"{owner.text}.{weight.role}")
        )
    value: Expr = owner
    for name in native_parts(weight, node):
        value = value[int(name)] if name.isdigit() else value.attr(name)
    match node.op:
        case Dense() | LSTM() if weight.type.rank == 2:
            return Name("ops.transpose")(value)
        case Conv2D() | ConvTranspose2D() if weight.type.rank == 4:
            return Name("ops.transpose")(value, (3, 2, 0, 1))
        case _:
            return value


def size(tensor: Expr, axis: int) -> Expr:
    return Name("ops.shape")(tensor)[axis]


DIALECT = Dialect(
    name="keras",
    layers=LAYERS,
    functions={**APPLIED, **FUNCTIONS, **LOSSES},
    modules={**CHAINED, **MODULES},
    frame=frame,
    repeat=repeat,
    container=container,
    sequence=sequence,
    weight=free_weight,
    weight_ref=weight_ref,
    size=size,
    absorb=absorb,
    imports={
        "argparse": Import("argparse"),
        "zipfile": Import("zipfile"),
        "Path": Import("pathlib", "Path"),
        "sys": Import("sys"),
        "keras": Import("keras"),
        "np": Import("numpy", alias="np"),
        "tf": Import("tensorflow", alias="tf"),
        "initializers": Import("keras", "initializers"),
        "layers": Import("keras", "layers"),
        "ops": Import("keras", "ops"),
    },
    helpers={**HELPERS, **program.HELPERS},
    forward_names=("self", "training", "mask"),
    reserved=frozenset({"Trainer", "kwargs", "data"}),
    reserved_attributes=frozenset(
        ["activity_regularizer", "add_loss", "add_metric", "add_variable", "add_weight", "autocast", "build", "build_from_config", "built", "call", "compile", "compile_from_config", "compiled", "compiled_loss", "compiled_metrics", "compute_dtype", "compute_loss", "compute_mask", "compute_metrics", "compute_output_shape", "compute_output_spec", "count_params", "distribute_strategy", "distribute_reduction_method", "dtype", "dtype_policy", "evaluate", "export", "fit", "from_config", "get_compile_config", "get_build_config", "get_config", "get_layer", "get_metrics_result", "get_quantization_layer_structure", "get_weights", "input", "input_dtype", "input_spec", "inputs", "jit_compile", "layers", "load_own_variables", "load_weights", "loss", "losses", "loss_tracker", "make_predict_function", "make_test_function", "make_train_function", "metrics", "metrics_names", "metrics_variables", "name", "non_trainable_variables", "non_trainable_weights", "optimizer", "output", "outputs", "path", "predict", "predict_on_batch", "predict_step", "quantize", "quantization_mode", "quantized_build", "quantized_call", "rematerialized_call", "reset_metrics", "run_eagerly", "save", "save_own_variables", "save_weights", "set_weights", "stateless_call", "stateless_compute_loss", "steps_per_execution", "stop_evaluating", "stop_predicting", "stop_training", "summary", "supports_jit", "supports_masking", "symbolic_call", "test_function", "test_on_batch", "test_step", "to_json", "train_function", "train_on_batch", "train_step", "trainable", "trainable_variables", "trainable_weights", "variable_dtype", "variables", "weights"]
    ),
)
