"""The pictures of lesson 06, and the long run, which lesson 07 shows again with its own rule."""

from functools import lru_cache

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.kept import kept
from optim_lessons.lab.knobs import parts

from optim_lessons.lab.panels import (  # isort: skip
    FREE, KNOBS, Mark, Panel, Shown, knob, level, line, log, note, picture, plain, step, upright,
)  # fmt: skip
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import ALERT, Picture, knob_values, look, new_figure, rule_label, rule_style
from optim_lessons.momentum import momentum
from optim_lessons.studies.long_run import BURST_AT, STEPS, effective_lr, follow, moving_minimum

GROUND = "#8593a0"  # what is not a walk: a minimum that moves, a slope to compare with
NOTE = "#5b6873"
EXAMPLES = 1000  # of the rare and the frequent feature


# --- a rare and a frequent feature ---------------------------------------------------------------------


@lru_cache(maxsize=32)
def feature_stream(frequency=0.02, seed=0, examples=EXAMPLES):
    """Return examples that come one by one: x, shape (examples, 2), and y = x[0] + x[1] + noise of 0.5.

    x[0] is always 1: the frequent feature. x[1] is 1 in a share `frequency` of the examples, else 0.
    """
    rng = np.random.default_rng(seed)
    x = np.stack([np.ones(examples), rng.random(examples) < frequency], axis=-1).astype(float)
    y = x.sum(axis=-1) + 0.5 * rng.standard_normal(examples)
    return kept(x, y)


def stream_slope(x, y):
    """Return the gradient of ½·(x·w − y)² for the example that comes at step t, a function of (w, t)."""

    def slope(w, t):
        return x[t] * ((x[t] * w).sum(axis=-1, keepdims=True) - y[t])

    return slope


def rare_and_frequent():
    """Return the scene of two weights, one for a frequent and one for a rare feature, and their lrs.

    Both weights should become 1. eps: AdaGrad's.  frequency: of the rare feature.  against, its_lr: the rule
    with one lr for both.
    """
    rivals = {rule_label(rule): rule for rule in (gradient_descent, momentum)}
    t, marked = np.arange(1, EXAMPLES + 1), np.unique(np.geomspace(1, EXAMPLES, 12).astype(int)) - 1

    def show(*, lr, eps, frequency, against, its_lr, seed):
        x, y = feature_stream(frequency, seed)
        slope = stream_slope(x, y)
        run = record(adagrad, slope, np.zeros(2), EXAMPLES, lr=lr, eps=eps)
        ws, v = run["w"], run["v"][1:]
        other = path(rivals[against], slope, np.zeros(2), EXAMPLES, lr=its_lr)
        lrs = np.where(v > 0, np.clip(effective_lr(v, lr=lr, eps=eps), 1e-9, 1e9), np.nan)
        data = {f"{name}, w[{i}]": np.nan_to_num(its[:, i], nan=3.0)
                for name, its in (("AdaGrad", ws), (against, other)) for i in (0, 1)}  # fmt: skip
        data |= {"lr of AdaGrad": (t, lrs[:, 0]), "rare lr": (t, lrs[:, 1])}
        data |= {f"lr of {against}": ([1, EXAMPLES], [its_lr * (10 if against == "momentum" else 1)] * 2)}
        data |= {"marks": (t[marked], lrs[marked, 1]), "seen": np.flatnonzero(x[:, 1])}
        told = knob_values({"lr": lr, "eps": eps, "frequency": frequency, against: its_lr, "seed": seed})
        said = f"The rare feature came {len(data['seen'])} times. Mean distance from 1 over the last 500 "
        return Shown(
            f"{said}examples: AdaGrad {_distance(ws)}; {against} {_distance(other)}.", told=told, **data
        )

    sides = [("", 0, EXAMPLES), ("frequent w[0]", -0.3, 2.2, False, (0, 1, 2))]
    top = Panel(
        (0.075, 0.55, 0.5, 0.36), *sides, "{told}", goal=level(GROUND, 1, linestyle=":", linewidth=1.5)
    )
    top.add(hide=lambda ax: ax.set_xticklabels([]))
    top.legend = {"loc": "upper right", "ncols": 3, "fontsize": 9, "handlelength": 2.4}
    sides = [("example t", 0, EXAMPLES), ("rare w[1]", -0.3, 2.2, False, (0, 1, 2))]
    bottom = Panel((0.075, 0.12, 0.5, 0.36), *sides, goal=level(GROUND, 1, linestyle=":", linewidth=1.5))
    bottom.add(seen=Mark(
        lambda ax, **more: ax.vlines([], -0.3, -0.12, color=NOTE, linewidth=1, **more),
        lambda lines, at: lines.set_segments([[(i, -0.3), (i, -0.12)] for i in at])))  # fmt: skip
    right = Panel((0.675, 0.12, 0.31, 0.735), log("example t", 1, EXAMPLES), log("", 1e-3, 1e2))
    right.add(title=lambda ax: ax.set_title("effective lr of each weight", pad=20))
    for name, rule in {"AdaGrad": adagrad, **rivals}.items():
        style = {"linewidth": 1.5, "zorder": 3 if rule is adagrad else 2}
        for i, panel in enumerate((top, bottom)):
            panel.add(**{f"{name}, w[{i}]": plain(rule, within=(-3, 3), label=name * (not i), **style)})
        right.add(**{f"lr of {name}": plain(rule, within=FREE, **style)})
    own = {"linewidth": 1.5, "zorder": 3, "within": FREE}
    right.add(**{"rare lr": plain(adagrad, **own), "marks": line(adagrad, linestyle="", markersize=5, **own)})
    # Above the axes: within them there is no place that no setting leads a line through.
    key = {"color": rule_style(adagrad)["color"], "fontsize": 9}
    words = "AdaGrad: rare with marks, frequent without"
    right.add(key=lambda ax: ax.text(0, 1.025, words, transform=ax.transAxes, **key))
    knobs = {"lr": knob(0.3, 0.01, 3.0), "eps": knob(1e-10, 1e-10, 100.0)}
    knobs |= {"frequency": knob(0.02, [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])}
    knobs |= {"against": knob("gradient descent", rivals), "seed": knob(0, 0, 20)}
    knobs |= {"its_lr": knob(0.05, [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])}
    order = ("lr", "eps", "frequency", "against", "its_lr", "seed")
    return picture([top, bottom, right], show, figsize=(9.6, 4.4), **{name: knobs[name] for name in order})


def _distance(ws):
    away = np.abs(ws[-500:] - 1).mean(axis=0)
    if not (away < 100).all():
        return "is lost (its steps overshoot)"
    return f"{away[0]:.2f} (frequent) and {away[1]:.2f} (rare)"


# --- the best fixed step in hindsight ------------------------------------------------------------------

LRS = np.geomspace(1e-3, 1e2, 41)
DISTANCE = 2.0  # from the start to the middle of the targets


@lru_cache(maxsize=128)
def regrets(rule, steps, scale, seed):
    """Return the mean regret of each lr in LRS, in units of the scale: the mean loss above the best fixed w.

    The loss of step t is scale·|w − c[t]|, with c[t] = 2 + standard noise; the walk starts at 0.
    """
    c = DISTANCE + np.random.default_rng(seed).standard_normal(steps)
    ws = path(rule, lambda w, t: scale * np.sign(w - c[t]), np.zeros(1), steps, lr=LRS[:, None])[:-1, :, 0]
    return kept((np.abs(ws - c[:, None]) - np.abs(np.median(c) - c)[:, None]).mean(axis=0))


def hindsight():
    """Return the scene of the mean regret against lr, of gradient descent and AdaGrad.

    Dotted: the bound of the theory for each fixed lr, lowest at D/√G.
    scale: of the loss.
    """
    rules = {rule_label(rule): rule for rule in (gradient_descent, adagrad)}

    def show(*, scale, steps, seed):
        found, squares = (
            {name: regrets(rule, steps, scale, seed) for name, rule in rules.items()},
            steps * scale**2,
        )
        best = {name: best_of(values, lr=LRS) for name, values in found.items()}
        data = {name: (LRS, values) for name, values in found.items()}
        data |= {
            f"lowest of {name}": (LRS[[its.index]], found[name][[its.index]]) for name, its in best.items()
        }
        data |= {"bound": (LRS, (DISTANCE**2 / (2 * LRS) + LRS * squares / 2) / steps / scale)}
        told = f"Best lr of 41: gradient descent {best['gradient descent'].short} (the theory says "
        told += f"{DISTANCE / np.sqrt(squares):.2g}), AdaGrad {best['AdaGrad'].short}."
        return Shown(told, theory=DISTANCE / np.sqrt(squares), **data)

    panel = Panel(
        (0.09, 0.135, 0.88, 0.77), log("lr", LRS[0], LRS[-1]), log("mean regret / scale", 3e-3, 10), KNOBS
    )
    panel.legend = {"loc": "lower right", "bbox_to_anchor": (1, 0.99), "ncols": 4, "fontsize": 9}
    for name, rule in rules.items():
        panel.add(**{name: plain(rule, label=name, within=(1e-6, 1e6))})
        panel.add(**{f"lowest of {name}": line(rule, markersize=9, within=FREE)})
    panel.add(bound=line(GROUND, linestyle=":", linewidth=2, label="bound, fixed lr", within=FREE))
    panel.add(theory=upright(ALERT, linestyle="--", linewidth=1.2, label="D/√G"))
    knobs = {"scale": knob(1.0, [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])}
    return picture([panel], show, **knobs, steps=knob(100, [30, 100, 300, 1000]), seed=knob(0, 0, 20))


# --- the long run --------------------------------------------------------------------------------------


def long_run(rule):
    """Return the scene of a rule that follows a moving minimum for 3,000 steps, and of its effective lr.

    The loss is ½(w − c)², and c swings between −1 and 1: data change with the seasons. Each slope has
    noise, and one of them, at step 1,000, is a burst. Knobs: the rule's own, season (steps), noise, burst.
    """
    t = np.arange(STEPS + 1)

    def show(*, season, noise, burst, **knobs):
        c, added = moving_minimum(season, noise, burst)
        ws, v = follow(rule, c, added, **knobs)
        lrs = np.broadcast_to(effective_lr(v, **knobs), STEPS)
        data = {"minimum": c, "walk": np.nan_to_num(ws, nan=3.0)}
        data |= {"effective": (t[1:], np.clip(lrs, 1e-9, 1e9))}
        data |= {"burst left": BURST_AT, "burst right": BURST_AT} if burst > 0 else {}
        first, last = (np.abs(part).mean() for part in ((ws - c)[1 : season + 1], (ws - c)[-season:]))
        told = "The walk is lost: its steps overshoot. Try a smaller lr."
        if last < 1e3:
            told = f"Mean distance to the minimum: {first:.2f} in the first season, {last:.2f} in the last "
            told += f"(standing still at 0: {2 / np.pi:.2f}). The effective lr went from {lrs[0]:.2g} "
            told += f"to {lrs[-1]:.2g}."
        return Shown(told, **data)

    left = Panel((0.075, 0.135, 0.53, 0.77), step(STEPS, "step t"), ("w", -2, 2), KNOBS)
    left.legend = {"loc": "lower left", "ncols": 2}
    left.add(minimum=line(GROUND, alpha=0.55, linewidth=4, label="minimum"))
    left.add(walk=plain(rule, label=rule_label(rule), linewidth=1.3, within=(-3, 3)))
    right = Panel((0.685, 0.135, 0.3, 0.77), log("step t", 1, STEPS), log("", 1e-4, 1e2), "effective lr")
    right.add(root=line(GROUND, (t[1:], 50 / np.sqrt(t[1:])), linestyle=":", linewidth=1.5))
    right.add(words=note(40, 14, "falls like 1/√t", color=NOTE), effective=plain(rule, within=FREE))
    for panel, name in ((left, "burst left"), (right, "burst right")):
        panel.add(**{name: upright(ALERT, linestyle="--", linewidth=1.2)})
    knobs = parts(rule).knobs | {"season": knob(300, 50, 1500), "noise": knob(0.3, 0.0, 1.0)}
    knobs |= {"eps": knob(knobs["eps"], 1e-10, 10.0)} if "eps" in knobs else {}
    return picture([left, right], show, **knobs, burst=knob(0.0, 0.0, 100.0))


# --- still pictures ------------------------------------------------------------------------------------


def sweeps(panels, title="validation loss against lr: median of the seeds, band from best to worst"):
    """Return the still picture of losses against lr, a panel for each data set.

    panels: dict data set → dict label → (rule, lrs, losses), losses of shape (lrs, seeds).
    """
    figure = new_figure((9.6, 4.0))
    lines = ("-", "--", "-.", ":")
    with look():
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        figure.subplots_adjust(0.07, 0.15, 0.99, 0.82, wspace=0.2)
        figure.suptitle(title, fontsize=11)
        for ax, (name, rows) in zip(axes, panels.items(), strict=True):
            lowest = np.inf
            for label, (rule, lrs, losses) in rows.items():
                losses = np.where(np.isfinite(losses), losses, 1e3)
                style = rule_style(rule) | {"markersize": 4}
                if label != rule_label(rule):
                    style |= {"color": NOTE, "linestyle": lines[3], "marker": "x"}
                middle = np.median(losses, axis=1)
                ax.plot(lrs, middle, label=label, **style)
                ax.fill_between(
                    lrs, losses.min(axis=1), losses.max(axis=1), color=style["color"], alpha=0.15, linewidth=0
                )
                lowest = min(lowest, middle.min())
            ax.set(xscale="log", yscale="log", ylim=(0.95 * lowest, 2.2 * lowest), xlabel="lr", title=name)
            ax.yaxis.set_major_formatter("{x:.2g}")
            ax.yaxis.set_minor_formatter("{x:.2g}")
            ax.tick_params(axis="y", which="minor", labelsize=8)
        axes[0].set_ylabel("loss")
        axes[0].legend(loc="upper left", fontsize=9)
    firsts = "; ".join(
        f"{name}: {min(rows, key=lambda label: np.median(rows[label][2], axis=1).min())} lowest"
        for name, rows in panels.items()
    )
    return Picture(figure, f"Loss against lr is a valley for each rule. {firsts}.")


def four_runs(runs):
    """Return the still picture of the runs to diagnose: loss above, effective lr of both weights below.

    runs: dict name → dict with "loss", shape (steps + 1,), and "effective_lr", shape (steps, 2).
    """
    figure = new_figure((9.6, 4.8))
    with look():
        axes = figure.subplots(2, len(runs), sharex=True, sharey="row")
        figure.subplots_adjust(0.08, 0.11, 0.99, 0.93, wspace=0.12, hspace=0.12)
        for column, (name, run) in zip(axes.T, runs.items(), strict=True):
            steps = np.arange(len(run["loss"]))
            column[0].loglog(steps[1:], run["loss"][1:], color=rule_style(adagrad)["color"])
            column[0].set(title=name, ylim=(1e-6, 30))
            for i, (line, label) in enumerate((("-", "flat"), ("--", "steep"))):
                column[1].loglog(steps[1:], run["effective_lr"][:, i], line, color="#222222", label=label)
            column[1].set(xlabel="step", ylim=(1e-4, 1e3))
        axes[0, 0].set_ylabel("loss")
        axes[1, 0].set_ylabel("effective lr")
        axes[1, 0].legend(loc="upper left")
    ends = "; ".join(
        f"{name}: loss {run['loss'][0]:.2g} to {run['loss'][-1]:.1g}" for name, run in runs.items()
    )
    return Picture(figure, f"Four runs of AdaGrad. {ends}.")
