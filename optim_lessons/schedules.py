"""Lesson 09: learning-rate schedules. Each is a plain function of t, the steps taken before: 0, 1, ...

    lr = warm_up(cosine(0.1, length=900), steps=100)
    path(adam, grad, w0, 1000, lr=lr)

t may be an array, to draw a schedule; the learning rates may be arrays with an axis for runs.
"""

import math

import numpy as np


def constant(lr):
    """Return the schedule that stays at lr."""
    return lambda t: lr + 0.0 * t


def step(lr, *, every, factor=0.1):
    """Return the schedule lr·factor^⌊t/every⌋: it falls at once, every so many steps."""
    _check("every", every)
    return lambda t: lr * factor ** (t // every)


def exponential(lr, *, length, factor=0.5):
    """Return the schedule lr·factor^(t/length): each so many steps multiply it by the factor, smoothly."""
    _check("length", length)
    return lambda t: lr * factor ** (t / length)


def inverse_time(lr, *, length):
    """Return the schedule lr / (1 + t/length): half of lr after length steps, then about lr·length/t.

    Steps like 1/t still add up to infinity, and their squares do not: enough to reach a minimum from anywhere
    and to average the noise away. Source: Robbins and Monro 1951, https://doi.org/10.1214/aoms/1177729586
    """
    _check("length", length)
    return lambda t: lr / (1 + t / length)


def linear(start, end, *, length):
    """Return the schedule that goes from start to end in a straight line, and stays there."""
    _check("length", length)
    return lambda t: start + (end - start) * np.minimum(t, length) / length


def cosine(lr, *, length, floor=0.0):
    """Return the schedule floor + (lr − floor)·(1 + cos(π·t/length))/2, then floor: half a wave.

    A floor above lr makes it rise. Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983
    """
    _check("length", length)
    return lambda t: floor + (lr - floor) * (1 + np.cos(math.pi * np.minimum(t, length) / length)) / 2


def then(first, steps, second):
    """Return the schedule that follows the first for so many steps, then the second from its own 0 on."""
    _check("steps", steps, least=0)

    def lr(t):
        late = t >= steps
        if not np.ndim(late):
            return second(t - steps) if late else first(t)
        return np.where(late, second(np.maximum(t - steps, 0)), first(np.minimum(t, steps)))

    return lr


def warm_up(schedule, steps, *, start=0.0):
    """Return the schedule with a straight rise before it, from start to where it begins.

    At start 0 the first step does not move, as in optax; others begin at 1/steps of the way.
    Source: Goyal and others 2017, https://arxiv.org/abs/1706.02677
    """
    _check("steps", steps, least=0)
    return schedule if steps == 0 else then(linear(start, schedule(0), length=steps), steps, schedule)


def one_cycle(peak, *, length, rise=0.3):
    """Return the schedule that rises from peak/25 to peak and falls to peak/250,000, each by half a cosine.

    As in PyTorch and fastai, the peak is at t = rise·length − 1 and the end at t = length − 1, the last step.
    The idea is Smith and Topin's, 2018, https://arxiv.org/abs/1708.07120: their cycle has three straight
    phases, and momentum's beta goes the other way.
    """
    up = rise * length - 1
    _check("rise", rise)
    _check("length", up)
    down = cosine(peak, length=length - 1 - up, floor=peak / 25 / 1e4)
    return then(cosine(peak / 25, length=up, floor=peak), up, down)


def _check(name, value, least=None):
    if least is None and not value > 0:
        raise ValueError(f"{name} is {value}: a schedule needs a time of more than 0 steps to change in")
    if least is not None and not value >= least:
        raise ValueError(f"{name} is {value}: it is a number of steps, {least} or more")
