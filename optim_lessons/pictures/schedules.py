"""The pictures of lesson 09: schedules, what they leave of the noise ball, and what warm-up does."""

from functools import lru_cache

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab import models
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.panels import Panel, Shown, knob, line, log, picture, step
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, axes_in, counted
from optim_lessons.schedules import constant, then
from optim_lessons.sgd import noisy, sgd

from optim_lessons.studies.annealing import (  # isort: skip
    CURVATURES, LONG, NET_STEPS, START, STEPS, built, early_steps, expected, expected_loss, powers,
)  # fmt: skip

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
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}  # right of its axes
LEFT, RIGHT = (0.075, 0.135, 0.4, 0.76), (0.575, 0.135, 0.405, 0.76)
SEED = knob(0, 0, 20)
FALLS = {"warm_up": knob(0, 0, 100), "length": knob(300, 10, 400), "floor": knob(0.0, 0.0, 1.0)}


def one_drop(large, small, when, noise=0.5, steps=STEPS):
    """Return the still picture of two constant lrs, and of the first one that becomes the second."""
    first, second, ends = constant(large), constant(small), {}
    pale = RULE_STYLES["sgd"] | {"color": PALE, "linestyle": "-"}
    runs = {f"lr {large:g}": (first, STYLES["constant"]), f"lr {small:g}": (second, pale)}
    runs[f"lr {large:g}, from step {when} on {small:g}"] = then(first, when, second), STYLES["step"]
    with axes_in((9.6, 3.6), (0.08, 0.15, 0.6, 0.75)) as (figure, ax):
        for label, (schedule, style) in runs.items():
            loss = expected_loss(schedule(np.arange(steps)) + np.zeros(steps), CURVATURES, START, noise)
            ax.semilogy(loss, label=label, linewidth=2.2, **style | {"marker": ""})
            ends[label] = loss[-1]
        ax.set(xlim=(0, steps), ylim=(5e-4, 5), xlabel="step", ylabel="mean loss")
        ax.legend(**BESIDE)
        ax.set_title("A noisy ravine, κ = 20: first far, then close", fontsize=11)
    words = ", ".join(f"{loss:.2g} with {label}" for label, loss in ends.items())
    return Picture(figure, f"Mean loss after {steps} steps: {words}.")


def _lr_panel(steps):
    """Return the panel of a schedule: the lr against the step, from 0 to a little above its peak."""
    told = "lr {lr:.3g}   warm-up {warm_up}   length {length}   floor {floor:.3g}"
    return Panel(LEFT, step(steps), ("lr", 0, "top"), told, lrs=line(WITH))


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
    right = Panel(RIGHT, step(STEPS), log("loss", 3e-4, 3e1), told, legend=ACROSS | {"ncols": 3})
    right.add(walk=line(PALE, linewidth=1.1, label="one walk"), fixed=line(FIXED, label="mean, constant lr"))
    right.add(mean=line(WITH, label="mean"))
    knobs = {"schedule": knob("cosine", NAMES), "lr": knob(0.5, 0.01, 1.9), **FALLS}
    return picture([_lr_panel(STEPS), right], show, **knobs, noise=knob(0.5, 0.0, 1.5), seed=SEED)


def _ravine_in_words(schedule, lrs, loss, fixed, noise):
    way = 0.5 * sum(h * expected(lrs, h, s, noise)[0][-1] for h, s in zip(CURVATURES, START, strict=True))
    told = f"{schedule.capitalize()}: mean loss {loss:.2g} after {STEPS} steps (constant lr: {fixed:.2g}). "
    told += f"{way:.2g} of it is what is left of the way, {loss - way:.2g} is noise. "
    return f"{told}The lrs add up to {lrs.sum():.3g}."


SHOWN = np.unique(np.geomspace(1, LONG, 240).astype(int))


def how_fast():
    """Return the scene of how fast lr may fall on a parabola of curvature 1, noise 1, started at 10.

    power: of 1/t.  lr: at the start.  length: steps after which the fall sets in.
    """

    def show(*, power, lr, length):
        lrs = powers(lr, power, length)
        way, shaken = expected(lrs, 1.0, 10.0, 1.0)
        data = {"lrs": lrs[SHOWN - 1], "way": way[SHOWN], "noise": shaken[SHOWN]}
        data = {name: (SHOWN, its) for name, its in (data | {"both": data["way"] + data["noise"]}).items()}
        both = way[-1] + shaken[-1]
        told = f"After {LONG:,} steps: distance left {way[-1]:.2g}, noise {shaken[-1]:.2g}, together "
        told += f"{both:.2g}, which is {both * LONG:.3g} times σ²/t. "
        told += f"The lrs add up to {lrs.sum():.4g}, their squares to {(lrs**2).sum():.3g}."
        return Shown(told, **data)

    every = log("step", 1, LONG)
    left = Panel(LEFT, every, log("lr", 1e-9, 10), "lr {lr:.3g} / (1 + t/{length})^{power:.3g}")
    left.add(lrs=line(STYLES["linear"]["color"], linewidth=2.4))
    right = Panel(RIGHT, every, log("mean of w²", 1e-6, 1e4), legend=ACROSS | {"ncols": 4})
    right.add(best=line(PALE, (SHOWN, 1 / SHOWN), linewidth=5, alpha=0.6, label="σ²/t"))
    cut = {"within": (1e-7, 1e6)}
    right.add(way=line(ALERT, linestyle="--", linewidth=2, label="distance left", **cut))
    green = STYLES["inverse time"]["color"]
    right.add(noise=line(green, linestyle="-.", linewidth=2, label="noise", **cut))
    right.add(both=line("#222222", linestyle="-", linewidth=1.6, label="both", **cut))
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
        told = f"{schedule.capitalize()}: {found[-1]:.2g} above the minimum after {DIGIT_STEPS} steps; "
        told += f"constant lr {lr:.3g}: {fixed[-1]:.2g}."
        curves = {"found": found, "fixed": fixed}
        curves = {name: (MARKS, np.nan_to_num(its, nan=1e3)) for name, its in curves.items()}
        return Shown(told, lrs=lrs, top=1.08 * lr, **curves)

    sides = step(DIGIT_STEPS), log("loss − minimum", 1e-3, 1e1)
    right = Panel(RIGHT, *sides, "{schedule}   seed {seed}", legend="upper right")
    right.add(fixed=line(FIXED, label="the same lr, constant", within=(1e-4, 1e3)))
    right.add(found=line(WITH, label="with the schedule", within=(1e-4, 1e3)))
    knobs = {"schedule": knob("linear", NAMES), "lr": knob(0.5, 0.02, 3.0), **FALLS}
    knobs |= {"length": knob(DIGIT_STEPS, 20, 300)}
    return picture([_lr_panel(DIGIT_STEPS), right], show, **knobs, seed=SEED)


def peaks_against_loss(peaks, losses, title):
    """Return the still picture of the loss of several schedules at their peaks, mean and standard error.

    losses: name → array (seeds, peaks).
    """
    best = {}
    with axes_in((9.6, 3.9), (0.08, 0.14, 0.66, 0.77)) as (figure, ax):
        for name, values in losses.items():
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
            ax.loglog(peaks, mean, label=name, markersize=4, **STYLES[name])
            pale = {"color": STYLES[name]["color"], "alpha": 0.18, "linewidth": 0}
            ax.fill_between(peaks, mean - error, mean + error, **pale)
            best[name] = best_of(mean, lr=peaks)
        low = min(found.score for found in best.values())
        ax.set(xlim=(peaks[0], peaks[-1]), ylim=(0.7 * low, 60 * low), xlabel="peak lr")
        ax.set_ylabel("loss − minimum at the end")
        ax.legend(**BESIDE)
        ax.set_title(title, fontsize=11)
    order = sorted(best.items(), key=lambda found: found[1].score)
    words = (f"{name} {its.score:.2g}{f' ({its})' if its.at_edge else ''}" for name, its in order)
    return Picture(figure, f"Each at its best peak, best first: {', '.join(words)}.")


NET_MARKS = np.arange(0, NET_STEPS + 1, 8)


def first_steps(net):
    """Return the scene of a small ReLU network's first 136 steps, with a warm-up and without.

    net: the network; the loss is drawn for every fourth of its examples.
    lr: the peak; then it falls in a straight line to 0.
    """
    rules = {"Adam": adam, "SGD": sgd}
    few = models.mlp(net.X[::4], net.y[::4], sizes=net.sizes, activation=net.activation)
    t = np.arange(1, NET_STEPS + 1)

    @lru_cache(maxsize=32)
    def run(rule, lr, warm, seed):
        ws, *measured = early_steps(net, rules[rule], lr, warm, seed)
        return few(ws[NET_MARKS]), *measured

    def show(*, rule, lr, warm_up, seed):
        runs = {"at once": run(rule, lr, 0, seed), "with warm-up": run(rule, lr, warm_up, seed)}
        data = {name: (NET_MARKS, np.nan_to_num(loss, nan=1e4)) for name, (loss, *_) in runs.items()}
        data |= {f"{name}: lengths": (t, np.nan_to_num(steps)) for name, (_, steps, *_) in runs.items()}
        loss, _, early, late = runs["at once"]
        told = f"At once: loss {loss[-1]:.2g}, dead units {early:.0%} after 10 steps, {late:.0%} later. "
        loss, _, early, late = runs["with warm-up"]
        told += f"With {counted(warm_up, 'step')} of warm-up: loss {loss[-1]:.2g}, "
        return Shown(f"{told}dead units {early:.0%}, later {late:.0%}.", **data)

    side = log("length of a step (per weight)", 1e-5, 1)
    left = Panel(LEFT, step(NET_STEPS), side, "{rule}   lr {lr:.3g}", legend="lower left")
    side = log("loss, every fourth image", 1e-2, 1e3)
    right = Panel(RIGHT, step(NET_STEPS), side, "warm-up {warm_up}   seed {seed}", legend="upper right")
    at_once = {"color": ALERT, "linestyle": "--", "linewidth": 2.0}
    for name, style in (("at once", at_once), ("with warm-up", WITH)):
        left.add(**{f"{name}: lengths": line(style, label=name, within=(1e-6, 1e3))})
        right.add(**{name: line(style, label=name, within=(1e-3, 1e4))})
    knobs = {"rule": knob("Adam", rules), "lr": knob(0.04, 0.001, 0.2), "warm_up": knob(34, 0, 68)}
    return picture([left, right], show, **knobs, seed=SEED)


def four_losses(runs):
    """Return the still picture of four loss curves to diagnose.  runs: letter → losses."""
    places = ((0.07 + 0.49 * (i % 2), 0.59 - 0.49 * (i // 2), 0.41, 0.34) for i in range(len(runs)))
    with axes_in((9.6, 4.6), *places) as (figure, *axes):
        for i, (ax, (letter, losses)) in enumerate(zip(axes, runs.items(), strict=True)):
            ax.semilogy(losses, color="#222222", linewidth=1.6)
            ax.set(xlim=(0, len(losses) - 1), ylim=(1e-3, 10))
            ax.text(0.95, 0.82, letter, transform=ax.transAxes, fontsize=15, fontweight="bold", ha="right")
            ax.set(ylabel="" if i % 2 else "loss", xlabel="step" if i // 2 else "")
    ends = ", ".join(f"{letter} {losses[-20:].mean():.1g}" for letter, losses in runs.items())
    return Picture(figure, f"Four runs without their schedules. Loss at the end: {ends}.")


def train_and_validation(history):
    """Return the still picture of the loss on training and on validation images, epoch by epoch."""
    train, validation = history["train_loss"], history["validation_loss"]
    lowest = int(validation.argmin())
    with axes_in((9.6, 3.3), (0.08, 0.17, 0.66, 0.73)) as (figure, ax):
        ax.plot(train, color="#222222", label="training images")
        ax.plot(validation, color=ALERT, linestyle="--", label="validation images")
        ax.plot(lowest, validation[lowest], "o", color=ALERT, markersize=9, fillstyle="none")
        ax.set(xlim=(0, len(train) - 1), ylim=(0, 2.5 * validation[-1]), xlabel="epoch", ylabel="loss")
        ax.legend(**BESIDE)
        ax.set_title("A small network on digits, Adam", fontsize=11)
    return Picture(
        figure,
        f"The training loss falls to {train[-1]:.1g}; the validation loss is lowest at epoch {lowest} "
        f"({validation[lowest]:.2f}) and {validation[-1]:.2f} at the end.",
    )
