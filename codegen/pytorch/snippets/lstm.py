"""The language's LSTM."""

from torch import nn


class LSTM(nn.LSTM):
    """Has one bias: the second, which PyTorch adds to it, stays zero."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter).requires_grad_(False)
