"""`grad(loss, x)`: PyTorch derives by tensors that it was told of before they were used."""

from __future__ import annotations

from dataclasses import replace

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Expression, Literal, Name
from nnspec.catalogue.ops.base import Operand
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.core.declare import declaration
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node, Value
from nnspec.graph.training import Derivative, Gradient, Minimize, Training, TrainStep

TABLE = Table()


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


@TABLE.rule
def watched(op: Watched, use: Use, x: Expr) -> Result:
    tensor = use.forward.name(x)
    use.forward.emit(Expression(tensor.attr("requires_grad_")()))
    return tensor


@TABLE.rule
def derivative(op: Derivative, use: Use, loss: Expr, x: Expr) -> Result:
    """The loss may hold the derivative, so the way to it is kept."""
    return Name("torch.autograd.grad")(loss, x, create_graph=True)[Literal(0)]
