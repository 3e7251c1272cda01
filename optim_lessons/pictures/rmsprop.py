"""The pictures of lesson 07: a burst and how it is forgotten, first steps, the long run, the jitter."""

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Mark, Panel, Shown, dots, knob, level, line, log, note, picture, plain, stairs, step, upright,
)  # fmt: skip
from optim_lessons.lab.path import record
from optim_lessons.lab.plots import ALERT, Picture, columns, counted, look, new_figure, rule_label, rule_style
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies.long_run import BURST_AT, STEPS, follow, moving_minimum

LINE = rule_style(rmsprop) | {"marker": ""}
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

    The usual gradient is 1. size, start, length: of the burst, the last two in steps.
    """
    t = np.arange(1, SHOWN + 1)

    def show(*, beta, size, start, length):
        slopes = slopes_with_burst(size, start, length)
        own, sums = fed(rmsprop, slopes, lr=1.0, beta=beta)[1], fed(adagrad, slopes, lr=1.0)[1]
        data = {"slope": (t, slopes)}
        for name, v in (("RMSProp", own), ("AdaGrad", sums)):
            data |= {f"√v of {name}": (t, np.sqrt(v)), f"step of {name}": (t, 1 / np.sqrt(v))}
        return Shown(_after_burst(beta, own, sums, start + length), **data)

    told = "beta {beta:g}   size {size:g}   start {start}   length {length}"
    left = Panel((0.075, 0.135, 0.41, 0.77), step(SHOWN, "step t"), log("|g| and √v", 0.05, 2e4), told)
    left.legend = {"loc": "upper left", "ncols": 3, "columnspacing": 1.0, "handlelength": 2.4}
    left.add(slope=line(GREY, linewidth=1.2, label="|g|"))
    right = Panel((0.575, 0.135, 0.39, 0.77), step(SHOWN, "step t"), log("", 2e-4, 30))
    right.title = "step of a usual gradient, in units of lr"
    right.add(usual=level(GREY, 1, linewidth=1))
    for name, rule, thin in (("AdaGrad", adagrad, {"linewidth": 1.6}), ("RMSProp", rmsprop, {})):
        left.add(**{f"√v of {name}": plain(rule, label=f"√v of {name}", within=FREE, **thin)})
        right.add(**{f"step of {name}": plain(rule, within=FREE, **thin)})
    knobs = {"beta": 0.99, "size": knob(100, 1, 300), "start": knob(500, 1, 1500), "length": knob(1, 1, 50)}
    return picture([left, right], show, **knobs)


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

    The gradient is constant. t: the number of steps.
    """
    most, age = 1000, np.arange(400.0)
    steps = np.arange(1, most + 1)

    def show(*, beta, t):
        total, lengths = 1 - beta**t, -np.diff(fed(rmsprop, np.ones(most), lr=1.0, beta=beta, eps=0.0)[0])
        told = f"After {counted(t, 'step')} the weights add up to {total:.3g}, so √v is {np.sqrt(total):.3g} "
        told += f"of the gradient's size, and step {t} is {lengths[t - 1]:.3g} lr long. "
        data = {"weights": np.where(age < t, beta**age, 0.0), "share": f"all weights: 1 − βᵗ = {total:.3g}"}
        data |= {"theory": (steps, 1 / np.sqrt(1 - beta**steps)), "lengths": (steps, lengths)}
        data |= {"here": ([t], lengths[t - 1 : t])}
        return Shown(f"{told}The first step is {lengths[0]:.3g} lr long.", **data)

    sides = ("age k of a gradient, in steps", -1, 300), ("its weight in v, over (1 − β)", 0, 1.08)
    left = Panel((0.085, 0.135, 0.4, 0.77), *sides, "beta {beta:g}   t {t}")
    left.add(weights=stairs(np.arange(401), color=LINE["color"], alpha=0.4, fill=True), share=Mark(
        lambda ax, **more: ax.text(0.97, 0.9, "", transform=ax.transAxes, ha="right", **more),
        lambda text, words: text.set_text(words)))  # fmt: skip
    right = Panel((0.58, 0.135, 0.385, 0.77), log("step t", 1, most), log("step length / lr", 0.8, 120))
    right.add(usual=level(GREY, 1, linewidth=1), theory=line(THEORY, label="1/√(1 − βᵗ)", within=FREE))
    right.add(lengths=plain(rmsprop, label="RMSProp, constant gradient", within=FREE))
    right.add(here=dots(ALERT, within=FREE))
    right.legend = {"loc": "upper right"}
    return picture([left, right], show, beta=0.99, t=knob(10, 1, 1000))


def long_run():
    """Return the scene of lesson 06's long run for RMSProp: its walk, and √v and eps on one scale.

    season, noise: of the moving minimum.  burst: at step 1,000.
    """
    t = np.arange(STEPS + 1)

    def show(*, lr, beta, eps, season, noise, burst):
        c, added = moving_minimum(season, noise, burst)
        ws, v = follow(rmsprop, c, added, lr=lr, beta=beta, eps=eps)
        typical = np.median(np.sqrt(v))
        data = {"minimum": c, "walk": np.nan_to_num(ws, nan=3.0), "root": (t[1:], np.sqrt(v))}
        data |= {"eps_level": ([0, STEPS], [max(eps, 1.05e-3)] * 2)}
        data |= {"low": (STEPS, 1.3e-3, "ε is below this axis")} if eps < 1e-3 else {}
        if eps > 0.3 * typical:  # then it is nearly gradient descent: show that beside it
            data["descent"] = np.nan_to_num(follow(gradient_descent, c, added, lr=lr / eps)[0], nan=3.0)
        chosen = {"lr": lr, "beta": beta, "eps": eps, "season": season, "noise": noise, "burst": burst}
        told = "  ".join(f"{name} {value:.3g}" for name, value in chosen.items())
        return Shown(_followed(np.abs(ws - c), typical, lr, eps, season), told=told, **data)

    left = Panel((0.075, 0.135, 0.5, 0.77), step(STEPS, "step t"), ("w", -2, 2), "{told}")
    left.legend = {"loc": "lower left", "ncols": 3, "columnspacing": 1.0}
    left.add(minimum=line(GREY, alpha=0.55, linewidth=4, label="minimum"))
    left.add(descent=line("#222222", linewidth=1.0, label="descent, lr/ε", within=(-3, 3)))
    left.add(walk=plain(rmsprop, linewidth=1.3, label="RMSProp", within=(-3, 3)))
    right = Panel(
        (0.66, 0.135, 0.31, 0.77), step(STEPS, "step t"), log("", 1e-3, 1e2), "√v and ε on one scale"
    )
    right.legend = {"loc": "upper right", "ncols": 2}
    right.add(root=plain(rmsprop, label="√v", within=FREE))
    right.add(eps_level=line(ALERT, linestyle=":", linewidth=2.5, label="ε"))
    right.add(low=note(None, None, None, ha="right", color=ALERT))
    knobs = {"lr": 0.06, "beta": 0.99, "eps": knob(1e-8, 1e-8, 30.0), "season": knob(300, 50, 1500)}
    return picture([left, right], show, **knobs, noise=knob(0.3, 0.0, 1.0), burst=knob(0.0, 0.0, 100.0))


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
    """Return the scene of Hinton's example: nine slopes of 0.1, one of −0.9, again and again."""
    steps, kept = 300, np.geomspace(1, 1e-4, 100)
    slopes = np.resize(SLOPES, steps)
    signs, _ = fed(rmsprop, slopes, lr=1.0, beta=0.0, eps=0.0)

    def show(*, beta):
        ws, far = fed(rmsprop, slopes, lr=1.0, beta=beta, eps=0.0)[0], -float(drift(beta))
        told = f"At beta {beta:g} the walk drifts {far:.2g} lr in ten steps, once v has found its rhythm; "
        told += "the signs alone drift 8 lr, and the right answer is 0."
        return Shown(told, walk=ws, here=([1 - beta], [far]))

    left = Panel((0.075, 0.135, 0.41, 0.77), step(steps, "step t"), ("w, in units of lr", -250, 30))
    left.title, left.legend = "beta {beta:g}", {"loc": "lower left"}
    left.add(zero=level(GREY, 0, linewidth=4, alpha=0.4))
    left.add(words=note(steps, 6, "the mean slope is 0: stay here", ha="right", color=NOTE))
    left.add(signs=line(GREY, signs, linestyle=":", linewidth=1.6, label="signs alone (beta 0)"))
    left.add(walk=plain(rmsprop, label="RMSProp"))
    right = Panel((0.58, 0.135, 0.385, 0.77), log("1 − β", 1, 1e-4), log("", 1e-3, 20))
    right.title = "drift in ten steps, in units of lr"
    right.add(
        drift=line(LINE["color"], (kept, -drift(1 - kept)), linewidth=1.5), here=dots(ALERT, within=FREE)
    )
    return picture([left, right], show, beta=0.9)


def amplitude(lr, eps, curvature):
    """Return how far from the minimum of ½·h·w² RMSProp jitters for ever: lr/2 − ε/h, or 0."""
    return np.maximum(lr / 2 - eps / curvature, 0.0)


def settling():
    """Return the scene of RMSProp on a parabola without any noise: its distance, and its effective lr."""
    t = np.arange(STEPS + 1)

    def show(*, lr, beta, eps, curvature):
        ws, v = on_parabola(lr, beta, eps, curvature)
        distance, size = np.abs(ws), amplitude(lr, eps, curvature)
        late, lowest = np.median(distance[-300:]), distance.argmin()
        told = f"Median distance over the last 300 steps: {f'{late:.3g}' if late > 1e-12 else '0'}; "
        told += f"lr/2 − eps/curvature is {size:.3g}."
        if late > max(1e-12, 1e3 * distance[lowest]):
            told += f" It had been at {max(distance[lowest], 1e-300):.0e}, at step {lowest}, and came back."
        data = {"walk": distance, "factor": (t[1:], lr / (np.sqrt(v) + eps))}
        data |= {"goal": ([0, STEPS], [size, size])} if size > 0 else {}
        data |= {"limit": ([0, STEPS], [2 / curvature] * 2), "name": (STEPS, 2.3 / curvature, "2/curvature")}
        return Shown(told, **data)

    told = "lr {lr:.3g}   beta {beta:g}   eps {eps:.3g}   curvature {curvature:.3g}"
    sides = step(STEPS, "step t"), log("distance to the minimum |w|", 1e-12, 30)
    left = Panel((0.085, 0.135, 0.4, 0.77), *sides, told, legend="upper right")
    dashes = {"linestyle": "--", "linewidth": 1.3}
    left.add(goal=line(ALERT, label="lr/2 − ε/curvature", within=FREE, **dashes))
    left.add(walk=plain(rmsprop, linestyle="-", linewidth=1.2, within=(1e-13, 1e3)))
    right = Panel(
        (0.58, 0.135, 0.385, 0.77), step(STEPS, "step t"), log("", 1e-3, 1e4), "effective lr: lr/(√v + ε)"
    )
    right.add(limit=line(ALERT, **dashes), factor=plain(rmsprop, within=FREE))
    right.add(name=note(None, None, None, ha="right", va="bottom", color=ALERT))
    knobs = {"lr": knob(0.01, 1e-3, 0.3), "beta": knob(0.99, [0.5, 0.8, 0.9, 0.95, 0.98, 0.99])}
    knobs |= {"eps": knob(1e-8, 1e-8, 1.0), "curvature": knob(1.0, 0.1, 10.0, log=True)}
    return picture([left, right], show, **knobs)


def on_parabola(lr, beta, eps, curvature):
    """Walk RMSProp from 1 down ½·curvature·w² for 3,000 steps; return w, and v after each step."""
    walk = record(rmsprop, lambda w: curvature * w, 1.0, STEPS, lr=lr, beta=beta, eps=eps)
    return walk["w"], walk["v"][1:]


def eps_among_weights(roots):
    """Return the scene of eps among the √v of a network's weights. roots: dict step → √v, shape (n,).

    step: one of those given.
    """
    steps, edges = list(roots), np.linspace(-8, 0, 81)

    def show(*, eps, step):
        root = roots[step]
        never, ruled = int((root == 0).sum()), np.mean(root[root > 0] < eps)
        told = (
            f"After {counted(step, 'step')}, ε is larger than √v for {ruled:.0%} of the {root.size - never} "
        )
        told += "weights that have had a gradient. Their steps are less than half as long as with ε = 0."
        counts, _ = np.histogram(np.log10(np.maximum(root, 1e-30)), edges)
        return Shown(told, counts=counts, eps_level=eps, name=(eps * 1.15, 350, "ε"), never=never)

    told = "eps {eps:.3g}   step {step}   weights without any gradient so far: {never}"
    panel = Panel((0.085, 0.17, 0.89, 0.7), log("√v of a weight, and ε", 1e-8, 1), ("weights", 0, 360), told)
    panel.add(counts=stairs(10**edges, fill=True, color=LINE["color"], alpha=0.6))
    panel.add(eps_level=upright(ALERT, linestyle=":", linewidth=2.5))
    panel.add(name=note(None, None, None, color=ALERT, fontsize=14, va="top"))
    knobs = {"eps": knob(1e-8, 1e-8, 1.0), "step": knob(steps[-1], steps)}
    return picture([panel], show, figsize=(9.6, 3.4), **knobs)


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

    def loss(ax, run):
        ax.semilogy(run["loss"], color="#222222", linewidth=1.3)
        ax.set_ylim(1e-5, 3e2)

    def length(ax, run):
        ax.semilogy(np.arange(1, len(run["step"]) + 1), run["step"], color=NOTE, linewidth=1.3)
        ax.set_ylim(3e-5, 10)

    share = {"adjust": (0.085, 0.12, 0.99, 0.93, 0.1, 0.12), "sharex": True, "sharey": "row"}
    figure = columns(runs, {"loss": loss, "length of the step": length}, **share)
    ends = "; ".join(
        f"{name}: loss {run['loss'][0]:.3g} to {run['loss'][-1]:.1g}, step {run['step'][-1]:.1g}"
        for name, run in runs.items()
    )
    return Picture(figure, f"Four runs. {ends}.")
