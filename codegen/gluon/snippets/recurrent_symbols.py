"""The language's recurrent layers, as symbols."""

import mxnet as mx


def recurrent_vector(mode, name, input_size, units, bidirectional=False):
    """The weights of one layer as the vector that RNN takes; but for a GRU, its second bias is zero."""
    rows = {"gru": 3, "lstm": 4}.get(mode, 1) * units
    weights, biases = [], []
    for side in ("l0", "r0") if bidirectional else ("l0",):
        i2h = mx.sym.var(f"{name}_{side}_i2h_weight", shape=(rows, input_size))
        h2h = mx.sym.var(f"{name}_{side}_h2h_weight", shape=(rows, units))
        weights += [i2h.reshape(-1), h2h.reshape(-1)]
        bias = mx.sym.var(f"{name}_{side}_i2h_bias", shape=(rows,))
        second = mx.sym.zeros_like(bias)
        if mode == "gru":
            second = mx.sym.var(f"{name}_{side}_h2h_bias", shape=(rows,))
        biases += [bias, second]
    return mx.sym.concat(*weights, *biases, dim=0)


def recurrent_layer(mode, x, parameters, units, bidirectional=False, states=None):
    """One layer over [N, T, C], from zeros by default: the sequence, then the final state (and cell)."""
    one = mx.sym.slice(x, begin=(None, 0, 0), end=(None, 1, 1))  # [N, 1, 1]
    sides = 2 if bidirectional else 1
    zeros = mx.sym.zeros_like(mx.sym.swapaxes(one, 0, 1))
    zeros = mx.sym.tile(zeros, reps=(sides, 1, units))
    begin = [zeros] * (2 if mode == "lstm" else 1)
    if states:
        apart = [mx.sym.reshape(s, shape=(-1, sides, units)) for s in states]
        begin = [mx.sym.swapaxes(s, 0, 1) for s in apart]
    y, *final = mx.sym.RNN(
        mx.sym.swapaxes(x, 0, 1),
        parameters,
        *begin,
        mode=mode,
        state_size=units,
        num_layers=1,
        bidirectional=bidirectional,
        state_outputs=True,
    )
    join = [mx.sym.flatten(mx.sym.swapaxes(s, 0, 1)) for s in final]
    return (mx.sym.swapaxes(y, 0, 1), *join)


def recurrent_layers(
    mode, x, parameters, units, bidirectional=False, states=(), dropout=0
):
    """Layers over [N, T, C] one after the other: the sequence, then what all end with, [N, layers, units]."""
    ends = []
    for i, vector in enumerate(parameters):
        if dropout and i:
            x = mx.sym.Dropout(x, p=dropout)
        begin = [mx.sym.slice_axis(s, axis=1, begin=i, end=i + 1) for s in states]
        x, *final = recurrent_layer(mode, x, vector, units, bidirectional, begin)
        ends.append(final)
    return (x, *[mx.sym.stack(*each, axis=1) for each in zip(*ends)])
