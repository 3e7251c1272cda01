"""The pictures of lesson 07: a burst and how it is forgotten, first steps, the long run, the jitter."""

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.live import Scene
from optim_lessons.lab.path import record
from optim_lessons.lab.plots import ALERT, Picture, counted, look, new_figure, rule_label, rule_style
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies.long_run import BURST_AT, STEPS, follow, moving_minimum

LINE = rule_style(rmsprop) | {"marker": ""}
OTHER = rule_style(adagrad) | {"marker": ""}
GREY, NOTE = "#8593a0", "#5b6873"
THEORY = {"color": "#b87700", "alpha": 0.3, "linewidth": 7}
SHOWN = 2000  # steps of the burst's picture
SLOPES = np.array([0.1] * 9 + [-0.9])  # nine small ones and a large one: their mean is 0


def fed(rule, slopes, **knobs):
    """Feed a rule with given slopes from w = 0; return its w, shape (steps + 1,), and v, shape (steps,)."""
    walk = record(rule, lambda w, t: slopes[t], 0.0, len(slopes), **knobs)
    return walk["w"], walk["v"][1:]


def slopes_with_burst(size, start, length):
    """Return 2,000 slopes of size 1; from step `start` on, `length` of them are `size` times as large."""
    slopes = np.ones(SHOWN)
    slopes[start : start + length] = size
    return slopes


def burst():
    """Return the scene of a burst of large gradients: √v, and the step that a usual gradient makes.

    The usual gradient is 1. Knobs: beta, and of the burst its size, start and length in steps.
    """

    def build(figure):
        left, right = figure.add_axes((0.075, 0.135, 0.41, 0.77)), figure.add_axes((0.575, 0.135, 0.39, 0.77))
        t = np.arange(1, SHOWN + 1)
        left.set(xlim=(0, SHOWN), ylim=(0.05, 2e4), yscale="log", xlabel="step t")
        left.set_ylabel("|g| and √v")
        right.set(xlim=(0, SHOWN), ylim=(2e-4, 30), yscale="log", xlabel="step t")
        right.set_title("step of a usual gradient, in units of lr")
        right.axhline(1, color=GREY, linewidth=1)
        slope = left.plot([], [], color=GREY, linewidth=1.2, animated=True, label="|g|")[0]
        lines = []
        for ax in (left, right):
            fair = ax.plot([], [], animated=True, **OTHER | {"linewidth": 1.6}, label="√v of AdaGrad")[0]
            mine = ax.plot([], [], animated=True, **LINE, label="√v of RMSProp")[0]
            lines.append((fair, mine))
        left.legend(loc="upper left", ncols=3, columnspacing=1.0, handlelength=2.4)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, beta, size, start, length):
            slopes = slopes_with_burst(size, start, length)
            slope.set_data(t, slopes)
            _, own = fed(rmsprop, slopes, lr=1.0, beta=beta)
            _, sums = fed(adagrad, slopes, lr=1.0)
            for v, place in ((sums, 0), (own, 1)):
                lines[0][place].set_data(t, np.sqrt(v))
                lines[1][place].set_data(t, 1 / np.sqrt(v))
            settings.set_text(f"beta {beta:g}   size {size:g}   start {start}   length {length}")
            return _after_burst(beta, own, sums, start + length)

        return move

    ranges = {"size": (1, 300), "start": (1, 1500), "length": (1, 50)}
    return Scene(build, {"beta": 0.99, "size": 100, "start": 500, "length": 1}, ranges=ranges)


def _after_burst(beta, own, sums, end):
    first, last = 1 / np.sqrt(own[end]), 1 / np.sqrt(own[-1])
    back = np.flatnonzero(1 / np.sqrt(own[end:]) >= 0.9)
    when = (
        f"It is back above 0.9 lr {counted(back[0] + 1, 'step')} after it"
        if back.size
        else f"It ends at {last:.2g} lr"
    )
    return (
        f"Memory 1/(1 − beta) = {counted(f'{1 / (1 - beta):.4g}', 'step')}. "
        f"After the burst RMSProp steps {first:.2g} lr. {when}. "
        f"AdaGrad steps {1 / np.sqrt(sums[end]):.2g} lr after the burst, "
        f"and {1 / np.sqrt(sums[-1]):.2g} lr at the end."
    )


def first_steps():
    """Return the scene of the weights in the average v after t steps, and of the first steps' lengths.

    The gradient is constant. Knobs: beta and t, the number of steps.
    """
    most = 1000

    def build(figure):
        left, right = figure.add_axes((0.085, 0.135, 0.4, 0.77)), figure.add_axes((0.58, 0.135, 0.385, 0.77))
        left.set(xlim=(-1, 300), ylim=(0, 1.08), xlabel="age k of a gradient, in steps")
        left.set_ylabel("its weight in v, over (1 − β)")
        right.set(xlim=(1, most), ylim=(0.8, 120), xscale="log", yscale="log", xlabel="step t")
        right.set_ylabel("step length / lr")
        right.axhline(1, color=GREY, linewidth=1)
        bars = left.stairs(np.zeros(400), animated=True, color=LINE["color"], alpha=0.4, fill=True)
        share = left.text(0.97, 0.9, "", transform=left.transAxes, ha="right", animated=True)
        theory = right.plot([], [], animated=True, **THEORY, label="1/√(1 − βᵗ)")[0]
        walk = right.plot([], [], animated=True, **LINE, label="RMSProp, constant gradient")[0]
        here = right.plot([], [], "o", color=ALERT, markersize=9, animated=True)[0]
        right.legend(loc="upper right")
        settings = left.set_title("", fontsize=10, animated=True)
        steps = np.arange(1, most + 1)

        def move(*, beta, t):
            age = np.arange(400.0)
            bars.set_data(np.where(age < t, beta**age, 0.0))
            total = 1 - beta**t
            share.set_text(f"all weights: 1 − βᵗ = {total:.3g}")
            ws, _ = fed(rmsprop, np.ones(most), lr=1.0, beta=beta, eps=0.0)
            lengths = -np.diff(ws)
            theory.set_data(steps, 1 / np.sqrt(1 - beta**steps))
            walk.set_data(steps, lengths)
            here.set_data([t], lengths[t - 1 : t])
            settings.set_text(f"beta {beta:g}   t {t}")
            return (
                f"After {counted(t, 'step')} the weights add up to {total:.3g}, "
                f"so √v is {np.sqrt(total):.3g} of the gradient's size, "
                f"and step {t} is {lengths[t - 1]:.3g} lr long. The first step is {lengths[0]:.3g} lr long."
            )

        return move

    return Scene(build, {"beta": 0.99, "t": 10}, ranges={"t": (1, 1000)})


def long_run():
    """Return the scene of lesson 06's long run for RMSProp: its walk, and √v and eps on one scale.

    Knobs: lr, beta, eps; season and noise of the moving minimum, and the burst at step 1,000.
    """

    def build(figure):
        left, right = figure.add_axes((0.075, 0.135, 0.5, 0.77)), figure.add_axes((0.66, 0.135, 0.31, 0.77))
        t = np.arange(STEPS + 1)
        left.set(xlim=(0, STEPS), ylim=(-2, 2), xlabel="step t", ylabel="w")
        right.set(xlim=(0, STEPS), ylim=(1e-3, 1e2), yscale="log", xlabel="step t")
        right.set_title("√v and ε on one scale")
        minimum = left.plot([], [], color=GREY, alpha=0.55, linewidth=4, animated=True, label="minimum")[0]
        descent = left.plot([], [], animated=True, color="#222222", linewidth=1.0, label="descent, lr/ε")[0]
        walk = left.plot([], [], animated=True, **LINE | {"linewidth": 1.3}, label="RMSProp")[0]
        left.legend(loc="lower left", ncols=3, columnspacing=1.0)
        root = right.plot([], [], animated=True, **LINE, label="√v")[0]
        level = right.plot([], [], animated=True, color=ALERT, linestyle=":", linewidth=2.5, label="ε")[0]
        right.legend(loc="upper right", ncols=2)
        note = right.text(STEPS, 1.3e-3, "", ha="right", color=ALERT, animated=True)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta, eps, season, noise, burst):
            c, added = moving_minimum(season, noise, burst)
            ws, v = follow(rmsprop, c, added, lr=lr, beta=beta, eps=eps)
            minimum.set_data(t, c)
            walk.set_data(t, np.clip(np.nan_to_num(ws, nan=3.0), -3, 3))
            typical = np.median(np.sqrt(v))
            rules = eps > 0.3 * typical  # then it is nearly gradient descent: show that beside it
            descent.set_visible(rules)
            if rules:
                plain, _ = follow(gradient_descent, c, added, lr=lr / eps)
                descent.set_data(t, np.clip(np.nan_to_num(plain, nan=3.0), -3, 3))
            root.set_data(t[1:], np.sqrt(v))
            level.set_data([0, STEPS], [max(eps, 1.05e-3)] * 2)
            note.set_text("ε is below this axis" if eps < 1e-3 else "")
            chosen = {"lr": lr, "beta": beta, "eps": eps, "season": season, "noise": noise, "burst": burst}
            settings.set_text("  ".join(f"{name} {value:.3g}" for name, value in chosen.items()))
            return _followed(np.abs(ws - c), typical, lr, eps, season)

        return move

    ranges = {"season": (50, 1500), "burst": (0.0, 100.0), "noise": (0.0, 1.0), "eps": (1e-8, 30.0)}
    moving = {"lr": 0.06, "beta": 0.99, "eps": 1e-8, "season": 300, "noise": 0.3, "burst": 0.0}
    return Scene(build, moving, ranges=ranges)


def _followed(distance, typical, lr, eps, season):
    after = distance[BURST_AT + 1 : BURST_AT + 301].mean()
    told = (
        f"Mean distance to the minimum: {distance[1 : season + 1].mean():.2f} in the first season, "
        f"{after:.2f} in the 300 steps after step 1,000, {distance[-season:].mean():.2f} in the last season. "
    )
    ratio = eps / typical
    if ratio < 0.1:
        return f"{told}ε is {ratio:.1g} of the usual √v: it does nothing."
    if ratio > 10:
        return (
            f"{told}ε is {ratio:.2g} times the usual √v: this is gradient descent at lr/ε = {lr / eps:.2g}."
        )
    return f"{told}ε is {ratio:.2g} times the usual √v: between RMSProp and gradient descent at lr/ε."


def drift(beta):
    """Return how far w moves in ten steps, in units of lr, when nine slopes of 0.1 and one of −0.9 repeat.

    Their mean is 0. v has its lasting rhythm; eps is 0.
    """
    beta = np.asarray(beta, dtype=float)[..., None]
    age = (np.arange(10)[:, None] - np.arange(10)) % 10  # of slope j, seen at phase i
    v = ((1 - beta) / (1 - beta**10))[..., None] * beta[..., None] ** age @ (SLOPES**2)[:, None]
    return -(SLOPES / np.sqrt(v[..., 0])).sum(axis=-1)


def nine_and_one():
    """Return the scene of Hinton's example: nine slopes of 0.1, one of −0.9, again and again. Knob: beta."""
    steps = 300

    def build(figure):
        left, right = figure.add_axes((0.075, 0.135, 0.41, 0.77)), figure.add_axes((0.58, 0.135, 0.385, 0.77))
        left.set(xlim=(0, steps), ylim=(-250, 30), xlabel="step t", ylabel="w, in units of lr")
        right.set(xlim=(1, 1e-4), ylim=(1e-3, 20), xscale="log", yscale="log", xlabel="1 − β")
        right.set_title("drift in ten steps, in units of lr")
        slopes = np.resize(SLOPES, steps)
        signs, _ = fed(rmsprop, slopes, lr=1.0, beta=0.0, eps=0.0)
        left.axhline(0, color=GREY, linewidth=4, alpha=0.4)
        left.text(steps, 6, "the mean slope is 0: stay here", ha="right", color=NOTE)
        left.plot(signs, color=GREY, linestyle=":", linewidth=1.6, label="signs alone (beta 0)")
        walk = left.plot([], [], animated=True, **LINE, label="RMSProp")[0]
        left.legend(loc="lower left")
        kept = np.geomspace(1, 1e-4, 100)
        right.plot(kept, -drift(1 - kept), color=LINE["color"], linewidth=1.5)
        here = right.plot([], [], "o", color=ALERT, markersize=9, animated=True)[0]
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, beta):
            ws, _ = fed(rmsprop, slopes, lr=1.0, beta=beta, eps=0.0)
            walk.set_data(np.arange(steps + 1), ws)
            far = -float(drift(beta))
            here.set_data([1 - beta], [far])
            settings.set_text(f"beta {beta:g}")
            return (
                f"At beta {beta:g} the walk drifts {far:.2g} lr in ten steps, once v has found its rhythm; "
                f"the signs alone drift 8 lr, and the right answer is 0."
            )

        return move

    return Scene(build, {"beta": 0.9})


def amplitude(lr, eps, curvature):
    """Return how far from the minimum of ½·h·w² RMSProp jitters for ever: lr/2 − ε/h, or 0."""
    return np.maximum(lr / 2 - eps / curvature, 0.0)


def settling():
    """Return the scene of RMSProp on a parabola without any noise: its distance, and its effective lr.

    Knobs: lr, beta, eps, curvature.
    """

    def build(figure):
        left, right = figure.add_axes((0.085, 0.135, 0.4, 0.77)), figure.add_axes((0.58, 0.135, 0.385, 0.77))
        t = np.arange(STEPS + 1)
        left.set(xlim=(0, STEPS), ylim=(1e-12, 30), yscale="log", xlabel="step t")
        left.set_ylabel("distance to the minimum |w|")
        right.set(xlim=(0, STEPS), ylim=(1e-3, 1e4), yscale="log", xlabel="step t")
        right.set_title("effective lr: lr/(√v + ε)")
        goal = left.plot(
            [], [], animated=True, color=ALERT, linestyle="--", linewidth=1.3, label="lr/2 − ε/curvature"
        )[0]
        walk = left.plot([], [], animated=True, **LINE | {"linestyle": "-", "linewidth": 1.2})[0]
        left.legend(loc="upper right")
        limit = right.plot([], [], animated=True, color=ALERT, linestyle="--", linewidth=1.3)[0]
        factor = right.plot([], [], animated=True, **LINE)[0]
        text = right.text(STEPS, 1, "2/curvature", ha="right", va="bottom", color=ALERT, animated=True)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta, eps, curvature):
            ws, v = on_parabola(lr, beta, eps, curvature)
            size = amplitude(lr, eps, curvature)
            walk.set_data(t, np.clip(np.abs(ws), 1e-13, 1e3))
            goal.set_data([0, STEPS], [size, size])
            goal.set_visible(bool(size > 0))
            factor.set_data(t[1:], lr / (np.sqrt(v) + eps))
            limit.set_data([0, STEPS], [2 / curvature] * 2)
            text.set_y(2.3 / curvature)
            settings.set_text(f"lr {lr:.3g}   beta {beta:g}   eps {eps:.3g}   curvature {curvature:.3g}")
            late = np.median(np.abs(ws[-300:]))
            seen = f"{late:.3g}" if late > 1e-12 else "0"
            end = f"Median distance over the last 300 steps: {seen}; lr/2 − eps/curvature is {size:.3g}."
            lowest = np.abs(ws).argmin()
            if late > max(1e-12, 1e3 * np.abs(ws[lowest])):
                end += (
                    f" It had been at {max(np.abs(ws[lowest]), 1e-300):.0e}, at step {lowest}, and came back."
                )
            return end

        return move

    ranges = {"beta": [0.5, 0.8, 0.9, 0.95, 0.98, 0.99], "lr": (1e-3, 0.3), "eps": (1e-8, 1.0)}
    moving = {"lr": 0.01, "beta": 0.99, "eps": 1e-8, "curvature": 1.0}
    return Scene(build, moving, ranges=ranges)


def on_parabola(lr, beta, eps, curvature):
    """Walk RMSProp from 1 down ½·curvature·w² for 3,000 steps; return w, and v after each step."""
    walk = record(rmsprop, lambda w: curvature * w, 1.0, STEPS, lr=lr, beta=beta, eps=eps)
    return walk["w"], walk["v"][1:]


def eps_among_weights(roots):
    """Return the scene of eps among the √v of a network's weights. roots: dict step → √v, shape (n,).

    Knobs: eps, and step (one of those given).
    """
    steps = list(roots)
    edges = np.linspace(-8, 0, 81)

    def build(figure):
        ax = figure.add_axes((0.085, 0.17, 0.89, 0.7))
        ax.set(xlim=(1e-8, 1), ylim=(0, 360), xscale="log", xlabel="√v of a weight, and ε", ylabel="weights")
        bars = ax.stairs(np.zeros(80), 10**edges, fill=True, color=LINE["color"], alpha=0.6, animated=True)
        level = ax.axvline(1, color=ALERT, linestyle=":", linewidth=2.5, animated=True)
        note = ax.text(1, 350, "ε", color=ALERT, fontsize=14, va="top", animated=True)
        settings = ax.set_title("", fontsize=10, animated=True)

        def move(*, eps, step):
            root = roots[step]
            counts, _ = np.histogram(np.log10(np.maximum(root, 1e-30)), edges)
            bars.set_data(counts)
            level.set_xdata([eps, eps])
            note.set_x(eps * 1.15)
            never = int((root == 0).sum())
            ruled = np.mean(root[root > 0] < eps)
            settings.set_text(f"eps {eps:.3g}   step {step}   weights without any gradient so far: {never}")
            return (
                f"After {counted(step, 'step')}, ε is larger than √v for {ruled:.0%} "
                f"of the {root.size - never} weights that have had a gradient. "
                "Their steps are less than half as long as with ε = 0."
            )

        return move

    return Scene(
        build, {"eps": 1e-8, "step": steps[-1]}, ranges={"step": steps, "eps": (1e-8, 1.0)}, size=(9.6, 3.4)
    )


def broken_batch(at, steps, curves):
    """Return the still picture of losses with and without a broken batch at step `at`.

    steps: where the losses were taken.  curves: dict rule → (losses without, losses with it).
    """
    figure = new_figure((9.6, 3.6))
    with look():
        axes = figure.subplots(1, len(curves), sharey=True)
        figure.subplots_adjust(0.08, 0.15, 0.99, 0.91, wspace=0.08)
        for ax, (rule, (clean, broken)) in zip(axes, curves.items(), strict=True):
            ax.plot(steps, clean, color=GREY, linewidth=3, alpha=0.6, label="no broken batch")
            ax.plot(
                steps, broken, **rule_style(rule, batches=True) | {"marker": ""}, label="one broken batch"
            )
            ax.axvline(at, color=ALERT, linestyle=":", linewidth=1.2)
            ax.set(yscale="log", xlabel="step", title=rule_label(rule, batches=True))
            ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.34))
        axes[0].set_ylabel("loss on the training data")
    ends = "; ".join(
        f"{rule_label(rule, batches=True)} {clean[-1]:.2f} without, "
        f"{broken[-1]:.{0 if broken[-1] > 10 else 2}f} with it"
        for rule, (clean, broken) in curves.items()
    )
    return Picture(figure, f"Loss after {steps[-1]:,} steps: {ends}.")


def losses_by_lr(results):
    """Return the still picture of the final loss against lr.

    results: dict rule → (lrs, losses), of shapes (k,) and (seeds, k).
    """
    figure = new_figure((9.6, 3.4))
    with look():
        ax = figure.add_axes((0.1, 0.16, 0.88, 0.8))
        for rule, (lrs, losses) in results.items():
            style = rule_style(rule, batches=True)
            ax.plot(
                lrs,
                np.median(losses, axis=0),
                **style | {"markersize": 5},
                label=rule_label(rule, batches=True),
            )
            ax.fill_between(lrs, losses.min(axis=0), losses.max(axis=0), color=style["color"], alpha=0.15)
        ax.set(xscale="log", yscale="log", xlabel="lr", ylabel="validation loss")
        ax.legend(loc="upper center", ncols=3)
        top = max(np.nanmax(losses) for _, losses in results.values())
        ax.set_ylim(top=3 * top)
        ax.set_yticks((0.2, 0.5, 1, 2, 5), ("0.2", "0.5", "1", "2", "5"))
        ax.yaxis.set_minor_formatter("")
    best = []
    for rule, (lrs, losses) in results.items():
        lowest = best_of(np.median(losses, axis=0), lr=lrs)
        best.append(f"{rule_label(rule, batches=True)} {lowest.score:.2f} at lr {lowest.short}")
    return Picture(figure, f"Lowest median: {'; '.join(best)}.")


def four_runs(runs):
    """Return the still picture of the runs to diagnose: the loss, and the length of each step.

    runs: dict name → dict with "loss" and "step".
    """
    figure = new_figure((9.6, 4.6))
    with look():
        axes = figure.subplots(2, len(runs), sharex=True, sharey="row")
        figure.subplots_adjust(0.085, 0.12, 0.99, 0.93, wspace=0.1, hspace=0.12)
        for column, (name, run) in zip(axes.T, runs.items(), strict=True):
            column[0].plot(run["loss"], color="#222222", linewidth=1.3)
            column[0].set(yscale="log", title=name)
            column[1].plot(np.arange(1, len(run["step"]) + 1), run["step"], color=NOTE, linewidth=1.3)
            column[1].set(yscale="log", xlabel="step")
        axes[0, 0].set(ylabel="loss", ylim=(1e-5, 3e2))
        axes[1, 0].set(ylabel="length of the step", ylim=(3e-5, 10))
    ends = "; ".join(
        f"{name}: loss {run['loss'][0]:.3g} to {run['loss'][-1]:.1g}, step {run['step'][-1]:.1g}"
        for name, run in runs.items()
    )
    return Picture(figure, f"Four runs. {ends}.")
