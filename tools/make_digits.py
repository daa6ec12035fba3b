"""Makes `nnspec/data/digits.npz` from scikit-learn's copy of the UCI digits (run once, by hand).

The order is fixed here, so that the split needs no random numbers later: 1,437 training images,
then 360 held out, 36 of each class, both parts shuffled.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

HELD_OUT_PER_CLASS = 36
TARGET = Path(__file__).parent.parent / "nnspec" / "data" / "digits.npz"


def main() -> None:
    digits = load_digits()
    order = np.random.default_rng(20261121).permutation(len(digits.target))
    label = digits.target[order]
    # The n-th image of its class, counted in the shuffled order.
    nth = np.zeros(len(label), int)
    for digit in range(10):
        nth[label == digit] = np.arange((label == digit).sum())
    held_out = nth < HELD_OUT_PER_CLASS
    order = np.concatenate([order[~held_out], order[held_out]])
    np.savez_compressed(
        TARGET,
        image=digits.images[order].astype(np.uint8),
        label=digits.target[order].astype(np.uint8),
    )
    print(
        f"{TARGET}: {len(order)} digits, {held_out.sum()} held out, {TARGET.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
