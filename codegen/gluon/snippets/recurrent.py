"""The language's recurrent layers, as blocks."""

import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn


class LSTM(gluon.rnn.LSTM):
    """One layer over [N, T, C], with one bias: MXNet's second one stays zero."""

    def __init__(self, units, input_size, **kwargs):
        super().__init__(
            units,
            layout="NTC",
            input_size=input_size,
            i2h_weight_initializer=mx.init.Xavier(),
            h2h_weight_initializer=mx.init.Orthogonal(1.0),
            i2h_bias_initializer=mx.init.LSTMBias(forget_bias=1.0),
            **kwargs,
        )
        for name, parameter in self._reg_params.items():
            if name.endswith("h2h_bias"):
                parameter.grad_req = "null"


class GRU(gluon.rnn.GRU):
    """One layer over [N, T, C]."""

    def __init__(self, units, input_size, **kwargs):
        super().__init__(
            units,
            layout="NTC",
            input_size=input_size,
            i2h_weight_initializer=mx.init.Xavier(),
            h2h_weight_initializer=mx.init.Orthogonal(1.0),
            **kwargs,
        )


class RNN(gluon.rnn.RNN):
    """One layer over [N, T, C], with one bias: MXNet's second one stays zero."""

    def __init__(self, units, input_size, activation="tanh", **kwargs):
        super().__init__(
            units,
            activation=activation,
            layout="NTC",
            input_size=input_size,
            i2h_weight_initializer=mx.init.Xavier(),
            h2h_weight_initializer=mx.init.Orthogonal(1.0),
            **kwargs,
        )
        for name, parameter in self._reg_params.items():
            if name.endswith("h2h_bias"):
                parameter.grad_req = "null"


def final_state(F, y, units):
    """What each direction of a bidirectional layer ends with: its last and its first place."""
    forward = F.slice(y, begin=(None, -1, 0), end=(None, None, units))
    backward = F.slice(y, begin=(None, 0, units), end=(None, 1, None))
    return F.concat(F.flatten(forward), F.flatten(backward))


def with_states(F, lstm, x, units, directions=1):
    """The sequence, the final state and the final cell of a layer that begins with zeros."""
    one = F.slice(x, begin=(None, 0, 0), end=(None, 1, 1))  # [N, 1, 1]
    zeros = F.tile(F.zeros_like(F.swapaxes(one, 0, 1)), reps=(directions, 1, units))
    y, (state, cell) = lstm(x, [zeros, zeros])
    return y, F.flatten(F.swapaxes(state, 0, 1)), F.flatten(F.swapaxes(cell, 0, 1))


def from_states(F, layer, x, states, units, directions=1):
    """The sequence and the final states of a layer that begins with these, each [N, directions * units]."""
    apart = [F.reshape(s, shape=(-1, directions, units)) for s in states]
    y, final = layer(x, [F.swapaxes(s, 0, 1) for s in apart])
    return (y, *[F.flatten(F.swapaxes(s, 0, 1)) for s in final])


def zero_states(F, x, count, layers, width):
    """States of zeros, each [N, layers, width]."""
    one = F.slice(x, begin=(None, 0, 0), end=(None, 1, 1))  # [N, 1, 1]
    return [F.tile(F.zeros_like(one), reps=(1, layers, width))] * count


def through_layers(F, layers, x, states, units, directions=1):
    """The sequence and the final states of stacked layers that begin with these, each [N, layers, directions * units]."""
    place = 0
    ends = []
    for layer in layers:
        if isinstance(layer, nn.Dropout):
            x = layer(x)
            continue
        begin = [F.slice_axis(s, axis=1, begin=place, end=place + 1) for s in states]
        x, *final = from_states(F, layer, x, begin, units, directions)
        ends.append(final)
        place += 1
    return (x, *[F.stack(*each, axis=1) for each in zip(*ends)])
