"""Made from language_model.nn."""

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


def begin_recurrent(layer: nn.RNNBase, one_bias: bool) -> None:
    """Glorot's matrices of the input, orthogonal ones of the state, zero biases.

    one_bias: the second, which PyTorch adds to the first, stays zero.
    """
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
            parameter.requires_grad_(name.startswith("bias_ih") or not one_bias)


class LSTM(nn.LSTM):
    def reset_parameters(self) -> None:
        begin_recurrent(self, one_bias=True)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_ih"):
                # Gates i, f, g, o: the forget gate starts open.
                nn.init.ones_(parameter.data[self.hidden_size : 2 * self.hidden_size])


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


class Mixer(nn.Module):
    """One layer of a stack."""

    def __init__(self):
        super().__init__()
        self.lstm = LSTM(16, 16, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.dense = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        sequence, _ = self.lstm(x)
        y = self.dropout(sequence)
        h = self.dense(y)
        return x + h


class LanguageModel(nn.Module):
    """Predicts the next token; the output layer is the embedding's own table.

    ids i64[N, T] -> logits [N, T, 30] (as in the spec)
    """

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 16)
        self.mixers = nn.ModuleList([Mixer() for _ in range(3)])
        self.sequentials = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))
                for _ in range(2)
            ],
        )
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, 1, 16), std=0.1))
        self.apply(init_weights)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids) + self.position
        for mixer in self.mixers:
            x = mixer(x)
        for sequential in self.sequentials:
            x = sequential(x)
        y = self.embed.weight.transpose(0, 1)  # [16, 30]
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


def make_optimizer(net: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, nesterov=True)


def train_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, ids: Tensor, next_: Tensor
) -> dict[str, Tensor]:
    """One update on a batch."""
    logits = net(ids)
    loss = F.cross_entropy(logits.movedim(-1, 1), next_)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    perplexity = torch.exp(loss)
    accuracy = (logits.argmax(-1) == next_).float().mean()
    return {"loss": loss, "perplexity": perplexity, "accuracy": accuracy}


@torch.no_grad()
def evaluate(net: nn.Module, ids: Tensor, next_: Tensor) -> dict[str, Tensor]:
    """Losses and metrics of a batch."""
    logits = net(ids)
    loss = F.cross_entropy(logits.movedim(-1, 1), next_)
    perplexity = torch.exp(loss)
    accuracy = (logits.argmax(-1) == next_).float().mean()
    return {"loss": loss, "perplexity": perplexity, "accuracy": accuracy}


def as_dataset(columns: dict) -> TensorDataset:
    """Columns of a data set as tensors."""
    return TensorDataset(
        torch.from_numpy(columns["ids"]), torch.from_numpy(columns["next"])
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns ids, next"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=3)
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
        args.data, {"ids": ("int64", (None,)), "next": ("int64", (None,))}
    )
    net = LanguageModel().to(args.device)
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
