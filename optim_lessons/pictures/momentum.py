"""The pictures of lesson 04: the ravine, the velocity, the spring, the spectrum, the valley, four balls."""

from functools import lru_cache

import numpy as np
from matplotlib.colors import to_rgb

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import last_tenth, settled
from optim_lessons.lab.live import Handle

from optim_lessons.lab.panels import (  # isort: skip
    ANYWHERE, KNOBS, Mark, Panel, Shown, band, dots, from_above, knob, level, line, log, loss_panel, many,
    note, picture, plain, stacked, step, still, upright, walk,
)  # fmt: skip
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import ALERT, rule_label, rule_style, to_diagnose
from optim_lessons.lab.scenes import reading
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum, spectral_radius
from optim_lessons.pictures.gradient_descent import QUIET, STEEP, ZERO
from optim_lessons.studies.spectrum import both_roots
from optim_lessons.studies.valley import valley_height

BALL, PLAIN = rule_style(momentum), rule_style(gradient_descent)
STEPS = 60
CURVATURES = np.geomspace(0.01, 1, 5)
PUSH = "#0060a8"  # the newest gradient
THIN = {"markersize": 3.5, "linewidth": 1.3}
CORNER = {"loc": "upper right", "fontsize": 9}  # of a legend
STILL = (0.09, 0.155, 0.89, 0.75)  # the place of the one panel of a still
_ravine = lru_cache(maxsize=8)(quadratic)


def ravine():
    """Return the scene of the ball and of gradient descent in a ravine, from above, and their losses.

    Gradient descent runs at lr. Without hold the ball does too; with hold it runs at lr·(1 − beta), so that a
    steady slope is followed at lr whatever beta is.
    """

    def show(*, lr, beta, hold, condition, steps):
        land, used = _ravine(condition=condition), lr * (1 - beta) if hold else lr
        slow = path(gradient_descent, land.grad, land.start, steps, lr=lr)
        ball = path(momentum, land.grad, land.start, steps, lr=used, beta=beta)
        drawn = {"ground": land, "descent": slow, "ball": ball, "used": used, "long": used / (1 - beta)}
        drawn |= {"losses of descent": land(slow), "losses of the ball": land(ball), "held": "   held" * hold}
        told = reading("Momentum", ball, land(ball), land)
        return Shown(f"{told} {reading(f'Gradient descent at lr {lr:.3g}', slow, land(slow), land)}", **drawn)

    first = quadratic(condition=30.0)
    told = "ball: lr {used:.3g}   beta {beta:g}   lr/(1 − beta) {long:.3g}   condition {condition:.3g}{held}"
    above = from_above((0.075, 0.135, 0.49, 0.77), first, told, moving=True)
    above.add(descent=walk(gradient_descent), ball=walk(momentum))
    beside = loss_panel((0.655, 0.135, 0.32, 0.77), first, "steps", "loss against step", legend=CORNER)
    beside.add(**{"losses of descent": plain(gradient_descent, label="gradient descent")})
    beside.add(**{"losses of the ball": plain(momentum, label="momentum")})
    knobs = {"lr": knob(1.9, 0.01, 4.0), "beta": knob(0.0, 0.0, 0.99), "hold": knob(False)}
    knobs |= {"condition": knob(30.0, 1.0, 300.0, log=True), "steps": knob(60, 1, 300)}
    return picture([above, beside], show, **knobs)


def velocity():
    """Return the scene of one step taken apart: the kept part of the old velocity, and the new push.

    step: the one whose arrows are shown. Beside it: m and g in each coordinate.
    """
    surface = quadratic(condition=20.0)

    def show(*, lr, beta, step):
        run = record(momentum, surface.grad, surface.start, STEPS, lr=lr, beta=beta)
        ws, ms, gs = run["w"], run["m"], surface.grad(run["w"])
        w, g, m = (np.clip(a[step], -1e3, 1e3) for a in (ws, gs, ms))
        drawn = {"walk": ws, "kept": (w, -lr * beta * m), "push": (w - lr * beta * m, -lr * g)}
        for i in (0, 1):
            drawn |= {f"m{i}": ms[:, i], f"g{i}": gs[:, i], f"now{i}": step}
        if not np.isfinite(w).all():
            told = f"Before step {step} the walk has left the finite numbers: lr or beta is too large."
            return Shown(told, ball=w[None], **drawn)
        words = {1: "The old velocity and the new push agree.", -1: "The new push brakes the old velocity."}
        together = words.get(np.sign(beta * g @ m), "Nothing is kept of the old velocity.")
        together = together if m.any() else "There is no old velocity yet."
        told = f"At step {step} the gradient is ({g[0]:.2g}, {g[1]:.2g}) and the velocity m is "
        return Shown(f"{told}({m[0]:.2g}, {m[1]:.2g}). {together}", ball=w[None], **drawn)

    legend = CORNER | {"loc": "lower right"}
    above = from_above((0.065, 0.125, 0.475, 0.785), surface, KNOBS, legend=legend)
    above.add(walk=walk(momentum, alpha=0.5), kept=_arrow(BALL["color"], "kept: −lr·beta·m"))
    above.add(push=_arrow(PUSH, "new: −lr·g"), ball=dots("#222222", size=8, zorder=5))
    beside = stacked(0.645, 0.345, STEPS, ("", -1.8, 1.8), ("", -4.5, 4.5))
    beside[0].title, beside[0].size = "squares: velocity m;  dots: gradient g", 10
    names = {"along the ravine: w[0]": 1.62, "across the ravine: w[1]": 4.05}  # and how high they stand
    for i, (name, top) in enumerate(names.items()):
        beside[i].add(name=note(0.98 * STEPS, top, name, ha="right", va="top", fontsize=10), zero=ZERO)
        beside[i].add(**{f"g{i}": line(PUSH, linewidth=1.2, marker=".", markersize=4)})
        beside[i].add(**{f"m{i}": line(momentum, markersize=3, linewidth=1.4)})
        beside[i].add(**{f"now{i}": upright("#333333", linewidth=1)})
    knobs = {"lr": knob(0.5, 0.02, 4.0), "beta": knob(0.8, 0.0, 0.99), "step": knob(3, 0, STEPS - 1)}
    return picture([above, *beside], show, figsize=(9.6, 4.6), **knobs)


def _arrow(color, label):
    """Return the mark of an arrow; its data are where it begins, and how far it goes."""
    style = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.009, "zorder": 4}
    style |= {"color": color, "label": label}

    def put(arrow, ends):
        at, way = ends
        arrow.set_offsets([at])
        arrow.set_UVC(*way.reshape(2, 1))

    return Mark(lambda ax, **options: ax.quiver(*[[0]] * 4, **style | options), put)


def spring():
    """Return the scene of the ball on a parabola of curvature 1: its swings, and the two roots behind them.

    Right: the complex plane, with the unit circle (factor 1) and the circle √beta.
    """
    t, angle = np.arange(STEPS + 1), np.linspace(0, 2 * np.pi, 181)
    circle = np.array([np.cos(angle), np.sin(angle)])

    def show(*, lr, beta):
        roots, factor = both_roots(lr, beta), spectral_radius(lr, beta)
        ws = path(momentum, lambda w: w, np.ones(1), STEPS, lr=lr, beta=beta)[:, 0]
        drawn = {"ball": ws, "edges": (factor**t, -(factor**t)), "roots": (roots.real, roots.imag)}
        drawn |= {"inner": tuple(np.sqrt(beta) * circle), "critical": (1 - np.sqrt(lr)) ** 2}
        return Shown(f"{damping(lr, beta)} Factor per step in the long run: {factor:.3f}.", **drawn)

    told = "lr × curvature {lr:.3g}   beta {beta:.3g}   critical beta {critical:.3g}"
    left = Panel((0.08, 0.135, 0.49, 0.77), step(STEPS), ("w", -1.6, 1.6), told, zero=ZERO)
    left.add(edges=many(band(STEEP, linewidth=5, alpha=0.3) for _ in range(2)), ball=line(BALL, **THIN))
    sides = ("real part", -1.6, 1.6), ("imaginary part", -1.3, 1.3)
    right = Panel((0.645, 0.135, 0.345, 0.77), *sides, "red: size 1;  dashed: size √beta", size=10)
    right.add(equal=lambda ax: ax.set_aspect("equal"), unit=line(ALERT, tuple(circle), linewidth=1.5))
    right.add(zero=ZERO, inner=line("#222222", linestyle="--", linewidth=1))
    right.add(roots=dots(BALL["color"], marker="s"))
    return picture([left, right], show, lr=knob(0.1, 0.002, 5.0), beta=knob(0.9, 0.0, 0.99))


def damping(lr_times_curvature, beta):
    """Say in words how the heavy ball is damped on a parabola."""
    x = lr_times_curvature
    factor = spectral_radius(x, beta)
    if x > 1 and abs(factor - 1) < 5e-4:
        return "On the limit, or nearly so: a root touches the red circle, and the ball jumps to and fro."
    if factor >= 1:
        return "Diverges: a root is not inside the red circle."
    if abs(np.sqrt(beta) - abs(1 - np.sqrt(x))) < 0.01:
        return "Critically damped, or nearly so: the two roots meet."
    if np.sqrt(beta) > abs(1 - np.sqrt(x)):
        return "Underdamped: the roots are a complex pair, and the ball swings through the minimum."
    if x < 1:
        return "Overdamped: two real roots, and the ball creeps to the minimum."
    return "Two negative roots: every step lands on the other side of the minimum."


def phase_space():
    """Return the scene of the ball on a parabola of curvature 1, in the plane of place and velocity.

    The velocity is drawn as lr·m, the last move with its sign turned. Right: w and lr·m against the step.
    """

    def show(*, lr, beta):
        run = record(momentum, lambda w: w, np.ones(1), STEPS, lr=lr, beta=beta)
        w, v, root = run["w"][:, 0], lr * run["m"][:, 0], both_roots(lr, beta)[0]
        told = "No spiral: two real roots. The size is multiplied by "
        told += f"{spectral_radius(lr, beta):.3f} per step in the long run."
        if abs(root.imag) > 1e-9:
            told = f"A spiral: once round in {2 * np.pi / abs(np.angle(root)):.3g} steps; "
            told += f"the size is multiplied by {abs(root):.3f} in each, on average."
        return Shown(told, walk=(w, v), place=w, velocity=v)

    left = Panel((0.08, 0.135, 0.4, 0.77), ("w", -1.6, 1.6), ("lr·m", -1.6, 1.6))
    left.title = "lr × curvature {lr:.3g}   beta {beta:.3g}"
    left.add(zero=ZERO, none=upright(QUIET, 0, linewidth=1))
    left.add(walk=line(BALL, markersize=3.5, linewidth=1, within=(-1e3, 1e3)))
    left.add(start=dots("#222222", ([1], [0]), size=7), name=note(1.05, 0.1, "start"))
    right = Panel((0.575, 0.135, 0.405, 0.77), step(STEPS), ("", -1.6, 1.6), legend=CORNER)
    right.add(zero=ZERO, place=line(BALL, label="w", markersize=3, linewidth=1.2))
    right.add(velocity=line(PUSH, linestyle="--", label="lr·m"))
    return picture([left, right], show, lr=knob(0.1, 0.002, 4.0), beta=knob(0.9, 0.0, 0.99))


def spectrum(curvatures=CURVATURES, steps=120):
    """Return the scene of one walk over many curvatures at once: the error in each direction, and their sum.

    curvatures: one direction each, with a start of 1. Right: the factor per step in the long run against the
    curvature.
    """
    ends = curvatures[0] / 1.5, curvatures[-1] * 1.5
    along = np.geomspace(*ends, 200)
    flat, steep = (np.array(to_rgb(name)) for name in ("#9fc5e8", STEEP))  # told apart in grey too
    colours = [tuple(flat + share * (steep - flat)) for share in np.linspace(0, 1, len(curvatures))]

    def show(*, lr, beta):
        ws = path(momentum, lambda w: curvatures * w, np.ones(len(curvatures)), steps, lr=lr, beta=beta)
        factors = spectral_radius(lr * curvatures, beta)
        drawn = {"each": np.abs(ws.T), "total": np.linalg.norm(ws, axis=-1)}
        drawn |= {"factors": np.minimum(factors, 2)}
        drawn |= {"curve": (along, np.minimum(spectral_radius(lr * along, beta), 2))}
        slow, fast = factors.argmax(), factors.argmin()
        slowest, fastest = (f"curvature {curvatures[i]:.2g}, factor {factors[i]:.3f}" for i in (slow, fast))
        told = f"Slowest: {slowest}; fastest: {fastest}."
        if np.ptp(factors) < 1e-3:
            told = f"All {len(curvatures)} directions have the same factor, {factors[0]:.3f}."
        if factors.max() >= 1:
            told = f"The direction of curvature {curvatures[slow]:.2g} does not shrink."
        return Shown(told, **drawn)

    sides = step(steps), log("distance in each direction", 1e-6, 30)
    left = Panel((0.08, 0.135, 0.5, 0.77), *sides, KNOBS, legend=CORNER)
    left.add(each=many(line(c, linewidth=1.3, within=(1e-9, 1e6)) for c in colours))
    left.add(total=line("#222222", linewidth=2.4, label="all together", within=(1e-9, 1e6)))
    right = Panel((0.665, 0.135, 0.315, 0.77), log("curvature", *ends), ("factor per step", 0, 1.1))
    right.add(one=level(ALERT, 1, linewidth=1.5), curve=line("#7f9dbb"))
    every = {"c": colours, "s": 45, "zorder": 3}
    right.add(factors=Mark(lambda ax, **more: ax.scatter(curvatures, 0 * curvatures, **every | more),
                           lambda dots, y: dots.set_offsets(np.stack([curvatures, y], axis=-1))))  # fmt: skip
    return picture([left, right], show, lr=knob(1.0, 0.02, 4.0), beta=knob(0.0, 0.0, 0.99))


def valley_walks(*rules):
    """Return the scene of rules on the convex valley of Lessard, Recht and Packard, minimum at 0.

    rules: momentum, nesterov, ... Left: the last 30 of 120 steps, in the valley.
    """
    count, w = 120, np.linspace(-5, 5, 400)

    def show(*, lr, beta, start):
        drawn, said = {}, []
        for rule in rules:
            ws = path(rule, lessard_recht_packard, np.array([start]), count, lr=lr, beta=beta)[:, 0]
            late = np.clip(ws[-31:], -1e2, 1e2)
            drawn |= {f"late {rule_label(rule)}": (late, valley_height(late)), rule_label(rule): ws}
            said.append(f"{rule_label(rule).capitalize()}: {_fate(ws)}")
        return Shown(" ".join(said), **drawn)

    left = Panel((0.07, 0.135, 0.36, 0.77), ("w", -5, 5), ("loss", -25, 330), size=10)
    left.title = f"where it is in steps {count - 30} to {count}"
    left.add(valley=line("#7f9dbb", (w, valley_height(w))))
    right = Panel((0.52, 0.135, 0.46, 0.77), step(count), ("w", -6, 6))
    right.title = "lr {lr:.4g}   beta {beta:.3g}   start {start:.3g}"
    for bend in (1, 2):
        left.add(**{f"bend {bend}": upright(QUIET, bend, linewidth=1)})
        right.add(**{f"bend {bend}": level(QUIET, bend, linewidth=1)})
    right.add(zero=ZERO)
    for rule in rules:
        name, look = rule_label(rule), {"linewidth": 1.2}
        left.add(**{f"late {name}": line(rule, markersize=7, within=ANYWHERE, **look)})
        right.add(**{name: line(rule, markersize=3, label=name, **look)})
    right.legend = CORNER if len(rules) > 1 else None
    knobs = {"lr": knob(1 / 9, 0.01, 0.16), "beta": knob(4 / 9, 0.0, 0.95), "start": knob(3.3, -5.0, 5.0)}
    return picture([left, right], show, handles=(Handle(0, "start", None),), **knobs)


def _fate(ws):
    """Say in words where a walk in one dimension, shape (steps + 1,), ends."""
    late = ws[-30:]
    furthest = np.abs(late).max()
    if not np.isfinite(ws).all() or furthest > 10 * max(1.0, abs(ws[0])):
        return "it diverges."
    if furthest < 1e-2:
        return f"it arrives; after {len(ws) - 1} steps it is {abs(ws[-1]):.1g} away."
    for period in range(2, 9):
        # Rounded to what is shown, a slow arrival would repeat itself too.
        if np.abs(late[period:] - late[:-period]).max() < 1e-3 * furthest:
            places = np.unique(np.round(late[-period:], 2))
            return f"it goes round {', '.join(f'{place:.2f}' for place in places)} and never arrives."
    return f"after {len(ws) - 1} steps it still moves between {late.min():.2g} and {late.max():.2g}."


def first_digits(walks, factors):
    """Return the still picture of real distances beside what the long run promises.

    walks: dict label → distances, one per step.  factors: label → factor per step in the long run.
    """
    steps, styles = min(map(len, walks.values())), {"gradient descent": PLAIN, "momentum": BALL}
    t = np.arange(steps)
    panel = Panel(STILL, step(steps - 1), log("distance / first distance", 1e-8, 10), legend="lower left")
    panel.title = "The long run's slope is right, but momentum starts late"
    for label, distances in walks.items():
        panel.add(**{label: plain(styles[label], distances[:steps] / distances[0], label=f"{label}: real")})
        promised = band(styles[label]["color"], factors[label] ** t, alpha=0.25, label=f"{label}: factorᵗ")
        panel.add(**{f"{label}, promised": promised})
    ends = "; ".join(f"{label}: {d[steps - 1] / d[0]:.1g} of the distance" for label, d in walks.items())
    return still([panel], f"After {steps - 1} steps, {ends} is left.", (9.6, 3.6))


def four_balls(runs):
    """Return the still picture of runs to diagnose: w against the step.  runs: dict name → one w per step."""

    def draw(ax, w):
        ax.axhline(0, color=QUIET, linewidth=1)
        ax.plot(w, color=BALL["color"], marker="s", markersize=2.5, linewidth=1)

    told = lambda w: f"from {w[0]:.2g} to {w[-1]:.2g}"  # noqa: E731
    layout = {"size": (9.6, 2.8), "adjust": (0.075, 0.2, 0.99, 0.88, 0.42)}
    return to_diagnose(runs, {"w": draw}, "Four balls on a parabola.", told, **layout)


def losses_of(walks, title, lowest=0.0):
    """Return the still picture of losses against the step, each rule in its style.

    walks: list of (label, rule, losses).  lowest: the smallest loss there is, which is subtracted.
    """

    def draw(ax):
        for label, rule, losses in walks:
            ax.semilogy(losses - lowest, label=label, **rule_style(rule) | {"marker": ""})
        ax.set_ylabel("loss − minimum" if lowest else "loss")

    losses = walks[-1][2]
    panel = Panel(STILL, step(len(losses) - 1), title=title, legend={}, losses=draw)
    ends = "; ".join(f"{label} {settled(losses) - lowest:.0e}" for label, _, losses in walks)
    return still([panel], f"The highest of the last {len(last_tenth(losses))} steps: {ends}.", (9.6, 3.6))
