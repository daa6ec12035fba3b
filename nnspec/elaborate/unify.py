"""Declared tensor types against actual ones; symbolic sizes are bound on the way."""

from __future__ import annotations

from nnspec.core.dims import Dim, Sym, substitute, symbols
from nnspec.core.types import TensorType
from nnspec.elaborate.errors import error
from nnspec.graph.graph import Value
from nnspec.graph.training import Network
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span


def match(declared: TensorType, actual: TensorType, sizes: dict[str, Dim]) -> bool:
    """Whether the actual type is an instance of the declared; `sizes` learns its symbols."""
    if declared.dtype != actual.dtype or declared.rank != actual.rank:
        return False
    for want, have in zip(declared.shape, actual.shape, strict=True):
        name = _alone(want)
        if name is not None and name not in sizes:
            sizes[name] = have
    return all(
        substitute(want, sizes) == have
        for want, have in zip(declared.shape, actual.shape, strict=True)
    )


def result_types(
    network: Network, tensors: tuple[Value, ...], span: Span
) -> tuple[TensorType, ...]:
    """Types of a network's outputs for these inputs."""
    model = network.model
    if len(tensors) != len(model.inputs):
        names = ", ".join(f"`{v.name}`" for v in model.inputs)
        raise error(
            "E0304",
            f"`{network.name}` takes {len(model.inputs)} tensors ({names}), found {len(tensors)}",
            span,
        )
    sizes: dict[str, Dim] = {}
    for want, have in zip(model.inputs, tensors, strict=True):
        if not match(want.type, have.type, sizes):
            raise mismatch(model.name, want.name or "input", want.type, want.span, have, span)
    known = {name for value in model.inputs for d in value.type.shape for name in symbols(d)}
    bound = {name: sizes.get(name, Sym((((name,), 1),))) for name in known}
    return tuple(
        o.type.with_shape(tuple(substitute(d, bound) for d in o.type.shape)) for o in model.outputs
    )


def mismatch(
    owner: str, name: str, want: TensorType, declared: Span | None, have: Value, span: Span
) -> Exception:
    """An input of the wrong type, with both sides' places."""
    notes = [Label(declared, f"`{name}` is declared {want}")] if declared else []
    if have.span is not None:
        called = f"`{have.name}`" if have.name else "what it is given"
        notes.append(Label(have.span, f"{called} is {have.type}"))
    return error(
        "E0402",
        f"`{name}` of `{owner}` is {want}, but is given {have.type}",
        span,
        f"found {have.type}",
        tuple(notes),
    )


def _alone(dim: Dim) -> str | None:
    if isinstance(dim, Sym) and len(dim.terms) == 1:
        ((monomial, k),) = dim.terms
        if k == 1 and len(monomial) == 1 and isinstance(monomial[0], str):
            return monomial[0]
    return None
