"""Fixed pieces of generated programs, written where a file uses them."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.gluon import initializers, losses, optimizers, program_helpers
from codegen.python import program
from codegen.python.source import Verbatim

HELPERS: Mapping[str, Verbatim] = {
    "stack": Verbatim(
        '''\
def stack(*layers):
    """A container of layers, to be applied one after the other or one by one."""
    container = nn.HybridSequential()
    container.add(*layers)
    return container''',
        ("nn",),
    ),
    "LSTM": Verbatim(
        '''\
class LSTM(gluon.rnn.LSTM):
    """One layer over [N, T, C], with one bias: MXNet's second one stays zero."""

    def __init__(self, units, input_size, **kwargs):
        super().__init__(
            units,
            layout="NTC",
            input_size=input_size,
            h2h_weight_initializer=mx.init.Orthogonal(1.0),
            i2h_bias_initializer=mx.init.LSTMBias(forget_bias=1.0),
            **kwargs,
        )
        for name, parameter in self._reg_params.items():
            if name.endswith("h2h_bias"):
                parameter.grad_req = "null"''',
        ("gluon", "mx"),
    ),
    "final_state": Verbatim(
        '''\
def final_state(F, y, units):
    """What each direction of a bidirectional layer ends with: its last and its first place."""
    forward = F.slice(y, begin=(None, -1, 0), end=(None, None, units))
    backward = F.slice(y, begin=(None, 0, units), end=(None, 1, None))
    return F.concat(F.flatten(forward), F.flatten(backward))'''
    ),
    "with_states": Verbatim(
        '''\
def with_states(F, lstm, x, units, directions=1):
    """The sequence, the final state and the final cell of a layer that begins with zeros."""
    one = F.slice(x, begin=(None, 0, 0), end=(None, 1, 1))  # [N, 1, 1]
    zeros = F.tile(F.zeros_like(F.swapaxes(one, 0, 1)), reps=(directions, 1, units))
    y, (state, cell) = lstm(x, [zeros, zeros])
    return y, F.flatten(F.swapaxes(state, 0, 1)), F.flatten(F.swapaxes(cell, 0, 1))'''
    ),
    "spread": Verbatim(
        '''\
def spread(F, x, strides):
    """An image [N, C, H, W] with zeros between its cells."""
    for axis, stride in zip((2, 3), strides):
        if stride > 1:
            zeros = [F.zeros_like(x)] * (stride - 1)
            x = F.stack(x, *zeros, axis=axis + 1)
            x = F.reshape(x, shape=(0, 0, -3, 0) if axis == 2 else (0, 0, 0, -3))
            x = F.slice_axis(x, axis=axis, begin=0, end=1 - stride)
    return x'''
    ),
    "ruler": Verbatim(
        '''\
def ruler(F, x, axis):
    """Zeros, as many as `x` is long along an axis: a size, where a Symbol has none."""
    return F.zeros_like(F.sum(x, axis=axis, exclude=True))'''
    ),
    "lstm_vector": Verbatim(
        '''\
def lstm_vector(name, input_size, units, bidirectional=False):
    """The weights of one layer as the vector that RNN takes; its second bias is zero."""
    weights, biases = [], []
    for side in ("l0", "r0") if bidirectional else ("l0",):
        i2h = mx.sym.var(f"{name}_{side}_i2h_weight", shape=(4 * units, input_size))
        h2h = mx.sym.var(f"{name}_{side}_h2h_weight", shape=(4 * units, units))
        bias = mx.sym.var(f"{name}_{side}_i2h_bias", shape=(4 * units,))
        weights += [i2h.reshape(-1), h2h.reshape(-1)]
        biases += [bias, mx.sym.zeros_like(bias)]
    return mx.sym.concat(*weights, *biases, dim=0)''',
        ("mx",),
    ),
    "lstm_layer": Verbatim(
        '''\
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
    return (mx.sym.swapaxes(y, 0, 1), *join)''',
        ("mx",),
    ),
    **losses.HELPERS,
    **optimizers.HELPERS,
    **initializers.HELPERS,
    **program.HELPERS,
    **program_helpers.HELPERS,
}
