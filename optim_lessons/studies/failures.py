"""The walks of the failure gallery on page 00: a rule where it fails, and beside it one that does not.

after_a_steep_slope(100, steps=300)["AdaGrad"][-1]     # how far it came
uncorrected([0.999], steps=4000, lr=0.1)              # step lengths, and walks down a parabola
"""

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.lab.path import path
from optim_lessons.momentum import momentum
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies.nonconvergence import reddi_run


def after_a_steep_slope(first_slope, steps):
    """Return the walks of AdaGrad and of RMSProp where all slopes but the first one are 1: name → w."""

    def grad(w, t):
        return np.full_like(w, -first_slope if t == 0 else -1)

    runs = {"AdaGrad": (adagrad, {"lr": 1.0}), "RMSProp": (rmsprop, {"lr": 0.1, "beta": 0.9})}
    return {name: path(rule, grad, np.zeros(1), steps, **knobs)[:, 0] for name, (rule, knobs) in runs.items()}


def uncorrected(beta2s, steps, lr):
    """Return what Adam does with bias correction and without: two dicts name → shape (..., len(beta2s)).

    The first: the length of each step over lr, where the slope is always 1. The second: 100 steps from 1 down
    the parabola ½w², at lr. beta2s: shape (k,).
    """
    lengths, down, runs = {}, {}, np.asarray(beta2s)[:, None]
    for name, rule in {"Adam": adam, "uncorrected": adam_uncorrected}.items():
        along = path(rule, np.ones_like, np.zeros(1), steps, lr=1.0, beta2=runs)[..., 0]
        lengths[name] = -np.diff(along, axis=0)
        down[name] = path(rule, lambda w: w, np.ones(1), 100, lr=lr, beta2=runs)[..., 0]
    return lengths, down


def too_large_eps(land, eps, *, steps, lr, beta1):
    """Return the lr at which momentum is Adam with an eps that outweighs the root of v, and both walks.

    From lr 2 on momentum diverges on a land whose largest curvature is 1: its walk is the start alone.
    """
    same = lr * (1 - beta1) / eps
    ws = path(adam, land.grad, land.start, steps, lr=lr, beta1=beta1, eps=eps)
    twin = path(momentum, land.grad, land.start, steps if same < 2 else 0, lr=same, beta=beta1)
    return same, {"Adam": ws, "momentum": twin}


def to_the_wrong_end(beta2, steps, lr):
    """Return the walks of Adam and of AMSGrad on Reddi's example, kept within [−1, 1]: name → w."""
    rules = {"Adam": adam, "AMSGrad": amsgrad}
    return {name: reddi_run(rule, lr, 0.0, beta2, steps=steps) for name, rule in rules.items()}
