"""The pictures of lesson 04: the ravine, the velocity, the spring and its phase space, the whole spectrum,
the cycle, four balls.
"""

from functools import lru_cache

import matplotlib
import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import last_tenth, settled
from optim_lessons.lab.live import Handle

from optim_lessons.lab.panels import (  # isort: skip
    KNOBS, Mark, Panel, Shown, band, dots, from_above, knob, level, line, log, loss_panel, many, picture,
    plain, step, upright, walk,
)  # fmt: skip
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import ALERT, Picture, columns, look, new_figure, rule_label, rule_style
from optim_lessons.lab.scenes import reading
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum, spectral_radius
from optim_lessons.pictures.gradient_descent import QUIET, STEEP

BALL, PLAIN = rule_style(momentum), rule_style(gradient_descent)

STEPS = 60
CURVATURES = np.geomspace(0.01, 1, 5)
PUSH = "#0060a8"  # the newest gradient
THIN = {"markersize": 3.5, "linewidth": 1.3}
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
    legend = {"loc": "upper right", "fontsize": 9}
    beside = loss_panel((0.655, 0.135, 0.32, 0.77), first, "steps", "loss against step", legend=legend)
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
        drawn |= {"ball": w[None]}
        drawn |= {f"m{i}": ms[:, i] for i in (0, 1)} | {f"g{i}": gs[:, i] for i in (0, 1)}
        drawn |= {"now0": step, "now1": step}
        if not np.isfinite(w).all():
            told = f"Before step {step} the walk has left the finite numbers: lr or beta is too large."
            return Shown(told, **drawn)
        words = {1: "The old velocity and the new push agree.", -1: "The new push brakes the old velocity."}
        together = words.get(np.sign(beta * g @ m), "Nothing is kept of the old velocity.")
        together = together if m.any() else "There is no old velocity yet."
        return Shown(
            f"At step {step} the gradient is ({g[0]:.2g}, {g[1]:.2g}) and the velocity m is "
            f"({m[0]:.2g}, {m[1]:.2g}). {together}",
            **drawn,
        )

    above = from_above(
        (0.065, 0.125, 0.475, 0.785), surface, KNOBS, legend={"loc": "lower right", "fontsize": 9}
    )
    above.add(walk=walk(momentum, alpha=0.5), kept=_arrow(BALL["color"], "kept: −lr·beta·m"))
    above.add(push=_arrow(PUSH, "new: −lr·g"), ball=dots("#222222", size=8, zorder=5))
    panels = [above]
    for i, (name, side) in enumerate((("along the ravine: w[0]", 1.8), ("across the ravine: w[1]", 4.5))):
        panel = Panel(
            (0.645, 0.125 + 0.44 * (not i), 0.345, 0.345), step(STEPS, "step" * i), ("", -side, side)
        )
        panel.title = "" if i else "squares: velocity m;  dots: gradient g"
        panel.size = 10
        panel.add(name=_corner(name), zero=level(QUIET, 0, linewidth=1))
        panel.add(hide=lambda ax, i=i: ax.tick_params(labelbottom=bool(i)))
        panel.add(**{f"g{i}": line(PUSH, linewidth=1.2, marker=".", markersize=4)})
        panel.add(**{f"m{i}": line(momentum, markersize=3, linewidth=1.4)})
        panels.append(panel.add(**{f"now{i}": upright("#333333", linewidth=1)}))
    knobs = {"lr": knob(0.5, 0.02, 4.0), "beta": knob(0.8, 0.0, 0.99), "step": knob(3, 0, STEPS - 1)}
    return picture(panels, show, figsize=(9.6, 4.6), **knobs)


def _arrow(color, label):
    """Return the mark of an arrow; its data are where it begins, and how far it goes."""
    style = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.009, "zorder": 4}

    def put(arrow, ends):
        at, way = ends
        arrow.set_offsets([at])
        arrow.set_UVC(*way.reshape(2, 1))

    make = lambda ax, **options: ax.quiver(*[[0]] * 4, color=color, label=label, **style | options)  # noqa: E731
    return Mark(make, put)


def _corner(text):
    return lambda ax: ax.text(0.98, 0.95, text, transform=ax.transAxes, ha="right", va="top", fontsize=10)


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
    left = Panel(
        (0.08, 0.135, 0.49, 0.77), step(STEPS), ("w", -1.6, 1.6), told, zero=level(QUIET, 0, linewidth=1)
    )
    left.add(edges=many(band(STEEP, linewidth=5, alpha=0.3) for _ in range(2)), ball=line(BALL, **THIN))
    sides = ("real part", -1.6, 1.6), ("imaginary part", -1.3, 1.3)
    right = Panel((0.645, 0.135, 0.345, 0.77), *sides, "red: size 1;  dashed: size √beta", size=10)
    right.add(equal=lambda ax: ax.set_aspect("equal"), unit=line(ALERT, tuple(circle), linewidth=1.5))
    right.add(zero=level(QUIET, 0, linewidth=1), inner=line("#222222", linestyle="--", linewidth=1))
    right.add(roots=dots(BALL["color"], marker="s"))
    return picture([left, right], show, lr=knob(0.1, 0.002, 5.0), beta=knob(0.9, 0.0, 0.99))


def both_roots(lr_times_curvature, beta):
    """Return the two roots of z² − (1 + β − lr·h)·z + β, complex, shape (2,)."""
    half = (1 + beta - lr_times_curvature) / 2
    root = np.sqrt(complex(half * half - beta))
    return np.array([half + root, half - root])


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
        told = f"No spiral: two real roots. The size is multiplied by {spectral_radius(lr, beta):.3f}"
        told += " per step in the long run."
        if abs(root.imag) > 1e-9:
            turn = 2 * np.pi / abs(np.angle(root))
            told = f"A spiral: once round in {turn:.3g} steps; the size is multiplied by"
            told += f" {abs(root):.3f} in each."
        return Shown(told, walk=(w, v), place=w, velocity=v)

    left = Panel((0.08, 0.135, 0.4, 0.77), ("w", -1.6, 1.6), ("lr·m", -1.6, 1.6))
    left.title = "lr × curvature {lr:.3g}   beta {beta:.3g}"
    left.add(zero=level(QUIET, 0, linewidth=1), none=upright(QUIET, 0, linewidth=1))
    left.add(walk=line(BALL, markersize=3.5, linewidth=1, within=(-1e3, 1e3)))
    left.add(
        start=dots("#222222", ([1], [0]), size=7), name=lambda ax: ax.annotate("start", (1, 0), (1.05, 0.1))
    )
    legend = {"loc": "upper right", "fontsize": 9}
    right = Panel((0.575, 0.135, 0.405, 0.77), step(STEPS), ("", -1.6, 1.6), legend=legend)
    right.add(zero=level(QUIET, 0, linewidth=1), place=line(BALL, label="w", markersize=3, linewidth=1.2))
    right.add(velocity=line(PUSH, linestyle="--", label="lr·m"))
    return picture([left, right], show, lr=knob(0.1, 0.002, 4.0), beta=knob(0.9, 0.0, 0.99))


def spectrum(curvatures=CURVATURES, steps=120):
    """Return the scene of one walk over many curvatures at once: the error in each direction, and their sum.

    curvatures: one direction each, with a start of 1. Right: the factor per step in the long run against the
    curvature.
    """
    colours, ends = look_up(np.linspace(0, 1, len(curvatures))), (curvatures[0] / 1.5, curvatures[-1] * 1.5)
    along = np.geomspace(*ends, 200)

    def show(*, lr, beta):
        ws = path(momentum, lambda w: curvatures * w, np.ones(len(curvatures)), steps, lr=lr, beta=beta)
        factors = spectral_radius(lr * curvatures, beta)
        drawn = {"each": np.abs(ws.T), "total": np.linalg.norm(ws, axis=-1)}
        drawn |= {"factors": np.minimum(factors, 2)}
        drawn |= {"curve": (along, np.minimum(spectral_radius(lr * along, beta), 2))}
        slow, fast = factors.argmax(), factors.argmin()
        told = (
            f"Slowest: curvature {curvatures[slow]:.2g}, factor {factors[slow]:.3f}; "
            f"fastest: curvature {curvatures[fast]:.2g}, factor {factors[fast]:.3f}."
        )
        if np.ptp(factors) < 1e-3:
            told = f"All {len(curvatures)} directions have the same factor, {factors[0]:.3f}."
        if factors.max() >= 1:
            told = f"The direction of curvature {curvatures[slow]:.2g} does not shrink."
        return Shown(told, **drawn)

    legend = {"loc": "upper right", "fontsize": 9}
    sides = step(steps), log("distance in each direction", 1e-6, 30)
    left = Panel((0.08, 0.135, 0.5, 0.77), *sides, KNOBS, legend=legend)
    left.add(each=many(line(c, linewidth=1.3, within=(1e-9, 1e6)) for c in colours))
    left.add(total=line("#222222", linewidth=2.4, label="all together", within=(1e-9, 1e6)))
    right = Panel((0.665, 0.135, 0.315, 0.77), log("curvature", *ends), ("factor per step", 0, 1.1))
    right.add(one=level(ALERT, 1, linewidth=1.5), curve=line("#7f9dbb"))
    every = {"c": colours, "s": 45, "zorder": 3}
    right.add(factors=Mark(lambda ax, **more: ax.scatter(curvatures, 0 * curvatures, **every | more),
                           lambda dots, y: dots.set_offsets(np.stack([curvatures, y], axis=-1))))  # fmt: skip
    return picture([left, right], show, lr=knob(1.0, 0.02, 4.0), beta=knob(0.0, 0.0, 0.99))


def look_up(shares):
    """Return colours from the flattest (blue) to the steepest direction (red), told apart in grey too."""
    flat, steep = (np.array(matplotlib.colors.to_rgb(name)) for name in ("#9fc5e8", STEEP))
    return [tuple(flat + share * (steep - flat)) for share in shares]


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
    right = Panel(
        (0.52, 0.135, 0.46, 0.77),
        step(count),
        ("w", -6, 6),
        "lr {lr:.4g}   beta {beta:.3g}   start {start:.3g}",
    )
    for bend in (1, 2):
        left.add(**{f"bend {bend}": upright(QUIET, bend, linewidth=1)})
        right.add(**{f"bend {bend}": level(QUIET, bend, linewidth=1)})
    right.add(zero=level(QUIET, 0, linewidth=1))
    for rule in rules:
        name, look = rule_label(rule), {"linewidth": 1.2}
        left.add(**{f"late {name}": line(rule, markersize=7, within=(-np.inf, np.inf), **look)})
        right.add(**{name: line(rule, markersize=3, label=name, **look)})
    right.legend = {"loc": "upper right", "fontsize": 9} if len(rules) > 1 else None
    knobs = {"lr": knob(1 / 9, 0.01, 0.16), "beta": knob(4 / 9, 0.0, 0.95), "start": knob(3.3, -5.0, 5.0)}
    return picture([left, right], show, handles=(Handle(0, "start", None),), **knobs)


def valley_height(w):
    """Return the height of Lessard, Recht and Packard's valley, whose slope is `lessard_recht_packard`."""
    return np.where(w < 1, 12.5 * w**2, np.where(w < 2, w**2 / 2 + 24 * w - 12, 12.5 * w**2 - 24 * w + 36))


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
    figure = new_figure((9.6, 3.6))
    styles = {"gradient descent": PLAIN, "momentum": BALL}
    with look():
        ax = figure.add_axes((0.09, 0.155, 0.89, 0.75))
        steps = min(map(len, walks.values()))
        t = np.arange(steps)
        for label, distances in walks.items():
            style = styles[label] | {"marker": ""}
            ax.semilogy(t, distances[:steps] / distances[0], label=f"{label}: real", **style)
            promised = {"color": style["color"], "linewidth": 6, "alpha": 0.25}
            ax.semilogy(t, factors[label] ** t, label=f"{label}: factorᵗ", **promised)
        ax.set(xlabel="step", ylabel="distance / first distance", xlim=(0, steps - 1), ylim=(1e-8, 10))
        ax.set_title("The long run's slope is right, but momentum starts late")
        ax.legend(loc="lower left")
    ends = "; ".join(f"{label}: {d[steps - 1] / d[0]:.1g} of the distance" for label, d in walks.items())
    return Picture(figure, f"After {steps - 1} steps, {ends} is left.")


def four_balls(runs):
    """Return the still picture of runs to diagnose: w against the step.  runs: dict name → one w per step."""

    def draw(ax, w):
        ax.axhline(0, color=QUIET, linewidth=1)
        ax.plot(w, color=BALL["color"], marker="s", markersize=2.5, linewidth=1)

    figure = columns(runs, {"w": draw}, (9.6, 2.8), adjust=(0.075, 0.2, 0.99, 0.88, 0.42))
    ends = "; ".join(f"{name}: from {w[0]:.2g} to {w[-1]:.2g}" for name, w in runs.items())
    return Picture(figure, f"Four balls on a parabola. {ends}.")


def losses_of(walks, title, lowest=0.0):
    """Return the still picture of losses against the step, each rule in its style.

    walks: list of (label, rule, losses).  lowest: the smallest loss there is, which is subtracted.
    """
    figure = new_figure((9.6, 3.6))
    with look():
        ax = figure.add_axes((0.09, 0.155, 0.89, 0.75))
        for label, rule, losses in walks:
            ax.semilogy(losses - lowest, label=label, **rule_style(rule) | {"marker": ""})
        ax.set(xlabel="step", ylabel="loss − minimum" if lowest else "loss", title=title)
        ax.set_xlim(0, len(losses) - 1)
        ax.legend()
    ends = "; ".join(f"{label} {settled(losses) - lowest:.0e}" for label, _, losses in walks)
    return Picture(figure, f"The highest of the last {len(last_tenth(losses))} steps: {ends}.")
