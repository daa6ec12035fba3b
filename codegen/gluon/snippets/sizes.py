"""Sizes, where a Symbol has none."""


def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))
