"""How weights begin, as PyTorch's initialisers."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.dtypes import PLAIN
from codegen.python.beginnings import unusual
from codegen.python.dialect import Unsupported
from codegen.python.source import (
    Assign,
    Attribute,
    Call,
    Expr,
    Expression,
    For,
    FunctionDef,
    If,
    Name,
    Operator,
    Parameter,
    Slice,
    Stmt,
    Tuple,
)
from codegen.pytorch.dtypes import DTYPES
from nnspec.catalogue import initializers as init
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.convolution import CONVOLUTIONS, TRANSPOSED, ConvTranspose
from nnspec.catalogue.ops.dense import Dense, Embedding
from nnspec.catalogue.ops.recurrent import LSTM
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
        case init.Orthogonal(gain=gain):
            return "orthogonal_", {} if gain == 1 else {"gain": gain}
    raise TypeError(f"PyTorch has no initialiser for {initializer}")


def with_initializers(made: Call, node: Node) -> Expr:
    """The layer, noted down to begin otherwise than `init_weights` lets it by default."""
    keywords: dict[str, Expr] = {}
    for role, initializer in unusual(node).items():
        # The fan in of a transposed kernel stands where PyTorch looks for the fan out.
        fan = "fan_out" if isinstance(node.op, ConvTranspose) else "fan_in"
        name, arguments = initialization(initializer, fan=fan)
        function: Expr = Name(f"nn.init.{name}")
        keywords[role] = Name("partial")(function, **arguments) if arguments else function
    return Name("starting")(made, **keywords) if keywords else made


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


def _initialize(name: str, attribute: str, **arguments: object) -> Stmt:
    return Expression(Name(f"nn.init.{name}")(_MODULE.attr(attribute), **arguments))


def _is(*kinds: str) -> Expr:
    types = tuple(Name(kind) for kind in kinds)
    return Name("isinstance")(_MODULE, types[0] if len(types) == 1 else Tuple(types))


_KERNELS: dict[type[Op], str] = {
    Dense: "nn.Linear",
    **{op: f"nn.Conv{op.rank}d" for op in CONVOLUTIONS},
    **{op: f"nn.ConvTranspose{op.rank}d" for op in TRANSPOSED},
}
_GLOROT = (
    _initialize("xavier_uniform_", "weight"),
    If(
        Operator("is not", _MODULE.attr("bias"), Name("None")),
        (_initialize("zeros_", "bias"),),
    ),
)


def _orthogonal(halves: bool) -> Stmt:
    """PyTorch makes no orthogonal matrices in halves: they are made in f32 and rounded."""
    if not halves:
        return Expression(Name("nn.init.orthogonal_")(Name("parameter")))
    made = Name("nn.init.orthogonal_")(Name("parameter.data.float")())
    return Expression(Name("parameter.data.copy_")(made))


def _lstm(halves: bool) -> tuple[Stmt, ...]:
    return (
        For(
            Tuple((Name("name"), Name("parameter"))),
            _MODULE.attr("named_parameters")(),
            (
                If(
                    Name("name.startswith")("weight_ih"),
                    (Expression(Name("nn.init.xavier_uniform_")(Name("parameter"))),),
                    (
                        If(
                            Name("name.startswith")("weight_hh"),
                            (_orthogonal(halves),),
                            (
                                Expression(Name("nn.init.zeros_")(Name("parameter"))),
                                If(
                                    Name("name.startswith")("bias_ih"),
                                    (
                                        Assign(
                                            Name("units"),
                                            Attribute(_MODULE, "hidden_size"),
                                            note="gates i, f, g, o: the forget gate starts open",
                                        ),
                                        Expression(
                                            Name("nn.init.ones_")(
                                                Name("parameter.data")[
                                                    Slice(Name("units"), Name("units") * 2)
                                                ]
                                            )
                                        ),
                                    ),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


def init_weights(nodes: Sequence[Node]) -> FunctionDef | None:
    """The function that lets the weights of a file's layers begin as the language has it."""
    kinds = {type(n.op) for n in nodes}
    cases: list[tuple[Expr, tuple[Stmt, ...]]] = []
    kernels = [name for kind, name in _KERNELS.items() if kind in kinds]
    if kernels:
        cases.append((_is(*kernels), _GLOROT))
    if Embedding in kinds:
        cases.append((_is("nn.Embedding"), (_initialize("normal_", "weight", std=0.02),)))
    if LSTM in kinds:
        halves = any(w.type.dtype in HALVES for n in nodes if type(n.op) is LSTM for w in n.weights)
        cases.append((_is("nn.LSTM"), _lstm(halves)))
    if not cases:
        return None
    chain: tuple[Stmt, ...] = ()
    for test, body in reversed(cases):
        chain = (If(test, body, chain),)
    if any(unusual(n) for n in nodes if n.weights):
        chain = (
            *chain,
            For(
                Tuple((Name("name"), Name("initializer"))),
                Name("getattr")(_MODULE, "initializers", {}).attr("items")(),
                (Expression(Name("initializer")(Name("getattr")(_MODULE, Name("name")))),),
            ),
        )
    return FunctionDef(
        "init_weights",
        (Parameter("module", Name("nn.Module")),),
        chain,
        returns=Name("None"),
        doc="Glorot's uniform kernels and zero biases." if kernels else "How layers begin.",
    )
