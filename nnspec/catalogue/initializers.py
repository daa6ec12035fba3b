"""How weights begin: each initialiser is a value of the language (`normal(0.02)`, `glorot_uniform`).

Every weight draws from a generator of its own, seeded by the seed and the weight's path, so editing
one layer never changes another's beginning. Draws are made in f64 from PCG64's bits by arithmetic
that every machine rounds alike (`nnspec/core/exact.py`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from nnspec.core.declare import Catalogue, Declaration, declaration
from nnspec.core.fields import arg
from nnspec.core.kinds import instance, real

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
Fans = tuple[int, int] | None


@declaration
class Initializer(Declaration):
    """Base of all initialisers.

    elementwise: draws each element by itself and in order, so that any part can be drawn after the one
    before it.
    draws: reads the generator, which takes its time to seed.
    """

    elementwise: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        """Values in f64. `fans` are (in, out), worked out from the shape where the op gives none."""
        raise NotImplementedError


INITIALIZERS: Catalogue[Initializer] = Catalogue()

initializer = instance("an initialiser, such as `glorot_uniform` or `normal(0.02)`", Initializer)
"""The kind of an argument that takes one."""


def fans_of(shape: tuple[int, ...], fans: Fans) -> tuple[int, int]:
    """Fan in and out of a free weight: the last axis is out, the one before it in."""
    if fans is not None:
        return fans
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    receptive = math.prod(shape[:-2])
    return shape[-2] * receptive, shape[-1] * receptive


def normals(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Standard normal values: the quantiles of uniform ones (0 has none)."""
    from nnspec.core.exact import normal_quantile

    return normal_quantile(generator.random(shape).clip(2.0**-54))


@INITIALIZERS.add
class Zeros(Initializer):
    """Every element 0."""

    name = "zeros"
    draws = False

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        import numpy as np

        return np.zeros(shape)


@INITIALIZERS.add
class Ones(Initializer):
    """Every element 1."""

    name = "ones"
    draws = False

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        import numpy as np

        return np.ones(shape)


@INITIALIZERS.add
class Constant(Initializer):
    """Every element `value`."""

    name = "constant"
    draws = False
    value: float = arg("what every element is", real())

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        import numpy as np

        return np.full(shape, self.value)


@INITIALIZERS.add
class Normal(Initializer):
    """Normal with mean 0."""

    name = "normal"
    stddev: float = arg("standard deviation", real(0), default=0.02)

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        return self.stddev * normals(shape, generator)


@INITIALIZERS.add
class TruncatedNormal(Initializer):
    """Normal with mean 0, of which nothing beyond two standard deviations is drawn, as in Keras: what is drawn spreads by
    0.88 of `stddev`. (PyTorch by itself cuts at -2 and 2, whatever the deviation.)
    """

    name = "truncated_normal"
    stddev: float = arg("standard deviation of what is cut", real(0), default=0.02)

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        from nnspec.core.exact import normal_quantile

        beyond = 0.022750131948179195  # of a normal distribution, below two deviations
        return self.stddev * normal_quantile(beyond + (1 - 2 * beyond) * generator.random(shape))


@INITIALIZERS.add
class Uniform(Initializer):
    """Uniform between two bounds."""

    name = "uniform"
    low: float = arg("least value", real(), default=-0.05)
    high: float = arg("bound that is not reached", real(), default=0.05)

    def clash(self) -> str | None:
        return None if self.low <= self.high else f"`low`, {self.low}, up to `high`, {self.high}"

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        return self.low + (self.high - self.low) * generator.random(shape)


@INITIALIZERS.add
class GlorotUniform(Initializer):
    """Uniform within sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010)."""

    name = "glorot_uniform"

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        limit = math.sqrt(6 / sum(fans_of(shape, fans)))
        return limit * (2 * generator.random(shape) - 1)


@INITIALIZERS.add
class GlorotNormal(Initializer):
    """Normal with variance 2 / (fan in + fan out) (Glorot and Bengio 2010)."""

    name = "glorot_normal"

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        return math.sqrt(2 / sum(fans_of(shape, fans))) * normals(shape, generator)


@INITIALIZERS.add
class HeUniform(Initializer):
    """Uniform within sqrt(6 / fan in) (He et al. 2015)."""

    name = "he_uniform"

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        limit = math.sqrt(6 / fans_of(shape, fans)[0])
        return limit * (2 * generator.random(shape) - 1)


@INITIALIZERS.add
class HeNormal(Initializer):
    """Normal with variance 2 / fan in (He et al. 2015)."""

    name = "he_normal"

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        return math.sqrt(2 / fans_of(shape, fans)[0]) * normals(shape, generator)


@INITIALIZERS.add
class LecunNormal(Initializer):
    """Normal with variance 1 / fan in (LeCun et al. 1998), as `selu` wants it."""

    name = "lecun_normal"

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        return math.sqrt(1 / fans_of(shape, fans)[0]) * normals(shape, generator)


@INITIALIZERS.add
class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer (Saxe et al. 2013).

    The matrix is the weight's first axis against all others: columns of a random rotation.
    """

    name = "orthogonal"
    elementwise = False
    gain: float = arg("factor", real(), default=1.0)

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        rows, columns = shape[0], math.prod(shape[1:])
        tall = rotated(max(rows, columns), min(rows, columns), generator)
        matrix = tall if rows >= columns else tall.T
        return self.gain * matrix.reshape(shape)


ROUNDS = 4
"""Of pairing all rows, for each doubling of their number: with 3, entries are close to normal; with 4 no test that
we know tells them from a matrix drawn evenly from all orthogonal ones."""

AT_ONCE = 64
"""Columns that are turned together, which stay in a processor's cache."""


def rotated(size: int, columns: int, generator: np.random.Generator) -> Array:
    """The first columns of a random orthogonal matrix, the same bits everywhere.

    Rows are paired at random and each pair is turned by a random angle, again and again (Kac's walk). Nothing is summed
    along an axis, as Gram and Schmidt or reflections would: linear algebra libraries sum as the processor likes.
    """
    import numpy as np

    half = size // 2
    turns = []
    for _ in range(ROUNDS * size.bit_length()):
        order = np.argsort(generator.random(size), kind="stable")
        x, y = normals((2, half, 1), generator)
        length = np.sqrt(x * x + y * y)
        turns.append((np.split(order, [half, 2 * half]), x / length, y / length))
    matrix: Array = np.eye(size, columns) * np.where(generator.random(columns) < 0.5, -1.0, 1.0)
    for start in range(0, columns, AT_ONCE):
        part = matrix[:, start : start + AT_ONCE]
        for (one, other, single), cosine, sine in turns:
            a, b = part[one], part[other]
            part = np.concatenate((cosine * a - sine * b, sine * a + cosine * b, part[single]))
        matrix[:, start : start + AT_ONCE] = part
    return matrix


@declaration
class ForgetBias(Initializer):
    """Zeros, and ones for the forget gate of an LSTM (gates i f g o; Jozefowicz et al. 2015)."""

    name = "forget_bias"
    elementwise = False
    units: int

    def sample(self, shape: tuple[int, ...], fans: Fans, generator: np.random.Generator) -> Array:
        import numpy as np

        bias = np.zeros(shape)
        bias[self.units : 2 * self.units] = 1
        return bias
