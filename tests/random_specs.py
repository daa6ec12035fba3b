"""Random valid specs: chains of layers, branches, blocks, repeats, slices, shared layers."""

from __future__ import annotations

import random

BLOCKS = """\
block Residual(n) {
  input x
  output x + (x -> Dense(n, activation = tanh) -> Dense(n))
}

block Mix(a, b) {
  input x
  output x -> (Conv2D(a, 3, padding = "same") | Conv2D(b, 1) -> BatchNorm | identity) -> concat
}
"""


class Writer:
    """One model; `kind` is what the value is now: an image, a sequence or a vector."""

    def __init__(self, name: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.name, self.lines = name, list[str]()
        self.kind = self.random.choice(["image", "image", "sequence", "vector"])
        shape = {"image": "N, 9, 7, 3", "sequence": "N, T, 5", "vector": "N, 6"}[self.kind]
        self.head = f"input x: f32[{shape}]"
        self.size = [9, 7]
        self.width = {"image": 3, "sequence": 5, "vector": 6}[self.kind]

    def text(self) -> str:
        for _ in range(self.random.randint(2, 7)):
            getattr(self, f"_{self.kind}")()
        body = "\n".join(f"  {line}" for line in [self.head, *self.lines, "output y = x"])
        return f"model {self.name} {{\n{body}\n}}\n"

    def _do(self, stage: str) -> None:
        self.lines.append(f"x = x -> {stage}")

    def _activation(self) -> str:
        return self.random.choice(["relu", "sigmoid", "tanh", "softmax", "exp -> log", "identity"])

    def _image(self) -> None:
        pick = self.random.choice
        filters, kernel = self.random.randint(1, 6), self.random.randint(1, 3)
        choice = self.random.randint(0, 11)
        small = min(self.size) < 3
        if choice <= 2 and not small:
            stride, padding = self.random.randint(1, 2), pick(["valid", "same"])
            bias = pick(["", ", use_bias = false", ", activation = relu"])
            self._do(f'Conv2D({filters}, {kernel}, stride = {stride}, padding = "{padding}"{bias})')
            self.width = filters
            self._shrink(kernel, stride, padding)
        elif choice == 3 and not small:
            pool, stride = pick(["MaxPool2D", "AvgPool2D"]), self.random.randint(1, 2)
            self._do(f'{pool}(2, stride = {stride}, padding = "same")')
            self._shrink(2, stride, "same")
        elif choice == 4:
            self._do("BatchNorm" + pick(["", "(epsilon = 1e-3)", "(scale = false)"]))
        elif choice == 5:
            self._do(f"Mix({filters}, 2)")
            self.width += filters + 2
        elif choice == 6 and max(self.size) < 9:
            self._do(f'ConvTranspose2D({filters}, 3, stride = 2, padding = "same")')
            self.size, self.width = [2 * s for s in self.size], filters
        elif choice == 7:
            self.lines.append("x = x + (x -> BatchNorm -> relu)")
        elif choice == 8:
            self._do(f"softmax(axis = {pick([-1, 1, 2])})")
        elif choice == 9:
            self._do("global_avg_pool")
            self.kind = "vector"
        elif choice == 10:
            self._do("flatten")
            self.kind, self.width = "vector", self.width * self.size[0] * self.size[1]
        else:
            self._do(self._activation())

    def _shrink(self, kernel: int, stride: int, padding: str) -> None:
        same = padding == "same"
        self.size = [-(-s // stride) if same else (s - kernel) // stride + 1 for s in self.size]

    def _sequence(self) -> None:
        choice, units = self.random.randint(0, 6), self.random.randint(2, 5)
        two = self.random.choice([True, False])
        if choice <= 1:
            self._do(f"LSTM({units}, bidirectional = {str(two).lower()})")
            self.width = units * (1 + two)
        elif choice == 2:
            layers = self.random.randint(1, 2)
            self._do(
                f'LSTM({units}, returns = "last", bidirectional = {str(two).lower()}, layers = {layers})'
            )
            self.kind, self.width = "vector", units * (1 + two)
        elif choice == 3:
            self._do(f"Dense({units}, activation = tanh)")
            self.width = units
        elif choice == 4:
            self.lines.append(self.random.choice(["x = x[:, -1]", "x = mean(x, axis = 1)"]))
            self.kind = "vector"
        elif choice == 5:
            self.lines.append(f"x = x -> Residual({self.width}) * 2")
        else:
            self._do(self._activation())

    def _vector(self) -> None:
        choice, units = self.random.randint(0, 6), self.random.randint(2, 8)
        if choice <= 1:
            self._do(
                f"Dense({units}, activation = {self.random.choice(['relu', 'tanh', 'softmax'])})"
            )
            self.width = units
        elif choice == 2:
            self._do("BatchNorm -> Dropout(0.4)")
        elif choice == 3:
            self.lines.append(f"x = x -> Residual({self.width}) * {self.random.randint(1, 3)}")
        elif choice == 4:
            self.lines += [f"shared = Dense({self.width})", "x = shared(x) * 0.5 + shared(-x)"]
        elif choice == 5:
            self.lines.append("x = concat(x, x -> tanh)")
            self.width *= 2
        else:
            self._do(self._activation())


def spec(seed: int, models: int) -> str:
    """A file of several random models."""
    parts = [Writer(f"Model{i}", seed * 1000 + i).text() for i in range(models)]
    return BLOCKS + "\n" + "\n".join(parts)
