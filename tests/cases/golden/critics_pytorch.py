"""Made from critics.nn."""

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


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Generator(nn.Module):
    """z [N, 8] -> image [N, 12]"""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(8, 16)
        self.dense_2 = nn.Linear(16, 12)
        self.apply(init_weights)

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.dense(z))
        return self.dense_2(x)


class Critic(nn.Module):
    """image [N, 12] -> score [N]"""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(12, 16)
        self.dense_2 = nn.Linear(16, 1)
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.tanh(self.dense(image))
        x = self.dense_2(x)
        return x.reshape(-1)


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


def network_path(path: str, network: str) -> Path:
    """The file of one of several networks: `trained-G.ext` for `trained.ext`."""
    stem, dot, suffix = Path(path).name.partition(".")
    return Path(path).with_name(f"{stem}-{network}{dot}{suffix}")


def make_optimizers_wgan(
    G: nn.Module, D: nn.Module
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    return (
        torch.optim.Adam(D.parameters(), lr=0.0001, betas=(0.0, 0.999)),
        torch.optim.Adam(G.parameters(), lr=0.0001, betas=(0.0, 0.999)),
    )


def train_step_wgan(
    G: nn.Module,
    D: nn.Module,
    optimizer_D: torch.optim.Optimizer,
    optimizer_G: torch.optim.Optimizer,
    image: Tensor,
) -> dict[str, Tensor]:
    """Wasserstein, with a penalty on the critic's slope."""
    noise = torch.randn(image.shape[0], 8, device=image.device)
    fake = G(noise)
    for _ in range(5):
        # Between a drawing and a made one.
        share = torch.sigmoid(torch.randn(image.shape[0], 1, device=image.device))
        noise = torch.randn(image.shape[0], 8, device=image.device)
        made = G(noise).detach()
        mixed = image * share + made * (1 - share)
        mixed.requires_grad_()
        score = D(mixed)
        x = score.sum()
        x = torch.autograd.grad(x, mixed, create_graph=True)[0] ** 2
        slope = torch.sqrt(x.sum(dim=-1))
        score = D(made)
        x = score.mean()
        score = D(image)
        distance = x - score.mean()
        loss_1 = distance + 10 * ((slope - 1) ** 2).mean()
        optimizer_D.zero_grad()
        loss_1.backward()
        optimizer_D.step()
    score = D(fake)
    loss_2 = -score.mean()
    optimizer_G.zero_grad()
    loss_2.backward()
    optimizer_G.step()
    apart = -distance
    return {"loss_1": loss_1, "loss_2": loss_2, "apart": apart}


def evaluate_wgan(G: nn.Module, D: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    noise = torch.randn(image.shape[0], 8, device=image.device)
    fake = G(noise)
    # Between a drawing and a made one.
    share = torch.sigmoid(torch.randn(image.shape[0], 1, device=image.device))
    noise = torch.randn(image.shape[0], 8, device=image.device)
    made = G(noise).detach()
    mixed = image * share + made * (1 - share)
    mixed.requires_grad_()
    score = D(mixed)
    x = score.sum()
    x = torch.autograd.grad(x, mixed, create_graph=True)[0] ** 2
    slope = torch.sqrt(x.sum(dim=-1))
    score = D(made)
    x = score.mean()
    score = D(image)
    distance = x - score.mean()
    loss_1 = distance + 10 * ((slope - 1) ** 2).mean()
    score = D(fake)
    loss_2 = -score.mean()
    apart = -distance
    return {"loss_1": loss_1, "loss_2": loss_2, "apart": apart}


def as_dataset_wgan(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(torch.from_numpy(columns["image"]))


def make_optimizers_nested(
    G: nn.Module, D: nn.Module
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer, torch.optim.Optimizer]:
    return (
        torch.optim.SGD(D.parameters(), lr=0.001),
        torch.optim.Adam(D.parameters()),
        torch.optim.SGD(G.parameters(), lr=0.001),
    )


def train_step_nested(
    G: nn.Module,
    D: nn.Module,
    optimizer_D: torch.optim.Optimizer,
    optimizer_D_2: torch.optim.Optimizer,
    optimizer_G: torch.optim.Optimizer,
    image: Tensor,
    other: Tensor,
) -> dict[str, Tensor]:
    """Small steps, and an inner loop."""
    for _ in range(3):
        for _ in range(2):
            score = D(image)
            loss_1 = F.mse_loss(score, torch.ones_like(score))
            optimizer_D.zero_grad()
            loss_1.backward()
            optimizer_D.step()
        score = D(other)
        loss_2 = F.mse_loss(score, torch.full_like(score, 2))
        optimizer_D_2.zero_grad()
        loss_2.backward()
        optimizer_D_2.step()
    noise = torch.randn(image.shape[0], 8, device=image.device)
    loss_3 = 1 * (G(noise) ** 2).mean()
    optimizer_G.zero_grad()
    loss_3.backward()
    optimizer_G.step()
    noise = torch.randn(image.shape[0], 8, device=image.device)
    loss_4 = 2 * (G(noise) ** 2).mean()
    optimizer_G.zero_grad()
    loss_4.backward()
    optimizer_G.step()
    return {"loss_1": loss_1, "loss_2": loss_2, "loss_3": loss_3, "loss_4": loss_4}


@torch.no_grad()
def evaluate_nested(
    G: nn.Module, D: nn.Module, image: Tensor, other: Tensor
) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    score = D(image)
    loss_1 = F.mse_loss(score, torch.ones_like(score))
    score = D(other)
    loss_2 = F.mse_loss(score, torch.full_like(score, 2))
    noise = torch.randn(image.shape[0], 8, device=image.device)
    loss_3 = 1 * (G(noise) ** 2).mean()
    noise = torch.randn(image.shape[0], 8, device=image.device)
    loss_4 = 2 * (G(noise) ** 2).mean()
    return {"loss_1": loss_1, "loss_2": loss_2, "loss_3": loss_3, "loss_4": loss_4}


def as_dataset_nested(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(
        torch.from_numpy(columns["image"]), torch.from_numpy(columns["other"])
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=["WGAN", "Nested"], default="WGAN")
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns image, other"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    return parser.parse_args()


def main_wgan(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    columns, held_out = load_data(args.data, {"image": ("float32", (12,))})
    G = Generator().to(args.device)
    D = Critic().to(args.device)
    if args.weights:
        load_weights(G, network_path(args.weights, "G"))
        load_weights(D, network_path(args.weights, "D"))
    optimizer_D, optimizer_G = make_optimizers_wgan(G, D)
    fit(
        [G, D],
        partial(train_step_wgan, G, D, optimizer_D, optimizer_G),
        partial(evaluate_wgan, G, D),
        DataLoader(as_dataset_wgan(columns), args.batch_size or 16, shuffle=True),
        DataLoader(as_dataset_wgan(held_out), args.batch_size or 16)
        if held_out
        else None,
        epochs=args.epochs or 2,
        losses=["loss_1", "loss_2"],
        device=args.device,
    )
    if args.save:
        save_weights(G, network_path(args.save, "G"))
        save_weights(D, network_path(args.save, "D"))


def main_nested(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"image": ("float32", (12,)), "other": ("float32", (12,))}
    )
    G = Generator().to(args.device)
    D = Critic().to(args.device)
    if args.weights:
        load_weights(G, network_path(args.weights, "G"))
        load_weights(D, network_path(args.weights, "D"))
    optimizer_D, optimizer_D_2, optimizer_G = make_optimizers_nested(G, D)
    fit(
        [G, D],
        partial(train_step_nested, G, D, optimizer_D, optimizer_D_2, optimizer_G),
        partial(evaluate_nested, G, D),
        DataLoader(as_dataset_nested(columns), args.batch_size or 32, shuffle=True),
        DataLoader(as_dataset_nested(held_out), args.batch_size or 32)
        if held_out
        else None,
        epochs=args.epochs or 1,
        losses=["loss_1", "loss_2", "loss_3", "loss_4"],
        device=args.device,
    )
    if args.save:
        save_weights(G, network_path(args.save, "G"))
        save_weights(D, network_path(args.save, "D"))


def main() -> None:
    args = parse_arguments()
    {"WGAN": main_wgan, "Nested": main_nested}[args.program](args)


if __name__ == "__main__":
    main()
