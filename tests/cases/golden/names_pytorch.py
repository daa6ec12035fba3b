"""Made from names.nn.

A file that tries \"\"\" and \\ in its own words.
"""

import argparse
import sys
import zipfile
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Linear(nn.Module):
    """Names that mean something else in the frameworks: \"\"\" and \\ and {braces}
    # type: ignore
    # fmt: off
    """

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x)


class NN(nn.Module):
    """\"\"\"); import os; os.system("true") #

    input [N, 5], self [N, 5] -> type [N, 2], x [N, 2], print [N, 3]
    """

    def __init__(self):
        super().__init__()
        self.eval_ = nn.Linear(5, 4)
        self.forward_ = nn.Linear(5, 4)
        self.linear = Linear()
        self.dense = nn.Linear(3, 2)
        self.apply(init_weights)

    def forward(self, input_: Tensor, self_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        torch_ = self.eval_(input_)
        F_ = self.forward_(self_)
        # (noqa: E501  and a very long comment that goes on and on until no line of
        # eighty-eight columns could ever hold it)
        class_ = torch_ + F_
        l_ = F.relu(self.linear(class_))
        type_ = self.dense(l_)
        return type_, torch.sigmoid(type_), l_


def load_weights(net: nn.Module, path) -> None:
    """Fill a network with the weights of a .safetensors file."""
    try:
        net.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        sys.exit(f"cannot load weights from {path}: {error}")


def save_weights(net: nn.Module, path) -> None:
    """Write the weights of a network to a .safetensors file."""
    try:
        save_file(net.state_dict(), path)
    except (OSError, SafetensorError) as error:
        sys.exit(f"cannot write weights to {path}: {error}")


def load_data(path: str, names: list[str]) -> tuple[list, list]:
    """Columns of an .npz file for training, and those to validate with (if any)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except (EOFError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"cannot read {path}: {error}")
    missing = [name for name in names if name not in columns]
    if missing:
        found = ", ".join(columns) or "none"
        sys.exit(f"{path} has no column {', '.join(missing)} (found: {found})")
    held_out = [f"validation_{name}" for name in names]
    validation = all(name in columns for name in held_out)
    return (
        [columns[name] for name in names],
        [columns[name] for name in held_out] if validation else [],
    )


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


def make_optimizer(main_: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(main_.parameters())


def train_step(
    main_: nn.Module,
    optimizer_2: torch.optim.Optimizer,
    input_: Tensor,
    optimizer: Tensor,
) -> dict[str, float]:
    """One update on a batch."""
    a, _, b = main_(input_, optimizer)
    term = F.mse_loss(a, torch.full_like(a, 0.5))
    loss = term + b.mean()
    optimizer_2.zero_grad()
    loss.backward()
    optimizer_2.step()
    return {"loss": loss.item()}


@torch.no_grad()
def evaluate(main_: nn.Module, input_: Tensor, optimizer: Tensor) -> dict[str, float]:
    """Losses and metrics of a batch."""
    a, _, b = main_(input_, optimizer)
    term = F.mse_loss(a, torch.full_like(a, 0.5))
    loss = term + b.mean()
    return {"loss": loss.item()}


def to_tensors(input_: np.ndarray, optimizer: np.ndarray) -> list[Tensor]:
    """Columns of a data set as tensors."""
    return [
        torch.tensor(input_, dtype=torch.float32),
        torch.tensor(optimizer, dtype=torch.float32),
    ]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns input, optimizer"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    main_ = NN().to(device)
    if args.weights:
        load_weights(main_, args.weights)
    optimizer_2 = make_optimizer(main_)
    columns, held_out = load_data(args.data, ["input", "optimizer"])
    columns = [t.to(device) for t in to_tensors(*columns)]
    if held_out:
        held_out = [t.to(device) for t in to_tensors(*held_out)]
    generator = np.random.default_rng(args.seed)
    size = args.batch_size
    epochs = args.epochs
    for epoch in range(1, epochs + 1):
        main_.train()
        order = generator.permutation(len(columns[0]))
        figures = run_epoch(
            partial(train_step, main_, optimizer_2), columns, order, size
        )
        if held_out:
            main_.eval()
            order = np.arange(len(held_out[0]))
            held_out_figures = run_epoch(
                partial(evaluate, main_), held_out, order, size
            )
            for name, value in held_out_figures.items():
                figures[f"val_{name}"] = value
        print_epoch(epoch, epochs, figures)
    if args.save:
        save_weights(main_, args.save)


if __name__ == "__main__":
    main()
