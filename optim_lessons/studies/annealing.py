"""The experiments of lesson 09: schedules by name, and what each leaves of the way and of the noise."""

import numpy as np

from optim_lessons.debugging import dead
from optim_lessons.lab.path import path
from optim_lessons.schedules import constant, cosine, exponential, inverse_time, linear, step, then, warm_up

CURVATURES, START, STEPS = np.array([0.05, 1.0]), np.array([-4.0, 1.5]), 300  # of the noisy ravine
LONG = 20_000  # steps of `powers`
NET_STEPS = 136  # of the network: 4 epochs in batches of 32


def shape(name, lr, length):
    """Return the schedule of a name, which begins at lr and has done its falling after about length steps.

    step: to a tenth after each third of length.  exponential: to a hundredth in length.
    inverse time: to a half in a tenth of length.  linear, cosine: to 0 in length.
    """
    return {
        "constant": lambda: constant(lr),
        "step": lambda: step(lr, every=length / 3),
        "exponential": lambda: exponential(lr, length=length, factor=0.01),
        "inverse time": lambda: inverse_time(lr, length=length / 10),
        "linear": lambda: linear(lr, 0 * lr, length=length),
        "cosine": lambda: cosine(lr, length=length),
        "flat, then linear": lambda: then(
            constant(lr), length - length // 3, linear(lr, 0 * lr, length=length // 3)
        ),
    }[name]()


def built(schedule, *, lr, warm, length, floor):
    """Return a schedule from its knobs: a rise in so many steps, then a shape that never falls below a floor.

    schedule: the name of a `shape`.  floor: as a part of lr.
    """
    falling = shape(schedule, lr, length)
    return warm_up(lambda t: np.maximum(falling(t), floor * lr), warm)


def expected(lrs, curvature, start, noise):
    """Return the mean of w² on a parabola after 0, 1, ... steps: what is left of the way, what noise added.

        way ← (1 − lr·h)²·way        shaken ← (1 − lr·h)²·shaken + lr²·σ²

    lrs: the lr of each step, shape (steps, ...); the results have one row more.
    """
    lrs = np.asarray(lrs, dtype=float)
    shrink, kick = (1 - lrs * curvature) ** 2, (lrs * noise) ** 2
    first = np.ones_like(lrs[:1])
    way = start**2 * np.concatenate([first, np.cumprod(shrink, axis=0)])
    # One run is walked in plain numbers, which is ten times faster than in arrays of one.
    single = lrs.ndim == 1
    value, rows = 0.0 if single else np.zeros(lrs.shape[1:]), []
    for a, b in zip(*(x.tolist() if single else x for x in (shrink, kick)), strict=True):
        rows.append(value)
        value = a * value + b
    rows.append(value)
    return way, np.array(rows)


def expected_loss(lrs, curvatures, start, noise):
    """Return the mean loss ½·Σ h·w² of SGD in a noisy ravine after 0, 1, 2, ... steps, exactly."""
    both = [sum(expected(lrs, h, s, noise)) for h, s in zip(curvatures, start, strict=True)]
    return 0.5 * sum(h * square for h, square in zip(curvatures, both, strict=True))


def powers(lr, power, length):
    """Return the lr of 20,000 steps: lr/(1 + t/length)^power."""
    return lr / (1 + np.arange(LONG) / length) ** power


def early_steps(net, rule, lr, warm, seed):
    """Train a ReLU network for 136 steps: a rise in `warm` of them to lr, then a straight fall to 0.

    Returns its path, the length of each step per weight, and the shares of dead units after 10 steps and at
    the end.
    """
    lrs = warm_up(linear(lr, 0.0, length=NET_STEPS - warm), warm)
    ws = path(rule, net.batch_grad(32, seed), net.init(seed, np.float32), NET_STEPS, lr=lrs)
    lengths = np.sqrt((np.diff(ws, axis=0) ** 2).mean(axis=-1))
    return ws, lengths, *(float(dead(net.hidden(w)[0])) for w in (ws[10], ws[-1]))
