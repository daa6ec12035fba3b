"""The dialect of Keras: models as `keras.Model`s, and blocks as `keras.layers.Layer`s."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import partial

from codegen.dtypes import PLAIN, dtype_of, is_plain
from codegen.keras.along_time import scan
from codegen.keras.dtypes import DTYPES, LACKS
from codegen.keras.initializers import free_weight
from codegen.keras.ops import TABLES
from codegen.keras.weights import variable, weight_ref
from codegen.python.dialect import ClassParts, Dialect
from codegen.python.fixed import snippet_imports, snippets
from codegen.python.functions import Functions
from codegen.python.source import (
    Assign,
    Call,
    ClassDef,
    Comment,
    Comprehension,
    Dict,
    Expr,
    Expression,
    FunctionDef,
    Import,
    List,
    Literal,
    Name,
    Operator,
    Parameter,
    Return,
    Stmt,
    Tuple,
    Unary,
)
from nnspec.core.dtypes import FLOATS
from nnspec.graph.graph import Node, Value, walk

BUILT = "Called on symbols, it makes its weights."
TRAINING = "Keras tells the layers inside whether this is training."


def frame(package: str, parts: ClassParts) -> Stmt:
    """A class with its layers in `__init__` and its steps in `call`."""
    kind = "keras.Model" if parts.model else "layers.Layer"
    functions: list[Stmt] = [_init(parts), _call(parts)]
    if parts.parameters:
        functions.append(_get_config(parts))
    register = Name("keras.saving.register_keras_serializable")(package=package)
    return ClassDef(parts.name, (Name(kind),), tuple(functions), (register,), parts.doc)


def variant(package: str, name: str, base: str, values: Mapping[str, Literal], doc: str) -> Stmt:
    """The same, made with other numbers; what was saved says them again."""
    numbers = Dict(tuple((Literal(k), v) for k, v in values.items()))
    begin = Name("super")().attr("__init__")(Unary("**", Operator("|", numbers, Name("kwargs"))))
    init = FunctionDef("__init__", (Parameter("self"), Parameter("**kwargs")), (Expression(begin),))
    register = Name("keras.saving.register_keras_serializable")(package=package)
    return ClassDef(name, (Name(base),), (init,), (register,), doc)


def _init(parts: ClassParts) -> Stmt:
    kept = {s.target for s in parts.init if isinstance(s, Assign)}
    begin = Call(Name("super")().attr("__init__"), (Unary("**", Name("kwargs")),))
    if not is_plain(parts.graph):
        begin = begin.with_keyword("autocast", False)
    body: list[Stmt] = [Expression(begin)]
    for name in (p.name for p in parts.parameters):  # `get_config` reads them
        if Name(f"self.{name}") not in kept:
            body.append(Assign(Name(f"self.{name}"), Name(name)))
    body += map(_named, parts.init)
    if parts.model and parts.graph.inputs:
        call = Call(Name("self"), tuple(map(_symbol, parts.graph.inputs)))
        body += [Comment(BUILT), Expression(call)]
    parameters = (Parameter("self"), *parts.parameters, Parameter("**kwargs"))
    return FunctionDef("__init__", parameters, tuple(body))


def _named(statement: Stmt) -> Stmt:
    """A layer that the spec numbers is told its name: Keras counts by itself, over all models."""
    match statement:
        case Assign(Name(place), Call(Name(made)) as layer) if not made.startswith("self."):
            name = place.removeprefix("self.")
            if re.search(r"_\d+$", name) and not any(k == "name" for k, _ in layer.keywords):
                return dataclasses.replace(statement, value=layer.with_keyword("name", name))
    return statement


def _symbol(value: Value) -> Expr:
    """`keras.Input((28, 28, 1))`."""
    shape = value.type.shape
    sizes = tuple(Literal(d if isinstance(d, int) else None) for d in shape)
    if shape and not isinstance(shape[0], int):
        made = Name("keras.Input")(Tuple(sizes[1:]))
    else:
        made = Name("keras.Input")(batch_shape=Tuple(sizes))
    dtype = value.type.dtype
    return made if dtype == "f32" else made.with_keyword("dtype", DTYPES[dtype])


def _call(parts: ClassParts) -> Stmt:
    inputs = [Parameter(name) for name in parts.inputs]
    body = parts.forward
    # `fit` tells a model about training only where its `call` asks for it.
    if parts.model and any(node.op.modal for node in walk(parts.graph)):
        inputs.append(Parameter("training", None, Literal(None)))
        body = (Comment(TRAINING), *body)
    return FunctionDef("call", (Parameter("self"), *inputs), body)


def _get_config(parts: ClassParts) -> Stmt:
    own = tuple((Literal(p.name), Name(f"self.{p.name}")) for p in parts.parameters)
    inherited = Name("super")().attr("get_config")()
    body = (Return(Operator("|", inherited, Dict(own))),)
    return FunctionDef("get_config", (Parameter("self"),), body)


def loop(layers: Comprehension) -> Expr:
    return layers


def typed(made: Expr, node: Node) -> Expr:
    """The layer in another element type than Keras's default; layers cast what they are given."""
    dtype = dtype_of(node)
    return made if dtype == PLAIN or dtype not in FLOATS else _in_type(made, DTYPES[dtype])


def _in_type(made: Expr, dtype: str) -> Expr:
    """Layers beside each other are told each, and those inside of others (`Bidirectional`) too."""
    match made:
        case List(items):
            return List(tuple(_in_type(item, dtype) for item in items))
        case Call(Name(), arguments):
            inside = tuple(_in_type(a, dtype) if isinstance(a, Call) else a for a in arguments)
            return Call(made.function, inside, made.keywords).with_keyword("dtype", dtype)
    return made


def sequence(layers: tuple[Expr, ...]) -> Expr:
    return Name("keras.Sequential")(List(layers))


RESERVED = """
activity_regularizer add_loss add_metric add_variable add_weight autocast build
build_from_config built call call_signature_parameters compile compile_from_config compiled
compiled_loss compiled_metrics compute_dtype compute_loss compute_mask compute_metrics
compute_output_shape compute_output_spec count_params distribute_reduction_method
distribute_strategy dtype dtype_policy evaluate export fit from_config get_build_config
get_compile_config get_config get_layer get_metrics_result get_quantization_layer_structure
get_state_tree get_weights input input_dtype input_spec jit_compile kwargs layers
load_own_variables load_weights loss losses make_predict_function make_test_function
make_train_function metrics metrics_names metrics_variables name non_trainable_variables
non_trainable_weights operation optimizer output path predict predict_function predict_on_batch
predict_step quantization_mode quantize quantized_build quantized_call rematerialized_call
reset_metrics run_eagerly save save_own_variables save_weights set_state_tree set_weights
stateless_call stateless_compute_loss steps_per_execution stop_training summary supports_jit
supports_masking symbolic_call test_function test_on_batch test_step to_json train_function
train_on_batch train_step trainable trainable_variables trainable_weights
unrolled_steps_per_execution variable_dtype variables weights
"""
"""What `keras.Model` and `keras.layers.Layer` have themselves."""


DIALECT = Dialect(
    name="keras",
    layers=TABLES.layers,
    functions=TABLES.functions,
    modules=TABLES.modules,
    legal=TABLES.legal,
    rewrites=TABLES.rewrites,
    frame=partial(frame, "nnspec"),
    variant=partial(variant, "nnspec"),
    loop=loop,
    container=List,
    sequence=sequence,
    weight=free_weight,
    weight_ref=weight_ref,
    chain_members="layers",
    weight_holder=variable,
    standing_in=Functions(),
    fixed_size=lambda tensor, axis: tensor.attr("shape")[axis],
    typed=typed,
    lacks=LACKS,
    scan=scan,
    size=lambda tensor, axis: Name("ops.shape")(tensor)[axis],
    absorb=TABLES.absorb,
    imports={
        **snippet_imports("codegen.keras.snippets"),
        **snippet_imports("codegen.python.snippets"),
        "argparse": Import("argparse"),
        "sys": Import("sys"),
        "np": Import("numpy", alias="np"),
        "tf": Import("tensorflow", alias="tf"),
        "keras": Import("keras"),
        "layers": Import("keras", "layers"),
        "ops": Import("keras", "ops"),
    },
    helpers={**snippets("codegen.keras.snippets"), **snippets("codegen.python.snippets")},
    forward_names=("self", "training"),
    reserved=frozenset({"kwargs"}),
    reserved_attributes=frozenset(RESERVED.split()),
)


def registering(package: str) -> Dialect:
    """The dialect of a file; its classes are registered under the package's name."""
    return dataclasses.replace(
        DIALECT, frame=partial(frame, package), variant=partial(variant, package)
    )
