"""The experiments of lesson 08 on eps: what it does beside √v̂, on Rosenbrock's valley and on digits."""

from functools import lru_cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab import datasets, models
from optim_lessons.lab.kept import kept
from optim_lessons.lab.path import path, record
from optim_lessons.landscapes import rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.sgd import sgd
from optim_lessons.studies.bias_correction import corrected

DIGIT_STEPS, EVERY = 100, 5  # on digits; the loss is measured at every so many of them


def rosenbrock_walks(lr, beta1, beta2, eps, steps):
    """Return three walks on Rosenbrock's valley, and √v̂ after each step of the first, shape (steps, 2).

    walk: Adam.  tiny: Adam at eps 1e-8.  ball: momentum at lr·(1 − beta1)/eps with beta = beta1.
    """
    ground = rosenbrock.grad, rosenbrock.start, steps
    knobs = {"lr": lr, "beta1": beta1, "beta2": beta2}
    seen = record(adam, *ground, eps=eps, **knobs)
    walks = {"walk": seen["w"], "tiny": path(adam, *ground, eps=1e-8, **knobs)}
    walks["ball"] = path(momentum, *ground, lr=lr * (1 - beta1) / eps, beta=beta1)
    return walks, np.sqrt(corrected(seen["v"][1:], beta2))


@lru_cache
def digits_model(name):
    """Return a model of the digits, its gradient on batches, its start, and the loss of SGD at lr 1.

    name: "softmax", or "network", which has 64-32-10 units.
    """
    data = datasets.digits()
    net = models.softmax(*data.train) if name == "softmax" else models.mlp(*data.train, sizes=(64, 32, 10))
    slope, start = net.batch_grad(32, 0), kept(net.init(0))
    losses = net(path(sgd, slope, start, DIGIT_STEPS, lr=1.0)[::EVERY], *data.validation)
    return net, slope, start, kept(losses)


def digits_walk(name, *, beta2, **knobs):
    """Train a model of the digits by Adam; return its validation losses, √v̂ at the end, and the last weights.

    knobs: Adam's own.
    """
    net, slope, start, _ = digits_model(name)
    seen = record(adam, slope, start, DIGIT_STEPS, beta2=beta2, **knobs)
    losses = net(seen["w"][::EVERY], *datasets.digits().validation)
    return losses, np.sqrt(seen["v"][-1] / (1 - beta2**DIGIT_STEPS)), seen["w"][-1]
