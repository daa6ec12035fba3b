"""How weights begin, as PyTorch's initialisers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod

from codegen.dtypes import PLAIN
from codegen.python.beginnings import unusual, usual_initializers
from codegen.python.dialect import Unsupported
from codegen.python.source import (
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


Beginning = dict[str, init.Initializer]
Usual = Mapping[str, Beginning]
"""By class of PyTorch's own and role, how the weights of a file's layers begin as a rule."""


def with_initializers(made: Expr, node: Node, usual: Usual) -> Expr:
    """The layer, noted down to begin otherwise than `init_weights` lets it as a rule."""
    keywords: dict[str, Expr] = {}
    weights = {w.role: w for w in node.weights}
    for role, initializer in unusual(node, usual.get(_class(node))).items():
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


def _class(node: Node) -> str:
    native = NATIVES.get(type(node.op))
    return native.name(node) if native is not None else ""


def beginning(node: Node) -> Beginning:
    """By role, how the weights of a layer of PyTorch's own begin, which PyTorch lets begin in its own way.

    A class of the file (`LSTM`, `BatchNorm2d`) begins by itself as the language has it, and so do norms, whose
    scales are ones everywhere (and may be left out).
    """
    own = _class(node).startswith("nn.")
    usual = dict(usual_initializers(node)) if own and node.weights else {}
    return {} if init.Ones() in usual.values() else usual


PLAIN_DRAWS = (
    init.Zeros,
    init.Ones,
    init.Constant,
    init.Normal,
    init.Uniform,
    init.GlorotUniform,
    init.GlorotNormal,
)
"""What is said alike of every weight: nothing in it depends on which axis counts."""


def usual_beginnings(nodes: Sequence[Node]) -> Usual:
    """How most layers of a class begin; as the language has it where no other way is more frequent."""
    counts: dict[str, dict[str, Counter[init.Initializer]]] = {}
    result: dict[str, Beginning] = {}
    for node in nodes:
        if begins := beginning(node):
            result.setdefault(_class(node), {}).update(begins)
            roles = counts.setdefault(_class(node), {})
            for weight in node.weights:
                if weight.initializer is not None:
                    roles.setdefault(weight.role, Counter())[weight.initializer] += 1
    for name, roles in counts.items():
        for role, counter in roles.items():
            (most, times), *_ = counter.most_common()
            if isinstance(most, PLAIN_DRAWS) and times > counter[result[name][role]]:
                result[name][role] = most
    return result


def is_begun(node: Node) -> bool:
    """Whether `init_weights` has something to say of a layer."""
    return bool(beginning(node) or (node.weights and unusual(node)))


def init_weights(nodes: Sequence[Node], usual: Usual) -> FunctionDef | None:
    """The function that lets the weights of a file's layers begin as the language has it."""
    order = list(NATIVES)
    begun = sorted(filter(beginning, nodes), key=lambda n: order.index(type(n.op)))
    by_class = {name: usual[name] for name in dict.fromkeys(map(_class, begun))}
    chain: tuple[Stmt, ...] = ()
    for begins, classes in reversed(_alike(by_class)):
        kinds = tuple(map(Name, classes))
        test = Name("isinstance")(_MODULE, kinds[0] if len(kinds) == 1 else Tuple(kinds))
        chain = (If(test, tuple(_begin(begins)), chain),)
    if any(unusual(n, usual.get(_class(n))) for n in nodes if n.weights):
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
    """Classes whose weights begin alike, those among them that were asked for no bias."""
    groups: list[tuple[Beginning, list[str]]] = []
    for name, begins in by_class.items():
        for known, classes in groups:
            alone = "nn.Embedding" in (name, *classes) and known.keys() != begins.keys()
            if not alone and all(known.get(role, each) == each for role, each in begins.items()):
                known.update(begins)
                classes.append(name)
                break
        else:
            groups.append((dict(begins), [name]))
    return groups


def _begin(begins: Beginning) -> Iterator[Stmt]:
    """A statement a weight; a bias may be left out of a layer."""
    for number, (role, initializer) in enumerate(begins.items()):
        name, arguments = initialization(initializer)
        weight = _MODULE.attr(role)
        made = Expression(Name(f"nn.init.{name}")(weight, **arguments))
        yield made if number == 0 else If(Operator("is not", weight, Name("None")), (made,))
