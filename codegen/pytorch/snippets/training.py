"""The loop over epochs."""

from torch import Tensor, nn
from torch.utils.data import DataLoader

from codegen.python.snippets.epochs import print_epoch, stop_unless_finite


def run_epoch(step, batches: DataLoader, device: str) -> dict[str, float]:
    """Apply a step to every batch; the mean of its figures, each weighted with its batch."""
    totals: dict[str, Tensor] = {}
    rows = 0
    for batch in batches:
        size = len(batch[0])
        for name, figure in step(*(column.to(device) for column in batch)).items():
            # Added up on the device: nothing waits for a number.
            totals[name] = totals.get(name, 0) + size * figure.detach()
        rows += size
    return {name: total.item() / rows for name, total in totals.items()}


def fit(
    networks: list[nn.Module],
    train,
    check,
    batches: DataLoader,
    held_out: DataLoader | None,
    *,
    epochs: int,
    losses: list[str],
    device: str,
) -> None:
    """Train for some epochs, and print what each of them came to."""
    for epoch in range(1, epochs + 1):
        for net in networks:
            net.train()
        figures = run_epoch(train, batches, device)
        stop_unless_finite(figures, losses)
        if held_out is not None:
            for net in networks:
                net.eval()
            checked = run_epoch(check, held_out, device)
            figures |= {f"val_{name}": figure for name, figure in checked.items()}
        print_epoch(epoch, epochs, figures)
