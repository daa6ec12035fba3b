"""Made from cells.nn.

Cells of one's own along time: a long short-term memory, and one of two inputs and
several outputs.
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


class Letters(nn.Module):
    """Reads a word letter by letter, up to where its mask ends."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(3, 4)
        self.dense_2 = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor, h: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        new = torch.tanh(self.dense(x) + self.dense_2(h))
        h = torch.where(known.unsqueeze(1), new, h)
        return 2 * h, h


class Words(nn.Module):
    """A cell with a cell inside."""

    def __init__(self):
        super().__init__()
        self.letters = Letters()
        self.dense = nn.Linear(4, 4)

    def forward(
        self, word: Tensor, h: Tensor, known: Tensor, total: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        last = h
        y_steps = []
        for x_t, known_t in zip(word.unbind(1), known.unbind(1), strict=True):
            y_t, last = self.letters(x_t, last, known_t)
            y_steps.append(y_t)
        y = torch.stack(y_steps, 1)
        x = h + last
        z = y.mean(dim=1)
        return y, x + self.dense(z), total + y.sum(dim=1)


class Nested(nn.Module):
    """x [N, T, S, 3] (as in the spec), known bool[N, T, S] (as in the spec) -> seen [N,
    T, S, 4] (as in the spec), h [N, 4], total [N, 4]
    """

    def __init__(self):
        super().__init__()
        self.words = Words()
        self.apply(init_weights)

    def forward(self, x: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = x.new_zeros((x.shape[0], 4))
        total = x.new_zeros((x.shape[0], 4))
        seen_steps = []
        for word_t, known_t in zip(x.unbind(1), known.unbind(1), strict=True):
            seen_t, h, total = self.words(word_t, h, known_t, total)
            seen_steps.append(seen_t)
        seen = torch.stack(seen_steps, 1)
        return seen, h, total


class LSTMCell(nn.Module):
    """A long short-term memory, its gates in PyTorch's order."""

    def __init__(self, in_features: int, units: int, units_2: int):
        super().__init__()
        self.units_2 = units_2
        self.dense = nn.Linear(in_features, units)
        self.dense_2 = nn.Linear(units_2, units, bias=False)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.dense(x) + self.dense_2(h)
        i, f, g, o = x.split(self.units_2, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, h, c


class Gated(nn.Module):
    """Forgets where it is told to, and counts; `scale` is the same at every step."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(9, 4)
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(
        self, x: Tensor, h: Tensor, gate: Tensor, count: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        y = torch.cat([x, h], dim=-1)  # [N, 9]
        h = torch.tanh(self.dense(y) * torch.sigmoid(gate) * scale + self.bias)
        return 2 * h, h, count + 1, x


class Reader(nn.Module):
    """x [N, T, 6] (as in the spec), scale [N, 1] -> wide [N, T, 4] (as in the spec),
    count [N, 1], again [N, T, 4] (as in the spec), raw [N, T, 5] (as in the spec), c
    [N, 5], ends [N, 1, 5] (as in the spec)
    """

    def __init__(self):
        super().__init__()
        self.lstm_cell = LSTMCell(6, 20, 5)
        self.dense = nn.Linear(5, 1)
        self.cell = Gated()
        self.apply(init_weights)

    def forward(
        self, x: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        n = x.shape[0]
        h = x.new_zeros((x.shape[0], 5))
        c = x.new_zeros((x.shape[0], 5))
        y_steps = []
        for x_t in x.unbind(1):
            y_t, h, c = self.lstm_cell(x_t, h, c)
            y_steps.append(y_t)
        y = torch.stack(y_steps, 1)
        gate = self.dense(y)
        h = x.new_zeros((x.shape[0], 4))
        count = x.new_ones((x.shape[0], 1))
        wide_steps = []
        for x_t, gate_t in zip(y.unbind(1), gate.unbind(1), strict=True):
            wide_t, h, count, _ = self.cell(x_t, h, gate_t, count, scale)
            wide_steps.append(wide_t)
        wide = torch.stack(wide_steps, 1)
        x = 2 * y
        count_2 = scale.new_ones((n, 1))
        h_2 = h
        wide_steps = []
        raw_steps = []
        for x_t, gate_t in zip(x.unbind(1), gate.unbind(1), strict=True):
            wide_t, h_2, count_2, raw_t = self.cell(x_t, h_2, gate_t, count_2, scale)
            wide_steps.append(wide_t)
            raw_steps.append(raw_t)
        again = torch.stack(wide_steps, 1)
        raw = torch.stack(raw_steps, 1)
        x = y[:, :1]
        y = gate[:, :1]
        count_2 = scale.new_ones((n, 1))
        x = x[:, 0]
        y = y[:, 0]
        _, _, _, x = self.cell(x, h, y, count_2, scale)
        return wide, count, again, raw, c, torch.stack([x], dim=1)


class Long(nn.Module):
    """x [N, 10, 3] (as in the spec) -> label [N, 4]"""

    def __init__(self):
        super().__init__()
        self.lstm_cell = LSTMCell(3, 32, 8)
        self.dense = nn.Linear(8, 4)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros((x.shape[0], 8))
        c = x.new_zeros((x.shape[0], 8))
        for x_t in x.unbind(1):
            _, h, c = self.lstm_cell(x_t, h, c)
        return self.dense(h)


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


def make_optimizer(net: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=lr)


def train_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, label: Tensor
) -> dict[str, Tensor]:
    """One update on a batch."""
    label_ = net(x)
    loss = F.cross_entropy(label_, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss}


@torch.no_grad()
def evaluate(net: nn.Module, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    label_ = net(x)
    loss = F.cross_entropy(label_, label)
    return {"loss": loss}


def as_dataset(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(
        torch.from_numpy(columns["x"]), torch.from_numpy(columns["label"])
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns x, label"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    columns, held_out = load_data(
        args.data, {"x": ("float32", (10, 3)), "label": ("int64", ())}
    )
    net = Long().to(args.device)
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
