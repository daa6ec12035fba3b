"""Optimizers that PyTorch has not."""

import torch


class WrittenOptimizer(torch.optim.Optimizer):
    """`rule` gives the new weight and states, from the weight, its gradient and the step.

    states, numbers: those of a weight's shape and scalars, with what they begin with.
    """

    states: tuple[tuple[str, float], ...] = ()
    numbers: tuple[tuple[str, float], ...] = ()

    def __init__(self, parameters):
        super().__init__(parameters, {})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None if closure is None else torch.enable_grad()(closure)()
        weights = [w for group in self.param_groups for w in group["params"]]
        for w in weights:
            if w.grad is None:
                continue
            kept = self.state[w]
            if not kept:
                kept["step"] = w.new_zeros(())
                kept |= {n: torch.full_like(w, x) for n, x in self.states}
                kept |= {n: w.new_full((), x) for n, x in self.numbers}
            kept["step"] += 1
            step, *states = kept.values()
            new, *states = self.rule(w, w.grad, step, *states)
            # A state may be the weight as it was.
            states = [state.clone() if state is w else state for state in states]
            names = [name for name, _ in (*self.states, *self.numbers)]
            kept |= dict(zip(names, states))
            w.copy_(new)
        return loss
