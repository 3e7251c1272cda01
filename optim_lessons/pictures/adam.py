"""The pictures of lesson 08: two averages, their correction, eps, the turned ravine, Reddi's example."""

import numpy as np

from optim_lessons.adam import adam, amsgrad
from optim_lessons.lab import datasets
from optim_lessons.lab.fair import best_of

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Axis, Panel, Shown, from_above, knob, level, line, log, loss_panel, note, picture, plain, ring,
    step, still, walk,
)  # fmt: skip
from optim_lessons.lab.path import path

from optim_lessons.lab.plots import (  # isort: skip
    ALERT, RULE_STYLES, Picture, axes_in, counted, fan, floor, rule_label, rule_style,
    to_diagnose,
)  # fmt: skip
from optim_lessons.lab.scenes import reading
from optim_lessons.landscapes import quadratic, rosenbrock, saddle
from optim_lessons.momentum import momentum
from optim_lessons.rmsprop import rmsprop
from optim_lessons.studies import nonconvergence, rotation
from optim_lessons.studies.bias_correction import LONG, averages, long_run, stretch
from optim_lessons.studies.epsilon import DIGIT_STEPS, EVERY, digits_model, digits_walk, rosenbrock_walks
from optim_lessons.studies.nonconvergence import CALM, REDDI_BETAS, REDDI_STEPS, last_mean, reddi_run
from optim_lessons.studies.rotation import ANGLES, BUILT_FROM, PATIENCE, steps_to_tenth

COLOUR = rule_style(adam)["color"]
STEEP, FLAT = "#0060a8", "#b87700"  # the steep and the flat direction of a ravine, as in lesson 01
PALE = "#9aa7b4"
HAT = {"color": STEEP, "linewidth": 1.8}
RAW = {"color": ALERT, "linestyle": "--", "linewidth": 1.8}
EPS = {"linestyle": ":", "linewidth": 2.5, "label": "eps"}
DEFAULTS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
TOLD = "lr {lr:.3g}  beta1 {beta1:g}  beta2 {beta2:g}  eps {eps:.3g}"
GROUNDS = {"Rosenbrock": rosenbrock, "ravine": quadratic(condition=100), "saddle": saddle()}
SHOWN = np.unique(np.geomspace(1, LONG, 300).astype(int))  # what a log axis can show of the long run


def two_walls(along, across):
    """Return the still picture of what Adam's averages make of two coordinates' gradients.

    along, across: the gradients of a coordinate that agree, and of one that change their sign.
    """
    walls, shares = {"along the valley": along, "across the valley": across}, []
    with axes_in((9.6, 3.4), (0.07, 0.16, 0.43, 0.72), (0.555, 0.16, 0.43, 0.72)) as (figure, *axes):
        for ax, (title, g) in zip(axes, walls.items(), strict=True):
            steps, (m_hat, size) = np.arange(1, len(g) + 1), averages(g)
            ax.fill_between(steps, -size, size, color=PALE, alpha=0.25, linewidth=0, label="between ±√v̂")
            ax.vlines(steps, 0, g, color="#777777", linewidth=1.2, label="gradient g")
            ax.plot(steps, m_hat, color=COLOUR, label="m̂")
            shares.append(np.abs(m_hat / size)[-1])
            ax.set(xlim=(0, len(g) + 1), ylim=(-2, 2.7), xlabel="step")
            ax.set_title(f"{title}: the last step is {shares[-1]:.2f} lr")
        axes[0].set_ylabel("gradient")
        axes[0].legend(loc="upper left", ncols=3)
    return Picture(
        figure,
        f"Gradients that agree: m̂ is as large as √v̂, the step is {shares[0]:.2f} lr. "
        f"Gradients that cancel: m̂ is small beside √v̂, the step is {shares[1]:.2f} lr.",
    )


def four_rules():
    """Return the still picture of what Adam is built from: four rules, each at its best lr, on one ground."""
    ground, said, panels = rotation.two_troubles(), [], []
    for i, rule in enumerate(BUILT_FROM):
        best, ws = rotation.reached(rule, ground)
        score = f"below {above(best.score):.0e}"
        said.append(f"{rule_label(rule)} {score}")
        place, title = (0.065 + 0.236 * i, 0.16, 0.215, 0.7), f"{rule_label(rule, first=True)}: {score}"
        panels.append(from_above(place, ground, title, size=10, path=walk(rule, ws)))
    for panel in panels[1:]:
        panel.add(bare=lambda ax: (ax.set_ylabel(""), ax.tick_params(labelleft=False)))
    told = f"What is left of the loss, at worst in the last ten of {rotation.TROUBLED} steps"
    return still(panels, f"{told}: {', '.join(said)}.", figsize=(10.6, 3.4))


def above(score):
    """Return the next larger of 1, 2, 5, 10, ...: what jitters is not told to the digit."""
    power = 10.0 ** np.floor(np.log10(score))
    return float(next(k * power for k in (1, 2, 5, 10) if k * power >= score))


def grounds():
    """Return the scene of Adam on a ravine, Rosenbrock's valley or a saddle, with RMSProp at the same lr.

    RMSProp has beta = beta2 and the same eps.
    """

    def show(*, landscape, lr, beta1, beta2, eps, steps):
        land, common = GROUNDS[landscape], {"lr": lr, "eps": eps}
        other = path(rmsprop, land.grad, land.start, steps, beta=beta2, **common)
        ws = path(adam, land.grad, land.start, steps, beta1=beta1, beta2=beta2, **common)
        lowest, even = floor(land)
        end = land(other[-1]) - (lowest if even else 0)
        told = f"{reading('Adam', ws, land(ws), land)} RMSProp at the same lr: "
        data = {"Adam": ws, "RMSProp": other, "losses of Adam": land(ws), "losses of RMSProp": land(other)}
        return Shown(f"{told}{f'{end:.3g}' if np.isfinite(end) else 'diverged'}.", **data)

    def panels(landscape):
        land = GROUNDS[landscape]
        left = from_above((0.08, 0.135, 0.455, 0.77), land, land.name, legend="upper right")
        right = loss_panel((0.625, 0.135, 0.355, 0.77), land, "steps", TOLD, size=9.5)
        for rule, label in ((rmsprop, "RMSProp"), (adam, "Adam")):
            left.add(**{label: walk(rule, label=label)})
            right.add(**{f"losses of {label}": plain(rule, above=floor(land)[0])})
        return [left, right]

    knobs = DEFAULTS | {"lr": knob(0.1, 1e-3, 1.0), "steps": knob(150, 1, 300)}
    return picture(panels, show, landscape=knob("Rosenbrock", GROUNDS, still=True), **knobs)


def memories():
    """Return the scene of Adam's two averages over 3,000 steps, as they are and corrected, and of its steps.

    noise: of the gradient, whose mean is 1.
    """

    def show(*, beta1, beta2, noise, seed):
        data = {name: x[SHOWN - 1] for name, x in long_run(beta1, beta2, noise, seed).items()}
        data |= {name: np.abs(data[name]) for name in ("step", "raw")}
        data = {name: (SHOWN, x) for name, x in data.items()}
        too_long = stretch(beta1, beta2)
        longest, late = int(too_long.argmax()), np.flatnonzero(np.abs(too_long - 1) > 0.05)
        until = f"until step {late[-1] + 1}" if late.size and late[-1] + 1 < LONG else "beyond step 3,000"
        told = f"Without correction the first step is {too_long[0]:.3g} times Adam's, the longest one "
        told += f"{too_long[longest]:.3g} times, at step {longest + 1}; more than 5% off "
        return Shown(f"{told}{until if late.size else 'never'}.", mean_square=1 + noise**2, **data)

    legend = {"loc": "upper right", "ncols": 2, "handlelength": 1.9, "fontsize": 9, "columnspacing": 1.0}
    t, told = log("step t", 1, LONG), "beta1 {beta1:g}   noise {noise:.3g}   seed {seed}"
    pale = {"color": PALE, "linewidth": 4, "alpha": 0.5}
    left = Panel((0.055, 0.135, 0.255, 0.77), t, ("", -0.6, 2.6), told, legend=legend, mean=level(pale, 1))
    left.add(m=line(RAW, label="m", within=(-0.55, 2.1)), m_hat=line(HAT, label="m̂", within=(-0.55, 2.1)))
    middle = Panel((0.39, 0.135, 0.255, 0.77), t, log("", 1e-4, 1e2), "beta2 {beta2:g}", legend=legend)
    middle.add(mean_square=level(pale), v=line(RAW, label="v", within=FREE))
    middle.add(v_hat=line(HAT, label="v̂", within=FREE))
    right = Panel((0.735, 0.135, 0.255, 0.77), t, log("", 1e-2, 1e3), "length of a step / lr", legend=legend)
    right.size = 11
    right.add(one=level(pale, 1), raw=line(RAW, label="not corrected", within=FREE))
    right.add(step=line(HAT, label="corrected", within=FREE))
    knobs = {"beta1": 0.9, "beta2": 0.999, "noise": knob(0.0, 0.0, 1.5), "seed": knob(0, 0, 20)}
    return picture([left, middle, right], show, figsize=(10.6, 4.0), **knobs)


def eps_scale():
    """Return the scene of eps beside √v̂ on Rosenbrock's valley, with the momentum that a large eps leaves.

    Momentum runs at lr·(1 − beta1)/eps with beta = beta1.
    """

    def show(*, lr, beta1, beta2, eps, steps):
        walks, size = rosenbrock_walks(lr, beta1, beta2, eps, steps)
        tiny, ball = (_apart(walks["walk"], walks[name]) for name in ("tiny", "ball"))
        told = f"√v̂ runs from {_range(size)}; eps is {eps:.3g}. The path is {tiny} from the one at eps 1e-8, "
        told += f"and {ball} from momentum at lr {lr * (1 - beta1) / eps:.2g}."
        sizes = {f"size{i}": (np.arange(1, steps + 1), size[:, i]) for i in (0, 1)}
        return Shown(told, eps_level=eps, **walks, **sizes)

    legend = {"loc": "lower left", "fontsize": 9}
    left = from_above((0.08, 0.135, 0.44, 0.77), rosenbrock, f"{TOLD}  steps {{steps}}", legend=legend)
    left.add(tiny=walk(adam, color=PALE, label="Adam at eps 1e-8", linewidth=5, marker="", alpha=0.9))
    left.add(walk=walk(adam, markersize=2.5, label="Adam at this eps"))
    left.add(ball=walk(momentum, linewidth=2.2, marker="", label="momentum at lr(1 − beta1)/eps"))
    sides = step("steps"), log("in units of the gradient", 1e-9, 1e6)
    right = Panel((0.61, 0.135, 0.37, 0.77), *sides, legend={"loc": "upper right", "ncols": 3})
    for i, (colour, dash) in enumerate(((STEEP, "-"), (FLAT, "--"))):
        right.add(**{f"size{i}": line(colour, linestyle=dash, label=f"√v̂[{i}]", within=(1e-9, 1e6))})
    right.add(eps_level=level(ALERT, **EPS))
    knobs = {"lr": knob(0.02, 1e-3, 10.0), "eps": knob(0.1, 1e-8, 1e5), "steps": knob(300, 1, 300)}
    return picture([left, right], show, **DEFAULTS | knobs)


def _range(values):
    values = values[np.isfinite(values)]
    return f"{values.min():.2g} to {values.max():.2g}" if values.size else "nowhere: the walk is lost"


def _apart(ws, others):
    distance = np.abs(ws - others).max()
    return f"at most {distance:.2g} away" if distance < 1e3 else "far away"


def turned():
    """Return the scene of Adam in a turned ravine: its path, and its steps to a tenth against the angle.

    Momentum, at its best lr and beta, does not feel the angle.
    """

    def show(*, angle, lr, beta1, condition):
        land = rotation.wide_ravine(condition, angle)
        ws = path(adam, land.grad, land.start, PATIENCE, lr=lr, beta1=beta1)
        now, ball = steps_to_tenth(ws), rotation.steps_of_momentum(condition)
        counts = rotation.steps_by_angle(condition, lr, beta1)
        told = f"At {angle} degrees Adam needs {_count(now)} to a tenth of the distance; along the axes "
        told += f"{_count(counts[0])}, at 45 degrees {_count(counts[15])}. "
        told += f"Momentum: {_count(ball)} at any angle."
        data = {"ground": land, "walk": ws, "counts": (ANGLES, counts), "ball": ([0, 90], [ball] * 2)}
        return Shown(told, here=([angle], [now]), **data)

    left = from_above((0.08, 0.135, 0.44, 0.77), rotation.wide_ravine(100.0, 0), moving=True, walk=walk(adam))
    left.title = "angle {angle}   lr {lr:.3g}   beta1 {beta1:g}   condition {condition:.3g}"
    angles = Axis("angle of the ravine (degrees)", 0, 90, ticks=range(0, 91, 15))
    counts = "steps to a tenth of the distance", 0, PATIENCE * 1.25
    right = Panel((0.605, 0.135, 0.375, 0.77), angles, counts, legend={"loc": "upper left", "ncols": 2})
    right.add(counts=line(adam, label="Adam", markersize=5), ball=plain(momentum, label="momentum"))
    knobs = {"angle": knob(0, 0, 90), "lr": knob(0.1, 0.01, 3.0), "beta1": 0.9}
    knobs |= {"condition": knob(100.0, 1.0, 1000.0, log=True)}
    return picture([left, right.add(here=ring(ALERT))], show, **knobs)


def _count(steps):
    return counted(steps, "step") if steps <= PATIENCE else f"more than {PATIENCE} steps"


def reddi_walk():
    """Return the scene of Reddi's example: Adam and AMSGrad against the step, Adam's end against beta2.

    C: the rare slope.
    """
    rules, good = {"Adam": adam, "AMSGrad": amsgrad}, "#008060"

    def show(*, lr, beta1, beta2, C):
        walks = {name: reddi_run(rule, lr, beta1, beta2, C) for name, rule in rules.items()}
        ends = last_mean(reddi_run(adam, lr, beta1, REDDI_BETAS, C))
        last = {name: last_mean(ws) for name, ws in walks.items()}
        told = f"The slope is {C:.3g} at every third step and −1 at the others: on average "
        told += f"{(C - 2) / 3:.2g}. Adam ends at {last['Adam']:.3f}, AMSGrad at {last['AMSGrad']:.3f}; "
        told += "the best place is −1."
        return Shown(told, ends=(REDDI_BETAS, ends), here=([beta2], [last["Adam"]]), **walks)

    left = Panel((0.07, 0.135, 0.43, 0.77), step(REDDI_STEPS), ("w", -1.2, 1.55))
    left.legend = {"loc": "upper left", "ncols": 2}
    right = Panel((0.6, 0.135, 0.375, 0.77), ("beta2", 0, 1), ("where Adam ends", -1.2, 1.55))
    right.title = "lr {lr:.3g}   beta1 {beta1:g}   beta2 {beta2:g}   C {C:.3g}"
    for panel in (left, right):
        panel.add(worst=level(ALERT, 1, linewidth=1), best=level(good, -1, linewidth=1))
    words = {"ha": "right", "fontsize": 9.5}
    left.add(low=note(REDDI_STEPS, -1.03, "the best place", color=good, va="top", **words))
    left.add(high=note(REDDI_STEPS, 1.03, "the worst place", color=ALERT, va="bottom", **words))
    left.add(**{name: plain(rule, label=name, linewidth=1.6) for name, rule in rules.items()})
    right.add(ends=plain(adam), here=ring(ALERT))
    knobs = {"lr": knob(0.05, 0.005, 0.3), "beta1": 0.0, "beta2": 0.1, "C": knob(3.0, 2.0, 10.0)}
    return picture([left, right], show, **knobs)


def digits_run():
    """Return the scene of Adam on real digits: loss against step, and eps among the √v̂ of all weights.

    model: softmax regression or the network 64-32-10. 100 steps on 32 images each; the loss is that of the
    360 validation images. Grey: SGD at lr 1, which suits both models.
    """
    steps = np.arange(0, DIGIT_STEPS + 1, EVERY)

    def show(*, model, lr, beta1, beta2, eps):
        net, _, _, sgds = digits_model(model)
        losses, size, last = digits_walk(model, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
        data = {"Adam": (steps, losses), "eps_level": eps}
        data |= {"sizes": (np.linspace(0, 100, net.n), np.sort(size))}
        if not np.isfinite(last).all():
            return Shown("The weights left the finite numbers.", **data)
        right = net.accuracy(last, *datasets.digits().validation)
        told = f"After {DIGIT_STEPS} steps: validation loss {losses[-1]:.3g} (SGD at lr 1: {sgds[-1]:.3g}), "
        told += f"{right:.1%} right. eps is above √v̂ in {np.mean(size < eps):.0%} of the weights."
        return Shown(told, **data)

    def panels(model):
        net, _, _, sgds = digits_model(model)
        left = Panel((0.08, 0.135, 0.42, 0.77), step(DIGIT_STEPS), log("validation loss", 0.1, 10))
        left.title, left.legend = TOLD.replace("  ", "   "), {"loc": "upper right", "ncols": 2}
        left.add(sgd=line(RULE_STYLES["sgd"], (steps, sgds), label="SGD at lr 1", markersize=4))
        left.add(Adam=line(adam, label="Adam", markersize=4, within=(0, 1e3)))
        sides = (f"the {net.n} weights, sorted (per cent)", 0, 100), log("√v̂ at the last step", 1e-9, 1e3)
        right = Panel((0.6, 0.135, 0.375, 0.77), *sides, legend={"loc": "upper left", "ncols": 2})
        right.add(sizes=line(COLOUR, label="√v̂", within=(1e-9, 1e3)), eps_level=level(ALERT, **EPS))
        return [left, right]

    model = knob("softmax", ["softmax", "network"], still=True)
    return picture(panels, show, model=model, **DEFAULTS | {"lr": knob(0.01, 1e-4, 1.0)})


def settling():
    """Return the scene of Adam at a constant lr for 12,000 steps on the parabola ½w²: does it arrive?

    Left |w|, right the effective lr, lr/(√v̂ + eps), and its limit; of each 20 steps the largest is drawn.
    noise: in the slope.
    """
    block = 20
    ends = np.arange(block, CALM + 1, block)

    def show(*, lr, beta1, beta2, eps, noise):
        ws, size = nonconvergence.long_walk(lr, beta1, beta2, eps, noise)
        data = {"walk": np.abs(ws), "effective": lr / (size + eps)}
        data = {name: (ends, its.reshape(-1, block).max(axis=1)) for name, its in data.items()}
        data |= {"ball": ([0, CALM], [np.sqrt(lr * noise / 2)] * 2)} if noise else {}
        limit = nonconvergence.largest_effective_lr(beta1)
        return Shown(in_words(np.abs(ws), noise, lr), limit=limit, **data)

    t, thin = Axis("step", 0, CALM, ticks=[0, 4000, 8000, 12000]), {"linewidth": 1.4}
    left = Panel((0.085, 0.135, 0.41, 0.77), t, log("distance |w|", 1e-12, 1e3), TOLD + "  noise {noise:.2g}")
    left.legend, left.size = {"loc": "upper right"}, 9.5
    left.add(walk=plain(adam, within=(1e-12, 1e6), **thin))
    left.add(ball=line(ALERT, linestyle="--", label="√(lr·noise/2)", within=FREE))
    sides = t, log("effective lr: lr / (√v̂ + eps)", 1e-4, 1e7)
    right = Panel((0.59, 0.135, 0.385, 0.77), *sides, legend="upper left")
    right.add(effective=plain(adam, within=(1e-4, 1e7), **thin))
    right.add(limit=level(ALERT, linestyle="--", label="2(1 + beta1)/(1 − beta1)"))
    knobs = {"lr": knob(0.1, 1e-3, 1.0), "noise": knob(0.0, 0.0, 2.0)}
    return picture([left, right], show, **DEFAULTS | knobs)


def in_words(distance, noise, lr):
    """Say whether a walk arrives and stays, from its distances."""
    if noise:
        typical = np.sqrt(np.mean(distance[CALM // 2 :] ** 2))
        told = f"It stays about {typical:.2g} away (root mean square of the second half). "
        return f"{told}√(lr·noise/2) is {np.sqrt(lr * noise / 2):.2g}."
    arrived = np.flatnonzero(distance < 1e-9)
    if not arrived.size:
        late = distance[-2000:].max()
        return f"It never comes within 1e-9; in the last 2,000 steps it is up to {late:.2g} away."
    since, told = distance[arrived[0] :], f"It comes within 1e-9 at step {arrived[0] + 1}, and "
    back = np.flatnonzero(since > 1e-6)
    if not back.size:
        return f"{told}stays within 1e-6 to the end."
    told += f"at step {arrived[0] + back[0] + 1} it is more than 1e-6 away again. "
    return f"{told}Largest distance after that: {since.max():.2g}."


def lr_sweep(lrs, results, title, ylabel):
    """Return the still picture of a result against lr, a line per rule, with the spread over seeds.

    lrs: shape (k,).  results: dict rule → shape (seeds, k); the line is the mean, the band from min to max.
    """
    best, thin = [], {"markersize": 5, "linewidth": 1.6}
    with axes_in((9.6, 3.6), (0.08, 0.16, 0.72, 0.74)) as (figure, ax):
        for rule, values in results.items():
            name = rule_label(rule, batches=True)
            fan(ax, lrs, values, label=name, **rule_style(rule, batches=True) | thin)
            best.append(f"{name} {best_of(-values.mean(axis=0), lr=lrs).short}")
        ax.set(xscale="log", xlabel="lr", ylabel=ylabel, title=title)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=3.2)
    return Picture(figure, f"Each rule has its own best lr: {', '.join(best)}.")


def four_runs(runs):
    """Return the still picture of the runs to diagnose: loss, and length of each step over lr.

    runs: dict name → dict with "loss" and "step", each one number per step.
    """

    def length(ax, run):
        ax.axhline(1, color=PALE, linewidth=4, alpha=0.5)
        ax.semilogy(run["step"], color="#5b6873", linewidth=1)

    loss = lambda ax, run: ax.semilogy(run["loss"], color=COLOUR, linewidth=1.2)  # noqa: E731
    told = lambda run: f"loss {run['loss'][0]:.2g} to about {np.median(run['loss'][-100:]):.1g}"  # noqa: E731
    layout = {"adjust": (0.08, 0.12, 0.99, 0.93, 0.12, 0.12), "sharex": True, "sharey": "row"}
    return to_diagnose(runs, {"loss": loss, "step length / lr": length}, "Four runs.", told, **layout)
