"""Made from llama.nn.

A decoder in the style of Llama (Touvron et al. 2023, "Llama 2", arXiv:2307.09288) of
the size of SmolLM-135M (Hugging Face 2024), its embedding tied to its output; with
`tied = false` the output has a matrix of its own, as Llama 2 does.

input tokens of a vocabulary of 49,152; 134,515,008 parameters.
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


def rotary(x):
    """Rotary position embedding (Su et al. 2021): pairs of features turn by angles that
    grow with the place.
    """
    y = torch.arange(x.shape[2], dtype=x.dtype, device=x.device)
    z = torch.arange(x.shape[3], dtype=x.dtype, device=x.device)
    angles = y.unsqueeze(1) * torch.exp(z[:32] * -0.28782313662425574)
    cos = torch.cos(angles)
    sin = torch.sin(angles)
    first = x[..., :32]
    second = x[..., 32:]
    x = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
    return x


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


class RotaryAttention(nn.Module):
    """Attention whose queries and keys turn with their place (Su et al. 2021)."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(576, 576, bias=False)
        self.key = nn.Linear(576, 192, bias=False)
        self.value = nn.Linear(576, 192, bias=False)
        self.output = nn.Linear(576, 576, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        t = x.shape[1]
        y = self.query(x)
        y = y.reshape(y.shape[0], y.shape[1], 9, 64).transpose(1, 2)
        q = rotary(y)
        y = self.key(x)
        y = y.reshape(y.shape[0], y.shape[1], 3, 64).transpose(1, 2)
        k = rotary(y)
        x = self.value(x)
        v = x.reshape(x.shape[0], x.shape[1], 3, 64).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = y.transpose(1, 2).reshape(n, t, 576)
        return self.output(x)


class GatedFeedForward(nn.Module):
    """`down(activation(gate(x)) * up(x))`: SwiGLU, and with `gelu` GEGLU (Shazeer 2020)."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(576, 1536, bias=False)
        self.up = nn.Linear(576, 1536, bias=False)
        self.down = nn.Linear(1536, 576, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.gate(x)) * self.up(x)
        return self.down(x)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_norm = nn.RMSNorm(576, eps=1e-5)
        self.attention = RotaryAttention()
        self.mlp_norm = nn.RMSNorm(576, eps=1e-5)
        self.mlp = GatedFeedForward()

    def forward(self, x: Tensor) -> Tensor:
        y = self.input_norm(x)
        x = x + self.attention(y)
        y = self.mlp_norm(x)
        return x + self.mlp(y)


class Llama(nn.Module):
    """ids i64[N, T] -> logits [N, T, 49152] (as in the spec)"""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(49152, 576)
        self.layers = nn.ModuleList([Layer() for _ in range(30)])
        self.norm = nn.RMSNorm(576, eps=1e-5)
        self.apply(init_weights)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        y = self.tokens.weight.transpose(0, 1)  # [576, 49152]
        return x @ y


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


def make_optimizer(net: nn.Module, lr: float = 0.0004) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.95))


def train_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, ids: Tensor
) -> dict[str, Tensor]:
    """One update on a batch."""
    logits = net(ids)
    loss = F.cross_entropy(logits[:, :-1].movedim(-1, 1), ids[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss}


@torch.no_grad()
def evaluate(net: nn.Module, ids: Tensor) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    logits = net(ids)
    loss = F.cross_entropy(logits[:, :-1].movedim(-1, 1), ids[:, 1:])
    return {"loss": loss}


def as_dataset(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(torch.from_numpy(columns["ids"]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help=".npz file with the columns ids")
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.0004)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    columns, held_out = load_data(args.data, {"ids": ("int64", (None,))})
    net = Llama().to(args.device)
    if args.weights:
        load_weights(net, args.weights)
    optimizer = make_optimizer(net, args.lr)
    fit(
        [net],
        partial(train_step, net, optimizer),
        partial(evaluate, net),
        DataLoader(as_dataset(columns), args.batch_size, shuffle=True),
        DataLoader(as_dataset(held_out), args.batch_size) if held_out else None,
        epochs=args.epochs,
        losses=["loss"],
        device=args.device,
    )
    if args.save:
        save_weights(net, args.save)


if __name__ == "__main__":
    main()
