"""Parts of a network that a program does not train."""

from mxnet.gluon import nn


def freeze(block):
    """Apply a block as in evaluation from now on, and never update it."""
    block.collect_params().setattr("grad_req", "null")
    block.apply(pass_through)


def pass_through(layer):
    """Let a layer do in training what it does in evaluation."""
    if isinstance(layer, nn.BatchNorm):
        layer._kwargs["use_global_stats"] = True
    elif isinstance(layer, nn.Dropout):
        layer._rate = 0
