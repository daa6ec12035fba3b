"""Derivatives: from a scalar back through the primitives that made it, at the same site.

What comes out was made of primitives too, so a derivative has a derivative. At a site of arrays it is a number; at a
graph's site, a graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from nnspec.catalogue.ops.site import Applied, Site, Term


def gradients(
    to: Site, loss: Term, wrt: Sequence[Term], applied: Sequence[Applied] | None = None
) -> tuple[Term, ...]:
    """The derivative of a scalar by each of some terms; zeros where it does not depend on one.

    applied: the primitives to go back through, in order; by default all of the site's.
    """
    steps = list(to.applied if applied is None else applied)
    known = {loss: ones_like(to, loss)}
    for step in reversed(_between(steps, wrt)):
        arriving = tuple(known.get(t) for t in step.outputs)
        if all(g is None for g in arriving):
            continue
        for term, flow in zip(
            step.inputs, step.op.gradient(to, step.inputs, step.outputs, arriving), strict=True
        ):
            if flow is not None:
                known[term] = known[term] + flow if term in known else flow
    return tuple(known[t] if t in known else ones_like(to, t) * 0 for t in wrt)


def _between(steps: Sequence[Applied], wrt: Sequence[Term]) -> list[Applied]:
    """The steps whose results depend on what is asked for."""
    depend = set(wrt)
    between = []
    for step in steps:
        if any(t in depend for t in step.inputs):
            depend.update(step.outputs)
            between.append(step)
    return between


def ones_like(to: Site, term: Term) -> Term:
    """Ones of a term's type."""
    one = to.number(1, term.dtype)
    return to.broadcast_to(one, term.shape) if term.rank else one
