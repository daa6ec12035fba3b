"""`grad(loss, x)`: PyTorch derives by tensors that it was told of before they were used."""

from __future__ import annotations

from dataclasses import replace

from codegen.python.dialect import Result
from codegen.python.forward import Forward
from codegen.python.source import Expr, Expression, Literal, Name
from nnspec.catalogue.ops.base import Operand
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.core.declare import declaration
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node, Value
from nnspec.graph.training import Gradient, Minimize, Training, TrainStep


@declaration
class Watched(Elementwise):
    """A tensor itself; what is made from it can be derived by it."""

    name = "watched"
    hidden = True
    operands = (Operand("x"),)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (inputs[0],)


def watching(training: Training) -> Training:
    """The program with every tensor that is derived by watched from its beginning on."""
    derived = {step.wrt: step.span for step in training.steps if isinstance(step, Gradient)}
    known: dict[Value, Value] = {}
    steps: list[TrainStep] = []

    def watch(values: tuple[Value, ...]) -> None:
        for value in values:
            if value in derived:
                known[value] = Value(value.type, None, value.span)
                steps.append(Node(Watched(), (value,), (known[value],), span=derived[value]))

    watch(training.batch)
    for step in training.steps:
        if isinstance(step, Minimize):
            steps.append(replace(step, loss=known.get(step.loss, step.loss)))
            continue
        steps.append(replace(step, inputs=tuple(known.get(v, v) for v in step.inputs)))
        watch(step.outputs)
    metrics = tuple(replace(m, value=known.get(m.value, m.value)) for m in training.metrics)
    return replace(training, steps=tuple(steps), metrics=metrics) if derived else training


def watched(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    tensor = forward.name(operands[0])
    forward.emit(Expression(tensor.attr("requires_grad_")()))
    return tensor


def derivative(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    """The loss may hold the derivative, so the way to it is kept."""
    made = Name("torch.autograd.grad")(*operands).with_keyword("create_graph", True)
    return made[Literal(0)]
