"""Weights in files."""

import sys


def load_weights(net, path) -> None:
    """Fill a network with the weights of a .weights.h5 file."""
    try:
        net.load_weights(path)
    except (KeyError, OSError, ValueError) as error:
        sys.exit(f"cannot load weights from {path}: {error}")


def save_weights(net, path) -> None:
    """Write the weights of a network to a .weights.h5 file."""
    try:
        net.save_weights(path)
    except OSError as error:
        sys.exit(f"cannot write weights to {path}: {error}")
