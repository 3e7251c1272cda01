"""The experiments of lesson 14: classes with a tail, matrices with turned axes, Muon by layer, no end date.

`python assets/make_beyond_adam.py` runs the long ones and writes assets/beyond_adam.npz, which `results`
reads.
"""

from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.beyond_adam import (
    averaged,
    by_layer,
    lion,
    muon,
    schedule_free,
    schedule_free_adam,
    shampoo,
)
from optim_lessons.choosing import best_and_ties, counted, draw
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets
from optim_lessons.lab.fair import best_of, settled
from optim_lessons.lab.kept import kept
from optim_lessons.lab.models import mlp, softmax
from optim_lessons.lab.path import path, record, stepper
from optim_lessons.lab.races import Entrant, Problem
from optim_lessons.lab.shipped import shipped
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.scale import bfloat16
from optim_lessons.schedules import cosine, linear
from optim_lessons.sgd import noisy
from optim_lessons.studies import protocol
from optim_lessons.weight_decay import adamw

# --- classes with a tail -----------------------------------------------------------------------------------

CLASSES, INPUTS, EXAMPLES, STEPS = 64, 10, 800, 100
TAILS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
GROUPS = ("frequent", "middle", "rare")  # classes; each group has about a third of the examples
TAIL_RULES = {"gradient descent": gradient_descent, "momentum": momentum, "Lion": lion, "Adam": adam}
TAIL_LRS = {
    "gradient descent": 2.0 ** np.arange(-2, 6),
    "momentum": 2.0 ** np.arange(-1, 7),
    "Lion": 2.0 ** np.arange(-9, -1),
    "Adam": 2.0 ** np.arange(-4, 4),
}
WORDS = 300
WORD_LRS = {
    "gradient descent": 2.0 ** np.arange(5, 12),
    "momentum": 2.0 ** np.arange(4, 11),
    "Lion": 2.0 ** np.arange(-6, 1),
    "Adam": 2.0 ** np.arange(-4, 3),
}


def counts(tail):
    """Return how many examples each class has: in proportion to 1/rank^tail, two at least."""
    shares = np.arange(1, CLASSES + 1.0) ** -tail
    return np.maximum(2, np.rint(EXAMPLES * shares / shares.sum()).astype(int))


def groups(sizes):
    """Return for each class, frequent ones first, the number of its group: thirds of the examples."""
    middle = np.cumsum(sizes) - np.asarray(sizes) / 2
    return np.minimum(2, (3 * middle / np.sum(sizes)).astype(int))


@cache
def made_up(tail, seed=0):
    """Return softmax regression on made-up classes, which overlap: points around a centre for each class."""
    rng = np.random.default_rng((seed, 14))
    y = np.repeat(np.arange(CLASSES), counts(tail))
    centres = rng.standard_normal((CLASSES, INPUTS))
    return softmax(centres[y] + rng.standard_normal((len(y), INPUTS)), y)


def tail_losses(tail, rule, lrs=None):
    """Return the loss of each group at each step, all examples in each step: (groups, steps + 1, lrs)."""
    net, group = made_up(tail), groups(counts(tail))
    parts = [(net.X[group[net.y] == k], net.y[group[net.y] == k]) for k in range(len(GROUPS))]
    lrs = TAIL_LRS[rule] if lrs is None else lrs
    return _by_group(rule, net.grad, net.n, lambda w: [net(w, *part) for part in parts], lrs)


@cache
def word_pairs():
    """Return how often each of the 300 most frequent words of the text is followed by each other.

    Rows: the word before.  Columns: the word that follows, frequent ones first.  shape (words, words)
    """
    text = datasets.next_character(context=1, characters=370_000).all.y
    words = "".join(datasets.ALPHABET[i] for i in text).split()
    place = {word: i for i, (word, _) in enumerate(Counter(words).most_common(WORDS))}
    pairs = [(place[a], place[b]) for a, b in pairwise(words) if {a, b} <= place.keys()]
    table = np.zeros((WORDS, WORDS))
    np.add.at(table, tuple(np.transpose(pairs)), 1)
    return kept(table[:, np.argsort(-table.sum(axis=0), kind="stable")])


def word_losses(rule, table, lrs=None):
    """Return the loss of each group of words at each step, as `tail_losses`.

    Softmax regression whose input is the word before, one of 300 numbers being 1: then each word has a row of
    weights, and counts are all that the loss needs to know.
    """
    seen = (table / table.sum()).astype(np.float32)
    size, group, often = len(table), groups(table.sum(axis=0)), seen.sum(axis=1, keepdims=True)

    def log_chance(w):
        scores = w.reshape(*w.shape[:-1], size, size)
        scores = scores - scores.max(axis=-1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))

    def measure(w):
        loss = -(seen * log_chance(w)).sum(axis=-2)
        return [loss[..., group == k].sum(axis=-1) / seen[:, group == k].sum() for k in range(len(GROUPS))]

    def grad(w):
        return (often * np.exp(log_chance(w)) - seen).reshape(w.shape)

    return _by_group(rule, grad, size * size, measure, WORD_LRS[rule] if lrs is None else lrs)


def lowest_word_losses(table):
    """Return each group's loss where that of all words is lowest: at their frequencies after each word."""
    chance = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    loss = -(table * np.log(np.where(table > 0, chance, 1))).sum(axis=0)
    group = groups(table.sum(axis=0))
    return np.array([loss[group == k].sum() / table[:, group == k].sum() for k in range(len(GROUPS))])


def _by_group(rule, grad, size, measure, lrs):
    rule, knobs = TAIL_RULES[rule], {"weight_decay": 0.0} if rule == "Lion" else {}
    lrs = np.asarray(lrs, np.float32)[:, None]
    return _walked(rule, grad, np.zeros((len(lrs), size), np.float32), STEPS, measure, lr=lrs, **knobs)


def _walked(rule, grad, w0, steps, measure, **knobs):
    """Return what is measured before the first step and after each: shape (measured, steps + 1, ...)."""
    point, step = stepper(rule, grad, w0, **knobs)
    rows = []
    with np.errstate(all="ignore"):
        for t in range(steps + 1):
            rows.append(measure(point[0]))
            point = step(t, *point) if t < steps else point
    return np.moveaxis(np.array(rows), 0, 1)


def shares(sizes):
    """Return the share of all examples that each group of classes has."""
    group = groups(sizes)
    return np.array([sizes[group == k].sum() for k in range(len(GROUPS))]) / sizes.sum()


def best_of_groups(losses, sizes, lrs):
    """Return the `Best` lr: of the worst mean loss over all examples in the last tenth of the steps."""
    return best_of(settled(np.tensordot(shares(sizes), losses, 1)), lr=lrs)


def tail_best(tail, rule):
    """Return a rule's `Best` lr on the made-up classes, and the stored losses, (groups, steps + 1, lrs)."""
    losses = results()[f"tails {rule}"][TAILS.index(tail)]
    return best_of_groups(losses, counts(tail), TAIL_LRS[rule]), losses


def word_ways():
    """Return for each rule at its best lr what part of its way each group of words has made: (3, steps + 1).

    0 is the start, where all words are as likely; 1 where the loss of all words is lowest.
    """
    found, ways = results(), {}
    low, sizes = lowest_word_losses(found["words"])[:, None], found["words"].sum(axis=0)
    for rule in TAIL_RULES:
        losses = found[f"words {rule}"]
        its = losses[:, :, best_of_groups(losses, sizes, WORD_LRS[rule]).index]
        ways[rule] = (its[:, :1] - its) / (its[:, :1] - low)
    return ways


# --- matrices with turned axes -----------------------------------------------------------------------------

SIZE, SPREAD, MATRIX_STEPS = 20, 300.0, 200  # SPREAD: curvature across over curvature along, on either side
TURNS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
MATRIX_SEEDS = range(3)


def soap(w, g, m=0.0, v=0.0, L=0.0, R=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.95, eps=1e-8):
    """Step as Adam does, but in Shampoo's axes: there v lives, m in the weights' own.

    With new axes at each step; the authors take new ones every ten steps or so.
    Source: Vyas et al. 2024, https://arxiv.org/abs/2409.11321
    """
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    L = beta2 * L + (1 - beta2) * g @ g.swapaxes(-1, -2)
    R = beta2 * R + (1 - beta2) * g.swapaxes(-1, -2) @ g
    left, right = (np.linalg.eigh(side)[1] for side in (L, R))
    v = beta2 * v + (1 - beta2) * (left.swapaxes(-1, -2) @ g @ right) ** 2
    step = left.swapaxes(-1, -2) @ m @ right / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return w - lr * (left @ step @ right.swapaxes(-1, -2)), m, v, L, R, t


MATRIX_RULES = {  # rule, its knobs, and the lrs that are tried
    "momentum": (momentum, {"beta": 0.9}, 2.0 ** np.arange(-3, 5.1, 0.5)),
    "Adam": (adam, {"beta2": 0.95}, 2.0 ** np.arange(-6, 2.1, 0.5)),
    "Shampoo": (shampoo, {}, 2.0 ** np.arange(-6, 2.1, 0.5)),
    "SOAP": (soap, {}, 2.0 ** np.arange(-8, 0.1, 0.5)),
    "Muon": (muon, {"weight_decay": 0.0}, 2.0 ** np.arange(-6, 2.1, 0.5)),
}


def turned_by(turn, seed):
    """Return an orthogonal matrix: no turn at 0, and at 1 one that mixes all axes. Cayley's way."""
    x = np.random.default_rng((seed, 20)).standard_normal((SIZE, SIZE))
    skew, one = turn * (x - x.T) / 2, np.eye(SIZE)
    return np.linalg.solve(one - skew, one + skew)


def regression(turn, seed):
    """Return A, B, C of the loss ½‖A·W·B − C‖²; A and B stretch their axes unequally, and turn them."""
    stretch = np.diag(np.geomspace(1, SPREAD**-0.5, SIZE))
    A, B = (stretch @ turned_by(turn, 10 * seed + side) for side in (0, 1))
    return A, B.T, A @ np.random.default_rng((seed, 30)).standard_normal((SIZE, SIZE)) @ B.T


def matrix_losses(turn, rule, lrs=None, seeds=MATRIX_SEEDS):
    """Return the losses over the first, lr falling in a line to 0: (steps + 1, lrs).

    Geometric means over the seeds. What is lost, or above its start, counts as its start.
    """
    rule, knobs, usual = MATRIX_RULES[rule]
    A, B, C = (np.array(x) for x in zip(*(regression(turn, seed) for seed in seeds), strict=True))
    lrs = np.asarray(usual if lrs is None else lrs)[:, None, None, None]
    fall = linear(1.0, 0.0, length=MATRIX_STEPS)

    def miss(w):
        return A @ w @ B - C

    def measure(w):
        return [0.5 * (miss(w) ** 2).sum(axis=(-2, -1))]

    w0 = np.zeros((len(lrs), len(seeds), SIZE, SIZE))
    (losses,) = _walked(
        rule, lambda w: A.swapaxes(-1, -2) @ miss(w) @ B.swapaxes(-1, -2), w0, MATRIX_STEPS, measure,
        lr=lambda t: lrs * fall(t), **knobs,
    )  # fmt: skip
    losses = np.nan_to_num(losses / losses[0], nan=1.0)
    return np.exp(np.log(np.clip(losses, 1e-30, 1.0)).mean(axis=-1))


@cache
def matrix_best(rule):
    """Return a rule's `Best` lr at every turn, by the loss at the end."""
    found = results()[f"matrices {rule}"]
    return [best_of(losses[-1], lr=MATRIX_RULES[rule][2]) for losses in found]


# --- Newton and Schulz -------------------------------------------------------------------------------------


@cache
def hidden_gradient(steps=20):
    """Return the gradient of a hidden layer, 32 × 32, in a training on digits after so many steps of Adam."""
    net = mlp(*datasets.digits().train, sizes=(64, 32, 32, 10))
    walk = path(adam, net.batch_grad(64), net.init(0), steps, lr=0.01)
    return kept(net.layers(net.grad(walk[-1]))[1][:-1].T.copy())


def newton_schulz(G, steps, coefficients, digits="float64"):
    """Return what `orthogonalised` makes of G before the first step and after each: (steps + 1, rows, cols).

    digits: "bfloat16" keeps 8 binary digits of each of the three results of a step, as PyTorch does.
    """
    keep = bfloat16 if digits == "bfloat16" else np.asarray
    a, b, c = coefficients
    X = keep(G / np.sqrt((G * G).sum()))
    rows = [X]
    for _ in range(steps):
        A = keep(X @ X.T)
        B = keep(b * A + c * A @ A)
        X = keep(a * X + B @ X)
        rows.append(X)
    return np.array(rows)


# --- Muon and AdamW on digits ------------------------------------------------------------------------------

DUEL_TRIALS, DUEL_SEEDS, FRESH = 24, range(3), range(100, 110)
_MATRICES = {"lr": (1e-3, 1.0), "beta": (0.7, 0.98), "weight_decay": (1e-3, 1.0)}
_WEIGHTS = {"lr": (1e-3, 1.0), "beta1": (0.7, 0.98), "beta2": (0.9, 0.999), "weight_decay": (1e-3, 1.0)}
DUEL_RANGES = {"AdamW": _WEIGHTS, "Muon": _MATRICES | {"lr_rest": (1e-3, 1.0)}}


@cache
def duel_problem():
    """Return the problem: digits, network 64-128-128-10, 8 epochs of 5 steps, batches of 256."""
    data = datasets.digits()
    net = mlp(*data.train, sizes=(64, 128, 128, 10))
    return Problem("digits", net, data.validation, data.test, epochs=8, batch=256)


def duel_entrant(name, trials=DUEL_TRIALS):
    """Return AdamW, or Muon for the two hidden matrices with AdamW for the rest; lr falls in a line to 0."""
    rule = adamw if name == "AdamW" else by_layer(muon, adamw, duel_problem().net)
    knobs = draw(DUEL_RANGES[name], trials, seed=14)
    return Entrant(rule, knobs, lambda lr, *, length: linear(lr, 0.0, length=length))


def duel_trials(rule, judge):
    """Return the losses of a duel's trials as they count: means over the seeds, shape (trials,)."""
    losses = results()[f"duel {rule} {judge}"]
    return counted(losses, np.log(10) + 0.1).mean(axis=1)


def duel_curves(rule, judge, part):
    """Return the fresh runs of the trial that a part has chosen: shape (epochs + 1, seeds)."""
    return results()[f"duel {rule} by {judge}, {part}"]


# --- no end date -------------------------------------------------------------------------------------------

WAYS = ("constant", "cosine", "average", "Schedule-Free")
OPEN_LRS = 2.0 ** np.arange(-10, -0.9, 0.5)
OPEN_SEEDS = range(5)
EVERY = 17  # steps: half an epoch
OPEN_EPOCHS = {"right labels": 6, "a fifth wrong": 12}


@cache
def open_problem(name):
    """Return the network and the part on which it is judged: all examples, or the validation part.

    "right labels": softmax regression with a penalty, judged by the penalised loss on its own examples.
    "a fifth wrong": network 64-32-10, one label in five drawn anew, judged by the validation loss.
    """
    data = datasets.digits()
    if name == "right labels":
        return softmax(*data.train, l2=0.01), None
    rng, y = np.random.default_rng(14), data.train.y.copy()
    wrong = rng.permutation(len(y))[: len(y) // 5]
    y[wrong] = rng.integers(0, 10, len(wrong))
    return mlp(data.train.X, y, sizes=(64, 32, 10)), data.validation


def open_losses(name, way, lrs=None, seeds=OPEN_SEEDS, part=None):
    """Return the losses every EVERY steps of batches of 32: shape (looks, lrs, seeds).

    way: "constant" and "cosine" are Adam with that lr, "average" is the constant run's mean of about its last
    fifth, "Schedule-Free" is `schedule_free_adam`; beta1 0.9, beta2 0.99.  part: judge by another part.
    """
    net, usual = open_problem(name)
    part = usual if part is None else part
    lrs = np.asarray(OPEN_LRS if lrs is None else lrs, np.float32)[:, None, None]
    steps = OPEN_EPOCHS[name] * -(-len(net.X) // 32)
    shape = cosine(1.0, length=steps) if way == "cosine" else lambda t: 1.0
    rule = schedule_free_adam if way == "Schedule-Free" else adam
    w0 = np.broadcast_to(net.init(seeds, np.float32), (len(lrs), len(seeds), net.n))
    point, step = stepper(
        rule, net.batch_grad(32, list(seeds)), w0, lr=lambda t: lrs * np.float32(shape(t)), beta2=0.99
    )
    mean, rows = np.array(w0), []
    for t in range(steps + 1):
        if t % EVERY == 0:
            w = averaged(*point) if rule is schedule_free_adam else mean if way == "average" else point[0]
            rows.append(net(w) if part is None else net.measure(w, *part)[0])
        if t < steps:
            point = step(t, *point)
            mean = mean + np.float32(max(1 / (t + 1), 5 / (t + 6))) * (point[0] - mean)
    return np.array(rows)


RAVINE = quadratic(condition=10, angle=30)


def free_and_planned(lr, beta, noise, seed, steps):
    """Return walks in a noisy RAVINE: Schedule-Free's points z, w and x, and SGD with a cosine to step 300.

    Returns name → points; shape (steps + 1, 2).
    """
    grad = noisy(RAVINE.grad, noise, seed)
    seen = record(schedule_free, grad, RAVINE.start, steps, lr=lr, beta=beta)
    free = {"z": seen["w"] + seen["dz"], "w": seen["w"]}
    free |= {"x": averaged(seen["w"], seen["dz"], seen["dx"])}
    plan = path(gradient_descent, grad, RAVINE.start, steps, lr=cosine(lr, length=300))
    return free | {"plan": plan}


@cache
def open_best(problem, way):
    """Return the `Best` lr of a way by the mean loss at its end, and the stored losses, (looks, lrs)."""
    losses = results()[f"{problem}, {way}"]
    return best_of(losses[-1], lr=OPEN_LRS), losses


def fresh_losses(problem, way):
    """Return the losses of the best lr with fresh seeds, shape (looks, seeds)."""
    return results()[f"{problem}, {way}, fresh"]


# --- a race of all rules -----------------------------------------------------------------------------------

RACE_PROBLEMS = ("tumours, scaled", "digits, small network", "next character")
# The rules of lesson 11: name → name in its table.
LESSON_11 = dict(
    zip(
        ("gradient descent", "momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam", "AdamW"),
        protocol.RULES,
        strict=True,
    )
)
_WEIGHTS_11 = protocol.RANGES[adamw]
_REST_11 = {f"{name}_rest": ends for name, ends in _WEIGHTS_11.items()}
_DECAY_11 = {"weight_decay": _WEIGHTS_11["weight_decay"]}
RACE_RANGES = {
    "Lion": {name: _WEIGHTS_11[name] for name in ("lr", "beta1", "beta2", "weight_decay")},
    "Muon": {"lr": protocol.LR, "beta": (0.5, 0.99)} | _DECAY_11 | _REST_11,
    "Shampoo": {name: _WEIGHTS_11[name] for name in ("lr", "beta1", "beta2", "weight_decay")} | _REST_11,
    "Schedule-Free SGD": {"lr": protocol.LR, "beta": (0.5, 0.99)},
    "Schedule-Free Adam": {name: _WEIGHTS_11[name] for name in ("lr", "beta1", "beta2", "eps")},
}


def race_entrant(name, problem, trials=protocol.TRIALS):
    """Return a rule of this lesson with its trials, by lesson 11's protocol and with its cosine.

    Muon and Shampoo get the matrices, all but the last if there are several, AdamW the rest. Schedule-Free
    has no schedule; its average is what is measured.
    """
    net = problem.net
    layers = [0] if len(net.sizes) == 2 else None
    rules = {
        "Lion": lambda: lion,
        "Muon": lambda: by_layer(muon, adamw, net, layers),
        "Shampoo": lambda: by_layer(shampoo, adamw, net, layers),
        "Schedule-Free SGD": lambda: schedule_free,
        "Schedule-Free Adam": lambda: schedule_free_adam,
    }
    free = name.startswith("Schedule-Free")
    return Entrant(
        rules[name](), draw(RACE_RANGES[name], trials), None if free else cosine, averaged if free else None
    )


@cache
def race_losses(problem, kind):
    """Return for each rule its losses as they count, the seven of lesson 11 from its own rows with a cosine.

    kind: "trials", means over the seeds on the validation part; "test", of the best trial with fresh seeds.
    """
    found, place = results(), RACE_PROBLEMS.index(problem)
    rows = {name: protocol.results()[problem, "cosine", its] for name, its in LESSON_11.items()}
    old = {name: kept(row.trials if kind == "trials" else row.test) for name, row in rows.items()}
    start = float(found["race start"][place].mean())
    new = counted(found["race tuning" if kind == "trials" else "race test"][place], start)
    new = kept(new.mean(axis=-1) if kind == "trials" else new)
    return old | dict(zip(RACE_RANGES, new, strict=True))


def race_firsts(problem):
    """Return the rules that share the first place by their test losses, as lesson 11 counts them."""
    return best_and_ties(race_losses(problem, "test"))


@cache
def results():
    """Return the stored results: name → array."""
    with np.load(shipped("assets") / "beyond_adam.npz") as file:
        return {name: kept(file[name]) for name in file}
