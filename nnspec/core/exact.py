"""Functions whose results are the same bit for bit on every machine.

A platform's `log` or `cos` may differ from another's in the last places. These use only what IEEE 754
rounds correctly (sums, products, quotients, roots), in a fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

# Wichura 1988, algorithm AS 241 (PPND16): numerator and denominator, lowest power first.
_CENTRE = (
    (
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
        1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
        3.3430575583588128105e4, 2.5090809287301226727e3,
    ),
    (
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
        2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)  # fmt: skip
_NEAR = (
    (
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
        3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
        2.27238449892691845833e-2, 7.74545014278341407640e-4,
    ),
    (
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
        1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)  # fmt: skip
_FAR = (
    (
        6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
        2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
        2.71155556874348757815e-5, 2.01033439929228813265e-7,
    ),
    (
        1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
        7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)  # fmt: skip


def normal_quantile(share: Array) -> Array:
    """The number below which a standard normal one lies with the given probability, 0 < p < 1."""
    q = share - 0.5
    centre = q * _ratio(_CENTRE, 0.180625 - q * q)
    root = np.sqrt(-log(np.minimum(share, 1.0 - share)))
    tail = np.where(root <= 5.0, _ratio(_NEAR, root - 1.6), _ratio(_FAR, root - 5.0))
    return np.where(np.abs(q) <= 0.425, centre, np.where(q < 0, -tail, tail))


def log(x: Array) -> Array:
    """The natural logarithm of positive numbers."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    exponent = exponent - small
    # log m = 2 artanh((m - 1) / (m + 1)), a series in an argument below 0.172.
    y = (mantissa - 1.0) / (mantissa + 1.0)
    square = y * y
    series = np.zeros_like(y)
    for odd in range(23, 0, -2):
        series = series * square + 1.0 / odd
    return exponent * 0.6931471805599453 + 2.0 * y * series


def _ratio(terms: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    above, below = (np.full_like(x, t[-1]) for t in terms)
    for a, b in zip(reversed(terms[0][:-1]), reversed(terms[1][:-1]), strict=True):
        above, below = above * x + a, below * x + b
    return above / below
