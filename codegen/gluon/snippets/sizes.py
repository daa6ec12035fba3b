"""Sizes and shapes, where a Symbol has none."""


def spread(F, x, strides):
    """A sequence, an image or a volume [N, C, ...] with zeros between its cells."""
    for axis, stride in enumerate(strides, 2):
        if stride > 1:
            zeros = [F.zeros_like(x)] * (stride - 1)
            x = F.stack(x, *zeros, axis=axis + 1)
            x = F.reshape(x, shape=(*[0] * axis, -3, *[0] * (len(strides) + 1 - axis)))
            x = F.slice_axis(x, axis=axis, begin=0, end=1 - stride)
    return x


def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))
