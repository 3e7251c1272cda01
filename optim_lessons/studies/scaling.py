"""The experiments of lesson 15: the same digits with wider networks, larger batches, longer trainings.

`python assets/make_scale.py` runs the long ones and writes assets/scale.npz, which `results` reads.
"""

from functools import cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.beyond_adam import orthogonalised
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.kept import kept
from optim_lessons.lab.models import mlp
from optim_lessons.lab.path import path, stepper
from optim_lessons.lab.shipped import shipped
from optim_lessons.lab.train import clipped
from optim_lessons.scale import bfloat16, dequantised, factored, is_spike, mup_factor, quantised
from optim_lessons.schedules import constant, cosine, linear, then, warm_up
from optim_lessons.studies import broken

EXAMPLES = 1024
LAYERS = ("first", "hidden", "last")
WIDTHS, BASE = (32, 64, 128, 256), 32
STYLES = ("standard", "muP")
LRS = {  # tried at every width, half an octave apart
    "SGD": 2.0 ** np.arange(-3, 5.1, 0.5),
    "Adam": 2.0 ** np.arange(-9, -0.9, 0.5),
    "Muon": 2.0 ** np.arange(-6, 1.1, 0.5),
}
SEEDS = range(3)
OTHERS = ((1, 64), (3, 64), (9, 64), (1, 16), (1, 256))  # epochs and batches at width 64, Adam and muP
BATCHES = tuple(2**k for k in range(1, 11))
GOALS = (0.2, 0.1)
BATCH_LRS = {"SGD": 2.0 ** np.arange(-6, 4.1, 0.5), "Adam": 2.0 ** np.arange(-11, -1.4, 0.5)}
BATCH_SEEDS = {"SGD": range(8), "Adam": range(4)}
ENDS, SHARES, PEAKS = (100, 200, 400, 800, 1600), (0.05, 0.1, 0.2, 0.4), 2.0 ** np.arange(-9, -3.4, 0.5)
WARM, LOOK = 10, 10  # steps of warm-up; a loss is noted every so many steps


def best_lr(losses, lrs):
    """Return the `Best` of losses over the tried lrs."""
    return best_of(np.asarray(losses, float), lr=lrs)


def between(losses, lrs):
    """Return the lr at the foot of the parabola through the best loss and its neighbours, as logarithms."""
    i = int(np.clip(best_lr(losses, lrs).index, 1, len(lrs) - 2))
    left, here, right = np.log(np.asarray(losses, float))[i - 1 : i + 2]
    bend = left - 2 * here + right
    part = 0.5 * (left - right) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(lrs[i] * (lrs[1] / lrs[0]) ** np.clip(part, -0.5, 0.5))


def power_of(x, y):
    """Return the power p of y ∝ x^p: the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def digits():
    """Return 1,024 images of digits and their labels."""
    return tuple(part[:EXAMPLES] for part in datasets.digits().train)


@cache
def network(width):
    """Return the network 64-width-width-10 on the digits."""
    return mlp(*digits(), sizes=(64, width, width, 10))


def start(net, style, seeds):
    """Return starts with weights of size 1/√inputs, biases 0; muP's last layer shrinks as it gets wider."""
    w = np.zeros((len(seeds), net.n), np.float32)
    for run, seed in zip(w, seeds, strict=True):
        rng = np.random.default_rng((seed, 15))
        for name, layer in zip(LAYERS, net.layers(run), strict=True):
            inputs = layer.shape[-2] - 1
            size = inputs**-0.5
            if style == "muP" and name == "last":
                size *= (inputs / BASE) ** -0.5
            layer[:-1] = size * rng.standard_normal(layer[:-1].shape)
    return w


def factors(net, rule, style):
    """Return what each weight's lr is multiplied by: 1 in the standard style."""
    f = np.ones(net.n, np.float32)
    if style == "muP":
        for name, layer in zip(LAYERS, net.layers(f), strict=True):
            layer[:] = mup_factor(rule.lower(), name, net.sizes[1] / BASE)
    return f


def last_point(rule, grad, w0, steps, **knobs):
    """Return (w, *state) after so many steps: the end of a walk whose path would not fit into memory."""
    point, step = stepper(rule, grad, w0, **knobs)
    for t in range(steps):
        point = step(t, *point)
    return point


def rule_for(net, rule, style):
    """Return the rule with muP's factors in it, or without: it has one knob, lr."""
    f = factors(net, rule, style)
    if rule == "SGD":
        return lambda w, g, *, lr=0.1: gradient_descent(w, g, lr=lr * f)
    if rule == "Adam":
        return lambda w, g, m=0.0, v=0.0, t=0, *, lr=0.1: adam(w, g, m, v, t, lr=lr * f, beta2=0.99)

    def muon_of_layers(w, g, m=0.0, *, lr=0.1):
        m = 0.9 * m + 0.1 * g
        step = np.empty_like(w)
        for inside, out in zip(net.layers(0.9 * m + 0.1 * g), net.layers(step), strict=True):
            rows, columns = inside.shape[-1], inside.shape[-2]
            out[:] = np.sqrt(max(1.0, rows / columns)).astype(w.dtype) * orthogonalised(inside)
        return w - lr * f * step, m

    return muon_of_layers


def width_losses(rule, style, width, lrs=None, seeds=SEEDS, epochs=1, batch=64):
    """Return the training losses at the end, lr falling in a line: shape (lrs, seeds)."""
    net, lrs = network(width), np.asarray(LRS[rule] if lrs is None else lrs, np.float32)[:, None, None]
    steps = epochs * EXAMPLES // batch
    w0 = np.broadcast_to(start(net, style, seeds), (len(lrs), len(seeds), net.n))
    fall = linear(1.0, 0.0, length=steps)
    w, *_ = last_point(
        rule_for(net, rule, style), net.batch_grad(batch, list(seeds)), w0, steps,
        lr=lambda t: lrs * np.float32(fall(t)),
    )  # fmt: skip
    with np.errstate(all="ignore"):
        return net(w)


def first_changes(rule, style, width, lr, seeds=range(8), batch=64):
    """Return by how much the first step changes what each layer hands on: the root mean square, per layer.

    A layer's own effect: its new weights on the inputs that it had before, in units of its lr.
    """
    net = network(width)
    w = start(net, style, seeds)
    g = net.batch_grad(batch, list(seeds))(w, 0)
    new = rule_for(net, rule, style)(w, g, lr=np.float32(lr))
    new = new[0] if isinstance(new, tuple) else new
    h, found = np.broadcast_to(net.X[:256], (len(seeds), 256, 64)).astype(np.float32), []
    for old, now in zip(net.layers(w), net.layers(new), strict=True):
        h = np.concatenate([h, np.ones_like(h[..., :1])], axis=-1)
        found.append(np.sqrt(((h @ (now - old)) ** 2).mean()))
        h = np.tanh(h @ old)
    return np.array(found) / lr


def width_results(rule, style):
    """Return the stored losses of a rule in a style, shape (widths, lrs)."""
    return results()[f"width {rule}"][STYLES.index(style)]


def best_lrs(rule, style):
    """Return the best lr of each width, as the parabola gives it."""
    return [between(row, LRS[rule]) for row in width_results(rule, style)]


def changes(rule, style, lr=0.01):
    """Return the changes of `first_changes` at each width, shape (widths, layers)."""
    return np.array([first_changes(rule, style, width, lr) for width in WIDTHS])


# --- batches -----------------------------------------------------------------------------------------------


@cache
def small_network():
    """Return the network 64-32-10 on the digits."""
    return mlp(*digits(), sizes=(64, 32, 10))


def steps_to_goals(rule, batch, lrs=None, seeds=None):
    """Return after how many steps the loss on all examples stays below each goal: (goals, lrs, seeds).

    A run is watched for three times as long as the best one needs; infinity for one that does not arrive in
    the first four fifths of that time.
    """
    net, lrs = small_network(), np.asarray(BATCH_LRS[rule] if lrs is None else lrs, np.float32)[:, None, None]
    seeds = BATCH_SEEDS[rule] if seeds is None else seeds
    last, every = 3 * (14 + 1500 // batch), max(1, 1500 // batch // 50)
    rule, knobs = (gradient_descent, {}) if rule == "SGD" else (adam, {"beta2": 0.99})
    w0 = np.broadcast_to(net.init(seeds, np.float32), (len(lrs), len(seeds), net.n))
    point, step = stepper(rule, net.batch_grad(batch, list(seeds)), w0, lr=lrs, **knobs)
    above = np.zeros((len(GOALS), len(lrs), len(seeds)))
    for t in range(1, last + 1):
        point = step(t - 1, *point)
        if t % every == 0:
            with np.errstate(all="ignore"):
                losses = net(point[0])
            for k, goal in enumerate(GOALS):
                above[k][~(losses < goal)] = t
    return np.where(above > 0.8 * last, np.inf, above + every)


def squared_lengths(w, batch, draws=200, seed=0):
    """Return the mean of ‖g‖² over gradients at w of batches drawn anew each time."""
    net, rng = small_network(), np.random.default_rng((seed, batch))
    gradients = [net.grad(w, net.X[rows], net.y[rows]) for rows in rng.integers(0, EXAMPLES, (draws, batch))]
    return float(np.mean([(g * g).sum() for g in gradients]))


def batch_results(rule, goal):
    """Return the stored numbers of steps to a goal, shape (batches, lrs)."""
    return results()[f"batch {rule}"][:, GOALS.index(goal)]


def best_steps(rule, goal):
    """Return the steps of the best lr, and that lr by the parabola, one for each batch."""
    lrs, found = BATCH_LRS[rule], batch_results(rule, goal)
    return np.array([best_lr(row, lrs).score for row in found]), [between(row, lrs) for row in found]


def critical_batch(batches, steps):
    """Return least and critical of steps = least · (1 + critical / batch), fitted to relative errors."""
    batches = np.asarray(batches, float)
    table = np.stack([np.ones_like(batches), 1 / batches], axis=-1) / steps[:, None]
    least, slope = np.linalg.lstsq(table, np.ones_like(batches), rcond=None)[0]
    return float(least), float(slope / least)


# --- time --------------------------------------------------------------------------------------------------


@cache
def penalised():
    """Return the network 64-32-10 with a penalty: its loss has a floor, and its noise does not vanish."""
    return mlp(*digits(), sizes=(64, 32, 10), l2=0.003)


def stable(lr, end, share):
    """Return the schedule warm-up, stable, decay: the last share of the steps is a line to 0."""
    fall = round(share * end)
    return warm_up(then(constant(lr), end - fall - WARM, linear(lr, 0.0, length=fall)), WARM)


def one_cosine(lr, end):
    """Return warm-up and half a cosine that ends at step `end`."""
    return warm_up(cosine(lr, length=end - WARM), WARM)


def timed(schedule, end, peaks=PEAKS, seeds=range(5), began=None, keep=()):
    """Train with lr = peak · schedule(t) up to step `end`; return the mean losses every LOOK steps.

    began: (t, point) to go on from.  keep: steps whose points are returned as well, as a dict.
    Returns losses, those of the averages over the last fifth, and the points.
    """
    net, lrs = penalised(), np.asarray(peaks, np.float32)[:, None, None]
    w0 = np.broadcast_to(net.init(seeds, np.float32), (len(lrs), len(seeds), net.n))
    point, step = stepper(
        adam, net.batch_grad(32, list(seeds)), w0, lr=lambda t: lrs * np.float32(schedule(t)), beta2=0.99
    )
    first, point = began or (0, point)
    mean, losses, averaged, points = np.array(point[0]), [], [], {}
    for t in range(first, end + 1):
        if t % LOOK == 0:
            losses.append(net(point[0]).mean(axis=-1))
            averaged.append(net(mean).mean(axis=-1))
        if t in keep:
            points[t] = point
        if t < end:
            point = step(t, *point)
            share = np.float32(max(1 / (t + 1 - first), 5 / (t + 6)))  # about the last fifth of all steps
            mean = (1 - share) * mean + share * point[0]
    return np.array(losses), np.array(averaged), points


def last_losses(kind, share=None):
    """Return the stored last losses of each end, shape (ends, peaks): constant, averaged, cosine or decay."""
    found = results()[kind]
    rows = [end // LOOK for end in ENDS]
    if kind in ("constant", "averaged"):
        return found[rows]
    if kind == "decay":
        found = found[:, SHARES.index(share)]
    return np.array([its[row] for its, row in zip(found, rows, strict=True)])


# --- generalising -------------------------------------------------------------------------------------------

CLAIM_LRS = 2.0 ** np.arange(-6, 3.1, 0.75)
CLAIMS = {"20 epochs": ((16, 20), (512, 20)), "1,280 steps": ((16, 20), (512, 640))}


def validation_losses(batch, epochs, seeds=range(5)):
    """Return SGD's validation losses at the end, lr falling in a line: shape (lrs, seeds)."""
    net, steps = small_network(), epochs * EXAMPLES // batch
    lrs, fall = np.float32(CLAIM_LRS)[:, None, None], linear(1.0, 0.0, length=steps)
    w0 = np.broadcast_to(net.init(seeds, np.float32), (len(lrs), len(seeds), net.n))
    w, *_ = last_point(
        gradient_descent,
        net.batch_grad(batch, list(seeds)),
        w0,
        steps,
        lr=lambda t: lrs * np.float32(fall(t)),
    )
    with np.errstate(all="ignore"):
        return net.measure(w, *datasets.digits().validation)[0]


def generalised():
    """Yield what was equal, the batch, and the stored validation losses, shape (lrs, seeds)."""
    stored = iter(results()["claim"])
    for what, pairs in CLAIMS.items():
        for batch, _ in pairs:
            yield what, batch, next(stored)


# --- spikes and memory -------------------------------------------------------------------------------------

BAD = broken.BROKEN["bad batch"]["bad"]  # the step of the bad batch


def bad_batch(rule, cure, seed=0):
    """Return the training losses of lesson 12's healthy training, one batch of which is bad.

    rule: "sgd" or "adam".  cure: "never comes", "none", "clip 1" or "skip" (see `is_spike`).
    """
    net, lengths = broken.network(), []
    batch = net.batch_grad(broken.BATCH, seed)

    def grad(w, t):
        g = batch(w, t)
        if t == BAD and cure != "never comes":
            g = np.float32(broken.TOO_LONG) * g
        lengths.append(np.sqrt((g * g).sum()))
        if cure == "skip" and t > 0 and is_spike(np.array(lengths)):
            return 0 * g
        return clipped(g, 1.0) if cure == "clip 1" else g

    chosen, lr = (gradient_descent, 0.3) if rule == "sgd" else (adam, 0.01)
    return net(path(chosen, grad, net.init(seed, np.float32), broken.STEPS, lr=lr))


AFTER = 60
LONG = 10**6  # steps before: nothing is left of the bias correction


def steps_after(growth, beta1=0.9, beta2=0.999, lasts=True, clip=np.inf):
    """Return Adam's steps in units of lr, from 5 before the gradient grows from 1 to `growth` at once.

    lasts: whether it stays there, or comes back after one batch.  clip: the longest gradient that gets in.
    """
    w, m, v, t, walk = 0.0, 1.0, 1.0, LONG, [0.0]
    for k in range(-5, AFTER):
        g = min(growth if k == 0 or (lasts and k > 0) else 1.0, clip)
        w, m, v, t = adam(w, g, m, v, t, lr=1.0, beta1=beta1, beta2=beta2)
        walk.append(w)
    return -np.diff(walk)


_SCALES = 4 / 64  # bytes for a float32 scale, shared by a block of 64
BYTES = {  # of a weight in training: weight, gradient, copy of the weight, averages
    "SGD, float32": 4 + 4,
    "Lion or Muon, float32": 4 + 4 + 4,
    "Adam, float32": 4 + 4 + 4 + 4,
    "Adam, mixed precision": 2 + 2 + 4 + 4 + 4,
    "Muon, mixed precision": 2 + 2 + 4 + 4,
    "  m and v in bfloat16": 2 + 2 + 4 + 2 + 2,
    "  m and v in 8 bits": 2 + 2 + 4 + 2 * (1 + _SCALES),
    "  v factored": 2 + 2 + 4 + 4,
    "  all of it, and no copy": 2 + 2 + (1 + _SCALES),
}


def _eight(x, block=64):
    short = -x.shape[-1] % block
    padded = np.concatenate([x, np.zeros((*x.shape[:-1], short), x.dtype)], axis=-1)
    return dequantised(*quantised(padded, block))[..., : x.shape[-1]]


def _tables(v):
    kept = v.copy()
    for table in small_network().layers(kept):
        table[:] = factored(table)
    return kept


def _same(x):
    return x


# What is kept of the weights, of m and of v between two steps; chance makes random numbers like x.
STORES = {
    "float32": lambda chance: (_same, _same, _same),
    "m and v in bfloat16, to the nearest": lambda chance: (_same, bfloat16, bfloat16),
    "m and v in bfloat16, by chance": lambda chance: (_same, chance, chance),
    "m and v in 8 bits": lambda chance: (_same, _eight, _eight),
    "m and √v in 8 bits": lambda chance: (_same, _eight, lambda v: _eight(np.sqrt(v)) ** 2),
    "v factored": lambda chance: (_same, _same, _tables),
    "weights in bfloat16, to the nearest": lambda chance: (bfloat16, _same, _same),
    "weights in bfloat16, by chance": lambda chance: (chance, _same, _same),
}


def stored_training(name, steps=320, lr=0.01, seeds=range(8)):
    """Return Adam's training losses at the end if its memory is kept as STORES says, lr falling to 0."""
    net, rng = small_network(), np.random.default_rng(15)
    keep_w, keep_m, keep_v = STORES[name](lambda x: bfloat16(x, rng.random(x.shape, np.float32)))

    def rule(w, g, m=0.0, v=0.0, t=0, *, lr=0.01):
        w, m, v, t = adam_that_keeps(w, g, m, v, t, lr, keep_m, keep_v)
        return keep_w(w), m, v, t

    fall = linear(lr, 0.0, length=steps)
    w, *_ = last_point(rule, net.batch_grad(32, list(seeds)), net.init(seeds, np.float32), steps, lr=fall)
    return net(w)


def adam_that_keeps(w, g, m, v, t, lr, keep_m, keep_v, beta1=0.9, beta2=0.999, eps=1e-8):
    """Step as Adam does, with the averages as they come back from where they are kept."""
    t = t + 1
    m = keep_m(beta1 * m + (1 - beta1) * g)
    v = keep_v(beta2 * v + (1 - beta2) * g**2)
    w = w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return w, m, v, t


def falling(beta2, steps=2000, seed=0):
    """Return v while the gradients are 0: exact, and in bfloat16 to the nearest and by chance."""
    chances = np.random.default_rng(seed).random((steps, 200))
    v = {"exact": np.ones(1), "nearest": np.ones(1), "by chance": np.ones(200)}
    rows = {name: [1.0] for name in v}
    for u in chances:
        v = {name: beta2 * value for name, value in v.items()}
        v["nearest"], v["by chance"] = bfloat16(v["nearest"]), bfloat16(v["by chance"], u)
        for name, row in rows.items():
            row.append(float(v[name].mean()))
    return {name: np.array(row) for name, row in rows.items()}


@cache
def squares_after(steps, width=64):
    """Return Adam's v of the hidden layer's weights after so many steps, shape (width, width)."""
    net = network(width)
    _, _, v, _ = last_point(adam, net.batch_grad(64), start(net, "standard", [0])[0], steps, lr=0.003)
    return kept(net.layers(v)[1][:-1].astype(float))


@cache
def results():
    """Return the stored results: name → array."""
    with np.load(shipped("assets") / "scale.npz") as file:
        return {name: kept(file[name]) for name in file}
