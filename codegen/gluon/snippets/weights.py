"""Weights in files."""

import sys

import mxnet as mx


def load_weights(net, path):
    """Begin with saved weights."""
    try:
        net.load_parameters(str(path))
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        sys.exit(f"cannot load {path}: {str(error).strip().splitlines()[-1]}")
