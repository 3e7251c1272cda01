"""The bench of lesson 12: one small training on real digits, with every fault a knob, and instruments on it.

seen = bench(lr=0.001)             # the healthy run, but for this
seen["validation"]                 # and all other readings, by name
BROKEN["zero weights"]             # the knobs of a broken run
suspect(seen)                      # what the lesson's table would check first
"""

import functools

import numpy as np

from optim_lessons.bridge import adam_uncorrected
from optim_lessons.debugging import dead, norms, saturated, scaled_step, update_ratio
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets
from optim_lessons.lab.kept import kept
from optim_lessons.lab.models import mlp
from optim_lessons.lab.path import path
from optim_lessons.lab.train import clipped
from optim_lessons.weight_decay import adamw

EXAMPLES, BATCH, EPOCHS = 512, 32, 10
STEPS = EPOCHS * EXAMPLES // BATCH
EVERY = EXAMPLES // BATCH  # losses are measured at the start and after each epoch
CHANCE = float(np.log(10))  # the loss of equal guesses among 10 classes
TOO_LONG = 300  # by how much the gradient of a bad batch is too long

HEALTHY = {
    "rule": "sgd", "lr": 0.3, "ends": STEPS, "inputs": 1.0, "init": 1.0, "depth": 1, "activation": "tanh",
    "clip": np.inf, "loss_scale": 0.0, "loss_unit": 1.0, "shuffled": 0.0, "decay": 0.0, "corrected": True,
    "beta2": 0.999, "fault": "none", "bad": -1, "seed": 0,
}  # fmt: skip
# Which part of the gradient is spoilt: layer, its rows (the last one is the bias), and the wrong factor.
FAULTS = {
    "none": None,
    "hidden sign": (0, slice(None), -1.0),
    "hidden weights": (0, slice(None, -1), -1.0),
    "hidden bias": (0, slice(-1, None), 0.0),
    "output bias": (-1, slice(-1, None), 0.0),
    "hidden scale": (0, slice(None, -1), 1 / BATCH),
}


@functools.cache
def data(shuffled=0.0, seed=0):
    """Return 512 digits to train on and 360 for validation; a share of the labels has changed places."""
    whole = datasets.digits()
    X, y = whole.train.X[:EXAMPLES], whole.train.y[:EXAMPLES].copy()
    rng = np.random.default_rng((seed, 12))
    moved = rng.permutation(EXAMPLES)[: round(shuffled * EXAMPLES)]
    y[moved] = y[rng.permutation(moved)]
    return (X, kept(y)), whole.validation


@functools.lru_cache(maxsize=64)
def network(inputs=1.0, depth=1, activation="tanh", shuffled=0.0, seed=0):
    """Return the network on its 512 digits: 64 inputs, so many hidden layers of 32 units, 10 outputs."""
    (X, y), _ = data(shuffled, seed)
    return mlp(inputs * X, y, sizes=(64, *[32] * depth, 10), activation=activation)


def faulty(net, grad, fault):
    """Return a gradient with one part of it wrong: a layer, its rows, and the factor they are spoilt by."""
    if FAULTS[fault] is None:
        return grad
    layer, rows, factor = FAULTS[fault]

    def spoilt(w, t):
        g = grad(w, t).copy()
        net.layers(g)[layer][..., rows, :] *= factor
        return g

    return spoilt


def bench(**knobs):
    """Train and return the readings, a dict of arrays; the knobs that are not given are HEALTHY's.

    t, train, validation, accuracy, stuck, size: at the start and after each epoch. stuck: share of dead
    (ReLU) or saturated (tanh) units in all hidden layers; size: length of the weights.
    gradient, ratio: for every step and layer, shape (steps, layers).  lost: the share that float16 made 0
    of those numbers of a step's gradient that are not 0 before.  first: the longest coordinate of the first
    step over lr.  inputs: standard deviation of the inputs.  sample: the gradient at step EVERY.
    What left the finite numbers is NaN.  bad: the step whose gradient is TOO_LONG times too long.
    """
    unknown = set(knobs) - set(HEALTHY)
    if unknown:
        raise TypeError(f"the bench has no knob {unknown.pop()!r}; its knobs are {', '.join(HEALTHY)}")
    k = HEALTHY | knobs
    net = network(k["inputs"], k["depth"], k["activation"], k["shuffled"], k["seed"])
    batch = faulty(net, net.batch_grad(BATCH, k["seed"]), k["fault"])
    seen = {"g": [], "lost": []}

    def grad(w, t):
        g = np.float32(k["loss_unit"] * (TOO_LONG if t == k["bad"] else 1)) * batch(w, t)
        seen["g"].append(g)
        return clipped(g, k["clip"]) if np.isfinite(k["clip"]) else g

    def half(w, g, *, lr=0.01):
        g16 = (np.float32(k["loss_scale"]) * g).astype(np.float16)
        seen["lost"].append(np.mean(g16[g != 0] == 0))
        return scaled_step(w, g16, np.float32(k["loss_scale"]), np.float32(lr))

    def lr(t):
        return k["lr"] if t < k["ends"] else 0.0

    rule, own = (half, {}) if k["loss_scale"] else _rule(k)
    with np.errstate(all="ignore"):
        w0 = np.float32(k["init"]) * net.init(k["seed"], np.float32)
        ws = path(rule, grad, w0, STEPS, lr=lr, **own)
        return _measured(net, ws, k, seen)


def _rule(k):
    if k["rule"] == "sgd":
        return gradient_descent, {}
    if not k["corrected"]:
        return adam_uncorrected, {"beta2": k["beta2"]}
    return adamw, {"beta2": k["beta2"], "weight_decay": k["decay"]}


def _measured(net, ws, k, seen):
    points = ws[::EVERY]
    X, y = data()[1]
    loss, accuracy = net.measure(points, k["inputs"] * X, y)
    share = saturated if k["activation"] == "tanh" else dead
    stuck = np.mean([share(h) for h in net.hidden(points, k["inputs"] * X)], axis=0)
    return {
        "rule": k["rule"],
        "t": np.arange(0, STEPS + 1, EVERY),
        "train": net.measure(points)[0],
        "validation": loss,
        "accuracy": accuracy,
        "stuck": np.where(np.isfinite(points).all(axis=-1), stuck, np.nan),
        "size": np.sqrt((points * points).sum(axis=-1)),
        "gradient": norms(net.layers(np.array(seen["g"]))),
        "ratio": update_ratio(net.layers(ws[:-1]), net.layers(np.diff(ws, axis=0))),
        "lost": np.array(seen["lost"] or [0.0]),
        "first": float(np.abs(ws[1] - ws[0]).max() / k["lr"]),
        "inputs": float(net.X.std()),
        "sample": seen["g"][min(EVERY, len(seen["g"]) - 1)],
    }


def readings(seen):
    """Return the curves of a run: instrument -> (x, y) of training or the first layer, and of the other."""
    steps = np.arange(STEPS)
    layers = {name: (seen[name][:, 0], seen[name][:, -1]) for name in ("gradient", "ratio")}
    return {
        "loss": ((seen["t"], seen["train"]), (seen["t"], seen["validation"])),
        **{name: tuple((steps[: len(y)], y) for y in pair) for name, pair in layers.items()},
        "stuck": ((seen["t"], seen["stuck"]),),
        "size": ((seen["t"], seen["size"]),),
    }


# The broken runs: cause -> what differs from HEALTHY.
ADAM = {"rule": "adam", "lr": 0.01}
BROKEN = {
    "lr too large": {"lr": 30.0},
    "lr too small": {"lr": 0.001},
    "unscaled inputs": {"inputs": 69.0},
    "zero weights": {"init": 0.0},
    "weights too large": {"init": 10.0},
    "schedule ended": {"ends": 16},
    "wrong gradient": {"fault": "hidden sign"},
    "exploding gradients": {"depth": 6, "activation": "relu", "init": 2.0, "lr": 0.1},
    "float16 underflow": {"loss_unit": 1e-8, "lr": 0.3e8, "loss_scale": 1.0},
    "shuffled labels": {"shuffled": 1.0},
    "decay too strong": ADAM | {"decay": 30.0},
    "no bias correction": ADAM | {"lr": 0.1, "corrected": False},
    "bad batch": {"bad": 100},
}

# What to check first: symptom -> does a run show it?, cause. The first that fits is the suspect.
CHECKS = {
    "float16 turned more than half of a gradient into 0": (
        lambda s: s["lost"].max() > 0.5, "float16 underflow"),
    "the first gradient is above 30, or the loss is no number": (
        lambda s: s["gradient"][0].max() > 30 or np.isnan(s["train"]).any(), "exploding gradients"),
    "the first layer's first gradient is 0": (
        lambda s: s["gradient"][0, 0] == 0, "zero weights"),
    "half of the units are stuck before the first step, inputs above 4": (
        lambda s: s["stuck"][0] > 0.5 and s["inputs"] > 4, "unscaled inputs"),
    "half of the units are stuck before the first step, inputs near 1": (
        lambda s: s["stuck"][0] > 0.5, "weights too large"),
    "the weights lose half of their length": (
        lambda s: s["size"][-1] < 0.5 * s["size"][0], "decay too strong"),
    "Adam's first step is longer than lr": (
        lambda s: s["rule"] == "adam" and s["first"] > 1.5, "no bias correction"),
    "the first step moves a layer by more than half of itself": (
        lambda s: s["ratio"][0].max() > 0.5, "lr too large"),
    "from some step on nothing moves": (
        lambda s: s["ratio"][-1].max() == 0, "schedule ended"),
    "the usual step moves every layer by less than 1e-3": (
        lambda s: np.median(s["ratio"], axis=0).max() < 1e-3, "lr too small"),
    "the training loss falls in every epoch, the validation loss stays at chance or rises": (
        lambda s: (np.diff(s["train"]) < 0).all() and s["validation"][-1] > 0.95 * CHANCE, "shuffled labels"),
    "one gradient is ten times as long as any other": (
        lambda s: np.divide(*np.sort(norms_of_all(s["gradient"]))[:-3:-1]) > 10, "bad batch"),
    "none of these, and it does not learn": (
        lambda s: s["accuracy"][-1] < 0.75, "wrong gradient"),
}  # fmt: skip


def norms_of_all(layers):
    """Return the length of the whole gradient from those of its layers, shape (..., layers)."""
    return np.sqrt((layers * layers).sum(axis=-1))


def suspect(seen):
    """Return what CHECKS would look at first in a run of the bench: a symptom and a cause, or None twice."""
    for symptom, (shows, cause) in CHECKS.items():
        if shows(seen):
            return symptom, cause
    return None, None


def sick(name, seed=0):
    """Return the readings of one of the broken runs."""
    return bench(**BROKEN[name] | {"seed": seed})
