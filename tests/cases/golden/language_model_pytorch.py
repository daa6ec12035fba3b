"""Made from language_model.nn."""

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


class LSTM(nn.LSTM):
    """Has one bias: the second, which PyTorch adds to it, stays zero."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter).requires_grad_(False)


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.LSTM):
        for name, parameter in module.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    units = module.hidden_size
                    nn.init.ones_(parameter.data[units : units * 2])


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


def make_optimizer(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def train_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, ids: Tensor, next_: Tensor
) -> dict[str, float]:
    """One update on a batch."""
    logits = net(ids)
    loss = F.cross_entropy(logits.movedim(-1, 1), next_)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    perplexity = torch.exp(loss)
    accuracy = (logits.argmax(-1) == next_).float().mean()
    return {
        "loss": loss.item(),
        "perplexity": perplexity.item(),
        "accuracy": accuracy.item(),
    }


@torch.no_grad()
def evaluate(net: nn.Module, ids: Tensor, next_: Tensor) -> dict[str, float]:
    """Losses and metrics of a batch."""
    logits = net(ids)
    loss = F.cross_entropy(logits.movedim(-1, 1), next_)
    perplexity = torch.exp(loss)
    accuracy = (logits.argmax(-1) == next_).float().mean()
    return {
        "loss": loss.item(),
        "perplexity": perplexity.item(),
        "accuracy": accuracy.item(),
    }


def to_tensors(ids: np.ndarray, next_: np.ndarray) -> list[Tensor]:
    """Columns of a data set as tensors."""
    return [
        torch.tensor(ids, dtype=torch.int64),
        torch.tensor(next_, dtype=torch.int64),
    ]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", required=True, help=".npz file with the columns ids, next"
    )
    parser.add_argument("--weights", help="file of weights to start from")
    parser.add_argument("--save", help="file to write the trained weights to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = LanguageModel().to(device)
    if args.weights:
        load_weights(net, args.weights)
    optimizer = make_optimizer(net)
    columns, held_out = load_data(args.data, ["ids", "next"])
    columns = [t.to(device) for t in to_tensors(*columns)]
    if held_out:
        held_out = [t.to(device) for t in to_tensors(*held_out)]
    generator = np.random.default_rng(args.seed)
    size = args.batch_size
    epochs = args.epochs
    for epoch in range(1, epochs + 1):
        net.train()
        order = generator.permutation(len(columns[0]))
        figures = run_epoch(partial(train_step, net, optimizer), columns, order, size)
        if held_out:
            net.eval()
            order = np.arange(len(held_out[0]))
            held_out_figures = run_epoch(partial(evaluate, net), held_out, order, size)
            for name, value in held_out_figures.items():
                figures[f"val_{name}"] = value
        print_epoch(epoch, epochs, figures)
    if args.save:
        save_weights(net, args.save)


if __name__ == "__main__":
    main()
