"""Made from names.nn.

A file that tries \"\"\" and \\ in its own words.
"""

import argparse
import math
import sys
import zipfile
import zlib
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


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


def run_epoch(
    step, batches: DataLoader, device: str, summaries: dict
) -> dict[str, float]:
    """Apply a step to every batch; the mean of its figures, each weighted with its batch.

    summaries: for figures that have several means, what makes one number of them.
    """
    totals: dict[str, Tensor] = {}
    rows = 0
    for batch in batches:
        size = len(batch[0])
        for name, figure in step(*(column.to(device) for column in batch)).items():
            # Added up on the device: nothing waits for a number.
            totals[name] = totals.get(name, 0) + size * figure.detach()
        rows += size
    means = {name: total.cpu().numpy() / rows for name, total in totals.items()}
    return {name: summaries.get(name, float)(mean) for name, mean in means.items()}


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
    summaries: dict | None = None,
) -> None:
    """Train for some epochs, and print what each of them came to."""
    summaries = summaries or {}
    for epoch in range(1, epochs + 1):
        for net in networks:
            net.train()
        figures = run_epoch(train, batches, device, summaries)
        stop_unless_finite(figures, losses)
        if held_out is not None:
            for net in networks:
                net.eval()
            checked = run_epoch(check, held_out, device, summaries)
            figures |= {f"val_{name}": figure for name, figure in checked.items()}
        print_epoch(epoch, epochs, figures)


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


def load_data(path: str, types: dict[str, tuple]) -> tuple[dict, dict]:
    """Columns of an .npz file by name: for training, and to validate with (if any).

    types: of each column, with the shape of a row (None: of any size).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (EOFError, OSError, RuntimeError, TypeError, ValueError) as error:
        sys.exit(f"cannot read {path}: {error}")
    except (zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"cannot read {path}: {error}")
    columns = checked_columns(path, found, types)
    held_out = {f"validation_{name}": kind for name, kind in types.items()}
    if held_out.keys().isdisjoint(found):
        return columns, {}
    checked = checked_columns(path, found, held_out)
    return columns, dict(zip(types, checked.values(), strict=True))


def checked_columns(path: str, found: dict, types: dict[str, tuple]) -> dict:
    """The columns in their types; what does not fit ends the program."""
    missing = [name for name in types if name not in found]
    if missing:
        names = ", ".join(found) or "none"
        sys.exit(f"{path} has no column {', '.join(missing)} (found: {names})")
    columns = {}
    for name, (dtype, row) in types.items():
        column = found[name]
        sizes = list(zip(column.shape[1:], row))
        fits = column.ndim == len(row) + 1 and all(w in (n, None) for n, w in sizes)
        if not fits or not np.can_cast(column.dtype, dtype, "same_kind"):
            wanted = ", ".join("any" if n is None else str(n) for n in ("rows", *row))
            sys.exit(
                f"column {name} of {path} should be {dtype} [{wanted}], "
                f"found {column.dtype} {list(column.shape)}"
            )
        columns[name] = column.astype(dtype, copy=False)
    rows = {name: len(column) for name, column in columns.items()}
    if 0 in rows.values() or len(set(rows.values())) > 1:
        sys.exit(f"{path} should have some rows, as many in each column, found {rows}")
    return columns


def print_epoch(epoch: int, epochs: int, figures: dict[str, float]) -> None:
    shown = [f"{name}: {value:.4f}" for name, value in figures.items()]
    print(f"epoch {epoch}/{epochs}", *shown, sep=" - ", flush=True)


def stop_unless_finite(figures: dict[str, float], losses: list[str]) -> None:
    """End a run whose loss is no number any more, before weights are written."""
    for name in losses:
        if not math.isfinite(figures[name]):
            sys.exit(f"{name} is {figures[name]}: training stops, nothing is saved")


def make_optimizer(main_: nn.Module, lr: float = 0.001) -> torch.optim.Optimizer:
    return torch.optim.Adam(main_.parameters(), lr=lr)


def train_step(
    main_: nn.Module,
    optimizer_2: torch.optim.Optimizer,
    input_: Tensor,
    optimizer: Tensor,
) -> dict[str, Tensor]:
    """One update on a batch."""
    a, _, b = main_(input_, optimizer)
    term = F.mse_loss(a, torch.full_like(a, 0.5))
    loss = term + b.mean()
    optimizer_2.zero_grad()
    loss.backward()
    optimizer_2.step()
    return {"loss": loss}


@torch.no_grad()
def evaluate(main_: nn.Module, input_: Tensor, optimizer: Tensor) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    a, _, b = main_(input_, optimizer)
    term = F.mse_loss(a, torch.full_like(a, 0.5))
    loss = term + b.mean()
    return {"loss": loss}


def as_dataset(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(
        torch.from_numpy(columns["input"]), torch.from_numpy(columns["optimizer"])
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns input, optimizer"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"input": ("float32", (5,)), "optimizer": ("float32", (5,))}
    )
    main_ = NN().to(args.device)
    if args.weights:
        load_weights(main_, args.weights)
    optimizer_2 = make_optimizer(main_, args.lr)
    fit(
        [main_],
        partial(train_step, main_, optimizer_2),
        partial(evaluate, main_),
        DataLoader(as_dataset(columns), args.batch_size, shuffle=True),
        DataLoader(as_dataset(held_out), args.batch_size) if held_out else None,
        epochs=args.epochs,
        losses=["loss"],
        device=args.device,
    )
    if args.save:
        save_weights(main_, args.save)


if __name__ == "__main__":
    main()
