"""The pictures of lesson 07: a burst and how it is forgotten, first steps, the long run, the jitter."""

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Mark, Panel, Shown, dots, knob, level, line, log, note, picture, plain, stairs, step, upright,
)  # fmt: skip

from optim_lessons.lab.plots import (  # isort: skip
    ALERT, Picture, axes_in, columns, counted, fan, rule_label, rule_style, to_diagnose,
)  # fmt: skip
from optim_lessons.rmsprop import rmsprop

from optim_lessons.studies.forgetting import (  # isort: skip
    BURST_STEPS, SLOPES, amplitude, drift, fed, on_parabola, slopes_with_burst,
)  # fmt: skip
from optim_lessons.studies.long_run import BURST_AT, STEPS, follow, moving_minimum

COLOUR = rule_style(rmsprop)["color"]
GREY, NOTE = "#8593a0", "#5b6873"
LEFT, RIGHT = (0.085, 0.135, 0.4, 0.77), (0.58, 0.135, 0.385, 0.77)
BETAS = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99]
DASHES = {"linestyle": "--", "linewidth": 1.3}
EPS = {"linestyle": ":", "linewidth": 2.5}


def burst():
    """Return the scene of a burst of large gradients: √v, and the step that a usual gradient makes.

    The usual gradient is 1. size, start, length: of the burst, the last two in steps.
    """
    t, every = np.arange(1, BURST_STEPS + 1), step(BURST_STEPS, "step t")

    def show(*, beta, size, start, length):
        slopes = slopes_with_burst(size, start, length)
        own, sums = fed(rmsprop, slopes, lr=1.0, beta=beta)[1], fed(adagrad, slopes, lr=1.0)[1]
        data = {"slope": (t, slopes)}
        for name, v in (("RMSProp", own), ("AdaGrad", sums)):
            data |= {f"√v of {name}": (t, np.sqrt(v)), f"step of {name}": (t, 1 / np.sqrt(v))}
        return Shown(_after_burst(beta, 1 / np.sqrt(own), 1 / np.sqrt(sums), start + length), **data)

    told = "beta {beta:g}   size {size:g}   start {start}   length {length}"
    left = Panel((0.075, 0.135, 0.41, 0.77), every, log("|g| and √v", 0.05, 2e4), told)
    left.legend = {"loc": "upper left", "ncols": 3, "columnspacing": 1.0, "handlelength": 2.4}
    left.add(slope=line(GREY, linewidth=1.2, label="|g|"))
    right = Panel((0.575, 0.135, 0.39, 0.77), every, log("", 2e-4, 30))
    right.title = "step of a usual gradient, in units of lr"
    right.add(usual=level(GREY, 1, linewidth=1))
    for name, rule, thin in (("AdaGrad", adagrad, {"linewidth": 1.6}), ("RMSProp", rmsprop, {})):
        left.add(**{f"√v of {name}": plain(rule, label=f"√v of {name}", within=FREE, **thin)})
        right.add(**{f"step of {name}": plain(rule, within=FREE, **thin)})
    knobs = {"beta": 0.99, "size": knob(100, 1, 300), "start": knob(500, 1, 1500), "length": knob(1, 1, 50)}
    return picture([left, right], show, **knobs)


def _after_burst(beta, own, sums, end):
    """Say how a burst is forgotten, from the steps of RMSProp and AdaGrad over lr."""
    back = np.flatnonzero(own[end:] >= 0.9)
    when = f"It ends at {own[-1]:.2g} lr"
    if back.size:
        when = f"It is back above 0.9 lr {counted(back[0] + 1, 'step')} after it"
    return (
        f"Memory 1/(1 − beta) = {counted(f'{1 / (1 - beta):.4g}', 'step')}. "
        f"After the burst RMSProp steps {own[end]:.2g} lr. {when}. "
        f"AdaGrad steps {sums[end]:.2g} lr after the burst, and {sums[-1]:.2g} lr at the end."
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
        told += f"The first step is {lengths[0]:.3g} lr long."
        data = {"weights": np.where(age < t, beta**age, 0.0), "share": f"all weights: 1 − βᵗ = {total:.3g}"}
        data |= {"theory": (steps, 1 / np.sqrt(1 - beta**steps)), "lengths": (steps, lengths)}
        return Shown(told, here=([t], lengths[t - 1 : t]), **data)

    sides = ("age k of a gradient, in steps", -1, 300), ("its weight in v, over (1 − β)", 0, 1.08)
    left = Panel(LEFT, *sides, "beta {beta:g}   t {t}")
    left.add(weights=stairs(np.arange(401), color=COLOUR, alpha=0.4, fill=True), share=Mark(
        lambda ax, **more: ax.text(0.97, 0.9, "", transform=ax.transAxes, ha="right", **more),
        lambda text, words: text.set_text(words)))  # fmt: skip
    right = Panel(RIGHT, log("step t", 1, most), log("step length / lr", 0.8, 120), legend="upper right")
    broad = {"label": "1/√(1 − βᵗ)", "alpha": 0.3, "linewidth": 7}
    right.add(usual=level(GREY, 1, linewidth=1), theory=line(COLOUR, within=FREE, **broad))
    right.add(lengths=plain(rmsprop, label="RMSProp, constant gradient", within=FREE))
    return picture([left, right.add(here=dots(ALERT, within=FREE))], show, beta=0.99, t=knob(10, 1, 1000))


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
        return Shown(_followed(np.abs(ws - c), typical, lr, eps, season), **data)

    told = "lr {lr:.3g}  beta {beta:.3g}  eps {eps:.3g}  season {season:.3g}  noise {noise:.3g}"
    left = Panel((0.075, 0.135, 0.5, 0.77), step(STEPS, "step t"), ("w", -2, 2))
    left.title, left.legend = f"{told}  burst {{burst:.3g}}", {"loc": "lower left", "ncols": 3}
    left.legend |= {"columnspacing": 1.0}
    left.add(minimum=line(GREY, alpha=0.55, linewidth=4, label="minimum"))
    left.add(descent=line("#222222", linewidth=1.0, label="descent, lr/ε", within=(-3, 3)))
    left.add(walk=plain(rmsprop, linewidth=1.3, label="RMSProp", within=(-3, 3)))
    right = Panel((0.66, 0.135, 0.31, 0.77), step(STEPS, "step t"), log("", 1e-3, 1e2))
    right.title, right.legend = "√v and ε on one scale", {"loc": "upper right", "ncols": 2}
    right.add(root=plain(rmsprop, label="√v", within=FREE), eps_level=line(ALERT, label="ε", **EPS))
    right.add(low=note(None, None, None, ha="right", color=ALERT))
    knobs = {"lr": 0.06, "beta": 0.99, "eps": knob(1e-8, 1e-8, 30.0), "season": knob(300, 50, 1500)}
    return picture([left, right], show, **knobs, noise=knob(0.3, 0.0, 1.0), burst=knob(0.0, 0.0, 100.0))


def _followed(distance, typical, lr, eps, season):
    first, after = distance[1 : season + 1].mean(), distance[BURST_AT + 1 : BURST_AT + 301].mean()
    told = f"Mean distance to the minimum: {first:.2f} in the first season, {after:.2f} in the 300 steps "
    told += f"after step 1,000, {distance[-season:].mean():.2f} in the last season. "
    ratio = eps / typical
    if ratio < 0.1:
        return f"{told}ε is {ratio:.1g} of the usual √v: it does nothing."
    told += f"ε is {ratio:.2g} times the usual √v: "
    if ratio > 10:
        return f"{told}this is gradient descent at lr/ε = {lr / eps:.2g}."
    return f"{told}between RMSProp and gradient descent at lr/ε."


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
    right = Panel(RIGHT, log("1 − β", 1, 1e-4), log("", 1e-3, 20), "drift in ten steps, in units of lr")
    right.add(drift=line(COLOUR, (kept, -drift(1 - kept)), linewidth=1.5), here=dots(ALERT, within=FREE))
    return picture([left, right], show, beta=0.9)


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
    left = Panel(LEFT, *sides, told, legend="upper right")
    left.add(goal=line(ALERT, label="lr/2 − ε/curvature", within=FREE, **DASHES))
    left.add(walk=plain(rmsprop, linestyle="-", linewidth=1.2, within=(1e-13, 1e3)))
    right = Panel(RIGHT, step(STEPS, "step t"), log("", 1e-3, 1e4), "effective lr: lr/(√v + ε)")
    right.add(limit=line(ALERT, **DASHES), factor=plain(rmsprop, within=FREE))
    right.add(name=note(None, None, None, ha="right", va="bottom", color=ALERT))
    knobs = {"lr": knob(0.01, 1e-3, 0.3), "beta": knob(0.99, BETAS), "eps": knob(1e-8, 1e-8, 1.0)}
    return picture([left, right], show, **knobs, curvature=knob(1.0, 0.1, 10.0, log=True))


def eps_among_weights(roots):
    """Return the scene of eps among the √v of a network's weights. roots: dict step → √v, shape (n,).

    step: one of those given.
    """
    steps, edges = list(roots), np.linspace(-8, 0, 81)

    def show(*, eps, step):
        root = roots[step]
        never, ruled = int((root == 0).sum()), np.mean(root[root > 0] < eps)
        told = f"After {counted(step, 'step')}, ε is larger than √v for {ruled:.0%} of the "
        told += f"{root.size - never} weights that have had a gradient. "
        told += "Their steps are less than half as long as with ε = 0."
        counts, _ = np.histogram(np.log10(np.maximum(root, 1e-30)), edges)
        return Shown(told, counts=counts, eps_level=eps, name=(eps * 1.15, 350, "ε"), never=never)

    told = "eps {eps:.3g}   step {step}   weights without any gradient so far: {never}"
    panel = Panel((0.085, 0.17, 0.89, 0.7), log("√v of a weight, and ε", 1e-8, 1), ("weights", 0, 360), told)
    panel.add(counts=stairs(10**edges, fill=True, color=COLOUR, alpha=0.6), eps_level=upright(ALERT, **EPS))
    panel.add(name=note(None, None, None, color=ALERT, fontsize=14, va="top"))
    knobs = {"eps": knob(1e-8, 1e-8, 1.0), "step": knob(steps[-1], steps)}
    return picture([panel], show, figsize=(9.6, 3.4), **knobs)


def broken_batch(at, steps, curves):
    """Return the still picture of losses with and without a broken batch at step `at`.

    steps: where the losses were taken.  curves: dict rule → (losses without, losses with it).
    """

    def draw(ax, run):
        rule, clean, broken = run
        ax.plot(steps, clean, color=GREY, linewidth=3, alpha=0.6, label="no broken batch")
        ax.plot(steps, broken, **rule_style(rule, batches=True) | {"marker": "", "label": "one broken batch"})
        ax.axvline(at, color=ALERT, linestyle=":", linewidth=1.2)
        ax.set(yscale="log")
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.34))

    runs = {rule_label(rule, batches=True): (rule, *pair) for rule, pair in curves.items()}
    layout = {"size": (9.6, 3.6), "adjust": (0.08, 0.15, 0.99, 0.91, 0.08), "sharey": True}
    figure = columns(runs, {"loss on the training data": draw}, **layout)
    ends = "; ".join(
        f"{name} {clean[-1]:.2f} without, {broken[-1]:.{0 if broken[-1] > 10 else 2}f} with it"
        for name, (_, clean, broken) in runs.items()
    )
    return Picture(figure, f"Loss after {steps[-1]:,} steps: {ends}.")


def losses_by_lr(results):
    """Return the still picture of the final loss against lr.

    results: dict rule → (lrs, losses), of shapes (k,) and (seeds, k).
    """
    best = []
    with axes_in((9.6, 3.4), (0.1, 0.16, 0.88, 0.8)) as (figure, ax):
        for rule, (lrs, losses) in results.items():
            name, style = rule_label(rule, batches=True), rule_style(rule, batches=True) | {"markersize": 5}
            fan(ax, lrs, losses, np.median, edge=None, label=name, **style)
            lowest = best_of(np.median(losses, axis=0), lr=lrs)
            best.append(f"{name} {lowest.score:.2f} at lr {lowest.short}")
        ax.set(xscale="log", yscale="log", xlabel="lr", ylabel="validation loss")
        ax.legend(loc="upper center", ncols=3)
        ax.set_ylim(top=3 * max(np.nanmax(losses) for _, losses in results.values()))
        ax.set_yticks((0.2, 0.5, 1, 2, 5), ("0.2", "0.5", "1", "2", "5"))
        ax.yaxis.set_minor_formatter("")
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

    def told(run):
        return f"loss {run['loss'][0]:.3g} to {run['loss'][-1]:.1g}, step {run['step'][-1]:.1g}"

    layout = {"adjust": (0.085, 0.12, 0.99, 0.93, 0.1, 0.12), "sharex": True, "sharey": "row"}
    return to_diagnose(runs, {"loss": loss, "length of the step": length}, "Four runs.", told, **layout)
