"""What other libraries call things: so that a message can lead a writer from there to here."""

from __future__ import annotations

from collections.abc import Collection

from nnspec.report.diagnostics import Suggestion

_NAMES = {
    "Dense": "Linear FullyConnected Fc",
    "Conv2D": "Convolution2D",
    "ConvTranspose2D": "Conv2DTranspose Deconvolution2D",
    "SeparableConv2D": "SeparableConvolution2D",
    "MaxPool2D": "MaxPooling2D",
    "AvgPool2D": "AveragePooling2D AveragePool2D",
    "global_avg_pool": "GlobalAveragePooling2D GlobalAveragePooling1D GlobalAvgPool2D",
    "global_max_pool": "GlobalMaxPooling2D GlobalMaxPooling1D GlobalMaxPool2D AdaptiveMaxPool2d",
    "BatchNorm": "BatchNormalization BatchNorm1d BatchNorm2d BatchNorm3d",
    "LayerNorm": "LayerNormalization",
    "GroupNorm": "GroupNormalization",
    "Dropout": "Dropout1d",
    "MultiHeadAttention": "MultiheadAttention",
    "silu": "swish Swish SiLU",
    "hard_swish": "Hardswish HardSwish",
    "concat": "Concatenate cat concatenate",
    "transpose": "Permute permute swapaxes t T",
    "reshape": "view View",
    "positions": "arange",
    "where": "masked_fill",
    "expand_dims": "unsqueeze newaxis",
    "clip": "clamp Clamp clip_by_value",
    "power": "pow",
    "matmul": "mm bmm dot",
    "gather": "take index_select",
    "resize": "interpolate UpSampling1D UpSampling3D Resize Resizing upsample",
    "Upsample2D": "UpSampling2D Upsample",
    "AdaptiveAvgPool2D": "AdaptiveAvgPool2d AdaptiveAveragePooling2D",
    "pixel_shuffle": "PixelShuffle depth_to_space",
    "crop": "Cropping1D Cropping2D Cropping3D",
    "InstanceNorm": "InstanceNorm1d InstanceNorm2d InstanceNorm3d InstanceNormalization",
    "RMSNorm": "RMSNormalization",
    "local_response_norm": "LocalResponseNorm LRN",
    "SpatialDropout2D": "Dropout2d",
    "tile": "repeat_elements",
    "greater": "gt",
    "less": "lt",
    "equal": "eq",
    "mean": "reduce_mean average",
    "sum": "reduce_sum",
    "stop_gradient": "detach BlockGrad",
    "random_normal": "randn",
    "random_uniform": "rand",
    "cross_entropy": "CrossEntropyLoss categorical_crossentropy sparse_categorical_crossentropy"
    " CategoricalCrossentropy SparseCategoricalCrossentropy SoftmaxCrossEntropyLoss nll_loss",
    "binary_cross_entropy": "BCELoss BCEWithLogitsLoss binary_crossentropy BinaryCrossentropy",
    "mse": "MSELoss MeanSquaredError mse_loss L2Loss",
    "mae": "L1Loss MeanAbsoluteError l1_loss",
    "huber": "HuberLoss SmoothL1Loss",
    "SGD": "sgd Momentum",
    "Adam": "adam",
    "glorot_uniform": "xavier_uniform xavier_uniform_ GlorotUniform Xavier",
    "glorot_normal": "xavier_normal xavier_normal_ GlorotNormal",
    "he_normal": "kaiming_normal kaiming_normal_ HeNormal",
    "he_uniform": "kaiming_uniform kaiming_uniform_ HeUniform",
}
_PARAMETERS = {
    "filters": "out_channels channels",
    "units": "out_features hidden_size hidden_units output_dim",
    "kernel": "kernel_size",
    "size": "pool_size kernel_size",
    "stride": "strides",
    "dilation": "dilation_rate",
    "rate": "p drop_rate drop_prob",
    "use_bias": "bias",
    "epsilon": "eps",
    "axis": "dim dims axes",
    "keepdims": "keepdim keep_dims",
    "lr": "learning_rate",
    "weight_decay": "wd decay",
    "beta1": "beta_1 betas",
    "beta2": "beta_2",
    "tokens": "num_embeddings input_dim",
    "width": "embedding_dim",
    "layers": "num_layers",
    "kernel_initializer": "weight_initializer",
}
_FROM_INPUT = "in_channels in_features in_units input_shape input_size input_dim num_features"
_OTHERWISE = {
    "recurrent_dropout": "a cell of your own with `Dropout` in it, along time by `scan`, drops within a step"
}
"""Parameters of other libraries for what the language says in another way."""

WORDS = {"True": "true", "False": "false", "None": "none", "null": "none", "nil": "none"}
NAMES = {other: ours for ours, others in _NAMES.items() for other in others.split()}


def _called(name: str, ours: str) -> Suggestion:
    return Suggestion(name, ours, f"`{name}` is called `{ours}` here")


def called_here(name: str, known: Collection[str]) -> tuple[str, ...]:
    """A help for a name of another library, where the language has what it means."""
    if name in WORDS:
        return (Suggestion(name, WORDS[name], f"write `{WORDS[name]}`"),)
    ours = NAMES.get(name)
    return (_called(name, ours),) if ours is not None and ours in known else ()


def parameter_here(name: str, known: Collection[str]) -> tuple[str, ...]:
    """The same for a parameter; also for what is not given here because the input tells it."""
    for ours, others in _PARAMETERS.items():
        if ours in known and name in others.split():
            return (_called(name, ours),)
    if name in _OTHERWISE:
        return (_OTHERWISE[name],)
    return (f"leave `{name}` out: the input tells it",) if name in _FROM_INPUT.split() else ()
