"""Epochs: batches, means of their figures, what is printed."""

import numpy as np


def run_epoch(step, columns: list, order: np.ndarray, size: int) -> dict[str, float]:
    """Apply a step to every batch; the mean of its figures, each weighted with its batch."""
    totals: dict[str, float] = {}
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        for name, value in step(*(column[rows] for column in columns)).items():
            totals[name] = totals.get(name, 0.0) + value * len(rows)
    return {name: total / len(order) for name, total in totals.items()}


def print_epoch(epoch: int, epochs: int, figures: dict[str, float]) -> None:
    shown = [f"{name}: {value:.4f}" for name, value in figures.items()]
    print(f"epoch {epoch}/{epochs}", *shown, sep=" - ", flush=True)
