"""The pictures of lesson 06, and the long run, which lesson 07 shows again with its own rule."""

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.knobs import parts

from optim_lessons.lab.panels import (  # isort: skip
    FREE, KNOBS, Mark, Panel, Shown, knob, level, line, log, note, picture, plain, step, upright,
)  # fmt: skip

from optim_lessons.lab.plots import (  # isort: skip
    ALERT, Picture, columns, fan, knob_values, look, rule_label, rule_style, to_diagnose,
)  # fmt: skip
from optim_lessons.momentum import momentum
from optim_lessons.studies.long_run import BURST_AT, STEPS, effective_lr, follow, moving_minimum

from optim_lessons.studies.online_learning import (  # isort: skip
    EXAMPLES, LRS, feature_stream, on_stream, regret_bound, regrets,
)  # fmt: skip

GROUND = "#8593a0"  # what is not a walk: a minimum that moves, a slope to compare with
NOTE = "#5b6873"
DOTTED = {"linestyle": ":", "linewidth": 1.5}


def rare_and_frequent():
    """Return the scene of two weights, one for a frequent and one for a rare feature, and their lrs.

    Both weights should become 1. eps: AdaGrad's.  frequency: of the rare feature.  against, its_lr: the rule
    with one lr for both.
    """
    rivals = {rule_label(rule): rule for rule in (gradient_descent, momentum)}
    t, marked = np.arange(1, EXAMPLES + 1), np.unique(np.geomspace(1, EXAMPLES, 12).astype(int)) - 1

    def show(*, lr, eps, frequency, against, its_lr, seed):
        stream = feature_stream(frequency, seed)
        ws, lrs = on_stream(adagrad, *stream, lr=lr, eps=eps)
        other, _ = on_stream(rivals[against], *stream, lr=its_lr)
        data = {f"{name}, w[{i}]": np.nan_to_num(its[:, i], nan=3.0)
                for name, its in (("AdaGrad", ws), (against, other)) for i in (0, 1)}  # fmt: skip
        data |= {"lr of AdaGrad": (t, lrs[:, 0]), "rare lr": (t, lrs[:, 1])}
        data |= {f"lr of {against}": ([1, EXAMPLES], [its_lr * (10 if against == "momentum" else 1)] * 2)}
        data |= {"marks": (t[marked], lrs[marked, 1]), "seen": np.flatnonzero(stream[0][:, 1])}
        knobs = {"lr": lr, "eps": eps, "frequency": frequency, against: its_lr, "seed": seed}
        said = f"The rare feature came {len(data['seen'])} times. Mean distance from 1 over the last 500 "
        said += f"examples: AdaGrad {_distance(ws)}; {against} {_distance(other)}."
        return Shown(said, told=knob_values(knobs), **data)

    ends = -0.3, 2.2, False, (0, 1, 2)
    top = Panel((0.075, 0.55, 0.5, 0.36), ("", 0, EXAMPLES), ("frequent w[0]", *ends), "{told}")
    bottom = Panel((0.075, 0.12, 0.5, 0.36), ("example t", 0, EXAMPLES), ("rare w[1]", *ends))
    top.legend = {"loc": "upper right", "ncols": 3, "fontsize": 9, "handlelength": 2.4}
    top.add(goal=level(GROUND, 1, **DOTTED), hide=lambda ax: ax.set_xticklabels([]))
    bottom.add(goal=level(GROUND, 1, **DOTTED), seen=Mark(
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
    tenths = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    knobs = {"lr": knob(0.3, 0.01, 3.0), "eps": knob(1e-10, 1e-10, 100.0)}
    knobs |= {"frequency": knob(0.02, [0.005, *tenths]), "against": knob("gradient descent", rivals)}
    knobs |= {"its_lr": knob(0.05, [0.001, 0.002, 0.005, *tenths]), "seed": knob(0, 0, 20)}
    return picture([top, bottom, right], show, figsize=(9.6, 4.4), **knobs)


def _distance(ws):
    away = np.abs(ws[-500:] - 1).mean(axis=0)
    if not (away < 100).all():
        return "is lost (its steps overshoot)"
    return f"{away[0]:.2f} (frequent) and {away[1]:.2f} (rare)"


def hindsight():
    """Return the scene of the mean regret against lr, of gradient descent and AdaGrad.

    Dotted: the bound of the theory for each fixed lr, lowest at D/√G.
    scale: of the loss.
    """
    rules = {rule_label(rule): rule for rule in (gradient_descent, adagrad)}

    def show(*, scale, steps, seed):
        bound, theory = regret_bound(steps, scale)
        data, best = {"bound": (LRS, bound)}, {}
        for name, rule in rules.items():
            found = regrets(rule, steps, scale, seed)
            best[name] = best_of(found, lr=LRS)
            here = [best[name].index]
            data |= {name: (LRS, found), f"lowest of {name}": (LRS[here], found[here])}
        told = f"Best lr of 41: gradient descent {best['gradient descent'].short} (the theory says "
        return Shown(f"{told}{theory:.2g}), AdaGrad {best['AdaGrad'].short}.", theory=theory, **data)

    sides = log("lr", LRS[0], LRS[-1]), log("mean regret / scale", 3e-3, 10)
    panel = Panel((0.09, 0.135, 0.88, 0.77), *sides, KNOBS)
    panel.legend = {"loc": "lower right", "bbox_to_anchor": (1, 0.99), "ncols": 4, "fontsize": 9}
    for name, rule in rules.items():
        panel.add(**{name: plain(rule, label=name, within=(1e-6, 1e6))})
        panel.add(**{f"lowest of {name}": line(rule, markersize=9, within=FREE)})
    panel.add(bound=line(GROUND, linestyle=":", linewidth=2, label="bound, fixed lr", within=FREE))
    panel.add(theory=upright(ALERT, linestyle="--", linewidth=1.2, label="D/√G"))
    knobs = {"scale": knob(1.0, [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])}
    return picture([panel], show, **knobs, steps=knob(100, [30, 100, 300, 1000]), seed=knob(0, 0, 20))


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
        data |= {"effective": (t[1:], np.clip(lrs, 1e-9, 1e9)), "burst": BURST_AT if burst > 0 else None}
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
    right.add(root=line(GROUND, (t[1:], 50 / np.sqrt(t[1:])), **DOTTED))
    right.add(words=note(40, 14, "falls like 1/√t", color=NOTE), effective=plain(rule, within=FREE))
    for panel in (left, right):
        panel.add(burst=upright(ALERT, linestyle="--", linewidth=1.2))
    knobs = parts(rule).knobs | {"season": knob(300, 50, 1500), "noise": knob(0.3, 0.0, 1.0)}
    knobs |= {"eps": knob(knobs["eps"], 1e-10, 10.0)} if "eps" in knobs else {}
    return picture([left, right], show, **knobs, burst=knob(0.0, 0.0, 100.0))


def sweeps(panels, title="validation loss against lr: median of the seeds, band from best to worst"):
    """Return the still picture of losses against lr, a panel for each data set.

    panels: dict data set → dict label → (rule, lrs, losses), losses of shape (lrs, seeds).
    """

    def draw(ax, rows):
        lowest = np.inf
        for label, (rule, lrs, losses) in rows.items():
            losses = np.where(np.isfinite(losses), losses, 1e3)
            style = rule_style(rule) | {"markersize": 4}
            if label != rule_label(rule):
                style |= {"color": NOTE, "linestyle": ":", "marker": "x"}
            fan(ax, lrs, losses, np.median, axis=1, label=label, **style)
            lowest = min(lowest, np.median(losses, axis=1).min())
        ax.set(xscale="log", yscale="log", ylim=(0.95 * lowest, 2.2 * lowest))
        ax.yaxis.set_major_formatter("{x:.2g}")
        ax.yaxis.set_minor_formatter("{x:.2g}")
        ax.tick_params(axis="y", which="minor", labelsize=8)

    figure = columns(panels, {"loss": draw}, (9.6, 4.0), adjust=(0.07, 0.15, 0.99, 0.82, 0.2), xlabel="lr")
    with look():
        figure.suptitle(title, fontsize=11)
        figure.axes[0].legend(loc="upper left", fontsize=9)
    lowest = lambda rows: min(rows, key=lambda label: np.median(rows[label][2], axis=1).min())  # noqa: E731
    firsts = "; ".join(f"{name}: {lowest(rows)} lowest" for name, rows in panels.items())
    return Picture(figure, f"Loss against lr is a valley for each rule. {firsts}.")


def four_runs(runs):
    """Return the still picture of the runs to diagnose: loss above, effective lr of both weights below.

    runs: dict name → dict with "loss", shape (steps + 1,), and "effective_lr", shape (steps, 2).
    """

    def loss(ax, run):
        ax.loglog(np.arange(1, len(run["loss"])), run["loss"][1:], color=rule_style(adagrad)["color"])
        ax.set_ylim(1e-6, 30)

    def lrs(ax, run):
        for i, (dash, label) in enumerate((("-", "flat"), ("--", "steep"))):
            its = run["effective_lr"][:, i]
            ax.loglog(np.arange(1, len(its) + 1), its, dash, color="#222222", label=label)
        ax.set_ylim(1e-4, 1e3)
        if ax.get_subplotspec().is_first_col():
            ax.legend(loc="upper left")

    told = lambda run: f"loss {run['loss'][0]:.2g} to {run['loss'][-1]:.1g}"  # noqa: E731
    layout = {"size": (9.6, 4.8), "adjust": (0.08, 0.11, 0.99, 0.93, 0.12, 0.12)}
    rows = {"loss": loss, "effective lr": lrs}
    return to_diagnose(runs, rows, "Four runs of AdaGrad.", told, **layout, sharex=True, sharey="row")
