"""Optimizers that PyTorch has not."""

import numpy as np
import torch


class WrittenOptimizer(torch.optim.Optimizer):
    """`rule` gives the new weight and states, from the weight, its gradient and the step.

    states, numbers: those of a weight's shape and scalars, with what they begin with.
    decay: the `weight_decay` of weights that have one, where not all have.
    """

    states: tuple[tuple[str, float], ...] = ()
    numbers: tuple[tuple[str, float], ...] = ()
    decay: float | None = None

    def __init__(self, parameters):
        told = {} if self.decay is None else {"weight_decay": self.decay}
        super().__init__(parameters, told)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    self.move(w, group)
        return loss

    def move(self, w, group):
        kept = self.state[w]
        if not kept:
            kept["step"] = w.new_zeros(())
            kept |= {n: torch.full_like(w, x) for n, x in self.states}
            kept |= {n: w.new_full((), x) for n, x in self.numbers}
        kept["step"] += 1
        step, *states = kept.values()
        told = {name: w.new_full((), group[name]) for name in self.defaults}
        new, *states = self.rule(w, w.grad, step, *states, **told)
        # A state may be the weight as it was.
        states = [state.clone() if state is w else state for state in states]
        names = [name for name, _ in (*self.states, *self.numbers)]
        kept |= dict(zip(names, states))
        w.copy_(new)


def follow(optimizer: torch.optim.Optimizer, rate) -> torch.optim.Optimizer:
    """The optimizer, which begins each step with the learning rate of it, counted from 0."""
    for group in optimizer.param_groups:
        group["steps"] = 0

    def advance(*_: object) -> None:
        for group in optimizer.param_groups:
            group["lr"] = float(rate(np.float64(group["steps"])))
            group["steps"] += 1

    optimizer.register_step_pre_hook(advance)
    return optimizer


def decay_groups(weights, spared=(), *, axes=0) -> list[dict]:
    """Weights in two groups: what has fewer axes, or is spared by itself, does not decay."""
    spared = {id(w) for w in spared}
    groups: list[dict] = [{"params": []}, {"params": [], "weight_decay": 0.0}]
    for w in weights:
        groups[w.ndim < axes or id(w) in spared]["params"].append(w)
    return groups


def clip_norm(weights, limit: float) -> None:
    """Scale gradients down together where their norm is above the limit.

    `torch.nn.utils.clip_grad_norm_` does so to a limit that is 1e-6 of the norm less.
    """
    gradients = [w.grad for w in weights if w.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    scale = limit / norm.clamp(min=limit)
    for gradient in gradients:
        gradient.mul_(scale)
