"""Weights in files."""

import sys

import mxnet as mx


def load_weights(net, path):
    """Fill a network with the weights of a .params file."""
    try:
        net.load_parameters(str(path))
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        sys.exit(f"cannot load {path}: {str(error).strip().splitlines()[-1]}")


def save_weights(net, path):
    """Write the weights of a network to a .params file."""
    try:
        net.save_parameters(str(path))
    except (mx.MXNetError, OSError) as error:
        sys.exit(f"cannot write {path}: {str(error).strip().splitlines()[-1]}")
