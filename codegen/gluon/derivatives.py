"""Derivatives as functions of the generated program: MXNet derives few of its operators a second time."""

from __future__ import annotations

from dataclasses import replace

from codegen.gluon.ops.elementwise import Detach
from codegen.python.dialect import Unsupported
from nnspec.catalogue.ops.elementwise import Constant, Sign
from nnspec.catalogue.ops.logic import Comparison
from nnspec.catalogue.ops.numeric import Ceil, Floor, Round
from nnspec.catalogue.ops.recurrent import Recurrent
from nnspec.graph.graph import Call, Graph, Node, Program, Step, Value, Weight, walk
from nnspec.graph.passes.derive import NotDerived, derive
from nnspec.graph.training import Training, TrainStep

FLAT = (Comparison, Sign, Floor, Ceil, Round)
"""Ops whose derivative is 0 wherever there is one."""


def derived(program: Program) -> Program:
    """The program with functions in place of derivatives."""
    return replace(program, trainings=tuple(map(_derived, program.trainings)))


def _derived(training: Training) -> Training:
    try:
        worked_out = derive(training)
    except NotDerived as refused:
        span = refused.gradient.span
        raise Unsupported("`grad`", span, "Gluon", refused.reason) from None
    layers = [node for n in training.networks for node in walk(n.model)]
    held = {w: n.op.name for n in layers if isinstance(n.op, Recurrent) for w in n.weights}
    before = set(training.steps)
    steps: list[TrainStep] = []
    for step in worked_out.steps:
        if not isinstance(step, (Node, Call)):
            steps.append(step)
            continue
        for weight in step.inputs:
            if isinstance(weight, Weight) and weight in held and step not in before:
                what, reason = (
                    f"`grad` through `{held[weight]}`",
                    "MXNet keeps its weights to itself",
                )
                raise Unsupported(what, step.span, "Gluon", reason)
        if isinstance(step, Call) and step not in before:
            step = replace(step, body=off_the_record(step.body))
        steps.append(step)
    return replace(worked_out, steps=tuple(steps))


def off_the_record(body: Graph) -> Graph:
    """The function with operands of flat ops taken off the record.

    MXNet 1.9.1 ends in a segmentation fault where such an op is all that reads what a convolution makes, with
    something between them: the gradient that goes back is none.
    """
    steps: list[Step] = []
    apart: dict[Value, Value] = {}
    for step in body.steps:
        if isinstance(step, Node) and isinstance(step.op, FLAT):
            for value in step.inputs:
                if value not in apart:
                    apart[value] = Value(value.type)
                    steps.append(Node(Detach(), (value,), (apart[value],)))
            step = replace(step, inputs=tuple(apart[v] for v in step.inputs))
        elif isinstance(step, Node) and isinstance(step.op, Constant):
            apart |= {v: v for v in step.outputs}
        steps.append(step)
    return replace(body, steps=tuple(steps))
