"""How weights begin, as PyTorch's initialisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from codegen.dtypes import PLAIN
from codegen.python.beginnings import unusual, usual_initializers
from codegen.python.dialect import Unsupported
from codegen.python.source import (
    Call,
    Expr,
    Expression,
    For,
    FunctionDef,
    If,
    Name,
    Operator,
    Parameter,
    Stmt,
    Tuple,
)
from codegen.pytorch.dtypes import DTYPES
from codegen.pytorch.ops import NATIVES
from nnspec.catalogue import initializers as init
from nnspec.graph.graph import Node, Weight

HALVES = ("f16", "bf16")


def initialization(
    initializer: init.Initializer, *, fan: str = "fan_in"
) -> tuple[str, dict[str, object]]:
    """The function under `nn.init`, and its arguments. `fan`: PyTorch's name for the fan in."""
    mode = {} if fan == "fan_in" else {"mode": fan}
    match initializer:
        case init.Zeros():
            return "zeros_", {}
        case init.Ones():
            return "ones_", {}
        case init.Constant(value=value):
            return "constant_", {"val": value}
        case init.Normal(stddev=stddev):
            return "normal_", {"std": stddev}
        case init.TruncatedNormal(stddev=stddev):
            return "trunc_normal_", {"std": stddev, "a": -2 * stddev, "b": 2 * stddev}
        case init.Uniform(low=low, high=high):
            return "uniform_", {"a": low, "b": high}
        case init.GlorotUniform():
            return "xavier_uniform_", {}
        case init.GlorotNormal():
            return "xavier_normal_", {}
        case init.HeUniform():
            return "kaiming_uniform_", {**mode, "nonlinearity": "relu"}
        case init.HeNormal():
            return "kaiming_normal_", {**mode, "nonlinearity": "relu"}
        case init.LecunNormal():
            return "kaiming_normal_", {**mode, "nonlinearity": "linear"}
        case init.Orthogonal(gain=gain):
            return "orthogonal_", {} if gain == 1 else {"gain": gain}
    raise TypeError(f"PyTorch has no initialiser for {initializer}")


def with_initializers(made: Call, node: Node) -> Expr:
    """The layer, noted down to begin otherwise than `init_weights` lets it by default."""
    keywords: dict[str, Expr] = {}
    weights = {w.role: w for w in node.weights}
    for role, initializer in unusual(node).items():
        name, arguments = initialization(initializer, fan=_fan(weights[role]))
        function: Expr = Name(f"nn.init.{name}")
        keywords[role] = Name("partial")(function, **arguments) if arguments else function
    return Name("starting")(made, **keywords) if keywords else made


def _fan(weight: Weight) -> str:
    """PyTorch's name for the fan in: it looks for it on the second axis; a transposed kernel has it on the first."""
    if weight.fans is None:
        return "fan_in"
    second = prod(int(str(size)) for size in weight.type.shape[1:])
    return "fan_in" if second == weight.fans[0] else "fan_out"


def free_weight(weight: Weight) -> Expr:
    """`nn.Parameter(...)` for a weight of its own."""
    # Without sizes an array has one element, of no axes.
    shape: tuple[object, ...] = weight.type.shape or ((),)
    plain = weight.type.dtype == PLAIN
    dtype = {} if plain else {"dtype": Name(DTYPES[weight.type.dtype])}
    initializer = weight.initializer or init.Zeros()
    if isinstance(initializer, (init.Zeros, init.Ones)):
        kind = "zeros" if isinstance(initializer, init.Zeros) else "ones"
        return Name("nn.Parameter")(Name(f"torch.{kind}")(*shape, **dtype))
    if isinstance(initializer, init.Orthogonal) and weight.type.dtype in HALVES:
        reason = "it makes orthogonal matrices in f32 and f64 only"
        raise Unsupported(f"an orthogonal {weight.type.dtype}", weight.span, "PyTorch", reason)
    name, arguments = initialization(initializer, fan="fan_out")
    return Name("nn.Parameter")(
        Name(f"nn.init.{name}")(Name("torch.empty")(*shape, **dtype), **arguments)
    )


_MODULE = Name("module")
_GIVEN = For(
    Tuple((Name("name"), Name("initializer"))),
    Name("getattr")(_MODULE, "initializers", {}).attr("items")(),
    (Expression(Name("initializer")(Name("getattr")(_MODULE, Name("name")))),),
)

Beginning = dict[str, init.Initializer]


def beginning(node: Node) -> Beginning:
    """By role, how the weights of a layer of PyTorch's own begin, which PyTorch lets begin in its own way.

    A class of the file (`LSTM`, `BatchNorm2d`) begins by itself as the language has it, and so do norms, whose
    scales are ones everywhere (and may be left out).
    """
    native = NATIVES.get(type(node.op))
    own = native is not None and native.name(node).startswith("nn.")
    usual = dict(usual_initializers(node)) if own and node.weights else {}
    return {} if init.Ones() in usual.values() else usual


def is_begun(node: Node) -> bool:
    """Whether `init_weights` has something to say of a layer."""
    return bool(beginning(node) or (node.weights and unusual(node)))


def init_weights(nodes: Sequence[Node]) -> FunctionDef | None:
    """The function that lets the weights of a file's layers begin as the language has it."""
    by_class: dict[str, Beginning] = {}
    order = list(NATIVES)
    for node in sorted(
        nodes, key=lambda n: order.index(type(n.op)) if type(n.op) in NATIVES else 0
    ):
        if begins := beginning(node):
            by_class.setdefault(NATIVES[type(node.op)].name(node), {}).update(begins)
    chain: tuple[Stmt, ...] = ()
    for begins, classes in reversed(_alike(by_class)):
        kinds = tuple(map(Name, classes))
        test = Name("isinstance")(_MODULE, kinds[0] if len(kinds) == 1 else Tuple(kinds))
        chain = (If(test, tuple(_begin(begins)), chain),)
    if any(unusual(n) for n in nodes if n.weights):
        chain = (*chain, _GIVEN)
    if not chain:
        return None
    glorot = any(init.GlorotUniform() in begins.values() for begins in by_class.values())
    return FunctionDef(
        "init_weights",
        (Parameter("module", Name("nn.Module")),),
        chain,
        returns=Name("None"),
        doc="Glorot's uniform kernels and zero biases." if glorot else "How layers begin.",
    )


def _alike(by_class: Mapping[str, Beginning]) -> list[tuple[Beginning, list[str]]]:
    """Classes whose weights begin alike, those without a bias among them."""
    groups: list[tuple[Beginning, list[str]]] = []
    for name, begins in by_class.items():
        for known, classes in groups:
            if all(known.get(role, each) == each for role, each in begins.items()):
                known.update(begins)
                classes.append(name)
                break
        else:
            groups.append((begins, [name]))
    return groups


def _begin(begins: Beginning) -> Iterator[Stmt]:
    """A statement a weight; a bias may be left out of a layer."""
    for number, (role, initializer) in enumerate(begins.items()):
        name, arguments = initialization(initializer)
        weight = _MODULE.attr(role)
        made = Expression(Name(f"nn.init.{name}")(weight, **arguments))
        yield made if number == 0 else If(Operator("is not", weight, Name("None")), (made,))
