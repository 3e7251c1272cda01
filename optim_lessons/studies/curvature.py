"""Curvature: of a function that is convex or not, under Newton's step, and of a network's loss along a line.

bumpy_curvature(w, bumps=0.5)                       # below 0 where the curve bends downwards
newton_walk(saddle(), (-1.5, 0.3), damping=0.6)     # with a damping above 0.5 it leaves the saddle
curvature_along(net, w, random_direction(net, w))   # of the loss at w
"""

import numpy as np

from optim_lessons.landscapes import Landscape, hessian


def bumpy(w, bumps):
    """Return ½w² + bumps·(1 − cos 2w), a function that is convex up to bumps = 1/4."""
    return 0.5 * w**2 + bumps * (1 - np.cos(2 * w))


def bumpy_curvature(w, bumps):
    """Return its second derivative."""
    return 1 + 4 * bumps * np.cos(2 * w)


def over_the_chord(a, b, bumps, points=201):
    """Return places between a and b, and at which of them the bumpy curve rises above its chord."""
    low, high = np.sort([a, b])
    w = np.linspace(low, high, points)
    share = (w - low) / (high - low) if high > low else 0 * w
    chord = (1 - share) * bumpy(low, bumps) + share * bumpy(high, bumps)
    return w, bumpy(w, bumps) > chord + 1e-9


def pure(name, curvatures, box):
    """Return the Landscape that has these two curvatures everywhere, along the axes."""
    curvatures = np.array(curvatures)
    minima = [[0, 0]] if (curvatures > 0).all() else np.zeros((0, 2))
    f = lambda w: 0.5 * (curvatures * w**2).sum(axis=-1)  # noqa: E731
    return Landscape(name, f, lambda w: curvatures * w, [0, 0], minima, box)


def newton_walk(land, start, damping=0.0, steps=8):
    """Return a walk of Newton's steps with (H + damping·I), shape (steps + 1, 2); NaN after a singular H."""
    ws = np.full((steps + 1, 2), np.nan)
    ws[0] = w = np.asarray(start, dtype=float)
    for t in range(1, steps + 1):
        step = newton_direction(land, w, damping)
        if step is None:
            break
        ws[t] = w = w + step
    return ws


def newton_direction(land, w, damping=0.0):
    """Return −(H + damping·I)⁻¹·g at w, or None where that does not exist."""
    H = hessian(land.grad, w) + damping * np.eye(2)
    if not np.isfinite(H).all() or np.linalg.cond(H) > 1e9:  # H itself is known to about nine digits
        return None
    return -np.linalg.solve(H, land.grad(w))


def change_along(land, w, move, shares):
    """Return how the loss changes after each share of a move from w: by its quadratic model, and in truth."""
    g, H = land.grad(w), hessian(land.grad, w)
    model = shares * (g @ move) + 0.5 * shares**2 * (move @ H @ move)
    return model, land(w + shares[:, None] * move) - land(w)


def random_direction(net, w, seed=0):
    """Return a random direction in which each layer is as long as the same layer of w (Li et al., 2018)."""
    direction = np.random.default_rng(seed).standard_normal(net.n)
    for part, layer in zip(net.layers(direction), net.layers(w), strict=True):
        part *= np.linalg.norm(layer) / np.linalg.norm(part)
    return direction


def steepest_direction(net, w, iterations=60, h=1e-4):
    """Return the direction of the largest curvature at w, as long as w: power iteration."""
    u = np.random.default_rng(0).standard_normal(net.n)
    for _ in range(iterations):
        u = u / np.linalg.norm(u)
        u = net.grad(w + h * u) - net.grad(w - h * u)
    return u / np.linalg.norm(u) * np.linalg.norm(w)


def curvature_along(net, w, direction, h=1e-4):
    """Return the curvature of the loss at w along a direction, whose length does not matter."""
    u = direction / np.linalg.norm(direction)
    return float(u @ (net.grad(w + h * u) - net.grad(w - h * u)) / (2 * h))


def plane_losses(net, w, directions, a, b):
    """Return the loss at w + a·first + b·second, in float32.  a, b: arrays of one shape, which it gets."""
    first, second = (d.astype(np.float32) for d in directions)
    a, b = (np.asarray(x, dtype=np.float32)[..., None] for x in (a, b))
    return net(w.astype(np.float32) + a * first + b * second)


def plane_heights(net, w, directions, width, points, finer=4):
    """Return the losses on a plane through w, as far as width each way, on a lattice.

    points: how many are computed along the first direction and the second.  finer: how many times as many
    there are of them in the end, straight between the computed ones.
    """
    sides = [np.linspace(-1, 1, n) for n in points]
    heights = plane_losses(net, w, directions, *np.meshgrid(*(width * side for side in sides))).astype(float)
    for side in sides:  # one way, then the other
        new = np.linspace(-1, 1, finer * len(side))
        heights = np.array([np.interp(new, side, row) for row in heights]).T
    return heights
