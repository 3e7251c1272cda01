"""The experiments of lesson 10: a network on few digits, some of them with a wrong label, and what decays.

`python assets/make_weight_decay.py` runs them and writes assets/weight_decay.npz, which `results` reads.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.bridge import adam_decay_without_lr
from optim_lessons.lab import datasets, models
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.kept import kept
from optim_lessons.lab.path import path, stepper
from optim_lessons.lab.races import Entrant, Problem, race
from optim_lessons.lab.shipped import shipped
from optim_lessons.weight_decay import adamw

IMAGES, WRONG, EPOCHS, BATCH = 150, 0.2, 300, 50
SIZES = (64, 32, 10)
LRS = 10.0 ** np.linspace(-3.5, -0.5, 13)
DECAYS = 10.0 ** (np.arange(20) / 3 - 5)
SEEDS = range(5)
SHOWN = np.unique(np.r_[0, np.geomspace(1, EPOCHS, 40).round()]).astype(int)  # epochs that the map keeps
PASSES = 100  # of a live training, three steps each
LOOKS = np.unique(np.geomspace(1, PASSES, 24).round().astype(int))  # passes after which it is measured
VARIANTS = {
    "L2": (adam, "l2"),
    "decay · lr": (adamw, "weight_decay"),
    "decay": (adam_decay_without_lr, "weight_decay"),
}


class FewDigits(NamedTuple):
    """Some training images X with the labels y that are given, and the labels that are right."""

    X: np.ndarray
    y: np.ndarray
    right: np.ndarray


@cache
def few_digits(images=IMAGES, wrong=WRONG, part=0):
    """Return a few training digits, a share of them with a wrong label, drawn from the part's number.

    part: 0 takes the first images of the training set, 1 the next ones, and so on.
    """
    train = datasets.digits().train
    X, right = (a[part * images : (part + 1) * images] for a in train)
    rng = np.random.default_rng(part)
    liars = rng.permutation(len(right))[: round(wrong * len(right))]
    y = right.copy()
    y[liars] = (y[liars] + rng.integers(1, 10, len(liars))) % 10
    return FewDigits(X, kept(y), right)


def new_images():
    """Return the validation part of the digits: images that no training has seen, with right labels."""
    return datasets.digits().validation


def learn(few, lr, weight_decay=0.0, variant="decay · lr", passes=PASSES):
    """Train the small network on few digits, three batches a pass; return the weights after LOOKS passes.

    weight_decay: of the variant, one of VARIANTS. Shape (looks + 1, n), the start first, NaN once lost.
    """
    rule, knob = VARIANTS[variant]
    l2, knobs = (weight_decay, {}) if knob == "l2" else (0.0, {knob: weight_decay})
    net = models.mlp(few.X, few.y, sizes=SIZES, l2=l2)
    grad = net.batch_grad(-(-len(few.y) // 3), 0)
    point, step = stepper(rule, grad, net.init(0, np.float32), lr=lr, **knobs)
    looks, kept = {0, *LOOKS.tolist()}, []
    for t in range(3 * passes + 1):
        if t % 3 == 0 and t // 3 in looks:
            kept.append(point[0])
        if t < 3 * passes and np.isfinite(point[0]).all():
            point = step(t, *point)
    return np.array(kept)


def measured(few, ws):
    """Return what a network knows at each of its weights: losses, accuracies and size, by name.

    told: share of the wrongly labelled images to which it gives the label that it was told.  truth: the
    share to which it gives the right one.
    """
    held_out = new_images()
    net = models.mlp(few.X, few.y, sizes=SIZES)
    train_loss, _ = net.measure(ws)
    loss, accuracy = net.measure(ws, *held_out)
    said = net.outputs(ws, few.X).argmax(axis=-1)
    lied = few.y != few.right
    nothing = np.full(len(ws), np.nan)
    return {
        "train": train_loss,
        "validation": loss,
        "accuracy": accuracy,
        "told": (said == few.y)[:, lied].mean(axis=-1) if lied.any() else nothing,
        "truth": (said == few.right)[:, lied].mean(axis=-1) if lied.any() else nothing,
        "size": np.sqrt((ws**2).mean(axis=-1)),
    }


def problem(part=0, batch=BATCH, epochs=EPOCHS):
    """Return the problem: the small network on one part of the few digits."""
    data, few = datasets.digits(), few_digits(part=part)
    net = models.mlp(few.X, few.y, sizes=SIZES)
    return Problem("few digits", net, data.validation, data.test, epochs=epochs, batch=batch)


def biases(sizes=SIZES):
    """Return which of a network's numbers are biases: an array of True and False."""
    net = models.mlp(np.zeros((1, sizes[0])), np.zeros(1, int), sizes=sizes)
    mask = np.zeros(net.n)
    for layer in net.layers(mask):
        layer[-1] = 1
    return mask > 0


def adamw_free_biases(
    w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01
):
    """Step as AdamW does, and shrink the weights alone: the biases of the small network are left free."""
    decay = weight_decay * ~_BIASES
    return adamw(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=decay)


_BIASES = biases()


def pixels(variant, lrs=LRS, decays=DECAYS, seeds=SEEDS):
    """Train every pixel of a map; return its losses, shape (epochs + 1, lrs, decays, seeds), by name."""
    rule, knob = VARIANTS[variant]
    lr, decay = (a.ravel() for a in np.meshgrid(lrs, decays, indexing="ij"))
    entrants = {variant: Entrant(rule, {"lr": lr, knob: decay})}
    history = race(problem(), entrants, seeds=seeds, progress=False)[variant].history
    shape = (EPOCHS + 1, len(lrs), len(decays), len(seeds))
    return {name: history[f"{name}_loss"].reshape(shape) for name in ("train", "validation")}


# The rivals. Each has 32 trials in the same range of lr; the other parts are for the race.
PARTS, TUNING, FRESH = range(1, 7), (0, 1, 2), (100, 101, 102)
RACE_LRS = np.geomspace(3e-5, 0.3, 32)
_FEW_LRS = np.geomspace(3e-5, 0.3, 8)  # where a second knob has four values


def _pairs(knob, values):
    lr, other = (a.ravel() for a in np.meshgrid(_FEW_LRS, values, indexing="ij"))
    return {"lr": lr, knob: other}


BATCHES = (15, 30, 75, 150)  # 150 is all that there is
FIELD = {
    "Adam": Entrant(adam, {"lr": RACE_LRS}),
    "L2 in Adam": Entrant(adam, _pairs("l2", (0.0, 0.01, 0.1, 1.0))),
    "AdamW": Entrant(adamw, _pairs("weight_decay", (0.0, 0.3, 3.0, 30.0))),
    "AdamW, biases free": Entrant(adamw_free_biases, _pairs("weight_decay", (0.0, 0.3, 3.0, 30.0))),
}
# The same runs, looked at where the validation loss is lowest.
STOPPED = {"early stopping": "Adam", "AdamW and early stopping": "AdamW"}
RIVALS = (
    "Adam",
    "batch size",
    "early stopping",
    "L2 in Adam",
    "AdamW",
    "AdamW, biases free",
    "AdamW and early stopping",
)


def compete(part):
    """Tune every rival on one part and open the test once: rival → (loss, accuracy, trial), test means."""
    found, here = {}, problem(part)
    for name, entrant in FIELD.items():
        losses = _validation(here, entrant, TUNING)
        found[name] = _opened(here, entrant, _best_trial(entrant, _or_inf(losses[-1])))
        for stopped in (s for s, of in STOPPED.items() if of == name):
            best = _or_inf(np.nanmin(losses, axis=0))
            found[stopped] = _opened(here, entrant, _best_trial(entrant, best), stop=True)
    found["batch size"] = _batch_size(part)
    return found


def _batch_size(part):
    entrant, tuned = Entrant(adam, {"lr": _FEW_LRS}), []
    for batch in BATCHES:
        tuned.append(_or_inf(_validation(problem(part, batch), entrant, TUNING)[-1]))
    i, trial = best_of(tuned, limits={"batch": (1, BATCHES[-1])}, batch=BATCHES, lr=_FEW_LRS).index
    loss, accuracy, _ = _opened(problem(part, BATCHES[i]), entrant, trial)
    return loss, accuracy, trial * len(BATCHES) + i


def _best_trial(entrant, losses):
    """Return the number of the trial with the lowest loss, chosen by what knows the ranges of its knobs."""
    ranges = {knob: np.unique(values) for knob, values in entrant.knobs.items()}
    shape = [len(values) for values in ranges.values()]
    return int(np.ravel_multi_index(np.atleast_1d(best_of(losses.reshape(shape), **ranges).index), shape))


def _validation(here, entrant, seeds):
    """Return the validation losses, shape (epochs + 1, trials, seeds)."""
    return race(here, {"it": entrant}, seeds=seeds, progress=False)["it"].history["validation_loss"]


def _or_inf(losses):
    """Return the mean over the seeds; a trial with a lost run cannot win."""
    return np.nan_to_num(losses.mean(axis=-1), nan=np.inf)


def _opened(here, entrant, trial, stop=False):
    """Train one trial with fresh seeds; return its test loss and accuracy, at the end or where to stop."""
    winner = entrant.only([trial])
    history = race(here, {"it": winner}, seeds=FRESH, part="test", progress=False)["it"].history
    at = np.full(len(FRESH), here.epochs)
    if stop:
        at = np.nanargmin(_validation(here, winner, FRESH)[:, 0], axis=0)
    runs = np.arange(len(FRESH))
    return (*(float(history[f"test_{what}"][at, 0, runs].mean()) for what in ("loss", "accuracy")), trial)


@cache
def results():
    """Return what the script found: "train" and "validation" of the map, "seeds" of its end, "rivals"."""
    with np.load(shipped("assets") / "weight_decay.npz") as file:
        return {name: kept(file[name].astype(float)) for name in file}


def along_the_valley(losses):
    """Return of a map's losses, shape (lrs, decays), which lrs come near the lowest, and their best decays.

    Near is within 15%. Two arrays: for each lr whether it does, and the places of the decays of those.
    """
    rows = np.nan_to_num(losses, nan=np.inf)
    good = rows.min(axis=-1) < 1.15 * rows.min()
    return good, rows.argmin(axis=-1)[good]


def best_decays(variant, epochs=EPOCHS):
    """Return for each lr of the map the decay with the lowest validation loss after so many epochs."""
    losses = results()["validation"][list(VARIANTS).index(variant), list(SHOWN).index(epochs)]
    return np.array([best_of(row, weight_decay=DECAYS).value for row in losses])


def chosen(name):
    """Return what validation chose for a rival on each part: "lr 0.0005, batch 30", and so on."""
    trials = results()["rivals"][:, RIVALS.index(name), 2].astype(int)
    knobs = _pairs("batch", BATCHES) if name == "batch size" else FIELD[STOPPED.get(name, name)].knobs
    return [", ".join(f"{knob} {values[i]:.2g}" for knob, values in knobs.items()) for i in trials]


PULLED = 600  # steps of the pull
COPIES = 200  # of each weight: their mean is taken


def pulled(rule, lr, weight_decay, sizes, steps=PULLED, seed=0):
    """Return the mean path of weights that start at 1 and whose gradients are noise of these sizes.

    rule: adamw, which decays them; or adam, which gets weight_decay·w as a part of the gradient.
    """
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((steps, COPIES // 2, 1)) * np.asarray(sizes)
    z = np.concatenate([z, -z], axis=1)  # each noise and its mirror image: the mean is steadier
    pull = 0.0 if rule is adamw else weight_decay
    knobs = {"weight_decay": weight_decay} if rule is adamw else {}
    ws = path(rule, lambda w, t: z[t] + pull * w, np.ones(z.shape[1:]), steps, lr=lr, eps=1e-12, **knobs)
    return ws.mean(axis=1)
