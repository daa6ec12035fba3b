"""Recurrent layers that begin as the language's."""

from torch import nn


def begin_recurrent(layer: nn.RNNBase, one_bias: bool) -> None:
    """Glorot's matrices of the input, orthogonal ones of the state, zero biases.

    one_bias: the second, which PyTorch adds to the first, stays zero.
    """
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
            parameter.requires_grad_(name.startswith("bias_ih") or not one_bias)


class LSTM(nn.LSTM):
    def reset_parameters(self) -> None:
        begin_recurrent(self, one_bias=True)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_ih"):
                # Gates i, f, g, o: the forget gate starts open.
                nn.init.ones_(parameter.data[self.hidden_size : 2 * self.hidden_size])


class GRU(nn.GRU):
    def reset_parameters(self) -> None:
        begin_recurrent(self, one_bias=False)


class RNN(nn.RNN):
    def reset_parameters(self) -> None:
        begin_recurrent(self, one_bias=True)
