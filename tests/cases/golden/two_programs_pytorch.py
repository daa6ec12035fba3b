"""Made from two_programs.nn."""

import argparse
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


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

    def __init__(self):
        super().__init__()
        self.dense = starting(
            nn.Linear(5, 6),
            weight=partial(nn.init.kaiming_normal_, nonlinearity="relu"),
        )
        self.dense_2 = nn.Linear(6, 3)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        trunk = F.relu(self.dense(x))
        return self.dense_2(trunk)


class SmallWidth4(nn.Module):
    """Two ways to train one classifier, and one that shares its trunk.

    x [N, 5] -> logits [N, 3]
    """

    def __init__(self):
        super().__init__()
        self.dense = starting(
            nn.Linear(5, 4),
            weight=partial(nn.init.kaiming_normal_, nonlinearity="relu"),
        )
        self.dense_2 = nn.Linear(4, 3)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        trunk = F.relu(self.dense(x))
        return self.dense_2(trunk)


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


def make_optimizer_plain(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=0.1)


def train_step_plain(
    net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> dict[str, float]:
    """One update on a batch."""
    logits = net(x)
    loss = F.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item()}


@torch.no_grad()
def evaluate_plain(net: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Losses and metrics of a batch."""
    logits = net(x)
    loss = F.cross_entropy(logits, y)
    return {"loss": loss.item()}


def to_tensors_plain(x: np.ndarray, y: np.ndarray) -> list[Tensor]:
    """Columns of a data set as tensors."""
    return [torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.int64)]


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
) -> dict[str, float]:
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
    return {
        "loss_1": loss_1.item(),
        "taught": taught.item(),
        "accuracy": accuracy.item(),
    }


@torch.no_grad()
def evaluate_distilled(
    student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor
) -> dict[str, float]:
    """Losses and metrics of a batch."""
    guess = student(x)
    target = teacher(x)
    loss_1 = F.mse_loss(guess, target)
    taught = F.cross_entropy(target, y)
    accuracy = (guess.argmax(-1) == y).float().mean()
    return {
        "loss_1": loss_1.item(),
        "taught": taught.item(),
        "accuracy": accuracy.item(),
    }


def to_tensors_distilled(x: np.ndarray, y: np.ndarray) -> list[Tensor]:
    """Columns of a data set as tensors."""
    return [torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.int64)]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=["Plain", "Distilled"], default="Plain")
    parser.add_argument("--data", required=True, help=".npz file with the columns x, y")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main_plain(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = Small().to(device)
    if args.weights:
        load_weights(net, args.weights)
    optimizer = make_optimizer_plain(net)
    columns, held_out = load_data(args.data, ["x", "y"])
    columns = [t.to(device) for t in to_tensors_plain(*columns)]
    if held_out:
        held_out = [t.to(device) for t in to_tensors_plain(*held_out)]
    generator = np.random.default_rng(args.seed)
    size = args.batch_size or 32
    epochs = args.epochs or -(-20 // -(-len(columns[0]) // size))
    for epoch in range(1, epochs + 1):
        net.train()
        order = generator.permutation(len(columns[0]))
        figures = run_epoch(
            partial(train_step_plain, net, optimizer), columns, order, size
        )
        if held_out:
            net.eval()
            order = np.arange(len(held_out[0]))
            held_out_figures = run_epoch(
                partial(evaluate_plain, net), held_out, order, size
            )
            for name, value in held_out_figures.items():
                figures[f"val_{name}"] = value
        print_epoch(epoch, epochs, figures)
    if args.save:
        save_weights(net, args.save)


def main_distilled(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    student = SmallWidth4().to(device)
    teacher = Teacher().to(device)
    if args.weights:
        load_weights(student, network_path(args.weights, "student"))
        load_weights(teacher, network_path(args.weights, "teacher"))
    optimizer_student, optimizer_teacher = make_optimizers_distilled(student, teacher)
    columns, held_out = load_data(args.data, ["x", "y"])
    columns = [t.to(device) for t in to_tensors_distilled(*columns)]
    if held_out:
        held_out = [t.to(device) for t in to_tensors_distilled(*held_out)]
    generator = np.random.default_rng(args.seed)
    size = args.batch_size or 8
    epochs = args.epochs or 2
    for epoch in range(1, epochs + 1):
        student.train()
        teacher.train()
        order = generator.permutation(len(columns[0]))
        figures = run_epoch(
            partial(
                train_step_distilled,
                student,
                teacher,
                optimizer_student,
                optimizer_teacher,
            ),
            columns,
            order,
            size,
        )
        if held_out:
            student.eval()
            teacher.eval()
            order = np.arange(len(held_out[0]))
            held_out_figures = run_epoch(
                partial(evaluate_distilled, student, teacher), held_out, order, size
            )
            for name, value in held_out_figures.items():
                figures[f"val_{name}"] = value
        print_epoch(epoch, epochs, figures)
    if args.save:
        save_weights(student, network_path(args.save, "student"))
        save_weights(teacher, network_path(args.save, "teacher"))


def main() -> None:
    args = parse_arguments()
    if args.program == "Plain":
        main_plain(args)
    elif args.program == "Distilled":
        main_distilled(args)


if __name__ == "__main__":
    main()
