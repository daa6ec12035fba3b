"""Fixed text that generated PyTorch needs where PyTorch means something else."""

from __future__ import annotations

from codegen.python.source import Verbatim

_BATCH_NORM = '''
class BatchNorm{rank}d(nn.BatchNorm{rank}d):
    """Keeps the running variance of the population; PyTorch's own is the sample's."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        with torch.no_grad():
            variance, mean = torch.var_mean(x, axes, correction=0)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
        weight, bias = self.weight, self.bias
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=self.eps)
'''

_LSTM = '''
class LSTM(nn.LSTM):
    """Has one bias: the second, which PyTorch adds to it, stays zero."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter).requires_grad_(False)
'''

_FROZEN = '''
def frozen(layer: nn.Module, *names: str) -> nn.Module:
    """The layer, with parameters of it that stay as they are."""
    for name in names:
        getattr(layer, name).requires_grad_(False)
    return layer
'''

_STARTING = '''
def starting(layer: nn.Module, **initializers) -> nn.Module:
    """The layer, with a note for `init_weights` on how its parameters begin."""
    layer.initializers = initializers
    return layer
'''

_SAME_PADDING = '''
def same_padding(x: Tensor, kernel, stride, dilation=(1, 1), value=0.0) -> Tensor:
    """Pad an image so that a window finds size / stride places, the odd cell at the end."""
    around = []
    for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        around = [total // 2, total - total // 2, *around]
    return F.pad(x, around, value=value)
'''

_LOAD_WEIGHTS = '''
def load_weights(net: nn.Module, path) -> None:
    """Fill a network with the weights of a .safetensors file."""
    try:
        net.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        sys.exit(f"cannot load weights from {path}: {error}")
'''

_SAVE_WEIGHTS = '''
def save_weights(net: nn.Module, path) -> None:
    """Write the weights of a network to a .safetensors file."""
    try:
        save_file(net.state_dict(), path)
    except (OSError, SafetensorError) as error:
        sys.exit(f"cannot write weights to {path}: {error}")
'''

HELPERS = {
    "BatchNorm1d": Verbatim(_BATCH_NORM.format(rank=1), ("torch", "nn", "F", "Tensor")),
    "BatchNorm2d": Verbatim(_BATCH_NORM.format(rank=2), ("torch", "nn", "F", "Tensor")),
    "LSTM": Verbatim(_LSTM, ("nn",)),
    "frozen": Verbatim(_FROZEN, ("nn",)),
    "starting": Verbatim(_STARTING, ("nn",)),
    "load_weights": Verbatim(_LOAD_WEIGHTS, ("nn", "sys", "load_file", "SafetensorError")),
    "save_weights": Verbatim(_SAVE_WEIGHTS, ("nn", "sys", "save_file", "SafetensorError")),
    "same_padding": Verbatim(_SAME_PADDING, ("F", "Tensor")),
}
