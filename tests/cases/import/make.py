"""Writes the files of this folder with the frameworks whose they are: `python tests/cases/import/make.py`.

All files of one model hold the same weights, which stand in its `.safetensors` as well.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FORMS = {
    "small": {
        "conv2d.weight": (4, 3, 3, 3),
        "batch_norm.weight": (4,), "batch_norm.bias": (4,),
        "batch_norm.running_mean": (4,), "batch_norm.running_var": (4,),
        "conv2d_2.weight": (4, 1, 3, 3), "conv2d_2.bias": (4,),
        "dense.weight": (4, 4), "dense.bias": (4,), "dense_2.weight": (3, 4), "dense_2.bias": (3,),
    },
    "recurrent": {
        "lstm.weight_ih_l0": (8, 3), "lstm.weight_hh_l0": (8, 2), "lstm.bias_l0": (8,),
        "dense.weight": (2, 2), "dense.bias": (2,),
    },
}  # fmt: skip


def arrays(model: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {n: random.uniform(0.1, 1, s).astype("f4") for n, s in FORMS[model].items()}


def pytorch() -> None:
    import torch
    from torch import nn

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 4, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(4)
            self.conv2 = nn.Conv2d(4, 4, 3, groups=4)
            self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 3)

    net = Small()
    for name, array in zip(
        [n for n in net.state_dict() if "num_batches" not in n], arrays("small").values()
    ):
        net.state_dict()[name].copy_(torch.from_numpy(array))
    torch.save(net.state_dict(), HERE / "small.pt")
    torch.save({"epoch": 3, "model": net.state_dict(), "lr": 0.1, "optimizer": {"step": torch.ones(1)}},
               HERE / "small_old.pth", _use_new_zipfile_serialization=False)  # fmt: skip
    image = torch.zeros(1, 3, 8, 8)

    def forward(image: torch.Tensor) -> torch.Tensor:
        x = net.conv2(torch.relu(net.bn1(net.conv1(image)))).mean((2, 3))
        return net.fc2(torch.relu(net.fc1(x)))

    net.forward = forward
    net.eval()
    torch.onnx.export(net, (image,), HERE / "small.onnx", dynamo=False, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE)  # fmt: skip

    lstm, dense = nn.LSTM(3, 2, batch_first=True), nn.Linear(2, 2)
    given = arrays("recurrent")
    state = {f"rnn.{n}": p for n, p in lstm.state_dict().items()}
    state |= {f"fc.{n}": p for n, p in dense.state_dict().items()}
    for name, array in zip(
        ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "fc.weight", "fc.bias"], given.values()
    ):
        state[name].copy_(torch.from_numpy(array))
    # Two numbers whose sum is exactly the language's bias.
    state["rnn.bias_hh_l0"].copy_(state["rnn.bias_ih_l0"] / 2)
    state["rnn.bias_ih_l0"] /= 2
    torch.save(state, HERE / "recurrent.pt")


def keras() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from keras import Sequential, layers

    net = Sequential([layers.Input((8, 8, 3)), layers.Conv2D(4, 3, use_bias=False),
                      layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3),
                      layers.GlobalAveragePooling2D(), layers.Dense(4, activation="relu"),
                      layers.Dense(3)])  # fmt: skip
    found = list(arrays("small").values())
    found[0] = found[0].transpose(2, 3, 1, 0)
    found[5] = found[5].transpose(2, 3, 0, 1)
    found[7], found[9] = found[7].T, found[9].T
    net.set_weights(found)
    net.save_weights(HERE / "small.weights.h5")
    net.save(HERE / "small.keras")
    net.save(HERE / "small.h5")
    net = Sequential([layers.Input((None, 3)), layers.LSTM(2), layers.Dense(2)])
    net.set_weights([a.T for a in arrays("recurrent").values()])
    net.save_weights(HERE / "recurrent.weights.h5")


def gluon() -> None:
    np.bool = bool  # MXNet was written for a NumPy that had it.
    import mxnet as mx
    from mxnet.gluon import nn

    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3, in_channels=3, use_bias=False), nn.BatchNorm(in_channels=4),
            nn.Activation("relu"), nn.Conv2D(4, 3, groups=4, in_channels=4), nn.GlobalAvgPool2D(),
            nn.Dense(4, in_units=4), nn.Dense(3, in_units=4))  # fmt: skip
    net.initialize()
    parameters = net._collect_params_with_prefix()
    for parameter, array in zip(parameters.values(), arrays("small").values()):
        parameter.set_data(mx.nd.array(array))
    net.save_parameters(str(HERE / "small.params"))


def canonical() -> None:
    """As the format says, without nnspec."""
    for model in FORMS:
        header, body = {}, b""
        for name, array in arrays(model).items():
            start = len(body)
            body += array.tobytes()
            header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [start, len(body)]}
        text = json.dumps(header).encode()
        (HERE / f"{model}.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)


if __name__ == "__main__":
    canonical()
    pytorch()
    keras()
    gluon()
