"""Layers that are kept under one name."""

from mxnet.gluon import nn


def stack(*layers):
    """A container of layers, to be applied one after the other or one by one."""
    container = nn.HybridSequential()
    container.add(*layers)
    return container
