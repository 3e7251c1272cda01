"""The pictures of lesson 08: two averages, their correction, eps, the turned ravine, Reddi's example."""

from dataclasses import replace

import numpy as np

from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.fair import best_of, settled
from optim_lessons.lab.live import Scene
from optim_lessons.lab.path import grid, path, record
from optim_lessons.lab.plots import (
    ALERT,
    RULE_STYLES,
    Picture,
    counted,
    height_bands,
    height_map,
    look,
    loss_axis,
    new_figure,
    path_line,
    rule_label,
    rule_style,
    set_loss,
    set_path,
)
from optim_lessons.lab.scenes import floor, reading
from optim_lessons.landscapes import Landscape, quadratic, reddi, rosenbrock, saddle
from optim_lessons.momentum import best_lr_and_beta, momentum
from optim_lessons.rmsprop import rmsprop

ADAM = rule_style(adam)
PLAIN = ADAM | {"marker": ""}
STEEP, FLAT = "#0060a8", "#b87700"  # the steep and the flat direction of a ravine, as in lesson 01
PALE = "#9aa7b4"
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


def grounds():
    """Return the scene of Adam on a ravine, Rosenbrock's valley or a saddle, with RMSProp at the same lr.

    Knobs: landscape, lr, beta1, beta2, eps and steps. RMSProp has beta = beta2 and the same eps.
    """

    def build(figure, *, landscape):
        ground = GROUNDS[landscape]
        above = figure.add_axes((0.08, 0.135, 0.455, 0.77), title=ground.name)
        beside = figure.add_axes((0.625, 0.135, 0.355, 0.77))
        height_map(above, ground)
        lowest, level = floor(ground)
        loss_axis(beside, float(ground(ground.start)), lowest, log=level)
        beside.xaxis.set_animated(True)
        lines = {}
        for rule, label in ((rmsprop, "RMSProp"), (adam, "Adam")):
            lines[rule] = (
                path_line(above, rule, animated=True),
                beside.plot([], [], animated=True, label=label, **rule_style(rule) | {"marker": ""})[0],
            )
        above.legend(
            handles=[pair[0] for pair in lines.values()], labels=["RMSProp", "Adam"], loc="upper right"
        )
        settings = beside.set_title("", fontsize=9.5, animated=True)

        def move(*, lr, beta1, beta2, eps, steps):
            common = {"lr": lr, "eps": eps}
            walks = {
                rmsprop: path(rmsprop, ground.grad, ground.start, steps, beta=beta2, **common),
                adam: path(adam, ground.grad, ground.start, steps, beta1=beta1, beta2=beta2, **common),
            }
            for rule, ws in walks.items():
                set_path(lines[rule][0], ws, ground.box)
                set_loss(lines[rule][1], ground(ws), lowest)
            if beside.get_xlim() != (0, steps):
                beside.set_xlim(0, steps)
                beside.xaxis.stale = True
            settings.set_text(f"lr {lr:.3g}  beta1 {beta1:g}  beta2 {beta2:g}  eps {eps:.3g}")
            ws = walks[adam]
            other = ground(walks[rmsprop][-1]) - (lowest if level else 0)
            return (
                f"{reading('Adam', ws, ground(ws), ground)} RMSProp at the same lr: "
                f"{f'{other:.3g}' if np.isfinite(other) else 'diverged'}."
            )

        return move

    return Scene(build, DEFAULTS | {"lr": 0.1, "steps": 150}, {"landscape": "Rosenbrock"})


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

    Knobs: beta1, beta2, noise (of the gradient, whose mean is 1) and seed.
    """

    def build(figure):
        axes = [figure.add_axes((x, 0.135, 0.255, 0.77)) for x in (0.055, 0.39, 0.735)]
        for ax in axes:
            ax.set(xlim=(1, LONG), xscale="log", xlabel="step t")
        axes[0].set(ylim=(-0.6, 2.6))
        axes[1].set(ylim=(1e-4, 1e2), yscale="log")
        axes[2].set(ylim=(1e-2, 1e3), yscale="log")
        axes[2].set_title("length of a step / lr", fontsize=11)
        hat, raw = {"color": STEEP, "linewidth": 1.8}, {"color": ALERT, "linestyle": "--", "linewidth": 1.8}
        axes[0].axhline(1, color=PALE, linewidth=4, alpha=0.5)
        mean_square = axes[1].axhline(1, color=PALE, linewidth=4, alpha=0.5, animated=True)
        axes[2].axhline(1, color=PALE, linewidth=4, alpha=0.5)
        names = (("raw m", "m", "m̂"), ("v", "v", "v̂"), ("raw", "not corrected", "corrected"))
        lines = [
            (
                ax.plot([], [], animated=True, label=first, **raw)[0],
                ax.plot([], [], animated=True, label=second, **hat)[0],
            )
            for ax, (_, first, second) in zip(axes, names, strict=True)
        ]
        for ax in axes:
            ax.legend(loc="upper right", ncols=2, handlelength=1.9, fontsize=9, columnspacing=1.0)
        settings = [ax.set_title("", fontsize=10, animated=True) for ax in axes[:2]]

        def move(*, beta1, beta2, noise, seed):
            seen = long_run(beta1, beta2, noise, seed)
            for (first, second), (a, b) in zip(
                lines, (("m", "m_hat"), ("v", "v_hat"), ("raw", "step")), strict=True
            ):
                rows = np.abs(seen[a]), np.abs(seen[b])
                rows = rows if first.axes is not axes[0] else [np.clip(seen[x], -0.55, 2.1) for x in (a, b)]
                first.set_data(SHOWN, rows[0][SHOWN - 1])
                second.set_data(SHOWN, rows[1][SHOWN - 1])
            mean_square.set_ydata([1 + noise**2] * 2)
            settings[0].set_text(f"beta1 {beta1:g}   noise {noise:.3g}   seed {seed}")
            settings[1].set_text(f"beta2 {beta2:g}")
            too_long = stretch(beta1, beta2)
            longest = int(too_long.argmax())
            late = np.flatnonzero(np.abs(too_long - 1) > 0.05)
            until = f"until step {late[-1] + 1}" if late.size and late[-1] + 1 < LONG else "beyond step 3,000"
            until = until if late.size else "never"
            return (
                f"Without correction the first step is {too_long[0]:.3g} times Adam's, the longest one "
                f"{too_long[longest]:.3g} times, at step {longest + 1}; more than 5% off {until}."
            )

        return move

    return Scene(
        build,
        {"beta1": 0.9, "beta2": 0.999, "noise": 0.0, "seed": 0},
        size=(10.6, 4.0),
        ranges={"noise": (0.0, 1.5)},
    )


def stretch(beta1, beta2, steps=LONG):
    """Return by how much Adam's steps 1, 2, ... get longer without correction: (1 − β₁ᵗ)/√(1 − β₂ᵗ)."""
    t = np.arange(1, steps + 1)
    return (1 - beta1**t) / np.sqrt(1 - beta2**t)


def eps_scale():
    """Return the scene of eps beside √v̂ on Rosenbrock's valley, with the momentum that a large eps leaves.

    Knobs: lr, beta1, beta2, eps and steps. Momentum runs at lr·(1 − beta1)/eps with beta = beta1.
    """
    ground = rosenbrock

    def build(figure):
        above = figure.add_axes((0.08, 0.135, 0.44, 0.77))
        beside = figure.add_axes((0.61, 0.135, 0.37, 0.77))
        height_map(above, ground)
        small = path_line(above, adam, animated=True, color=PALE, linewidth=5, marker="", alpha=0.9)
        line = path_line(above, adam, animated=True, markersize=2.5)
        ball = path_line(above, momentum, animated=True, linewidth=2.2, marker="")
        above.legend(
            handles=[small, line, ball],
            labels=["Adam at eps 1e-8", "Adam at this eps", "momentum at lr(1 − beta1)/eps"],
            loc="lower left",
            fontsize=9,
        )
        beside.set(ylim=(1e-9, 1e6), yscale="log", xlabel="step", ylabel="in units of the gradient")
        beside.xaxis.set_animated(True)
        sizes = [
            beside.plot([], [], color=c, linestyle=s, label=f"√v̂[{i}]", animated=True)[0]
            for i, (c, s) in enumerate(((STEEP, "-"), (FLAT, "--")))
        ]
        level = beside.axhline(1, color=ALERT, linestyle=":", linewidth=2.5, label="eps", animated=True)
        beside.legend(loc="upper right", ncols=3)
        settings = above.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta1, beta2, eps, steps):
            knobs = {"lr": lr, "beta1": beta1, "beta2": beta2}
            tiny = path(adam, ground.grad, ground.start, steps, eps=1e-8, **knobs)
            seen = record(adam, ground.grad, ground.start, steps, eps=eps, **knobs)
            as_ball = lr * (1 - beta1) / eps
            rolled = path(momentum, ground.grad, ground.start, steps, lr=as_ball, beta=beta1)
            for artist, ws in ((small, tiny), (line, seen["w"]), (ball, rolled)):
                set_path(artist, ws, ground.box)
            t = np.arange(1, steps + 1)
            size = np.sqrt(seen["v"][1:] / (1 - beta2**t)[:, None])
            for artist, one in zip(sizes, size.T, strict=True):
                artist.set_data(t, np.clip(one, 1e-9, 1e6))
            level.set_ydata([eps, eps])
            if beside.get_xlim() != (0, steps):
                beside.set_xlim(0, steps)
                beside.xaxis.stale = True
            settings.set_text(f"lr {lr:.3g}  beta1 {beta1:g}  beta2 {beta2:g}  eps {eps:.3g}  steps {steps}")
            return (
                f"√v̂ runs from {_range(size)}; eps is {eps:.3g}. The path is {_apart(seen['w'], tiny)} from "
                f"the one at eps 1e-8, and {_apart(seen['w'], rolled)} from momentum at lr {as_ball:.2g}."
            )

        return move

    moving = DEFAULTS | {"lr": 0.02, "eps": 0.1, "steps": 300}
    return Scene(build, moving, ranges={"eps": (1e-8, 1e5)})


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

    Knobs: angle, lr, beta1 and condition. Momentum, at its best lr and beta, does not feel the angle.
    """

    def build(figure):
        above = figure.add_axes((0.08, 0.135, 0.44, 0.77))
        beside = figure.add_axes((0.605, 0.135, 0.375, 0.77))
        first = wide_ravine(100, 0)
        ground = height_map(above, first, animated=True)
        line = path_line(above, adam, animated=True)
        beside.set(xlim=(0, 90), ylim=(0, PATIENCE * 1.25), xlabel="angle of the ravine (degrees)")
        beside.set_ylabel("steps to a tenth of the distance")
        beside.set_xticks([0, 15, 30, 45, 60, 75, 90])
        curve = beside.plot([], [], animated=True, label="Adam", **ADAM | {"markersize": 5})[0]
        flat = beside.plot([], [], animated=True, label="momentum", **rule_style(momentum) | {"marker": ""})[
            0
        ]
        here = beside.plot([], [], "o", color=ALERT, markersize=11, fillstyle="none", animated=True)[0]
        here.set_markeredgewidth(2.5)
        beside.legend(loc="upper left", ncols=2)
        settings = above.set_title("", fontsize=10, animated=True)
        drawn = []

        def move(*, angle, lr, beta1, condition):
            surface = wide_ravine(condition, angle)
            if drawn != [condition, angle]:
                ground.set_data(height_bands(surface))
                drawn[:] = condition, angle
            ws = path(adam, surface.grad, surface.start, PATIENCE, lr=lr, beta1=beta1)
            set_path(line, ws, surface.box)
            counts = steps_by_angle(condition, lr, beta1)
            curve.set_data(ANGLES, counts)
            now = steps_to_tenth(ws)
            here.set_data([angle], [now])
            ball_lr, beta = best_lr_and_beta(1 / condition, 1.0)
            straight = quadratic(condition=condition)
            rolled = path(momentum, straight.grad, straight.start, PATIENCE, lr=ball_lr, beta=beta)
            flat.set_data([0, 90], [steps_to_tenth(rolled)] * 2)
            settings.set_text(f"angle {angle}   lr {lr:.3g}   beta1 {beta1:g}   condition {condition:.3g}")
            return (
                f"At {angle} degrees Adam needs {_count(now)} to a tenth of the distance; along the axes "
                f"{_count(counts[0])}, at 45 degrees {_count(counts[15])}. Momentum: "
                f"{_count(steps_to_tenth(rolled))} at any angle."
            )

        return move

    return Scene(build, {"angle": 0, "lr": 0.1, "beta1": 0.9, "condition": 100.0})


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

    Knobs: lr, beta1, beta2 and C, the rare slope.
    """

    def build(figure):
        left, right = figure.add_axes((0.07, 0.135, 0.43, 0.77)), figure.add_axes((0.6, 0.135, 0.375, 0.77))
        for ax in (left, right):
            ax.set(ylim=(-1.2, 1.55))
            ax.axhline(1, color=ALERT, linewidth=1)
            ax.axhline(-1, color="#008060", linewidth=1)
        left.set(xlim=(0, REDDI_STEPS), xlabel="step", ylabel="w")
        left.text(REDDI_STEPS, -1.03, "the best place", color="#008060", ha="right", va="top", fontsize=9.5)
        left.text(REDDI_STEPS, 1.03, "the worst place", color=ALERT, ha="right", va="bottom", fontsize=9.5)
        right.set(xlim=(0, 1), xlabel="beta2", ylabel="where Adam ends")
        lines = [
            left.plot(
                [], [], label=label, animated=True, **rule_style(rule) | {"marker": "", "linewidth": 1.6}
            )[0]
            for rule, label in ((adam, "Adam"), (amsgrad, "AMSGrad"))
        ]
        left.legend(loc="upper left", ncols=2)
        ends = right.plot([], [], animated=True, **PLAIN)[0]
        here = right.plot([], [], "o", color=ALERT, markersize=11, fillstyle="none", animated=True)[0]
        here.set_markeredgewidth(2.5)
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta1, beta2, C):
            def slope(w, t):
                return reddi(w, t, C=C)

            knobs = {"lr": lr, "beta1": beta1, "project": box}
            walks = [
                path(rule, slope, np.zeros(1), REDDI_STEPS, beta2=beta2, **knobs)[:, 0]
                for rule in (adam, amsgrad)
            ]
            for line, ws in zip(lines, walks, strict=True):
                line.set_data(np.arange(REDDI_STEPS + 1), ws)
            many = path(adam, slope, np.zeros(1), REDDI_STEPS, **knobs, **grid(beta2=REDDI_BETAS))[..., 0]
            ends.set_data(REDDI_BETAS, last_mean(many))
            here.set_data([beta2], [last_mean(walks[0])])
            settings.set_text(f"lr {lr:.3g}   beta1 {beta1:g}   beta2 {beta2:g}   C {C:.3g}")
            return (
                f"The slope is {C:.3g} at every third step and −1 at the others: on average "
                f"{(C - 2) / 3:.2g}. Adam ends at {last_mean(walks[0]):.3f}, "
                f"AMSGrad at {last_mean(walks[1]):.3f}; the best place is −1."
            )

        return move

    return Scene(build, {"lr": 0.05, "beta1": 0.0, "beta2": 0.1, "C": 3.0}, ranges={"C": (2.0, 10.0)})


def last_mean(ws):
    """Return the mean of the last 30 points, ten rounds of Reddi's three slopes."""
    return ws[-30:].mean(axis=0)


DIGIT_STEPS, EVERY = 100, 5


def digits_run():
    """Return the scene of Adam on real digits: loss against step, and eps among the √v̂ of all weights.

    Knobs: model (softmax regression or the network 64-32-10), lr, beta1, beta2 and eps. 100 steps on 32
    images each; the loss is that of the 360 validation images. Grey: SGD at lr 1, which suits both models.
    """

    def build(figure, *, model):
        data = datasets.digits()
        X, y = data.train
        net = models.softmax(X, y) if model == "softmax" else models.mlp(X, y, sizes=(64, 32, 10))
        slope, start = net.batch_grad(32, 0), net.init(0)
        steps = np.arange(0, DIGIT_STEPS + 1, EVERY)
        left, right = figure.add_axes((0.08, 0.135, 0.42, 0.77)), figure.add_axes((0.6, 0.135, 0.375, 0.77))
        left.set(xlim=(0, DIGIT_STEPS), ylim=(0.1, 10), yscale="log", xlabel="step", ylabel="validation loss")
        plain = net(path(gradient_descent, slope, start, DIGIT_STEPS, lr=1.0)[::EVERY], *data.validation)
        left.plot(steps, plain, label="SGD at lr 1", **RULE_STYLES["sgd"] | {"markersize": 4})
        line = left.plot([], [], animated=True, label="Adam", **ADAM | {"markersize": 4})[0]
        left.legend(loc="upper right", ncols=2)
        right.set(xlim=(0, 100), ylim=(1e-9, 1e3), yscale="log")
        right.set(xlabel=f"the {net.n} weights, sorted (per cent)", ylabel="√v̂ at the last step")
        sizes = right.plot([], [], color=ADAM["color"], label="√v̂", animated=True)[0]
        level = right.axhline(1, color=ALERT, linestyle=":", linewidth=2.5, label="eps", animated=True)
        right.legend(loc="upper left", ncols=2)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta1, beta2, eps):
            seen = record(adam, slope, start, DIGIT_STEPS, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
            lost = not np.isfinite(seen["w"][-1]).all()
            losses = net(seen["w"][::EVERY], *data.validation)
            line.set_data(steps, np.clip(losses, 0, 1e3))
            size = np.sort(np.sqrt(seen["v"][-1] / (1 - beta2**DIGIT_STEPS)))
            sizes.set_data(np.linspace(0, 100, net.n), np.clip(size, 1e-9, 1e3))
            level.set_ydata([eps, eps])
            settings.set_text(f"lr {lr:.3g}   beta1 {beta1:g}   beta2 {beta2:g}   eps {eps:.3g}")
            if lost:
                return "The weights left the finite numbers."
            right_ones = net.accuracy(seen["w"][-1], *data.validation)
            return (
                f"After {DIGIT_STEPS} steps: validation loss {losses[-1]:.3g} (SGD at lr 1: "
                f"{plain[-1]:.3g}), "
                f"{right_ones:.1%} right. eps is above √v̂ in {np.mean(size < eps):.0%} of the weights."
            )

        return move

    return Scene(build, DEFAULTS | {"lr": 0.01}, {"model": "softmax"}, ranges={"lr": (1e-4, 1.0)})


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
    Knobs: lr, beta1, beta2, eps and noise in the slope.
    """

    def build(figure):
        left, right = figure.add_axes((0.085, 0.135, 0.41, 0.77)), figure.add_axes((0.59, 0.135, 0.385, 0.77))
        left.set(xlim=(0, CALM), ylim=(1e-12, 1e3), yscale="log", xlabel="step", ylabel="distance |w|")
        right.set(xlim=(0, CALM), ylim=(1e-4, 1e7), yscale="log", xlabel="step")
        right.set_ylabel("effective lr: lr / (√v̂ + eps)")
        for ax in (left, right):
            ax.set_xticks([0, 4000, 8000, 12000])
        walk = left.plot([], [], animated=True, **PLAIN | {"linewidth": 1.4})[0]
        ball = left.plot([], [], color=ALERT, linestyle="--", animated=True, label="√(lr·noise/2)")[0]
        effective = right.plot([], [], animated=True, **PLAIN | {"linewidth": 1.4})[0]
        limit = right.axhline(1, color=ALERT, linestyle="--", animated=True, label="2(1 + beta1)/(1 − beta1)")
        left.legend(loc="upper right")
        right.legend(loc="upper left")
        settings = left.set_title("", fontsize=9.5, animated=True)
        ends = np.arange(BLOCK, CALM + 1, BLOCK)

        def move(*, lr, beta1, beta2, eps, noise):
            ws, size = long_walk(lr, beta1, beta2, eps, noise)
            distance = np.abs(ws)
            walk.set_data(ends, np.clip(_largest(distance), 1e-12, 1e6))
            effective.set_data(ends, np.clip(_largest(lr / (size + eps)), 1e-4, 1e7))
            limit.set_ydata([largest_effective_lr(beta1)] * 2)
            ball.set_data(*(([0, CALM], [np.sqrt(lr * noise / 2)] * 2) if noise else ([], [])))
            settings.set_text(
                f"lr {lr:.3g}  beta1 {beta1:g}  beta2 {beta2:g}  eps {eps:.3g}  noise {noise:.2g}"
            )
            return in_words(distance, noise, lr)

        return move

    moving = DEFAULTS | {"lr": 0.1, "noise": 0.0}
    return Scene(build, moving, ranges={"lr": (1e-3, 1.0), "noise": (0.0, 2.0)})


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
    figure = new_figure((9.6, 4.6))
    with look():
        axes = figure.subplots(2, len(runs), sharex=True, sharey="row")
        figure.subplots_adjust(0.08, 0.12, 0.99, 0.93, wspace=0.12, hspace=0.12)
        for column, (name, run) in zip(axes.T, runs.items(), strict=True):
            column[0].plot(run["loss"], color=ADAM["color"], linewidth=1.2)
            column[0].set(yscale="log", title=name)
            column[1].axhline(1, color=PALE, linewidth=4, alpha=0.5)
            column[1].plot(run["step"], color="#5b6873", linewidth=1)
            column[1].set(yscale="log", xlabel="step")
        axes[0, 0].set_ylabel("loss")
        axes[1, 0].set_ylabel("step length / lr")
    ends = "; ".join(
        f"{name}: loss {run['loss'][0]:.2g} to about {np.median(run['loss'][-100:]):.1g}"
        for name, run in runs.items()
    )
    return Picture(figure, f"Four runs. {ends}.")
