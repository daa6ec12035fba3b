"""Attention, and the layer around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt

from nnspec.catalogue.initializers import GlorotUniform, Initializer, Zeros, initializer
from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.dense import Dense
from nnspec.catalogue.ops.helpers import need_float, need_number, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Shape, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, optional, real, whole
from nnspec.core.types import TensorType

N, S, T = symbol("N"), symbol("S"), symbol("T")
FAR = {"f16": -6e4}
"""What stands for a score that does not count, where it is not -1e30; it is finite, so that nothing becomes no number."""


@declare
class Attention(Op):
    """Scaled dot-product attention (Vaswani et al. 2017): `softmax(query key^T * scale) value`.

    Time and features are the last two axes, as in a product of matrices: `query` `[N, heads, T, D]`, `key`
    `[N, heads, S, D]`, `value` `[N, heads, S, E]` give `[N, heads, T, E]`; without heads, `[N, T, D]` and so on.
    Keys and values may have fewer heads, of which each serves as many neighbouring heads of the query
    (grouped, Ainslie et al. 2023). `mask` is true where attention is allowed, and meets `[N, heads, T, S]`
    by broadcasting. `causal` lets place `t` see places up to `t`, both counted from the start; `window` lets it see
    places fewer than `window` away. A place that sees nothing gets zeros.
    """

    name = "attention"
    operands = (
        Operand("query", "[N, heads, T, D]"),
        Operand("key", "[N, heads, S, D]"),
        Operand("value", "[N, heads, S, E]"),
        Operand("mask", "true where attention is allowed", optional=True, domain="boolean"),
    )
    causal: bool = arg("whether a place sees none after it", boolean, default=False)
    scale: float | None = arg(
        "by what scores are multiplied; by default `1 / sqrt(D)`", optional(real()), default=None
    )
    window: int | None = arg(
        "how far a place sees; by default everywhere", optional(whole(1)), default=None
    )

    def check(self, *inputs: TensorType) -> None:
        query, key, value = inputs[:3]
        need_float(query, key, value)
        same_dtype(query, key, value)
        for i, x in enumerate(inputs[:3]):
            if x.rank not in (3, 4) or x.rank != query.rank:
                raise ShapeError(f"expects [N, heads, T, D] or [N, T, D], found {x}", i)
        if query.shape[0] != key.shape[0] or query.shape[-1] != key.shape[-1]:
            raise ShapeError(f"cannot compare {query} with {key}", 0, 1)
        if key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(f"needs a value for each key, found {key} and {value}", 1, 2)
        if self.scale is None:
            need_number(query.shape[-1], "the last axis of `query`")
        if query.rank == 4:
            shared(query, key)
        for mask in inputs[3:]:
            if mask.dtype != "bool":
                raise ShapeError(f"expects a mask of booleans, found {mask}", 3)
            scores = (*query.shape[:-1], key.shape[-2])
            if not fits(mask.shape, scores):
                of = query.with_shape(scores)
                raise ShapeError(f"has no use for a mask {mask}: scores are {of}", 3)

    def factor(self, query: TensorType) -> float:
        """By what scores are multiplied."""
        if self.scale is not None:
            return self.scale
        return 1 / sqrt(need_number(query.shape[-1], "the last axis of `query`"))

    def allowed(self, to: Site, query: Term, key: Term, mask: Term | None) -> Term | None:
        """Where attention is allowed, all told; None for everywhere."""
        if self.causal or self.window is not None:
            places = to.expand_dims(to.positions(query, axis=-2, dtype="i64"), 1)
            distance = places - to.positions(key, axis=-2, dtype="i64")
            near = distance >= 0 if self.causal else None
            if self.window is not None:
                behind = distance < self.window
                ahead = distance > -self.window if near is None else near
                near = to.logical_and(behind, ahead)
            mask = near if mask is None else to.logical_and(mask, near)
        return mask

    def expand(
        self, to: Site, query: Term, key: Term, value: Term, mask: Term | None = None
    ) -> Term:
        if query.rank == 4 and (times := shared(query.type, key.type)) > 1:
            key, value = to.repeat(key, times, axis=1), to.repeat(value, times, axis=1)
        scores = to.named(
            "scores", (query * self.factor(query.type)) @ to.named("keys", to.transpose(key))
        )
        allowed = self.allowed(to, query, key, mask)
        if allowed is None:
            return to.softmax(scores) @ value
        allowed = to.named("allowed", allowed)
        scores = to.named("scores", to.where(allowed, scores, FAR.get(query.dtype, -1e30)))
        shares = to.named("shares", to.softmax(scores))
        seen = mask is None and (self.window is None or query.shape[-2] == key.shape[-2])
        return (shares if seen else to.where(allowed, shares, 0)) @ value

    @classmethod
    def examples(cls) -> Iterator[Example]:
        q, k, v = (TensorType("f32", (N, 4, *s)) for s in ((T, 6), (S, 6), (S, 3)))
        yield Example(cls(), (q, k, v))
        yield Example(cls(), (q, k, v, TensorType("bool", (N, 1, T, S))))
        yield Example(cls(True), (q, q, q))
        yield Example(cls(True), (q, q, q, TensorType("bool", (N, 1, 1, T))))
        few = TensorType("f32", (N, 2, T, 6))
        yield Example(cls(True, 0.5), (q, few, few))
        yield Example(cls(True, window=2), (q, q, q))
        one = TensorType("f32", (2, 5, 4)), TensorType("f32", (2, 3, 4))
        yield Example(cls(window=2), (one[0], one[1], one[1]))
        yield Example(cls(), (one[0], one[1], one[1], TensorType("bool", (5, 3))))


def fits(shape: Shape, whole: Shape) -> bool:
    """Whether a shape meets another by broadcasting without making it larger."""
    along = zip(reversed(shape), reversed(whole), strict=False)
    return len(shape) <= len(whole) and all(a in (1, b) for a, b in along)


def shared(query: TensorType, key: TensorType) -> int:
    """How many heads of the query each head of the keys serves."""
    heads, few = query.shape[1], key.shape[1]
    if heads == few:
        return 1
    if not isinstance(heads, int) or not isinstance(few, int) or heads % few:
        raise ShapeError(f"has {heads} heads of {query}, which {few} of {key} cannot serve", 0, 1)
    return heads // few


@declare
class MultiHeadAttention(Op):
    """Attention of several heads, each with queries, keys and values of its own (Vaswani et al. 2017).

    `[N, T, C]` attends to itself, `(query, memory)` to `memory` `[N, S, M]`; a mask of booleans, which
    meets `[N, heads, T, S]` by broadcasting, comes last: `(x, mask)`, `(query, memory, mask)`. It is true where attention
    is allowed. Four `Dense` inside are called `query`, `key`, `value` and `output`. `kv_heads` are heads of keys
    and values, of which each serves several (grouped, Ainslie et al. 2023).
    """

    name = "MultiHeadAttention"
    operands = (
        Operand("query", "[N, T, C]"),
        Operand("memory", "[N, S, M]; by default the query", optional=True),
        Operand("mask", "true where attention is allowed", optional=True, domain="boolean"),
    )
    heads: int = arg("how many", whole(1))
    head_size: int | None = arg(
        "features of a head; by default the query's, divided among the heads",
        optional(whole(1)),
        default=None,
    )
    kv_heads: int | None = arg(
        "heads of keys and values; by default as many", optional(whole(1)), default=None
    )
    causal: bool = arg("whether a place sees none after it", boolean, default=False)
    window: int | None = arg(
        "how far a place sees; by default everywhere", optional(whole(1)), default=None
    )
    units: int | None = arg(
        "size of the last axis of the result; by default the query's",
        optional(whole(1)),
        default=None,
    )
    use_bias: bool = arg("whether biases are added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the matrices begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how biases begin", initializer, default=Zeros())

    def given(self, *inputs: TensorType) -> tuple[Operand, ...]:
        query, memory, mask = self.operands
        masked = inputs[-1].dtype == "bool"
        return (query, memory, mask) if len(inputs) == 3 else (query, mask if masked else memory)

    def check(self, *inputs: TensorType) -> None:
        for i, x in enumerate(inputs[:2]):
            if i and x.dtype == "bool" and len(inputs) == 2:
                break  # the mask, of a query that attends to itself
            if x.rank != 3:
                raise ShapeError(f"expects [N, T, C], found {x}", i)
            need_float(x)
        if len(inputs) == 3 and inputs[2].dtype != "bool":
            raise ShapeError(f"expects a mask of booleans, found {inputs[2]}", 2)
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ShapeError(f"has {self.heads} heads, which {self.kv_heads} cannot serve")
        self.size(inputs[0])

    def size(self, query: TensorType) -> int:
        """Features of a head."""
        width = need_number(query.shape[-1], "the last axis")
        if self.head_size is not None:
            return self.head_size
        if width % self.heads:
            raise ShapeError(f"cannot divide {width} features of {query} among {self.heads}", 0)
        return width // self.heads

    def parts(self, *inputs: TensorType) -> dict[str, tuple[Dense, TensorType]]:
        """The layers inside by name, and what each is applied to."""
        query = inputs[0]
        memory = inputs[1] if len(inputs) > 1 and inputs[1].dtype != "bool" else query
        size, few = self.size(query), self.kv_heads or self.heads
        joined = query.with_shape((*query.shape[:-1], self.heads * size))

        def dense(units: int) -> Dense:
            return Dense(units, self.use_bias, self.kernel_initializer, self.bias_initializer)

        units = self.units or need_number(query.shape[-1], "the last axis")
        return {
            "query": (dense(self.heads * size), query),
            "key": (dense(few * size), memory),
            "value": (dense(few * size), memory),
            "output": (dense(units), joined),
        }

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        return tuple(
            replace(spec, role=f"{name}.{spec.role}")
            for name, (layer, x) in self.parts(*inputs).items()
            for spec in layer.weights(x)
        )

    def expand(self, to: Site, query: Term, *others: Term, **weights: Term) -> Term:
        mask = [o for o in others if o.dtype == "bool"]
        memory = others[0] if others and others[0].dtype != "bool" else query
        parts = self.parts(*(t.type for t in (query, *others)))
        size = self.size(query.type)

        def projected(name: str, x: Term) -> Term:
            """[N, T, heads * size] as [N, heads, T, size]."""
            layer, short = parts[name][0], name[0]
            y = to.named(short, to.layer(name, layer, x, weights=weights))
            shape: Shape = (*x.shape[:2], layer.units // size, size)
            y = to.named(short, to.reshape(y, shape))
            return to.named(short, to.transpose(y, (0, 2, 1, 3)))

        sides = projected("query", query), projected("key", memory), projected("value", memory)
        y = to.attention(*sides, *mask, causal=self.causal, window=self.window)
        y = to.reshape(to.transpose(y, (0, 2, 1, 3)), (*query.shape[:2], self.heads * size))
        return to.layer("output", parts["output"][0], y, weights=weights)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x, memory = TensorType("f32", (N, T, 8)), TensorType("f32", (N, S, 6))
        yield Example(cls(2), (x,))
        yield Example(cls(2, causal=True, use_bias=False), (x, TensorType("bool", (N, 1, 1, T))))
        yield Example(cls(4, 3, 2, units=5), (x, memory))
        yield Example(cls(2, window=2), (x, memory, TensorType("bool", (T, S))))
