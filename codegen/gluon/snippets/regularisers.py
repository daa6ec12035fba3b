"""Weights of a part of a network."""


def trained(block):
    """What training moves of a block."""
    return [p.data() for p in block.collect_params().values() if p.grad_req != "null"]
