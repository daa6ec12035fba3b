"""What gradients flow through in training programs."""

from __future__ import annotations

import numpy as np
import pytest

import nnspec
from codegen import TARGETS
from nnspec.compiler import compile_source
from nnspec.driver.verify import cases, definition
from nnspec.graph.flow import Flow
from nnspec.graph.graph import Call, Program
from nnspec.graph.passes.freeze_random import freeze_training
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source

MODELS = """
model Two { input x: f32[N, 4]
  trunk = Dense(4)
  head = Dense(2)
  h = trunk(x)
  output a = head(h), b = h -> Dense(1) as tail, c = head(stop_gradient(h)) }
model One { input x: f32[N, 4]  output y = x -> BatchNorm -> Dense(4) }
"""


def flow_of(steps: str) -> Flow:
    program = f"train T {{ net = Two()\n other = One()\n batch x: f32[N, 4]\n {steps} }}"
    reporter = Reporter()
    (training,) = compile_source(Source("<text>", MODELS + program), reporter).trainings
    reporter.raise_errors()
    return Flow(training)


def places(found: frozenset[tuple[str, str]]) -> set[str]:
    """`net.head` for `head.weight` and `head.bias` of `net`."""
    return {f"{network}.{path.rpartition('.')[0]}" for network, path in found}


@pytest.mark.parametrize(
    ("loss", "reached", "over"),
    [
        ("a, _, _ = net(x) minimize mse(a, 0) using SGD(0.1)", "net.trunk net.head", "net"),
        ("_, b, _ = net(x) minimize mse(b, 0) using SGD(0.1)", "net.trunk net.tail", "net"),
        # Inside the model too, a stopped gradient goes no further.
        ("_, _, c = net(other(x)) minimize mse(c, 0) using SGD(0.1)", "net.head", "net"),
        (
            "a, _, _ = net(other(x)) minimize mse(a, 0) using SGD(0.1)",
            "net.trunk net.head other.batch_norm other.dense",
            "net other",
        ),
        # A sum of the batch is on no gradient's way.
        (
            "y = x + 1 minimize mse(other(y), 0) using SGD(0.1)",
            "other.batch_norm other.dense",
            "other",
        ),
    ],
)
def test_what_a_loss_reaches(loss: str, reached: str, over: str) -> None:
    """The weights; and by default an update is over the networks that have such."""
    flow = flow_of(loss)
    (update,) = flow.updates
    assert places(flow.reached(update)) == set(reached.split())
    assert {path[0] for path in update.over} == set(over.split())
    assert all(flow.reached(update) for _ in flow.through(update))
    assert flow.again(update) == () and list(flow.stale()) == []


def test_parts() -> None:
    """An update of a part is over its weights alone, without those that are not trained."""
    flow = flow_of("minimize mse(net(x)[0], 0) over net.head, other using SGD(0.1)")
    (update,) = flow.updates
    assert flow.updated(update) == {
        *(("net", f"head.{role}") for role in ("weight", "bias")),
        *(("other", f"{p}.{role}") for p in ("batch_norm", "dense") for role in ("weight", "bias")),
    }


def test_two_updates() -> None:
    """What a later gradient goes through again; and what it would find changed."""
    both = "minimize mse(a, 0) over {} using SGD(0.1) minimize mse(b, 1) over {} using SGD(0.1)"
    apart = flow_of("y = other(x) a, b, _ = net(y) " + both.format("net.head", "other"))
    first, second = apart.updates
    assert [s.layer for s in apart.again(first) if isinstance(s, Call)] == ["other", "net"]
    assert apart.again(second) == ()
    # The second gradient goes by the trunk, which the first update has left alone.
    assert list(apart.stale()) == []
    together = flow_of("y = other(x) a, b, _ = net(y) " + both.format("net", "other"))
    (stale,) = together.stale()
    assert (stale.gradient, stale.between) == (together.updates[1], together.updates[0])
    assert stale.name == "net"


@pytest.mark.parametrize(
    ("steps", "stale"),
    [
        ("UPDATE slope = grad(sum(y), x)", ["other"]),
        ("slope = grad(sum(y), x) UPDATE", []),
        ("UPDATE slope = grad(sum(other(x)), x)", []),
        ("UPDATE minimize mean(y) over net using SGD(0.1)", ["other"]),
    ],
)
def test_weights_that_have_changed(steps: str, stale: list[str]) -> None:
    """Between a step that reads them and a derivative that goes back through it."""
    update = "minimize mse(other(x), 0) using SGD(0.1)"
    flow = flow_of("y = net(other(x))[0] " + steps.replace("UPDATE", update))
    assert sorted(s.name for s in flow.stale()) == stale


def test_a_grad_of_weights_that_change_in_place() -> None:
    """Where a framework cannot go back, the program is refused at the `grad`; where it can, it is written."""
    text = MODELS + (
        "train T { net = One() batch x: f32[N, 4] total = sum(net(x)) "
        "minimize mse(net(x), 0) using SGD(0.1) metric slope = mean(grad(total, x) ** 2) }"
    )
    spec = nnspec.load(text)
    assert "inner.gradient(" in "".join(map(str, spec.build("keras").files.values()))
    for target in ("pytorch", "gluon"):
        with pytest.raises(nnspec.SpecError, match="E0704.*grad") as refused:
            spec.build(target)
        (told,) = refused.value.diagnostics
        assert told.label is not None and told.label.span.text.startswith("grad(")


def test_a_scalar_of_the_batch_is_boxed_for_mxnet() -> None:
    """Which has no arrays without axes; what a program draws comes with the batch too, where chance is taken out."""
    text = MODELS + (
        "train T { net = One() batch x: f32[N, 4] "
        "minimize mean(net(x) * random_normal([])) using SGD(0.1) }"
    )
    training = freeze_training(nnspec.load(text).training())
    emitted = TARGETS["gluon"].emit(Program((), (training,)), stem="t", provenance="")
    assert [layout.boxed for layout in emitted.batch_layouts["T"]] == [False, True]


def test_what_functions_draw_comes_with_the_batch() -> None:
    """As it is drawn, once for each call: what makes an index of it stays within the table. A network's names for
    sizes are its own: in the program its `T` is 5."""
    text = """
      block other { input ids output cast(floor(random_uniform(ids.shape) * 7), i64) }
      model Words { input ids: i64[N, T] weight place: f32[9, 2] = normal(0.1)
        output y = (ids -> Embedding(7, 2)) + place[:T] }
      train T { net = Words() batch ids: i64[N, 5] a = other(ids) b = other(ids)
        minimize mean(net(where(ids == 0, a, b))) using SGD(0.1) metric m = mean(cast(a, f32)) }
    """
    training = freeze_training(nnspec.load(text).training())
    assert [v.name for v in training.batch] == ["ids", "draw_1", "draw_2"]
    batches = list(cases.batches_of(training, 2, 0))
    assert all(a.min() >= 0 and a.max() < 1 for batch in batches for a in batch[1:])
    begun = cases.networks_weights(training, 0)
    after = definition.trained(training, begun, batches, [2]).weights[2]
    assert not np.allclose(after["net"]["place"][:5], begun["net"]["place"][:5])
    np.testing.assert_allclose(after["net"]["place"][5:], begun["net"]["place"][5:])


def test_grad_after_an_update() -> None:
    """It goes once more through what the update went through."""
    flow = flow_of(
        "y = other(x) minimize mse(net(y)[0], 0) over net using SGD(0.1) slope = grad(sum(y), x)"
    )
    assert [s.layer for s in flow.again(flow.updates[0]) if isinstance(s, Call)] == ["other"]
