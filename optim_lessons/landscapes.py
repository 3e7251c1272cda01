"""Lesson 02: loss surfaces with two weights, each with its gradient; checking a gradient; Newton's step.

Every landscape is a `Landscape`: call it for the height, `.grad` for the slope, `.start`, `.minima`, `.box`.
Those with knobs of their own (`quadratic`, `saddle`, `plateau`, `rastrigin`) are functions that return one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True, eq=False)
class Landscape:
    """A loss surface over two weights.

    f, grad: functions of w, shape (..., 2), that return shapes (...) and (..., 2).
    start: where a walk begins.  minima: known minima, shape (k, 2).  box: ((x0, x1), (y0, y1)) to draw.
    units: of w[0] and w[1], what the height is called, and its unit, such as " km"; "" is none.
    """

    name: str
    f: Callable
    grad: Callable
    start: np.ndarray
    minima: np.ndarray
    box: tuple
    units: tuple = "", "", "loss", ""

    def __post_init__(self):
        """Turn the points into read-only arrays."""
        for name in ("start", "minima"):
            points = np.array(getattr(self, name), dtype=float)
            points.flags.writeable = False
            object.__setattr__(self, name, points)
        if self.start.shape != (2,):
            raise ValueError(
                f"start has shape {self.start.shape}: a landscape is drawn over two weights, shape (2,). A "
                "walk of a whole matrix has no such picture: give its points to path"
            )

    def __call__(self, w):
        """Return the height at w."""
        return self.f(w)


def _xy(w):
    return w[..., 0], w[..., 1]


def _vector(x, y):
    return np.stack([x, y], axis=-1)


def _check_condition(condition):
    if not 1 <= condition < np.inf:
        raise ValueError(
            f"condition is {condition}: it is the largest curvature over the smallest, "
            "a finite number of at least 1"
        )


def quadratic(*, condition=10.0, angle=0.0):
    """Return the ravine ½(x'²/κ + y'²): curvature 1 across it and 1/κ along it, turned by an angle.

    condition: κ, steepest over flattest curvature, at least 1.  angle: degrees, anticlockwise.
    """
    _check_condition(condition)
    c, s = np.cos(np.deg2rad(angle)).item(), np.sin(np.deg2rad(angle)).item()
    a, b, d = c * c / condition + s * s, c * s * (1 / condition - 1), s * s / condition + c * c

    def f(w):
        x, y = _xy(w)
        return 0.5 * (a * x * x + 2 * b * x * y + d * y * y)

    def grad(w):
        x, y = _xy(w)
        return _vector(a * x + b * y, b * x + d * y)

    start = [-4 * c - 1.5 * s, -4 * s + 1.5 * c]
    return Landscape("ravine", f, grad, start, [[0, 0]], ((-5, 5), (-3, 3)))


def _d2l_f(w):
    x, y = _xy(w)
    return 0.1 * x**2 + 2 * y**2


def _d2l_grad(w):
    x, y = _xy(w)
    return _vector(0.2 * x, 4 * y)


# Dive into Deep Learning, chapter "Momentum": f = 0.1·x₁² + 2·x₂², condition number 20.
d2l = Landscape("0.1 w[0]² + 2 w[1]²", _d2l_f, _d2l_grad, [-5, -2], [[0, 0]], ((-5.5, 1.5), (-3, 2.5)))


def _rosenbrock_f(w):
    x, y = _xy(w)
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def _rosenbrock_grad(w):
    x, y = _xy(w)
    rise = y - x * x
    return _vector(-2 * (1 - x) - 400 * x * rise, 200 * rise)


# Rosenbrock 1960, https://doi.org/10.1093/comjnl/3.3.175
rosenbrock = Landscape("Rosenbrock", _rosenbrock_f, _rosenbrock_grad, [-1.2, 1], [[1, 1]], ((-2, 2), (-1, 3)))


def _beale_terms(x, y):
    return 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3


def _beale_f(w):
    a, b, c = _beale_terms(*_xy(w))
    return a**2 + b**2 + c**2


def _beale_grad(w):
    x, y = _xy(w)
    a, b, c = _beale_terms(x, y)
    return _vector(
        2 * (a * (y - 1) + b * (y**2 - 1) + c * (y**3 - 1)),
        2 * x * (a + 2 * b * y + 3 * c * y**2),
    )


# Beale 1958, Princeton Statistical Techniques Research Group, report 25
beale = Landscape("Beale", _beale_f, _beale_grad, [1, 1.5], [[3, 0.5]], ((-1, 4.5), (-2, 2)))


def _himmelblau_f(w):
    x, y = _xy(w)
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _himmelblau_grad(w):
    x, y = _xy(w)
    a, b = x**2 + y - 11, x + y**2 - 7
    return _vector(4 * x * a + 2 * b, 2 * a + 4 * y * b)


# Himmelblau 1972, Applied Nonlinear Programming: four minima, all of height 0
himmelblau = Landscape(
    "Himmelblau",
    _himmelblau_f,
    _himmelblau_grad,
    [-0.5, -1],
    [
        [3.0, 2.0],
        [-2.805118086952745, 3.131312518250573],
        [-3.779310253377747, -3.283185991286170],
        [3.584428340330492, -1.848126526964404],
    ],
    ((-5, 5), (-5, 5)),
)


def rastrigin(*, bumps=10.0):
    """Return a bowl with bumps: x² + y² + bumps·(2 − cos 2πx − cos 2πy).

    bumps: height of the bumps; 0 leaves the bowl. Source: Rastrigin 1974, Systems of Extremal Control.
    """

    def f(w):
        x, y = _xy(w)
        return x**2 + y**2 + bumps * (2 - np.cos(2 * np.pi * x) - np.cos(2 * np.pi * y))

    def grad(w):
        return 2 * w + 2 * np.pi * bumps * np.sin(2 * np.pi * w)

    return Landscape("Rastrigin", f, grad, [-3.3, 2.2], [[0, 0]], ((-4, 4), (-4, 4)))


def saddle(*, descent=0.5):
    """Return a saddle at (0, 0) between two minima: ½x² + descent·(y⁴/4 − y²/2).

    descent: how steeply the way out falls; the minima are at (0, ±1), at height −descent/4.
    The start lies close to the ridge y = 0, from which a gradient alone cannot leave.
    """

    def f(w):
        x, y = _xy(w)
        return 0.5 * x**2 + descent * (y**4 / 4 - y**2 / 2)

    def grad(w):
        x, y = _xy(w)
        return _vector(x, descent * (y**3 - y))

    return Landscape("saddle", f, grad, [-1.8, 1e-3], [[0, 1], [0, -1]], ((-2, 2), (-1.5, 1.5)))


def plateau(*, flatness=4.0, condition=20.0):
    """Return a plateau that drops into a ravine: 1 − exp(−q) with q = ½((x/flatness)² + κ·(y/flatness)²).

    flatness: width of the basin; outside it the slope dies out.  condition: κ, of the ravine in the basin.
    """
    _check_condition(condition)
    if not 0 < flatness < np.inf:
        raise ValueError(f"flatness is {flatness}: the width of the basin is a finite number above 0")
    flat = 1 / flatness**2

    def f(w):
        x, y = _xy(w)
        return -np.expm1(-0.5 * flat * (x**2 + condition * y**2))

    def grad(w):
        x, y = _xy(w)
        slope = flat * np.exp(-0.5 * flat * (x**2 + condition * y**2))
        return _vector(slope * x, slope * condition * y)

    return Landscape("plateau with a ravine", f, grad, [-9, 1.5], [[0, 0]], ((-12, 4), (-4, 4)))


@cache
def terrain(waves=24):
    """Return real mountains: the Jacksboro fault in Tennessee, from Matplotlib's sample elevation data.

    Heights are in metres, positions in kilometres from the south-west corner. waves: the finest
    cosine wave kept in each direction, which makes the measured grid a smooth function with an exact
    gradient; beyond its edges the land is mirrored. Source: SRTM elevation (NASA), as in Matplotlib.
    """
    if waves < 1:
        raise ValueError(f"waves is {waves}: without a wave there is no hill; at least 1")
    from matplotlib.cbook import get_sample_data

    with get_sample_data("jacksboro_fault_dem.npz") as data:
        height = data["elevation"][::-1].astype(float)  # rows from south to north
        degrees = data["dx"] * height.shape[1], data["dy"] * height.shape[0]
        latitude = (data["ymin"] + data["ymax"]) / 2
    km = 111.2 * degrees[0] * np.cos(np.deg2rad(latitude)), 111.2 * degrees[1]
    x_waves, y_waves = (_cosine_fit(n, waves) for n in height.shape[::-1])
    heights = y_waves @ height @ x_waves.T  # least squares: sampled cosines are orthogonal
    fade = np.exp(-((np.arange(waves + 1) / waves) ** 2) * 2)  # softens ripples at steep walls
    heights = heights * fade[:, None] * fade
    kx, ky = (np.pi / side * np.arange(waves + 1) for side in km)

    def like(a, w):
        return np.asarray(a, dtype=w.dtype, like=w)

    def f(w):
        x, y = w[..., :1] * like(kx, w), w[..., 1:] * like(ky, w)
        return ((np.cos(y) @ like(heights, w)) * np.cos(x)).sum(axis=-1)

    def grad(w):
        x, y = w[..., :1] * like(kx, w), w[..., 1:] * like(ky, w)
        a = like(heights, w)
        dx = -((np.cos(y) @ a) * np.sin(x) * like(kx, w)).sum(axis=-1)
        dy = -(((np.sin(y) * like(ky, w)) @ a) * np.cos(x)).sum(axis=-1)
        return _vector(dx, dy)

    box = tuple((0.0, float(side)) for side in km)
    units = " km", " km", "height", " m"
    return Landscape("Jacksboro fault", f, grad, [8, 14], _local_minima(f, grad, box), box, units)


def _cosine_fit(n, waves):
    """Return the matrix that fits n samples (at pixel centres) by cosines of 0 to `waves` half periods."""
    k = np.arange(waves + 1)[:, None]
    samples = np.cos(np.pi * k * (np.arange(n) + 0.5) / n)
    return samples * np.where(k == 0, 1, 2) / n


def _local_minima(f, grad, box, points=200):
    """Return all minima inside a box: the lowest points of a lattice, then Newton's steps."""
    xs, ys = (np.linspace(*side, points) for side in box)
    w = np.stack(np.meshgrid(xs, ys), axis=-1)
    height = f(w)
    centre = height[1:-1, 1:-1]
    around = [np.roll(height, (i, j), (0, 1))[1:-1, 1:-1] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    w = w[1:-1, 1:-1][(centre < np.array(around)).all(axis=0)]
    cell = np.array([(high - low) / (points - 1) for low, high in box])
    for _ in range(20):
        step = newton_step(w, grad(w), hessian(grad, w)) - w
        w = w + np.clip(step, -cell, cell)  # where the land hardly curves, Newton would leap away
    flat = np.abs(grad(w)).max(axis=-1, initial=0) < 1e-9 * height.max()
    w = w[flat & (np.linalg.eigvalsh(hessian(grad, w)) > 0).all(axis=-1)]
    return w[np.argsort(f(w))]


def lessard_recht_packard(w):
    """Return the slope of a convex valley, 25x below 1, x + 24 up to 2, 25x − 24 above, whose minimum is 0.

    Momentum with the lr and beta that are best for its curvatures (1 to 25, so 1/9 and 4/9) never
    arrives from 3.3: it cycles. Source: Lessard, Recht, Packard 2016, https://arxiv.org/abs/1408.3595
    """
    return np.where(w < 1, 25 * w, np.where(w < 2, w + 24, 25 * w - 24))


def reddi(w, t, *, C=3.0):
    """Return the slope C at every third step and −1 at the others: on average it rises.

    Inside [−1, 1] the best place is −1; Adam with beta1 = 0 and beta2 = 1/(1 + C²) goes to +1.
    w: only its shape matters.  t: steps taken before.  C: the rare slope, above 2.
    Source: Reddi, Kale, Kumar 2018, theorem 1, https://arxiv.org/abs/1904.09237
    """
    return np.full_like(w, C if t % 3 == 0 else -1)


def numerical_gradient(f, w, h=1e-5):
    """Return the gradient of f at w by central differences: (f(w + h·e) − f(w − h·e)) / 2h per coordinate.

    w: shape (..., n), float64. The error falls with h² until rounding, which grows as 1/h, takes over.
    """
    steps = h * np.eye(w.shape[-1], like=w)
    return np.stack([(f(w + e) - f(w - e)) / (2 * h) for e in steps], axis=-1)


def hessian(grad, w, h=1e-5):
    """Return the second derivatives at w, shape (..., n, n), by central differences of the gradient."""
    steps = h * np.eye(w.shape[-1], like=w)
    H = np.stack([(grad(w + e) - grad(w - e)) / (2 * h) for e in steps], axis=-1)
    return (H + np.swapaxes(H, -1, -2)) / 2


def newton_step(w, g, H):
    """Return w − H⁻¹·g: on a quadratic, the minimum in one step; near a saddle, the saddle.

    w, g: shape (..., n).  H: Hessian, shape (..., n, n); LinAlgError if it is singular.
    """
    return w - np.linalg.solve(H, g[..., None])[..., 0]
