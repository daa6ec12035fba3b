"""What the scripts of this folder share: numbers for weights and inputs, and the file that a case is.

A case is `tests/cases/oracles/NAME.safetensors`: `weights.*` as the other implementation names and keeps them, `inputs.*`
and `outputs.*` under the names of the spec that is to compute the same, in the language's order of axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

if TYPE_CHECKING:
    from torch import nn

CASES = Path(__file__).parents[2] / "tests" / "cases" / "oracles"
MOST = 1_000_000
"""Bytes of a case: it is kept in the repository."""


def numbers(name: str, shape: tuple[int, ...], chance: np.random.Generator) -> np.ndarray:
    """Weights for which every part of a network tells: no scale is 1, no offset 0, no matrix nearly so."""
    end = name.rpartition(".")[2].rpartition("/")[2]
    if any(word in end for word in ("var", "gamma")) or (end == "weight" and len(shape) == 1):
        drawn = chance.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        drawn = 0.2 * chance.standard_normal(shape)
    else:
        each = 2 if "depthwise" in name else -1
        inputs = prod(shape[:each]) if end == "kernel" else prod(shape[1:])
        drawn = chance.standard_normal(shape) / sqrt(inputs)
    return np.asarray(drawn, "f4")


def image(*shape: int) -> np.ndarray:
    """`[N, H, W, C]`."""
    return np.random.default_rng(1).standard_normal(shape).astype("f4")


def ids(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, count, shape)


def draw(net: nn.Module) -> nn.Module:
    """Weights and statistics drawn anew, in evaluation mode."""
    import torch

    chance = np.random.default_rng(0)
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.dtype == torch.float32 and name in net.state_dict():
                tensor.copy_(torch.from_numpy(numbers(name, tuple(tensor.shape), chance)))
    return net.eval()


def state(net: nn.Module) -> dict[str, np.ndarray]:
    """The state dict, of tensors that are one another the first, as `transformers` saves it."""
    known: dict[int, str] = {}
    for name, tensor in net.state_dict().items():
        known.setdefault(tensor.data_ptr() or id(tensor), name)
    arrays = net.state_dict()
    return {name: arrays[name].numpy() for name in known.values()}


def scores_of(name: str, net: nn.Module, x: np.ndarray, **versions: str) -> None:
    """The case of a classifier of images, `x` in the language's order of axes."""
    import torch

    with torch.no_grad():
        found = net(torch.from_numpy(x).permute(0, 3, 1, 2))
    logits = getattr(found, "logits", found).numpy()
    save(name, state(net), {"image": x}, {"logits": logits}, **versions)


def save(
    name: str,
    weights: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    **versions: str,
) -> None:
    """Write a case; what made it stands in it."""
    arrays = {f"weights.{n}": a for n, a in weights.items()}
    arrays |= {f"inputs.{n}": a for n, a in inputs.items()}
    arrays |= {f"outputs.{n}": a for n, a in outputs.items()}
    path = CASES / f"{name}.safetensors"
    save_file({n: np.array(a, order="C") for n, a in arrays.items()}, path, versions)
    small(path)


def small(path: Path) -> None:
    """See to it that the file can be kept in the repository, and read by others."""
    path.chmod(0o644)
    size = path.stat().st_size
    assert size < MOST, f"{path.name} has {size:,} bytes"
    print(f"{path.name}: {size:,} bytes")
