"""The dialect of PyTorch: classes as `nn.Module`s."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.dtypes import PLAIN, dtype_of, wide_indices
from codegen.python.dialect import ClassParts, Constructor, Dialect
from codegen.python.fixed import snippet_imports, snippets
from codegen.python.functions import Functions
from codegen.python.native import tables
from codegen.python.plan import Owner
from codegen.python.source import (
    Call,
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
    Tuple,
)
from codegen.pytorch.along_time import scan
from codegen.pytorch.dtypes import DTYPES, LACKS
from codegen.pytorch.initializers import Usual, free_weight, is_begun, with_initializers
from codegen.pytorch.ops import FAMILIES
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.dense import Embedding
from nnspec.catalogue.ops.recurrent import Recurrent
from nnspec.graph.graph import Node, Weight, walk

TENSOR = Name("Tensor")


def frame(parts: ClassParts) -> Stmt:
    """A class with its layers in `__init__` and its steps in `forward`."""
    body: list[Stmt] = [Expression(Name("super")().attr("__init__")()), *parts.init]
    if parts.model and any(map(is_begun, walk(parts.graph))):
        body.append(Expression(Name("self.apply")(Name("init_weights"))))
    makes_modules = bool(parts.init)
    returns: Expr = TENSOR
    if parts.results > 1:
        returns = Name("tuple")[Tuple((TENSOR,) * parts.results)]
    functions: tuple[Stmt, ...] = (
        FunctionDef(
            "forward",
            (Parameter("self"), *(Parameter(name, TENSOR) for name in parts.inputs)),
            parts.forward,
            returns=returns,
        ),
    )
    if makes_modules:
        init = FunctionDef("__init__", (Parameter("self"), *parts.parameters), tuple(body))
        functions = (init, *functions)
    return ClassDef(parts.name, (Name("nn.Module"),), functions, doc=parts.doc)


def variant(name: str, base: str, values: Mapping[str, Literal], doc: str) -> Stmt:
    """`class NetClasses10(Net)`: the same, made with other numbers."""
    begin = Name("super")().attr("__init__")(**values)
    init = FunctionDef("__init__", (Parameter("self"),), (Expression(begin),))
    return ClassDef(name, (Name(base),), (init,), doc=doc)


def loop(layers: Comprehension) -> Expr:
    return Name("nn.ModuleList")(layers)


def container(layers: tuple[Expr, ...]) -> Expr:
    return Name("nn.ModuleList")(List(layers))


def sequence(layers: tuple[Expr, ...]) -> Expr:
    return Name("nn.Sequential")(*layers)


def weight_ref(weight: Weight, owner: Expr, node: Node | None) -> Expr:
    name = weight.role if node is None else native_role(weight, node)
    return Name(f"{owner.text}.{name}") if isinstance(owner, Name) else owner.attr(name)


def typed(made: Expr, node: Node) -> Expr:
    """The layer with weights of another element type than PyTorch's default."""
    if not node.weights or dtype_of(node) == PLAIN:
        return made
    dtype = Name(DTYPES[dtype_of(node)])
    if (
        isinstance(made, Call)
        and isinstance(made.function, Name)
        and made.function.text[:3] == "nn."
    ):
        return made.with_keyword("dtype", dtype)
    return made.attr("to")(dtype)


def native_role(weight: Weight, node: Node) -> str:
    """PyTorch's name of a layer's weight; of two biases where the language has one, the first."""
    if isinstance(node.op, Recurrent) and weight.role.startswith("bias_l"):
        return weight.role.replace("bias_", "bias_ih_")
    return weight.role


def native_name(owner: Owner) -> str:
    """The key in a state dict."""
    if owner.node is None:
        return ".".join(owner.path)
    return ".".join((*owner.path, native_role(owner.weight, owner.node)))


def beginning_as(usual: Usual) -> dict[type[Op], Constructor]:
    """Constructors of layers in a file whose layers begin so as a rule."""

    def begun(make: Constructor) -> Constructor:
        return lambda node: with_initializers(make(node), node, usual)

    return {k: begun(m) if k in TABLES.natives else m for k, m in TABLES.layers.items()}


TABLES = tables(FAMILIES)
DIALECT = Dialect(
    name="pytorch",
    layers=beginning_as({}),
    functions=TABLES.functions,
    modules=TABLES.modules,
    legal=TABLES.legal,
    rewrites={**TABLES.rewrites, Embedding: wide_indices},
    frame=frame,
    variant=variant,
    loop=loop,
    container=container,
    sequence=sequence,
    weight=free_weight,
    weight_ref=weight_ref,
    standing_in=Functions(),
    fixed_size=lambda tensor, axis: tensor.attr("shape")[axis],
    typed=typed,
    lacks=LACKS,
    scan=scan,
    imports={
        **snippet_imports("codegen.pytorch.snippets"),
        **snippet_imports("codegen.python.snippets"),
        "argparse": Import("argparse"),
        "itertools": Import("itertools"),
        "partial": Import("functools", "partial"),
        "Iterator": Import("collections.abc", "Iterator"),
        "np": Import("numpy", alias="np"),
        "torch": Import("torch"),
        "F": Import("torch.nn.functional", alias="F"),
        "Tensor": Import("torch", "Tensor"),
        "nn": Import("torch", "nn"),
        "DataLoader": Import("torch.utils.data", "DataLoader"),
        "TensorDataset": Import("torch.utils.data", "TensorDataset"),
    },
    helpers={**snippets("codegen.pytorch.snippets"), **snippets("codegen.python.snippets")},
    reserved=frozenset({"init_weights"}),
    reserved_attributes=frozenset(
        [
            "T_destination",
            "add_module",
            "apply",
            "bfloat16",
            "buffers",
            "call_super_init",
            "children",
            "compile",
            "cpu",
            "cuda",
            "double",
            "dump_patches",
            "eval",
            "extra_repr",
            "float",
            "forward",
            "get_buffer",
            "get_extra_state",
            "get_parameter",
            "get_submodule",
            "half",
            "initializers",
            "ipu",
            "load_state_dict",
            "modules",
            "mtia",
            "named_buffers",
            "named_children",
            "named_modules",
            "named_parameters",
            "parameters",
            "register_backward_hook",
            "register_buffer",
            "register_forward_hook",
            "register_forward_pre_hook",
            "register_full_backward_hook",
            "register_full_backward_pre_hook",
            "register_load_state_dict_post_hook",
            "register_load_state_dict_pre_hook",
            "register_module",
            "register_parameter",
            "register_state_dict_post_hook",
            "register_state_dict_pre_hook",
            "requires_grad_",
            "set_extra_state",
            "set_submodule",
            "share_memory",
            "state_dict",
            "to",
            "to_empty",
            "train",
            "training",
            "type",
            "xpu",
            "zero_grad",
        ]
    ),
)
