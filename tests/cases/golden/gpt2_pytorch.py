"""Made from gpt2.nn.

GPT-2 small (Radford et al. 2019, "Language Models are Unsupervised Multitask
Learners"), as OpenAI published it: the scores of what comes next are those of the
embedding (tied).

input up to 1,024 tokens of a vocabulary of 50,257; 124,439,808 parameters.
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
    """How layers begin."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


class MultiHeadAttention(nn.Module):
    """Attention of several heads, each with queries, keys and values of its own
    (Vaswani et al. 2017).

    MultiHeadAttention(causal = true)
    """

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(768, 768)
        self.key = nn.Linear(768, 768)
        self.value = nn.Linear(768, 768)
        self.output = nn.Linear(768, 768)

    def forward(self, query: Tensor) -> Tensor:
        q = self.query(query)
        q = q.reshape(q.shape[0], q.shape[1], 12, 64).transpose(1, 2)
        k = self.key(query)
        k = k.reshape(k.shape[0], k.shape[1], 12, 64).transpose(1, 2)
        v = self.value(query)
        v = v.reshape(v.shape[0], v.shape[1], 12, 64).transpose(1, 2)
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x.transpose(1, 2).reshape(query.shape[0], query.shape[1], 768)
        return self.output(x)


class FeedForward(nn.Module):
    """Two `Dense` with an activation between them (Vaswani et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(768, 3072)
        self.down = nn.Linear(3072, 768)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.up(x), approximate="tanh")
        return self.down(x)


class EncoderLayer(nn.Module):
    """Attention to itself, then a `FeedForward`, each added to what it was given."""

    def __init__(self):
        super().__init__()
        self.attention_norm = nn.LayerNorm(768)
        self.attention = MultiHeadAttention()
        self.dropout = nn.Dropout(0.1)
        self.mlp_norm = nn.LayerNorm(768)
        self.mlp = FeedForward()

    def forward(self, x: Tensor) -> Tensor:
        y = self.attention_norm(x)
        y = self.attention(y)
        x = x + self.dropout(y)
        y = self.mlp_norm(x)
        y = self.mlp(y)
        return x + self.dropout(y)


class GPT2(nn.Module):
    """ids i64[N, T] -> logits [N, T, 50257] (as in the spec)"""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(50257, 768)
        self.dropout = nn.Dropout(0.1)
        self.layers = nn.ModuleList([EncoderLayer() for _ in range(12)])
        self.norm = nn.LayerNorm(768)
        self.places = nn.Parameter(nn.init.normal_(torch.empty(1024, 768), std=0.02))
        self.apply(init_weights)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places[: ids.shape[1]]
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        y = self.tokens.weight.transpose(0, 1)  # [768, 50257]
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


def make_optimizer(net: nn.Module, lr: float = 0.00025) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=lr)


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
    parser.add_argument("--lr", type=float, default=0.00025)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    columns, held_out = load_data(args.data, {"ids": ("int64", (None,))})
    net = GPT2().to(args.device)
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
