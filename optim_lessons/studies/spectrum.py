"""How fast a rule shrinks each direction of a quadratic: factors, limits, roots, regimes.

Of lessons 01, 04 and 05.

steps_per_digit(1.0, condition=30)       # gradient descent, both directions of a ravine
FACTORS["Nesterov"](lr * h, beta)        # factor per step in the long run, at curvature h
regime(momentum, lr * h, beta)           # "creeps", "oscillates", "flips" or "diverges"
"""

import numpy as np

from optim_lessons import momentum as heavy_ball
from optim_lessons import nesterov as look_ahead
from optim_lessons.gradient_descent import contraction
from optim_lessons.momentum import largest_root

LIMIT = 1 - 1e-9  # a factor per step of 1, less what rounding takes
CREEPS, OSCILLATES, FLIPS, DIVERGES = "creeps", "oscillates", "flips", "diverges"

# The largest lr·L at which a rule converges on a quadratic, against beta.
LIMITS = {
    "gradient descent": lambda beta: 2 + 0 * beta,
    "heavy ball": lambda beta: 2 * (1 + beta),
    "Nesterov": lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
}
# Its factor per step in the long run, against lr·curvature and beta.
FACTORS = {
    "gradient descent": lambda x, beta: contraction(x, 1.0) + 0 * beta,
    "heavy ball": heavy_ball.spectral_radius,
    "Nesterov": look_ahead.spectral_radius,
}


def steps_per_digit(lr, condition):
    """Return how many steps make the slower direction's distance ten times smaller; L is 1, inf if never."""
    worst = np.maximum(contraction(lr, 1.0), contraction(lr, 1 / condition))
    with np.errstate(divide="ignore"):
        return np.where(worst < 1, np.log(10) / -np.log(np.minimum(worst, 1)), np.inf)


def both_roots(lr_times_curvature, beta):
    """Return the two roots of z² − (1 + β − lr·h)·z + β, complex, shape (2,)."""
    half = (1 + beta - lr_times_curvature) / 2
    root = np.sqrt(complex(half * half - beta))
    return np.array([half + root, half - root])


def trace_and_determinant(rule, lr_times_curvature, beta):
    """Return trace and determinant of the matrix that takes (w, m) to the next (w, m), read off the rule.

    They are the sum and the product of its eigenvalues. Arrays broadcast.
    """
    one, none = np.ones_like(lr_times_curvature * beta), np.zeros_like(lr_times_curvature * beta)
    w_from_w, m_from_w = rule(one, lr_times_curvature * one, none, lr=1.0, beta=beta)
    w_from_m, m_from_m = rule(none, none, one, lr=1.0, beta=beta)
    return w_from_w + m_from_m, w_from_w * m_from_m - w_from_m * m_from_w


def regime(rule, lr_times_curvature, beta):
    """Return how a rule moves on a parabola: "creeps", "oscillates", "flips" or "diverges"."""
    trace, determinant = trace_and_determinant(rule, np.asarray(lr_times_curvature, float), beta)
    moves = np.where(trace < 0, FLIPS, CREEPS)
    moves = np.where(trace**2 / 4 < determinant, OSCILLATES, moves)
    return np.where(largest_root(trace, determinant) >= LIMIT, DIVERGES, moves)
