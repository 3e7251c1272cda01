"""Maps whose every pixel is a training run: by knobs and starts, and by the minimum that a start ends in.

losses = runs_on("lr and memory", momentum, "ravine", lr=1.0, memory=0.5, start=-3.0, steps=200)
ends = reached(final(momentum, himmelblau, starts(), 200, lr=0.01, beta=0.9))
"""

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.sweep import final
from optim_lessons.landscapes import himmelblau, quadratic, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop

RULES = {
    "gradient descent": gradient_descent, "momentum": momentum, "Nesterov": nesterov, "RMSProp": rmsprop,
    "Adam": adam,
}  # fmt: skip
GROUNDS = {"ravine": quadratic(condition=10.0), "Rosenbrock": rosenbrock, "Himmelblau": himmelblau}
PIXELS = 100  # on each side of a map
MEMORIES, STARTS = np.linspace(0, 0.99, PIXELS), np.linspace(-4, 4, PIXELS)
# lr of the rules whose steps are as long as the gradient; the others' steps are about lr long on any ground.
LR_RANGES = {"ravine": (0.02, 5.0), "Rosenbrock": (1e-4, 1e-2), "Himmelblau": (1e-3, 0.1)}
SCALED_RANGE = (1e-3, 10.0)
PAIRS = {f"{x} and {y}": (x, y) for x, y in (("lr", "memory"), ("lr", "start"), ("start", "memory"))}
# Where a rule's walk on a quadratic with largest curvature 1 begins to diverge.
EDGES = {
    gradient_descent: lambda beta: np.full_like(beta, 2.0),
    momentum: lambda beta: 2 * (1 + beta),
    nesterov: lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
}


def knobs_of(rule, memory):
    """Return the memory of a rule by its own name: beta, beta1, or nothing."""
    names = [name for name in parts(rule).knobs if name in ("beta", "beta1")]
    return dict.fromkeys(names, memory)


def losses_of(rule, landscape, w0, steps, **knobs):
    """Return the final losses above the landscape's floor, NaN where a run ended higher than it began."""
    with np.errstate(all="ignore"):
        before, after = landscape(w0), landscape(final(rule, landscape, w0, steps, **knobs))
        return np.where(after <= before, after, np.nan) - float(landscape(landscape.minima).min())


def axis(name, rule, landscape):
    """Return the values along one side of a map; landscape: its name.  lr runs on a log axis."""
    if name != "lr":
        return MEMORIES if name == "memory" else STARTS
    return np.geomspace(*(SCALED_RANGE if "eps" in parts(rule).knobs else LR_RANGES[landscape]), PIXELS)


def runs_on(axes, rule, name, lr, memory, start, steps):
    """Return the map of final losses over two axes, shape (rows, columns); the third value holds for all."""
    (across, up), landscape = PAIRS[axes], GROUNDS[name]
    values = {"lr": lr, "memory": memory, "start": start}
    values |= {across: axis(across, rule, name)[None, :, None], up: axis(up, rule, name)[:, None, None]}
    x, y = np.broadcast_arrays(values["start"], landscape.start[1])
    w0 = np.concatenate([x, y], axis=-1) if x.ndim else np.array([x, y])
    knobs = {"lr": values["lr"]} | knobs_of(rule, values["memory"])
    losses = losses_of(rule, landscape, w0, steps, **knobs)
    return np.broadcast_to(losses, (PIXELS, PIXELS))


def reached(w, landscape=himmelblau, near=0.05):
    """Return which minimum each run stands at: its number; 4 where at none, 5 where lost."""
    distance = np.linalg.norm(w[..., None, :] - landscape.minima, axis=-1)
    lost = ~(np.abs(w).max(axis=-1) < 1e3)
    return np.where(lost, 5, np.where(distance.min(axis=-1) < near, distance.argmin(axis=-1), 4))


def starts(n=PIXELS, box=((-5, 5), (-5, 5))):
    """Return a lattice of starts, shape (n, n, 2)."""
    return np.stack(np.meshgrid(*(np.linspace(*side, n) for side in box)), axis=-1)


def basins(rule, lr, memory, steps):
    """Return which minimum of Himmelblau's ground each of the starts ends at, as `reached` says."""
    return reached(final(rule, himmelblau, starts(), steps, lr=lr, **knobs_of(rule, memory)))
