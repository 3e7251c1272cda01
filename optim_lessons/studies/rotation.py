"""The experiments of lesson 08 on turned ravines: rules that scale each coordinate feel the axes."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of, settled, stays_below
from optim_lessons.lab.path import path
from optim_lessons.landscapes import Landscape, quadratic
from optim_lessons.momentum import best_lr_and_beta, momentum
from optim_lessons.rmsprop import rmsprop

TROUBLED = 100  # steps
BUILT_FROM = {gradient_descent: {}, momentum: {"beta": 0.9}, rmsprop: {"beta": 0.9}, adam: {}}
ANGLES = np.arange(0, 91, 3)
PATIENCE = 400  # steps


def two_troubles():
    """Return a ravine with two troubles at once: it is turned by 45 degrees, and w[1] has units of its own.

    In those units w[1] is 20 times as large, and its gradients are a twentieth of what they were.
    """
    turned, units = quadratic(condition=20, angle=45), np.array([1.0, 1 / 20])
    return Landscape(
        "two troubles",
        lambda w: turned(w * units),
        lambda w: turned.grad(w * units) * units,
        [-3.5, -20.0],
        [[0.0, 0.0]],
        ((-9.0, 9.0), (-32.0, 32.0)),
    )


def reached(rule, ground=None, lrs=None):
    """Return a rule's `Best` lr on a ground, and its walk: what is judged is the worst of the last ten steps.

    The score is that loss as a part of the loss at the start.
    """
    ground = ground or two_troubles()
    lrs = np.geomspace(0.01, 30, 60) if lrs is None else lrs
    ws = path(rule, ground.grad, ground.start, TROUBLED, lr=lrs[:, None], **BUILT_FROM[rule])
    best = best_of(settled(ground(ws)) / ground(ground.start), lr=lrs)
    return best, ws[:, best.index]


@lru_cache(maxsize=8)
def wide_ravine(condition, angle):
    """Return the ravine with a box that holds its start, and Adam's way from it, at every angle."""
    return replace(quadratic(condition=condition, angle=angle), box=((-7.5, 7.5), (-5.5, 5.5)))


def steps_to_tenth(ws):
    """Return after how many steps a path, shape (steps + 1, ..., 2), stays below a tenth of its distance.

    A path that is not there yet gets one more than it has steps.
    """
    distance = np.linalg.norm(ws, axis=-1)
    return np.minimum(stays_below(distance, 0.1 * distance[0]), len(ws)).astype(int)


def steps_by_angle(condition, lr, beta1):
    """Return Adam's steps to a tenth of the distance in the ravine, one count for each of ANGLES."""
    radians = np.deg2rad(ANGLES)
    c, s = np.cos(radians), np.sin(radians)
    turn = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], axis=-2)  # (angles, 2, 2)
    hessian = np.swapaxes(turn, -1, -2) @ (turn * np.array([1 / condition, 1.0])[:, None])
    starts = np.stack([-4 * c - 1.5 * s, -4 * s + 1.5 * c], axis=-1)
    ws = path(adam, lambda w: (hessian @ w[..., None])[..., 0], starts, PATIENCE, lr=lr, beta1=beta1)
    return steps_to_tenth(ws)


def steps_of_momentum(condition):
    """Return momentum's steps to a tenth at lesson 04's lr and beta: it does not feel the angle."""
    ravine, (lr, beta) = quadratic(condition=condition), best_lr_and_beta(1 / condition, 1.0)
    return steps_to_tenth(path(momentum, ravine.grad, ravine.start, PATIENCE, lr=lr, beta=beta))
