"""The language's LSTM, as a symbol."""

import mxnet as mx


def lstm_vector(name, input_size, units, bidirectional=False):
    """The weights of one layer as the vector that RNN takes; its second bias is zero."""
    weights, biases = [], []
    for side in ("l0", "r0") if bidirectional else ("l0",):
        i2h = mx.sym.var(f"{name}_{side}_i2h_weight", shape=(4 * units, input_size))
        h2h = mx.sym.var(f"{name}_{side}_h2h_weight", shape=(4 * units, units))
        bias = mx.sym.var(f"{name}_{side}_i2h_bias", shape=(4 * units,))
        weights += [i2h.reshape(-1), h2h.reshape(-1)]
        biases += [bias, mx.sym.zeros_like(bias)]
    return mx.sym.concat(*weights, *biases, dim=0)


def lstm_layer(x, parameters, units, bidirectional=False):
    """One layer over [N, T, C] from zeros: the sequence, the final state, the final cell."""
    one = mx.sym.slice(x, begin=(None, 0, 0), end=(None, 1, 1))  # [N, 1, 1]
    sides = 2 if bidirectional else 1
    zeros = mx.sym.zeros_like(mx.sym.swapaxes(one, 0, 1))
    zeros = mx.sym.tile(zeros, reps=(sides, 1, units))
    y, state, cell = mx.sym.RNN(
        mx.sym.swapaxes(x, 0, 1),
        parameters,
        zeros,
        zeros,
        mode="lstm",
        state_size=units,
        num_layers=1,
        bidirectional=bidirectional,
        state_outputs=True,
    )
    join = [mx.sym.flatten(mx.sym.swapaxes(s, 0, 1)) for s in (state, cell)]
    return (mx.sym.swapaxes(y, 0, 1), *join)
