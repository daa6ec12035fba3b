"""Makes `nnspec/catalogue/data/digits.npz` from scikit-learn's copy of the UCI digits (run once, by hand).

36 digits of each class are held out, evenly spread over the original order, in which each writer's digits
stand together: every writer and every class is in both parts. The order is fixed here, so that the
split needs no random numbers later: 1,437 training images, then 360 held out, both parts shuffled.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

HELD_OUT_PER_CLASS = 36
TARGET = Path(__file__).parent.parent / "nnspec" / "catalogue" / "data" / "digits.npz"


def main() -> None:
    digits = load_digits()
    held_out = np.zeros(len(digits.target), bool)
    for digit in range(10):
        places = np.flatnonzero(digits.target == digit)
        spread = np.arange(HELD_OUT_PER_CLASS) * len(places) // HELD_OUT_PER_CLASS
        held_out[places[spread]] = True
    generator = np.random.default_rng(0)
    parts = (generator.permutation(np.flatnonzero(part)) for part in (~held_out, held_out))
    order = np.concatenate(list(parts))
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
