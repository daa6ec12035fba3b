"""Made from two_programs.nn."""

import argparse
import math
import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def starting(layer: nn.Module, **initializers) -> nn.Module:
    """The layer, with a note for `init_weights` on how its parameters begin."""
    layer.initializers = initializers
    return layer


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    for name, initializer in getattr(module, "initializers", {}).items():
        initializer(getattr(module, name))


class Small(nn.Module):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self, width: int = 6):
        super().__init__()
        self.dense = starting(
            nn.Linear(5, width),
            weight=partial(nn.init.kaiming_normal_, nonlinearity="relu"),
        )
        self.dense_2 = nn.Linear(width, 3)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        trunk = F.relu(self.dense(x))
        return self.dense_2(trunk)


class SmallWidth4(Small):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self):
        super().__init__(width=4)


class Teacher(nn.Module):
    """x [N, 5] -> logits [N, 3]"""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(5, 8)
        self.dense_2 = nn.Linear(8, 3, bias=False)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.dense(x))
        return self.dense_2(x)


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


def epochs_of(steps: int, columns: dict, size: int) -> int:
    """Epochs that come to a number of steps."""
    rows = len(next(iter(columns.values())))
    return -(-steps // -(-rows // size))


def print_epoch(epoch: int, epochs: int, figures: dict[str, float]) -> None:
    shown = [f"{name}: {value:.4f}" for name, value in figures.items()]
    print(f"epoch {epoch}/{epochs}", *shown, sep=" - ", flush=True)


def stop_unless_finite(figures: dict[str, float], losses: list[str]) -> None:
    """End a run whose loss is no number any more, before weights are written."""
    for name in losses:
        if not math.isfinite(figures[name]):
            sys.exit(f"{name} is {figures[name]}: training stops, nothing is saved")


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


def make_optimizer_plain(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=0.1)


def train_step_plain(
    net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> dict[str, Tensor]:
    """One update on a batch."""
    logits = net(x)
    loss = F.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss}


@torch.no_grad()
def evaluate_plain(net: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    logits = net(x)
    loss = F.cross_entropy(logits, y)
    return {"loss": loss}


def as_dataset_plain(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(torch.from_numpy(columns["x"]), torch.from_numpy(columns["y"]))


def make_optimizers_distilled(
    student: nn.Module, teacher: nn.Module
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    return (
        torch.optim.Adam(student.parameters(), lr=0.01, weight_decay=0.0001),
        torch.optim.SGD(teacher.parameters(), lr=0.01, momentum=0.9),
    )


def train_step_distilled(
    student: nn.Module,
    teacher: nn.Module,
    optimizer_student: torch.optim.Optimizer,
    optimizer_teacher: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
) -> dict[str, Tensor]:
    """The student imitates the teacher, which learns from the labels; one pass of each."""
    guess = student(x)
    target = teacher(x)
    loss_1 = F.mse_loss(guess, target)
    optimizer_student.zero_grad()
    loss_1.backward(inputs=list(student.parameters()))
    optimizer_student.step()
    taught = F.cross_entropy(target, y)
    optimizer_teacher.zero_grad()
    taught.backward()
    optimizer_teacher.step()
    accuracy = (guess.argmax(-1) == y).float().mean()
    return {"loss_1": loss_1, "taught": taught, "accuracy": accuracy}


@torch.no_grad()
def evaluate_distilled(
    student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor
) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    guess = student(x)
    target = teacher(x)
    loss_1 = F.mse_loss(guess, target)
    taught = F.cross_entropy(target, y)
    accuracy = (guess.argmax(-1) == y).float().mean()
    return {"loss_1": loss_1, "taught": taught, "accuracy": accuracy}


def as_dataset_distilled(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(torch.from_numpy(columns["x"]), torch.from_numpy(columns["y"]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=["Plain", "Distilled"], default="Plain")
    parser.add_argument("--data", required=True, help=".npz file with the columns x, y")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    return parser.parse_args()


def main_plain(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (5,)), "y": ("int64", ())}
    )
    net = Small().to(args.device)
    if args.weights:
        load_weights(net, args.weights)
    optimizer = make_optimizer_plain(net)
    fit(
        [net],
        partial(train_step_plain, net, optimizer),
        partial(evaluate_plain, net),
        DataLoader(as_dataset_plain(columns), args.batch_size or 32, shuffle=True),
        DataLoader(as_dataset_plain(held_out), args.batch_size or 32)
        if held_out
        else None,
        epochs=args.epochs or epochs_of(20, columns, args.batch_size or 32),
        losses=["loss"],
        device=args.device,
    )
    if args.save:
        save_weights(net, args.save)


def main_distilled(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (5,)), "y": ("int64", ())}
    )
    student = SmallWidth4().to(args.device)
    teacher = Teacher().to(args.device)
    if args.weights:
        load_weights(student, network_path(args.weights, "student"))
        load_weights(teacher, network_path(args.weights, "teacher"))
    optimizer_student, optimizer_teacher = make_optimizers_distilled(student, teacher)
    fit(
        [student, teacher],
        partial(
            train_step_distilled, student, teacher, optimizer_student, optimizer_teacher
        ),
        partial(evaluate_distilled, student, teacher),
        DataLoader(as_dataset_distilled(columns), args.batch_size or 8, shuffle=True),
        DataLoader(as_dataset_distilled(held_out), args.batch_size or 8)
        if held_out
        else None,
        epochs=args.epochs or 2,
        losses=["loss_1", "taught"],
        device=args.device,
    )
    if args.save:
        save_weights(student, network_path(args.save, "student"))
        save_weights(teacher, network_path(args.save, "teacher"))


def main() -> None:
    args = parse_arguments()
    {"Plain": main_plain, "Distilled": main_distilled}[args.program](args)


if __name__ == "__main__":
    main()
