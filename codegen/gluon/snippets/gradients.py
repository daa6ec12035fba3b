"""What becomes of gradients and of the weights' decay before an optimizer has them."""

from mxnet import nd


def clip_norm(parameters, limit):
    """Scale gradients down together where their norm is above the limit."""
    gradients = [p.grad() for p in parameters.values() if p.grad_req != "null"]
    norm = nd.sqrt(sum(nd.sum(nd.square(gradient)) for gradient in gradients))
    scale = limit / nd.maximum(norm, limit)
    for gradient in gradients:
        gradient *= scale


def clip_value(parameters, limit):
    """Keep each element of the gradients between the limit and its opposite."""
    for parameter in parameters.values():
        if parameter.grad_req != "null":
            # `nd.clip` rounds its bounds to single precision.
            parameter.grad()[:] = nd.minimum(
                nd.maximum(parameter.grad(), -limit), limit
            )


def add_gradients(parameters):
    """From now on gradients add up until `clear` is called; the parameters."""
    for parameter in parameters.values():
        if parameter.grad_req != "null":
            parameter.grad_req = "add"
    return parameters


def clear(parameters):
    """Begin gradients that add up anew."""
    for parameter in parameters.values():
        parameter.zero_grad()


def spare(parameters, axes=None):
    """These do not decay; with `axes`, only those of fewer axes."""
    for parameter in parameters.values():
        if axes is None or len(parameter.shape) < axes:
            parameter.wd_mult = 0.0
