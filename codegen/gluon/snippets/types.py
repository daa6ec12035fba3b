"""Layers of another element type than f32."""


def in_type(layer, dtype):
    """The layer with its parameters in another element type, for layers that are not told it."""
    layer.cast(dtype)
    return layer
