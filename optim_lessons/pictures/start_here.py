"""The race of page 00: seven rules on seven landscapes."""

from optim_lessons import landscapes
from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import scenes
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import noisy, sgd

RULES = {
    "gradient descent": gradient_descent,
    "SGD": sgd,
    "momentum": momentum,
    "Nesterov": nesterov,
    "AdaGrad": adagrad,
    "RMSProp": rmsprop,
    "Adam": adam,
}
GROUNDS = {
    "ravine": landscapes.quadratic(condition=100, angle=20),
    "Rosenbrock's valley": landscapes.rosenbrock,
    "Beale": landscapes.beale,
    "Himmelblau: four valleys": landscapes.himmelblau,
    "saddle": landscapes.saddle(),
    "plateau with a ravine": landscapes.plateau(),
    "real mountains": landscapes.terrain(),
}


def race():
    """Return the scene of the race. Knobs: landscape, lr_scale, noise, noise_for_all, seed, steps."""
    return scenes.race(RULES, GROUNDS, noisy)
