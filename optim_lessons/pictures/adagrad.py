"""The pictures of lesson 06, and the long run, which lesson 07 shows again with its own rule."""

from functools import lru_cache

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.kept import kept
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Scene
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

    Both weights should become 1. Knobs: lr, eps (AdaGrad's), frequency (of the rare feature), against
    (the rule with one lr for both), its_lr, seed.
    """
    rivals = {rule_label(rule): rule for rule in (gradient_descent, momentum)}

    def build(figure):
        top, bottom = figure.add_axes((0.075, 0.55, 0.5, 0.36)), figure.add_axes((0.075, 0.12, 0.5, 0.36))
        right = figure.add_axes((0.675, 0.12, 0.31, 0.735))
        t = np.arange(1, EXAMPLES + 1)
        for ax, title in ((top, "frequent w[0]"), (bottom, "rare w[1]")):
            ax.set(xlim=(0, EXAMPLES), ylim=(-0.3, 2.2), ylabel=title, yticks=(0, 1, 2))
            ax.axhline(1, color=GROUND, linestyle=":", linewidth=1.5)
        top.set_xticklabels([])
        bottom.set_xlabel("example t")
        right.set(xlim=(1, EXAMPLES), ylim=(1e-3, 1e2), xscale="log", yscale="log", xlabel="example t")
        right.set_title("effective lr of each weight", pad=20)
        seen = bottom.vlines([], -0.3, -0.12, color=NOTE, linewidth=1, animated=True)
        rules = {rule_label(adagrad): adagrad, **rivals}
        lines = {}
        for label, rule in rules.items():
            style = rule_style(rule) | {"marker": "", "linewidth": 1.5, "zorder": 3 if rule is adagrad else 2}
            lines[label] = [ax.plot([], [], animated=True, **style)[0] for ax in (top, bottom)]
            lines[label] += right.plot([], [], animated=True, **style)
            top.plot([], [], label=label, **style)
        top.legend(loc="upper right", ncols=3, fontsize=9, handlelength=2.4)
        style = rule_style(adagrad) | {"linewidth": 1.5, "zorder": 3}
        rare_lr = right.plot([], [], animated=True, **style | {"marker": ""})[0]
        marks = right.plot([], [], animated=True, **style | {"linestyle": "", "markersize": 5})[0]
        marked = np.unique(np.geomspace(1, EXAMPLES, 12).astype(int)) - 1
        # Above the axes: within them there is no place that no setting leads a line through.
        key = {"color": rule_style(adagrad)["color"], "fontsize": 9, "transform": right.transAxes}
        right.text(0, 1.025, "AdaGrad: rare with marks, frequent without", **key)
        settings = top.set_title("", fontsize=10, animated=True)

        def move(*, lr, eps, frequency, against, its_lr, seed):
            x, y = feature_stream(frequency, seed)
            slope = stream_slope(x, y)
            walk = record(adagrad, slope, np.zeros(2), EXAMPLES, lr=lr, eps=eps)
            ws, v = walk["w"], walk["v"][1:]
            other = path(rivals[against], slope, np.zeros(2), EXAMPLES, lr=its_lr)
            factors = effective_lr(v, lr=lr, eps=eps)
            factors = np.where(v > 0, np.clip(factors, 1e-9, 1e9), np.nan)
            for label in rivals:
                for line in lines[label]:
                    line.set_visible(label == against)
            for label, walk in ((rule_label(adagrad), ws), (against, other)):
                for i in (0, 1):
                    lines[label][i].set_data(np.arange(EXAMPLES + 1), _tame(walk[:, i], 3))
            lines[rule_label(adagrad)][2].set_data(t, factors[:, 0])
            lines[against][2].set_data([1, EXAMPLES], [its_lr * (10 if against == "momentum" else 1)] * 2)
            rare_lr.set_data(t, factors[:, 1])
            marks.set_data(t[marked], factors[marked, 1])
            at = np.flatnonzero(x[:, 1])
            seen.set_segments([[(i, -0.3), (i, -0.12)] for i in at])
            settings.set_text(
                knob_values({"lr": lr, "eps": eps, "frequency": frequency, against: its_lr, "seed": seed})
            )
            return (
                f"The rare feature came {len(at)} times. Mean distance from 1 over the last 500 examples: "
                f"AdaGrad {_distance(ws)}; {against} {_distance(other)}."
            )

        return move

    moving = {"lr": 0.3, "eps": 1e-10, "frequency": 0.02, "against": "gradient descent"}
    moving |= {"its_lr": 0.05, "seed": 0}
    ranges = {
        "lr": (0.01, 3.0),
        "eps": (1e-10, 100.0),
        "frequency": [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
        "against": list(rivals),
        "its_lr": [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
    }
    return Scene(build, moving, ranges=ranges, size=(9.6, 4.4))


def _distance(ws):
    away = np.abs(ws[-500:] - 1).mean(axis=0)
    if not (away < 100).all():
        return "is lost (its steps overshoot)"
    return f"{away[0]:.2f} (frequent) and {away[1]:.2f} (rare)"


def _tame(values, bound):
    return np.clip(np.nan_to_num(values, nan=bound), -bound, bound)


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
    Knobs: scale (of the loss), steps, seed.
    """

    def build(figure):
        ax = figure.add_axes((0.09, 0.135, 0.88, 0.77))
        ax.set(xlim=(LRS[0], LRS[-1]), ylim=(3e-3, 10), xscale="log", yscale="log", xlabel="lr")
        ax.set_ylabel("mean regret / scale")
        curves, lowest = {}, {}
        for rule in (gradient_descent, adagrad):
            style = rule_style(rule)
            curves[rule] = ax.plot([], [], animated=True, **style | {"marker": ""}, label=rule_label(rule))[0]
            lowest[rule] = ax.plot([], [], animated=True, **style | {"markersize": 9})[0]
        bound = ax.plot([], [], ":", color=GROUND, linewidth=2, animated=True, label="bound, fixed lr")[0]
        mark = ax.axvline(1, color=ALERT, linestyle="--", linewidth=1.2, animated=True)
        mark.set_label("D/√G")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=4, fontsize=9)
        settings = ax.set_title("", fontsize=10, animated=True)

        def move(*, scale, steps, seed):
            best = {}
            for rule in curves:
                values = regrets(rule, steps, scale, seed)
                best[rule] = best_of(values, lr=LRS)
                i = best[rule].index
                curves[rule].set_data(LRS, np.clip(values, 1e-6, 1e6))
                lowest[rule].set_data(LRS[[i]], values[[i]])
            squares = steps * scale**2
            bound.set_data(LRS, (DISTANCE**2 / (2 * LRS) + LRS * squares / 2) / steps / scale)
            mark.set_xdata([DISTANCE / np.sqrt(squares)] * 2)
            settings.set_text(knob_values({"scale": scale, "steps": steps, "seed": seed}))
            return (
                f"Best lr of 41: gradient descent {best[gradient_descent].short} (the theory says "
                f"{DISTANCE / np.sqrt(squares):.2g}), AdaGrad {best[adagrad].short}."
            )

        return move

    ranges = {"scale": [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0], "steps": [30, 100, 300, 1000]}
    return Scene(build, {"scale": 1.0, "steps": 100, "seed": 0}, ranges=ranges)


# --- the long run --------------------------------------------------------------------------------------


def long_run(rule):
    """Return the scene of a rule that follows a moving minimum for 3,000 steps, and of its effective lr.

    The loss is ½(w − c)², and c swings between −1 and 1: data change with the seasons. Each slope has
    noise, and one of them, at step 1,000, is a burst. Knobs: the rule's own, season (steps), noise, burst.
    """
    style = rule_style(rule) | {"marker": ""}

    def build(figure):
        left, right = figure.add_axes((0.075, 0.135, 0.53, 0.77)), figure.add_axes((0.685, 0.135, 0.3, 0.77))
        t = np.arange(STEPS + 1)
        left.set(xlim=(0, STEPS), ylim=(-2, 2), xlabel="step t", ylabel="w")
        minimum = left.plot([], [], color=GROUND, alpha=0.55, linewidth=4, animated=True, label="minimum")[0]
        walk = left.plot([], [], animated=True, label=rule_label(rule), **style | {"linewidth": 1.3})[0]
        left.legend(loc="lower left", ncols=2)
        right.set(xlim=(1, STEPS), ylim=(1e-4, 1e2), xscale="log", yscale="log", xlabel="step t")
        right.set_title("effective lr")
        right.plot(t[1:], 50 / np.sqrt(t[1:]), color=GROUND, linestyle=":", linewidth=1.5)
        right.text(40, 14, "falls like 1/√t", color=NOTE)
        factor = right.plot([], [], animated=True, **style)[0]
        bursts = [
            ax.axvline(BURST_AT, color=ALERT, linestyle="--", linewidth=1.2, animated=True)
            for ax in (left, right)
        ]
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, season, noise, burst, **knobs):
            c, added = moving_minimum(season, noise, burst)
            ws, v = follow(rule, c, added, **knobs)
            lrs = np.broadcast_to(effective_lr(v, **knobs), STEPS)
            minimum.set_data(t, c)
            walk.set_data(t, _tame(ws, 3))
            factor.set_data(t[1:], np.clip(lrs, 1e-9, 1e9))
            for line in bursts:
                line.set_visible(burst > 0)
            settings.set_text(knob_values(knobs | {"season": season, "noise": noise, "burst": burst}))
            first, last = (np.abs(part).mean() for part in ((ws - c)[1 : season + 1], (ws - c)[-season:]))
            if not last < 1e3:
                return "The walk is lost: its steps overshoot. Try a smaller lr."
            return (
                f"Mean distance to the minimum: {first:.2f} in the first season, {last:.2f} in the last "
                f"(standing still at 0: {2 / np.pi:.2f}). The effective lr went from {lrs[0]:.2g} "
                f"to {lrs[-1]:.2g}."
            )

        return move

    ranges = {"season": (50, 1500), "burst": (0.0, 100.0), "noise": (0.0, 1.0), "eps": (1e-10, 10.0)}
    moving = parts(rule).knobs | {"season": 300, "noise": 0.3, "burst": 0.0}
    return Scene(build, moving, ranges=ranges)


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
