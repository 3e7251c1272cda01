"""The pictures of lesson 09: schedules, what they leave of the noise ball, and what warm-up does."""

from functools import lru_cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab import models
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.panels import Panel, Shown, knob, line, log, picture
from optim_lessons.lab.panels import step as steps_of
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, counted, look, new_figure
from optim_lessons.schedules import constant, cosine, exponential, inverse_time, linear, step, then, warm_up
from optim_lessons.sgd import noisy, sgd

STYLES = {
    "constant": {"color": "#222222", "linestyle": "-", "marker": "o"},
    "step": {"color": "#d55e00", "linestyle": "--", "marker": "s"},
    "exponential": {"color": "#b0518a", "linestyle": "-.", "marker": "D"},
    "inverse time": {"color": "#008060", "linestyle": (0, (6, 1.5)), "marker": "^"},
    "linear": {"color": "#0060a8", "linestyle": "-", "marker": "P"},
    "cosine": {"color": "#b87700", "linestyle": (0, (4, 1, 1, 1)), "marker": "v"},
    "flat, then linear": {"color": "#3c9bd6", "linestyle": "--", "marker": "X"},
}
NAMES = list(STYLES)[:6]
PALE = "#9aa7b4"
WITH = {"color": "#0060a8", "linestyle": "-", "linewidth": 2.4}  # what has the schedule
FIXED = {"color": "#555555", "linestyle": ":", "linewidth": 2}
ACROSS = {"loc": "upper right", "fontsize": 9.5, "handlelength": 2.2, "columnspacing": 1.0}
LEFT, RIGHT = (0.075, 0.135, 0.4, 0.76), (0.575, 0.135, 0.405, 0.76)
CURVATURES, START, STEPS = np.array([0.05, 1.0]), np.array([-4.0, 1.5]), 300  # of the noisy ravine


def shape(name, lr, length):
    """Return one of six schedules that begins at lr and has done its falling after about length steps.

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

    schedule: one of NAMES.  floor: as a part of lr.
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


def one_drop(large, small, when, noise=0.5, steps=STEPS):
    """Return the still picture of two constant lrs, and of the first one that becomes the second."""
    runs = {
        f"lr {large:g}": (constant(large), STYLES["constant"]),
        f"lr {small:g}": (constant(small), RULE_STYLES["sgd"] | {"color": PALE, "linestyle": "-"}),
        f"lr {large:g}, from step {when} on {small:g}": (
            then(constant(large), when, constant(small)),
            STYLES["step"],
        ),
    }
    figure, ends = new_figure((9.6, 3.6)), {}
    with look():
        ax = figure.add_axes((0.08, 0.15, 0.6, 0.75))
        for label, (schedule, style) in runs.items():
            lrs = schedule(np.arange(steps)) + np.zeros(steps)
            loss = expected_loss(lrs, CURVATURES, START, noise)
            ax.semilogy(loss, label=label, linewidth=2.2, **style | {"marker": ""})
            ends[label] = loss[-1]
        ax.set(xlim=(0, steps), ylim=(5e-4, 5), xlabel="step", ylabel="mean loss")
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
        ax.set_title("A noisy ravine, κ = 20: first far, then close", fontsize=11)
    words = ", ".join(f"{loss:.2g} with {label}" for label, loss in ends.items())
    return Picture(figure, f"Mean loss after {steps} steps: {words}.")


FALLS = {  # the knobs of a schedule, beside its lr
    "warm_up": knob(0, 0, 100),
    "length": knob(300, 10, 400),
    "floor": knob(0.0, 0.0, 1.0),
}


def _lr_panel(steps):
    """Return the panel of a schedule: the lr against the step, from 0 to a little above its peak."""
    told = "lr {lr:.3g}   warm-up {warm_up}   length {length}   floor {floor:.3g}"
    return Panel(LEFT, steps_of(steps), ("lr", 0, "top"), told, lrs=line(WITH))


def noisy_ravine():
    """Return the scene of a schedule and of the loss that it gives in a noisy ravine of condition 20.

    lr: the peak.  floor: as a part of the peak.
    """
    t = np.arange(STEPS)

    def show(*, schedule, lr, warm_up, length, floor, noise, seed):
        lrs = built(schedule, lr=lr, warm=warm_up, length=length, floor=floor)(t) + np.zeros(STEPS)
        grad = noisy(lambda w: CURVATURES * w, noise, seed)
        ws = path(sgd, grad, START, STEPS, lr=lrs.tolist().__getitem__)
        loss, fixed = (expected_loss(its, CURVATURES, START, noise) for its in (lrs, np.full(STEPS, lr)))
        data = {"walk": 0.5 * ws**2 @ CURVATURES, "mean": loss, "fixed": fixed, "lrs": lrs, "top": 1.08 * lr}
        return Shown(_ravine_in_words(schedule, lrs, loss[-1], fixed[-1], noise), **data)

    told = "{schedule}   noise {noise:.3g}   seed {seed}"
    right = Panel(RIGHT, steps_of(STEPS), log("loss", 3e-4, 3e1), told, legend=ACROSS | {"ncols": 3})
    right.add(walk=line(PALE, linewidth=1.1, label="one walk"), fixed=line(FIXED, label="mean, constant lr"))
    right.add(mean=line(WITH, label="mean"))
    knobs = {"schedule": knob("cosine", NAMES), "lr": knob(0.5, 0.01, 1.9), **FALLS}
    return picture([_lr_panel(STEPS), right], show, **knobs, noise=knob(0.5, 0.0, 1.5), seed=knob(0, 0, 20))


def _ravine_in_words(schedule, lrs, loss, fixed, noise):
    way = 0.5 * sum(h * expected(lrs, h, s, noise)[0][-1] for h, s in zip(CURVATURES, START, strict=True))
    return (
        f"{schedule.capitalize()}: mean loss {loss:.2g} after {STEPS} steps (constant lr: {fixed:.2g}). "
        f"{way:.2g} of it is what is left of the way, {loss - way:.2g} is noise. The lrs add up to "
        f"{lrs.sum():.3g}."
    )


LONG = 20_000
SHOWN = np.unique(np.geomspace(1, LONG, 240).astype(int))


def powers(lr, power, length):
    """Return the lr of 20,000 steps: lr/(1 + t/length)^power."""
    return lr / (1 + np.arange(LONG) / length) ** power


def how_fast():
    """Return the scene of how fast lr may fall on a parabola of curvature 1, noise 1, started at 10.

    power: of 1/t.  lr: at the start.  length: steps after which the fall sets in.
    """

    def show(*, power, lr, length):
        lrs = powers(lr, power, length)
        way, shaken = expected(lrs, 1.0, 10.0, 1.0)
        data = {"lrs": (SHOWN, lrs[SHOWN - 1])}
        data |= {
            name: (SHOWN, its[SHOWN])
            for name, its in (("way", way), ("noise", shaken), ("both", way + shaken))
        }
        end = way[-1], shaken[-1]
        told = (
            f"After {LONG:,} steps: distance left {end[0]:.2g}, noise {end[1]:.2g}, together {sum(end):.2g}, "
        )
        told += (
            f"which is {sum(end) * LONG:.3g} times σ²/t. The lrs add up to {lrs.sum():.4g}, their squares to "
        )
        return Shown(f"{told}{(lrs**2).sum():.3g}.", **data)

    left = Panel(
        LEFT, log("step", 1, LONG), log("lr", 1e-9, 10), "lr {lr:.3g} / (1 + t/{length})^{power:.3g}"
    )
    left.add(lrs=line(STYLES["linear"]["color"], linewidth=2.4))
    right = Panel(RIGHT, log("step", 1, LONG), log("mean of w²", 1e-6, 1e4), legend=ACROSS | {"ncols": 4})
    right.add(best=line(PALE, (SHOWN, 1 / (SHOWN + 0.0)), linewidth=5, alpha=0.6, label="σ²/t"))
    colours = {"way": ALERT, "noise": STYLES["inverse time"]["color"], "both": "#222222"}
    looks = {"way": ("--", 2, "distance left"), "noise": ("-.", 2, "noise"), "both": ("-", 1.6, "both")}
    for name, (dash, wide, label) in looks.items():
        style = {"linestyle": dash, "linewidth": wide, "label": label, "within": (1e-7, 1e6)}
        right.add(**{name: line(colours[name], **style)})
    knobs = {"power": knob(1.0, 0.0, 2.0), "lr": knob(0.5, 0.01, 1.9), "length": knob(10, 1, 1000)}
    return picture([left, right], show, **knobs)


BATCH, EPOCH = 16, 68  # of the digits
DIGIT_STEPS = 3 * EPOCH
MARKS = np.arange(0, DIGIT_STEPS + 1, 12)


def digits(net, lowest):
    """Return the scene of a schedule and of the loss that it gives on digits: 3 epochs in batches of 16.

    net: softmax regression with a penalty.  lowest: its smallest loss.
    lr: the peak.  floor: as a part of the peak.
    """
    w0, t = np.zeros(net.n, np.float32), np.arange(DIGIT_STEPS)

    @lru_cache(maxsize=64)
    def above(schedule, lr, warm, length, floor, seed):
        lrs = built(schedule, lr=lr, warm=warm, length=length, floor=floor)
        ws = path(sgd, net.batch_grad(BATCH, seed), w0, DIGIT_STEPS, lr=lrs)
        return net(ws[MARKS]) - lowest

    def show(*, schedule, lr, warm_up, length, floor, seed):
        lrs = built(schedule, lr=lr, warm=warm_up, length=length, floor=floor)(t) + np.zeros(DIGIT_STEPS)
        fixed = above("constant", lr, 0, DIGIT_STEPS, 0.0, seed)
        found = above(schedule, lr, warm_up, length, floor, seed)
        data = {
            name: (MARKS, np.nan_to_num(its, nan=1e3)) for name, its in (("found", found), ("fixed", fixed))
        }
        told = f"{schedule.capitalize()}: {found[-1]:.2g} above the minimum after {DIGIT_STEPS} steps; "
        return Shown(f"{told}constant lr {lr:.3g}: {fixed[-1]:.2g}.", lrs=lrs, top=1.08 * lr, **data)

    right = Panel(RIGHT, steps_of(DIGIT_STEPS), log("loss − minimum", 1e-3, 1e1), "{schedule}   seed {seed}")
    right.legend = {"loc": "upper right"}
    right.add(fixed=line(FIXED, label="the same lr, constant", within=(1e-4, 1e3)))
    right.add(found=line(WITH, label="with the schedule", within=(1e-4, 1e3)))
    knobs = {"schedule": knob("linear", NAMES), "lr": knob(0.5, 0.02, 3.0), **FALLS}
    knobs |= {"length": knob(DIGIT_STEPS, 20, 300), "seed": knob(0, 0, 20)}
    return picture([_lr_panel(DIGIT_STEPS), right], show, **knobs)


def peaks_against_loss(peaks, losses, title):
    """Return the still picture of the loss of several schedules at their peaks, mean and standard error.

    losses: name → array (seeds, peaks).
    """
    figure = new_figure((9.6, 3.9))
    with look():
        ax = figure.add_axes((0.08, 0.14, 0.66, 0.77))
        best = {}
        for name, values in losses.items():
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
            style = STYLES[name]
            ax.loglog(peaks, mean, label=name, markersize=4, **style)
            ax.fill_between(peaks, mean - error, mean + error, color=style["color"], alpha=0.18, linewidth=0)
            best[name] = best_of(mean, lr=peaks)
        low = min(found.score for found in best.values())
        ax.set(xlim=(peaks[0], peaks[-1]), ylim=(0.7 * low, 60 * low), xlabel="peak lr")
        ax.set_ylabel("loss − minimum at the end")
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
        ax.set_title(title, fontsize=11)
    order = sorted(best, key=lambda name: best[name].score)
    edge = {name: f" ({found})" if found.at_edge else "" for name, found in best.items()}
    words = ", ".join(f"{name} {best[name].score:.2g}{edge[name]}" for name in order)
    return Picture(figure, f"Each at its best peak, best first: {words}.")


NET_STEPS = 136  # 4 epochs in batches of 32
NET_MARKS = np.arange(0, NET_STEPS + 1, 8)


def dead_units(net, w):
    """Return the share of hidden ReLU units that no image of the data switches on, shape (...)."""
    first = net.layers(w)[0]
    inputs = net.X.astype(w.dtype) @ first[..., :-1, :] + first[..., -1:, :]
    return (inputs.max(axis=-2) <= 0).mean(axis=-1)


def first_steps(net):
    """Return the scene of a small ReLU network's first 136 steps, with a warm-up and without.

    net: the network; the loss is drawn for every fourth of its examples.
    lr: the peak; then it falls in a straight line to 0.
    """
    rules = {"Adam": adam, "SGD": sgd}
    few = models.mlp(net.X[::4], net.y[::4], sizes=net.sizes, activation=net.activation)
    starts, t = {}, np.arange(1, NET_STEPS + 1)

    @lru_cache(maxsize=32)
    def run(rule, lr, warm, seed):
        w0 = starts.setdefault(seed, net.init(seed, np.float32))
        lrs = warm_up(linear(lr, 0.0, length=NET_STEPS - warm), warm)
        ws = path(rules[rule], net.batch_grad(32, seed), w0, NET_STEPS, lr=lrs)
        steps = np.sqrt((np.diff(ws, axis=0) ** 2).mean(axis=-1))
        return few(ws[NET_MARKS]), steps, float(dead_units(net, ws[10])), float(dead_units(net, ws[-1]))

    def show(*, rule, lr, warm_up, seed):
        at_once, warmed, data = run(rule, lr, 0, seed), run(rule, lr, warm_up, seed), {}
        for name, (loss, steps, *_) in (("at once", at_once), ("with warm-up", warmed)):
            data |= {f"{name}: lengths": (t, np.nan_to_num(steps))}
            data |= {name: (NET_MARKS, np.nan_to_num(loss, nan=1e4))}
        plain, _, early, late = at_once
        told = f"At once: loss {plain[-1]:.2g}, dead units {early:.0%} after 10 steps, {late:.0%} later. "
        loss, _, early, late = warmed
        told += f"With {counted(warm_up, 'step')} of warm-up: loss {loss[-1]:.2g}, "
        return Shown(f"{told}dead units {early:.0%}, later {late:.0%}.", **data)

    side = log("length of a step (per weight)", 1e-5, 1)
    left = Panel(LEFT, steps_of(NET_STEPS), side, "{rule}   lr {lr:.3g}", legend="lower left")
    side = log("loss, every fourth image", 1e-2, 1e3)
    right = Panel(RIGHT, steps_of(NET_STEPS), side, "warm-up {warm_up}   seed {seed}", legend="upper right")
    at_once = {"color": ALERT, "linestyle": "--", "linewidth": 2.0}
    for name, style in (("at once", at_once), ("with warm-up", WITH)):
        left.add(**{f"{name}: lengths": line(style, label=name, within=(1e-6, 1e3))})
        right.add(**{name: line(style, label=name, within=(1e-3, 1e4))})
    knobs = {"rule": knob("Adam", rules), "lr": knob(0.04, 0.001, 0.2), "warm_up": knob(34, 0, 68)}
    return picture([left, right], show, **knobs, seed=knob(0, 0, 20))


def four_losses(runs):
    """Return the still picture of four loss curves to diagnose.  runs: letter → losses."""
    figure = new_figure((9.6, 4.6))
    with look():
        for i, (letter, losses) in enumerate(runs.items()):
            ax = figure.add_axes((0.07 + 0.49 * (i % 2), 0.59 - 0.49 * (i // 2), 0.41, 0.34))
            ax.semilogy(losses, color="#222222", linewidth=1.6)
            ax.set(xlim=(0, len(losses) - 1), ylim=(1e-3, 10))
            ax.text(0.95, 0.82, letter, transform=ax.transAxes, fontsize=15, fontweight="bold", ha="right")
            if i % 2 == 0:
                ax.set_ylabel("loss")
            if i // 2:
                ax.set_xlabel("step")
    ends = ", ".join(f"{letter} {losses[-20:].mean():.1g}" for letter, losses in runs.items())
    return Picture(figure, f"Four runs without their schedules. Loss at the end: {ends}.")


def train_and_validation(history):
    """Return the still picture of the loss on training and on validation images, epoch by epoch."""
    figure = new_figure((9.6, 3.3))
    train, validation = history["train_loss"], history["validation_loss"]
    with look():
        ax = figure.add_axes((0.08, 0.17, 0.66, 0.73))
        ax.plot(train, color="#222222", label="training images")
        ax.plot(validation, color=ALERT, linestyle="--", label="validation images")
        lowest = int(validation.argmin())
        ax.plot(lowest, validation[lowest], "o", color=ALERT, markersize=9, fillstyle="none")
        ax.set(xlim=(0, len(train) - 1), ylim=(0, 2.5 * validation[-1]), xlabel="epoch", ylabel="loss")
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
        ax.set_title("A small network on digits, Adam", fontsize=11)
    return Picture(
        figure,
        f"The training loss falls to {train[-1]:.1g}; the validation loss is lowest at epoch {lowest} "
        f"({validation[lowest]:.2f}) and {validation[-1]:.2f} at the end.",
    )
