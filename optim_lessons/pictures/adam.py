"""The pictures of lesson 08: two averages, their correction, eps, the turned ravine, Reddi's example."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.fair import best_of, settled
from optim_lessons.lab.kept import kept

from optim_lessons.lab.panels import (  # isort: skip
    Axis, Panel, Shown, from_above, knob, level, line, log, loss_panel, note, picture, plain, ring, step,
    walk,
)  # fmt: skip
from optim_lessons.lab.path import grid, path, record

from optim_lessons.lab.plots import (  # isort: skip
    ALERT, RULE_STYLES, Picture, columns, counted, floor, height_map, look, new_figure, path_line, rule_label,
    rule_style,
)  # fmt: skip
from optim_lessons.lab.scenes import reading
from optim_lessons.landscapes import Landscape, quadratic, reddi, rosenbrock, saddle
from optim_lessons.momentum import best_lr_and_beta, momentum
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import sgd

ADAM = rule_style(adam)
STEEP, FLAT = "#0060a8", "#b87700"  # the steep and the flat direction of a ravine, as in lesson 01
PALE = "#9aa7b4"
HAT = {"color": STEEP, "linewidth": 1.8}
RAW = {"color": ALERT, "linestyle": "--", "linewidth": 1.8}
DEFAULTS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
GROUNDS = {"Rosenbrock": rosenbrock, "ravine": quadratic(condition=100), "saddle": saddle()}


def averages(gradients, beta1=0.9, beta2=0.999):
    """Return m̂ and √v̂ of Adam after each gradient, two arrays as long as the gradients."""
    state, seen = (0.0, 0.0, 0), []
    for g in gradients:
        _, *state = adam(0.0, g, *state, beta1=beta1, beta2=beta2)
        seen.append((state[0] / (1 - beta1 ** state[2]), np.sqrt(state[1] / (1 - beta2 ** state[2]))))
    return np.array(seen).T


def two_walls(along, across):
    """Return the still picture of what Adam's averages make of two coordinates' gradients.

    along, across: the gradients of a coordinate that agree, and of one that change their sign.
    """
    figure = new_figure((9.6, 3.4))
    with look():
        shares = []
        for place, (title, g) in enumerate((("along the valley", along), ("across the valley", across))):
            ax = figure.add_axes((0.07 + 0.485 * place, 0.16, 0.43, 0.72))
            steps = np.arange(1, len(g) + 1)
            m_hat, size = averages(g)
            ax.fill_between(steps, -size, size, color=PALE, alpha=0.25, linewidth=0, label="between ±√v̂")
            ax.vlines(steps, 0, g, color="#777777", linewidth=1.2, label="gradient g")
            ax.plot(steps, m_hat, color=ADAM["color"], label="m̂")
            shares.append(np.abs(m_hat / size)[-1])
            ax.set(xlim=(0, len(g) + 1), ylim=(-2, 2.7), xlabel="step")
            ax.set_title(f"{title}: the last step is {shares[-1]:.2f} lr")
            if place == 0:
                ax.set_ylabel("gradient")
                ax.legend(loc="upper left", ncols=3)
    return Picture(
        figure,
        f"Gradients that agree: m̂ is as large as √v̂, the step is {shares[0]:.2f} lr. "
        f"Gradients that cancel: m̂ is small beside √v̂, the step is {shares[1]:.2f} lr.",
    )


def two_troubles():
    """Return a ravine with two troubles at once: it is turned by 45 degrees, and w[1] has units of its own.

    In those units w[1] is 20 times as large, and its gradients are a twentieth of what they were.
    """
    turned, units = quadratic(condition=20, angle=45), np.array([1.0, 1 / 20])
    return Landscape(
        "two troubles",
        lambda w: turned(w * units),
        lambda w: turned.grad(w * units) * units,
        [-3.5, -20.0],
        [[0.0, 0.0]],
        ((-9.0, 9.0), (-32.0, 32.0)),
    )


TROUBLED = 100  # steps
BUILT_FROM = {gradient_descent: {}, momentum: {"beta": 0.9}, rmsprop: {"beta": 0.9}, adam: {}}


def reached(rule, ground=None, lrs=None):
    """Return a rule's `Best` lr on a ground, and its walk: what is judged is the worst of the last ten steps.

    The score is that loss as a part of the loss at the start.
    """
    ground = ground or two_troubles()
    lrs = np.geomspace(0.01, 30, 60) if lrs is None else lrs
    ws = path(rule, ground.grad, ground.start, TROUBLED, lr=lrs[:, None], **BUILT_FROM[rule])
    best = best_of(settled(ground(ws)) / ground(ground.start), lr=lrs)
    return best, ws[:, best.index]


def above(score):
    """Return the next larger of 1, 2, 5, 10, ...: what jitters is not told to the digit."""
    power = 10.0 ** np.floor(np.log10(score))
    return float(next(k * power for k in (1, 2, 5, 10) if k * power >= score))


def four_rules():
    """Return the still picture of what Adam is built from: four rules, each at its best lr, on one ground."""
    ground, said = two_troubles(), []
    figure = new_figure((10.6, 3.4))
    with look():
        for place, rule in enumerate(BUILT_FROM):
            best, ws = reached(rule, ground)
            ax = figure.add_axes((0.065 + 0.236 * place, 0.16, 0.215, 0.7))
            height_map(ax, ground)
            path_line(ax, rule).set_data(*ws.T)
            ax.set_title(f"{rule_label(rule, first=True)}: below {above(best.score):.0e}", fontsize=10)
            if place:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
            said.append(f"{rule_label(rule)} below {above(best.score):.0e}")
    return Picture(
        figure,
        f"What is left of the loss, at worst in the last ten of {TROUBLED} steps: {', '.join(said)}.",
    )


TOLD = "lr {lr:.3g}  beta1 {beta1:g}  beta2 {beta2:g}  eps {eps:.3g}"


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
        above = from_above((0.08, 0.135, 0.455, 0.77), land, land.name, legend="upper right")
        beside = loss_panel((0.625, 0.135, 0.355, 0.77), land, "steps", TOLD, size=9.5)
        for rule, label in ((rmsprop, "RMSProp"), (adam, "Adam")):
            above.add(**{label: walk(rule, label=label)})
            beside.add(**{f"losses of {label}": plain(rule, above=floor(land)[0])})
        return [above, beside]

    knobs = DEFAULTS | {"lr": knob(0.1, 1e-3, 1.0), "steps": knob(150, 1, 300)}
    return picture(panels, show, landscape=knob("Rosenbrock", GROUNDS, still=True), **knobs)


LONG = 3000  # steps of the two averages
SHOWN = np.unique(np.geomspace(1, LONG, 300).astype(int))  # what a log axis can show of them


def long_run(beta1, beta2, noise, seed):
    """Return m, m̂, v, v̂ and the steps over lr, with and without correction, after 1, 2, ..., 3,000 steps.

    The gradient is 1 + noise·z with seeded normal z, whatever the weights are; eps is 0.
    """
    gradients = (1 + noise * np.random.default_rng(seed).standard_normal(LONG)).tolist()
    knobs = {"lr": 1.0, "beta1": beta1, "beta2": beta2, "eps": 0.0}
    with_it, without, rows = (0.0, 0.0, 0), (0.0, 0.0), []
    for g in gradients:
        step, *with_it = adam(0.0, g, *with_it, **knobs)
        raw, *without = adam_uncorrected(0.0, g, *without, **knobs)
        rows.append((*with_it[:2], step, raw))
    m, v, step, raw = np.array(rows).T
    t = np.arange(1, LONG + 1)
    return {
        "m": m,
        "m_hat": m / (1 - beta1**t),
        "v": v,
        "v_hat": v / (1 - beta2**t),
        "step": -step,
        "raw": -raw,
    }


def memories():
    """Return the scene of Adam's two averages over 3,000 steps, as they are and corrected, and of its steps.

    noise: of the gradient, whose mean is 1.
    """

    def show(*, beta1, beta2, noise, seed):
        data = {
            name: (SHOWN, np.abs(x)[SHOWN - 1]) for name, x in long_run(beta1, beta2, noise, seed).items()
        }
        seen = long_run(beta1, beta2, noise, seed)
        data |= {name: (SHOWN, seen[name][SHOWN - 1]) for name in ("m", "m_hat")}
        too_long = stretch(beta1, beta2)
        longest, late = int(too_long.argmax()), np.flatnonzero(np.abs(too_long - 1) > 0.05)
        until = f"until step {late[-1] + 1}" if late.size and late[-1] + 1 < LONG else "beyond step 3,000"
        told = f"Without correction the first step is {too_long[0]:.3g} times Adam's, the longest one "
        told += f"{too_long[longest]:.3g} times, at step {longest + 1}; more than 5% off "
        return Shown(f"{told}{until if late.size else 'never'}.", mean_square=1 + noise**2, **data)

    legend = {"loc": "upper right", "ncols": 2, "handlelength": 1.9, "fontsize": 9, "columnspacing": 1.0}
    t, first = log("step t", 1, LONG), "beta1 {beta1:g}   noise {noise:.3g}   seed {seed}"
    pale, every = {"color": PALE, "linewidth": 4, "alpha": 0.5}, (0, np.inf)
    left = Panel((0.055, 0.135, 0.255, 0.77), t, ("", -0.6, 2.6), first, legend=legend, mean=level(pale, 1))
    left.add(m=line(RAW, label="m", within=(-0.55, 2.1)), m_hat=line(HAT, label="m̂", within=(-0.55, 2.1)))
    middle = Panel((0.39, 0.135, 0.255, 0.77), t, log("", 1e-4, 1e2), "beta2 {beta2:g}", legend=legend)
    middle.add(mean_square=level(pale), v=line(RAW, label="v", within=every))
    middle.add(v_hat=line(HAT, label="v̂", within=every))
    right = Panel((0.735, 0.135, 0.255, 0.77), t, log("", 1e-2, 1e3), "length of a step / lr", legend=legend)
    right.size = 11
    right.add(one=level(pale, 1), raw=line(RAW, label="not corrected", within=every))
    right.add(step=line(HAT, label="corrected", within=every))
    knobs = {"beta1": 0.9, "beta2": 0.999, "noise": knob(0.0, 0.0, 1.5), "seed": knob(0, 0, 20)}
    return picture([left, middle, right], show, figsize=(10.6, 4.0), **knobs)


def stretch(beta1, beta2, steps=LONG):
    """Return by how much Adam's steps 1, 2, ... get longer without correction: (1 − β₁ᵗ)/√(1 − β₂ᵗ)."""
    t = np.arange(1, steps + 1)
    return (1 - beta1**t) / np.sqrt(1 - beta2**t)


def eps_scale():
    """Return the scene of eps beside √v̂ on Rosenbrock's valley, with the momentum that a large eps leaves.

    Momentum runs at lr·(1 − beta1)/eps with beta = beta1.
    """
    land = rosenbrock

    def show(*, lr, beta1, beta2, eps, steps):
        knobs, t = {"lr": lr, "beta1": beta1, "beta2": beta2}, np.arange(1, steps + 1)
        tiny = path(adam, land.grad, land.start, steps, eps=1e-8, **knobs)
        seen = record(adam, land.grad, land.start, steps, eps=eps, **knobs)
        same = lr * (1 - beta1) / eps
        ball = path(momentum, land.grad, land.start, steps, lr=same, beta=beta1)
        size = np.sqrt(seen["v"][1:] / (1 - beta2**t)[:, None])
        told = f"√v̂ runs from {_range(size)}; eps is {eps:.3g}. The path is {_apart(seen['w'], tiny)} from "
        told += f"the one at eps 1e-8, and {_apart(seen['w'], ball)} from momentum at lr {same:.2g}."
        sizes = {f"size{i}": (t, size[:, i]) for i in (0, 1)}
        return Shown(told, tiny=tiny, walk=seen["w"], ball=ball, eps_level=eps, **sizes)

    legend = {"loc": "lower left", "fontsize": 9}
    above = from_above((0.08, 0.135, 0.44, 0.77), land, f"{TOLD}  steps {{steps}}", legend=legend)
    broad = {"linewidth": 5, "marker": "", "alpha": 0.9}
    above.add(tiny=walk(adam, color=PALE, label="Adam at eps 1e-8", **broad))
    above.add(walk=walk(adam, markersize=2.5, label="Adam at this eps"))
    above.add(ball=walk(momentum, linewidth=2.2, marker="", label="momentum at lr(1 − beta1)/eps"))
    sides = step("steps"), log("in units of the gradient", 1e-9, 1e6)
    beside = Panel((0.61, 0.135, 0.37, 0.77), *sides, legend={"loc": "upper right", "ncols": 3})
    for i, (colour, dash) in enumerate(((STEEP, "-"), (FLAT, "--"))):
        beside.add(**{f"size{i}": line(colour, linestyle=dash, label=f"√v̂[{i}]", within=(1e-9, 1e6))})
    beside.add(eps_level=level(ALERT, linestyle=":", linewidth=2.5, label="eps"))
    knobs = {"lr": knob(0.02, 1e-3, 10.0), "eps": knob(0.1, 1e-8, 1e5), "steps": knob(300, 1, 300)}
    return picture([above, beside], show, **DEFAULTS | knobs)


def _range(values):
    values = values[np.isfinite(values)]
    return f"{values.min():.2g} to {values.max():.2g}" if values.size else "nowhere: the walk is lost"


def _apart(ws, others):
    distance = np.abs(ws - others).max()
    return f"at most {distance:.2g} away" if distance < 1e3 else "far away"


ANGLES = np.arange(0, 91, 3)
PATIENCE = 400  # steps


def turned():
    """Return the scene of Adam in a turned ravine: its path, and its steps to a tenth against the angle.

    Momentum, at its best lr and beta, does not feel the angle.
    """

    def show(*, angle, lr, beta1, condition):
        land, straight = wide_ravine(condition, angle), quadratic(condition=condition)
        ws = path(adam, land.grad, land.start, PATIENCE, lr=lr, beta1=beta1)
        counts, now = steps_by_angle(condition, lr, beta1), steps_to_tenth(ws)
        ball_lr, beta = best_lr_and_beta(1 / condition, 1.0)
        ball = steps_to_tenth(path(momentum, straight.grad, straight.start, PATIENCE, lr=ball_lr, beta=beta))
        told = f"At {angle} degrees Adam needs {_count(now)} to a tenth of the distance; along the axes "
        told += (
            f"{_count(counts[0])}, at 45 degrees {_count(counts[15])}. Momentum: {_count(ball)} at any angle."
        )
        data = {"ground": land, "walk": ws, "counts": (ANGLES, counts), "ball": ([0, 90], [ball] * 2)}
        return Shown(told, here=([angle], [now]), **data)

    above = from_above((0.08, 0.135, 0.44, 0.77), wide_ravine(100.0, 0), moving=True, walk=walk(adam))
    above.title = "angle {angle}   lr {lr:.3g}   beta1 {beta1:g}   condition {condition:.3g}"
    side = Axis("angle of the ravine (degrees)", 0, 90, ticks=range(0, 91, 15))
    beside = Panel(
        (0.605, 0.135, 0.375, 0.77), side, ("steps to a tenth of the distance", 0, PATIENCE * 1.25)
    )
    beside.legend = {"loc": "upper left", "ncols": 2}
    beside.add(counts=line(adam, label="Adam", markersize=5), ball=plain(momentum, label="momentum"))
    beside.add(here=ring(ALERT))
    knobs = {"angle": knob(0, 0, 90), "lr": knob(0.1, 0.01, 3.0), "beta1": 0.9}
    return picture([above, beside], show, **knobs, condition=knob(100.0, 1.0, 1000.0, log=True))


@lru_cache(maxsize=8)
def wide_ravine(condition, angle):
    """Return the ravine with a box that holds its start, and Adam's way from it, at every angle."""
    return replace(quadratic(condition=condition, angle=angle), box=((-7.5, 7.5), (-5.5, 5.5)))


def steps_to_tenth(ws):
    """Return after how many steps a path, shape (steps + 1, ..., 2), stays below a tenth of its distance."""
    distance = np.linalg.norm(ws, axis=-1)
    far = ~(distance <= 0.1 * distance[0])
    return np.where(far, np.arange(len(ws)).reshape(-1, *[1] * (far.ndim - 1)), -1).max(axis=0) + 1


def steps_by_angle(condition, lr, beta1):
    """Return Adam's steps to a tenth of the distance in the ravine, one count for each of ANGLES."""
    radians = np.deg2rad(ANGLES)
    c, s = np.cos(radians), np.sin(radians)
    turn = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], axis=-2)  # (angles, 2, 2)
    hessian = np.swapaxes(turn, -1, -2) @ (turn * np.array([1 / condition, 1.0])[:, None])
    starts = np.stack([-4 * c - 1.5 * s, -4 * s + 1.5 * c], axis=-1)
    ws = path(adam, lambda w: (hessian @ w[..., None])[..., 0], starts, PATIENCE, lr=lr, beta1=beta1)
    return steps_to_tenth(ws)


def _count(steps):
    return counted(steps, "step") if steps <= PATIENCE else f"more than {PATIENCE} steps"


def box(w):
    """Return w, put back into [−1, 1]."""
    return np.clip(w, -1, 1)


REDDI_STEPS = 400
REDDI_BETAS = np.linspace(0, 0.99, 67)


def reddi_walk():
    """Return the scene of Reddi's example: Adam and AMSGrad against the step, Adam's end against beta2.

    C: the rare slope.
    """

    def show(*, lr, beta1, beta2, C):
        def slope(w, t):
            return reddi(w, t, C=C)

        knobs = {"lr": lr, "beta1": beta1, "project": box}
        rules = {"Adam": adam, "AMSGrad": amsgrad}
        walks = {name: path(rule, slope, np.zeros(1), REDDI_STEPS, beta2=beta2, **knobs)[:, 0]
                 for name, rule in rules.items()}  # fmt: skip
        many = path(adam, slope, np.zeros(1), REDDI_STEPS, **knobs, **grid(beta2=REDDI_BETAS))[..., 0]
        last = {name: last_mean(ws) for name, ws in walks.items()}
        told = (
            f"The slope is {C:.3g} at every third step and −1 at the others: on average {(C - 2) / 3:.2g}. "
        )
        told += f"Adam ends at {last['Adam']:.3f}, AMSGrad at {last['AMSGrad']:.3f}; the best place is −1."
        return Shown(told, ends=(REDDI_BETAS, last_mean(many)), here=([beta2], [last["Adam"]]), **walks)

    left = Panel((0.07, 0.135, 0.43, 0.77), step(REDDI_STEPS), ("w", -1.2, 1.55))
    right = Panel((0.6, 0.135, 0.375, 0.77), ("beta2", 0, 1), ("where Adam ends", -1.2, 1.55))
    right.title = "lr {lr:.3g}   beta1 {beta1:g}   beta2 {beta2:g}   C {C:.3g}"
    for panel in (left, right):
        panel.add(worst=level(ALERT, 1, linewidth=1), best=level("#008060", -1, linewidth=1))
    words = {"ha": "right", "fontsize": 9.5}
    left.add(low=note(REDDI_STEPS, -1.03, "the best place", color="#008060", va="top", **words))
    left.add(high=note(REDDI_STEPS, 1.03, "the worst place", color=ALERT, va="bottom", **words))
    left.add(
        **{
            name: plain(rule, label=name, linewidth=1.6)
            for name, rule in (("Adam", adam), ("AMSGrad", amsgrad))
        }
    )
    left.legend = {"loc": "upper left", "ncols": 2}
    right.add(ends=plain(adam), here=ring(ALERT))
    knobs = {"lr": knob(0.05, 0.005, 0.3), "beta1": 0.0, "beta2": 0.1, "C": knob(3.0, 2.0, 10.0)}
    return picture([left, right], show, **knobs)


def last_mean(ws):
    """Return the mean of the last 30 points, ten rounds of Reddi's three slopes."""
    return ws[-30:].mean(axis=0)


DIGIT_STEPS, EVERY = 100, 5


@lru_cache
def _digits(model):
    """Return a model of the digits, its gradient on batches, its start, and the loss of SGD at lr 1."""
    data = datasets.digits()
    net = models.softmax(*data.train) if model == "softmax" else models.mlp(*data.train, sizes=(64, 32, 10))
    slope, start = net.batch_grad(32, 0), kept(net.init(0))
    losses = net(path(sgd, slope, start, DIGIT_STEPS, lr=1.0)[::EVERY], *data.validation)
    return net, slope, start, kept(losses)


def digits_run():
    """Return the scene of Adam on real digits: loss against step, and eps among the √v̂ of all weights.

    model: softmax regression or the network 64-32-10. 100 steps on 32 images each; the loss is that of the
    360 validation images. Grey: SGD at lr 1, which suits both models.
    """
    steps = np.arange(0, DIGIT_STEPS + 1, EVERY)

    def show(*, model, lr, beta1, beta2, eps):
        net, slope, start, sgds = _digits(model)
        seen = record(adam, slope, start, DIGIT_STEPS, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
        ws, held_out = seen["w"], datasets.digits().validation
        losses = net(ws[::EVERY], *held_out)
        size = np.sort(np.sqrt(seen["v"][-1] / (1 - beta2**DIGIT_STEPS)))
        data = {"Adam": (steps, losses), "sizes": (np.linspace(0, 100, net.n), size), "eps_level": eps}
        if not np.isfinite(ws[-1]).all():
            return Shown("The weights left the finite numbers.", **data)
        told = f"After {DIGIT_STEPS} steps: validation loss {losses[-1]:.3g} (SGD at lr 1: {sgds[-1]:.3g}), "
        told += f"{net.accuracy(ws[-1], *held_out):.1%} right. eps is above √v̂ in "
        return Shown(f"{told}{np.mean(size < eps):.0%} of the weights.", **data)

    def panels(model):
        net, _, _, sgds = _digits(model)
        left = Panel((0.08, 0.135, 0.42, 0.77), step(DIGIT_STEPS), log("validation loss", 0.1, 10))
        left.title, left.legend = TOLD.replace("  ", "   "), {"loc": "upper right", "ncols": 2}
        left.add(sgd=line(RULE_STYLES["sgd"], (steps, sgds), label="SGD at lr 1", markersize=4))
        left.add(Adam=line(adam, label="Adam", markersize=4, within=(0, 1e3)))
        sides = (f"the {net.n} weights, sorted (per cent)", 0, 100), log("√v̂ at the last step", 1e-9, 1e3)
        right = Panel((0.6, 0.135, 0.375, 0.77), *sides, legend={"loc": "upper left", "ncols": 2})
        right.add(sizes=line(ADAM["color"], label="√v̂", within=(1e-9, 1e3)))
        return [left, right.add(eps_level=level(ALERT, linestyle=":", linewidth=2.5, label="eps"))]

    model = knob("softmax", ["softmax", "network"], still=True)
    return picture(panels, show, model=model, **DEFAULTS | {"lr": knob(0.01, 1e-4, 1.0)})


CALM = 12_000  # steps
BLOCK = 20  # of which the largest is drawn


def long_walk(lr, beta1, beta2, eps, noise, steps=CALM):
    """Return w and √v̂ of Adam on the parabola ½w² from 1, with noise in the slope, after each step."""
    shaken = (noise * np.random.default_rng(0).standard_normal(steps)).tolist()
    knobs = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    walk = record(adam, lambda w, t: w + shaken[t], 1.0, steps, keep=["v"], **knobs)
    return walk["w"][1:], np.sqrt(walk["v"][1:] / (1 - beta2 ** np.arange(1, steps + 1)))


def settling():
    """Return the scene of Adam at a constant lr for 12,000 steps on the parabola ½w²: does it arrive?

    Left |w|, right the effective lr, lr/(√v̂ + eps), and its limit; of each 20 steps the largest is drawn.
    noise: in the slope.
    """
    ends = np.arange(BLOCK, CALM + 1, BLOCK)

    def show(*, lr, beta1, beta2, eps, noise):
        ws, size = long_walk(lr, beta1, beta2, eps, noise)
        data = {"walk": (ends, _largest(np.abs(ws))), "effective": (ends, _largest(lr / (size + eps)))}
        data |= {"ball": ([0, CALM], [np.sqrt(lr * noise / 2)] * 2)} if noise else {}
        return Shown(in_words(np.abs(ws), noise, lr), limit=largest_effective_lr(beta1), **data)

    t, thin = Axis("step", 0, CALM, ticks=[0, 4000, 8000, 12000]), {"linewidth": 1.4}
    left = Panel((0.085, 0.135, 0.41, 0.77), t, log("distance |w|", 1e-12, 1e3), TOLD + "  noise {noise:.2g}")
    left.legend, left.size = {"loc": "upper right"}, 9.5
    left.add(walk=plain(adam, within=(1e-12, 1e6), **thin))
    left.add(ball=line(ALERT, linestyle="--", label="√(lr·noise/2)", within=(0, np.inf)))
    right = Panel((0.59, 0.135, 0.385, 0.77), t, log("effective lr: lr / (√v̂ + eps)", 1e-4, 1e7))
    right.add(effective=plain(adam, within=(1e-4, 1e7), **thin))
    right.add(limit=level(ALERT, linestyle="--", label="2(1 + beta1)/(1 − beta1)"))
    right.legend = {"loc": "upper left"}
    knobs = {"lr": knob(0.1, 1e-3, 1.0), "noise": knob(0.0, 0.0, 2.0)}
    return picture([left, right], show, **DEFAULTS | knobs)


def largest_effective_lr(beta1, curvature=1.0):
    """Return 2(1 + β₁)/((1 − β₁)·h): above it, averaged momentum diverges on the parabola ½·h·w²."""
    return 2 * (1 + beta1) / ((1 - beta1) * curvature)


def in_words(distance, noise, lr):
    """Say whether a walk arrives and stays, from its distances."""
    late = distance[-2000:].max()
    if noise:
        typical = np.sqrt(np.mean(distance[CALM // 2 :] ** 2))
        return (
            f"It stays about {typical:.2g} away (root mean square of the second half). "
            f"√(lr·noise/2) is {np.sqrt(lr * noise / 2):.2g}."
        )
    arrived = np.flatnonzero(distance < 1e-9)
    if not arrived.size:
        return f"It never comes within 1e-9; in the last 2,000 steps it is up to {late:.2g} away."
    back = np.flatnonzero(distance[arrived[0] :] > 1e-6)
    if back.size:
        return (
            f"It comes within 1e-9 at step {arrived[0] + 1}, and at step {arrived[0] + back[0] + 1} it is "
            f"more than 1e-6 away again. Largest distance after that: {distance[arrived[0] :].max():.2g}."
        )
    return f"It comes within 1e-9 at step {arrived[0] + 1}, and stays within 1e-6 to the end."


def _largest(values):
    return values.reshape(-1, BLOCK).max(axis=1)


def lr_sweep(lrs, results, title, ylabel):
    """Return the still picture of a result against lr, a line per rule, with the spread over seeds.

    lrs: shape (k,).  results: dict rule → shape (seeds, k); the line is the mean, the band from min to max.
    """
    figure = new_figure((9.6, 3.6))
    with look():
        ax = figure.add_axes((0.08, 0.16, 0.72, 0.74))
        for rule, values in results.items():
            style = rule_style(rule, batches=True)
            ax.fill_between(
                lrs, values.min(axis=0), values.max(axis=0), color=style["color"], alpha=0.15, linewidth=0
            )
            ax.plot(
                lrs,
                values.mean(axis=0),
                label=rule_label(rule, batches=True),
                **style | {"markersize": 5, "linewidth": 1.6},
            )
        ax.set(xscale="log", xlabel="lr", ylabel=ylabel, title=title)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=3.2)
    best = ", ".join(
        f"{rule_label(rule, batches=True)} {best_of(-values.mean(axis=0), lr=lrs).short}"
        for rule, values in results.items()
    )
    return Picture(figure, f"Each rule has its own best lr: {best}.")


def four_runs(runs):
    """Return the still picture of the runs to diagnose: loss, and length of each step over lr.

    runs: dict name → dict with "loss" and "step", each one number per step.
    """

    def length(ax, run):
        ax.axhline(1, color=PALE, linewidth=4, alpha=0.5)
        ax.semilogy(run["step"], color="#5b6873", linewidth=1)

    loss = lambda ax, run: ax.semilogy(run["loss"], color=ADAM["color"], linewidth=1.2)  # noqa: E731
    share = {"adjust": (0.08, 0.12, 0.99, 0.93, 0.12, 0.12), "sharex": True, "sharey": "row"}
    figure = columns(runs, {"loss": loss, "step length / lr": length}, **share)
    ends = "; ".join(
        f"{name}: loss {run['loss'][0]:.2g} to about {np.median(run['loss'][-100:]):.1g}"
        for name, run in runs.items()
    )
    return Picture(figure, f"Four runs. {ends}.")
