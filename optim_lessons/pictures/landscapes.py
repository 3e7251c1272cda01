"""The pictures of lesson 02: differences, convexity, saddles, plateaus, Newton's step, a network's slice."""

from functools import lru_cache

import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.live import Handle

from optim_lessons.lab.panels import (  # isort: skip
    ANYWHERE, FREE, KNOBS, Panel, Shown, band, dots, from_above, image, knob, level, line, log, many, note,
    picture, plain, step, walk,
)  # fmt: skip
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, Picture, columns, counted, height_bands, height_map, rule_style
from optim_lessons.landscapes import Landscape, hessian, himmelblau, plateau, quadratic, rosenbrock, saddle
from optim_lessons.pictures.gradient_descent import QUIET
from optim_lessons.sgd import noisy

from optim_lessons.studies.curvature import (  # isort: skip
    bumpy, bumpy_curvature, change_along, curvature_along, newton_direction, newton_walk, over_the_chord,
    plane_heights, plane_losses, pure,
)  # fmt: skip
from optim_lessons.studies.differences import DTYPES, central, error_of_slope, one_sided, rise, unit_roundoff
from optim_lessons.studies.escape import basin, plateau_walks, saddle_steps

LINE = rule_style(gradient_descent)
CENTRAL, ONE_SIDED = "#0060a8", "#b87700"
NEWTON = {"color": "#7b4a12", "linestyle": "-", "marker": "h"}
NEWTON_GROUNDS = {"ravine": quadratic(condition=30.0, angle=30.0), "saddle": saddle()}
NEWTON_GROUNDS |= {"Rosenbrock": rosenbrock, "Himmelblau": himmelblau}
LEFT, RIGHT = (0.075, 0.135, 0.42, 0.77), (0.6, 0.135, 0.375, 0.77)


PAIRS = {  # of differences: name → rule, its colour, line and marker
    "central": (central, CENTRAL, "-", "o"),
    "one-sided": (one_sided, ONE_SIDED, "--", "s"),
}


def differences():
    """Return the scene of a slope measured by differences: the neighbourhood of w, and the error against h.

    The function is exp, all of whose derivatives are known.
    """
    hs, offsets = np.geomspace(1e-16, 1, 193), np.linspace(-1.6, 1.6, 321)

    def show(*, h, w, precision):
        (low, high), wrong = rise(w, h, (-1, 1), precision), {}
        data = {"curve": (offsets, rise(w, h, offsets, precision))}
        data |= {"central": ([-1, 1], [low, high]), "one-sided": ([0, 1], [0, high])}
        for name, (rule, *_) in PAIRS.items():
            wrong[name] = float(error_of_slope(rule, w, h, precision))
            data[f"{name} error"] = hs, error_of_slope(rule, w, hs, precision)
            data[f"{name} here"] = [h], [max(wrong[name], 1.3e-14)]
        rounding = unit_roundoff(precision) * (1 + abs(w))
        data["theory"] = [(hs, size + k * rounding / hs) for size, k in ((hs**2 / 6, 1), (hs / 2, 2))]
        why = "This is near the best h for the central difference."
        if h**2 / 6 < rounding / h / 10:
            why = "Rounding: h is too small."
        if h**2 / 6 > 3 * rounding / h:
            why = "The curve bends: h is too large."
        told = f"h {h:.2g} in {precision}: the central difference is wrong by {wrong['central']:.1g} of the "
        return Shown(f"{told}slope, the one-sided one by {wrong['one-sided']:.1g}. {why}", **data)

    sides = ("distance from w, in units of h", -1.6, 1.6), ("rise of eʷ, in units of h · slope", -2.2, 2.9)
    left = Panel(LEFT, *sides, "the neighbourhood of w", legend="upper left")
    left.add(true=line(QUIET, (offsets, offsets), linewidth=5, label="true slope"))
    left.add(curve=line("#222222", linewidth=1, label="eʷ as computed", within=(-9, 9)))
    sides = log("h", 1e-16, 1), log("relative error of the slope", 1e-14, 30)
    right = Panel(RIGHT, *sides, "h {h:.2g}   w {w:.3g}   {precision}")
    right.add(theory=many(line(QUIET, linewidth=6, within=FREE) for _ in range(2)))
    for name, (_, colour, dash, marker) in PAIRS.items():
        look = {"linestyle": dash, "marker": marker, "markersize": 7}
        left.add(**{name: line(colour, label=name, within=(-9, 9), **look)})
        right.add(**{f"{name} error": line(colour, linestyle=dash, linewidth=1.3, within=(1e-18, np.inf))})
    for name, (_, colour, _, marker) in PAIRS.items():
        right.add(**{f"{name} here": dots(colour, marker=marker, within=FREE)})
    knobs = {"h": knob(0.3, 1e-16, 1.0, log=True), "w": knob(1.0, -2.0, 2.0)}
    return picture([left, right], show, **knobs, precision=knob("float64", DTYPES))


def chord():
    """Return the scene of a chord over a curve, and of the curve's curvature. a, b: the chord's ends."""
    w = np.linspace(-4, 4, 401)

    def show(*, bumps, a, b):
        ends, (inner, over) = np.array([a, b]), over_the_chord(a, b, bumps)
        data = {"curve": (w, bumpy(w, bumps)), "chord": (ends, bumpy(ends, bumps))}
        data |= {"above": (inner, np.where(over, bumpy(inner, bumps), np.nan))}
        data |= {"bend": (w, bumpy_curvature(w, bumps))}
        told = f"The curve {'rises above' if over.any() else 'stays below'} this chord. The smallest "
        verdict = "convex" if bumps <= 0.25 else "not convex"
        return Shown(f"{told}curvature is {1 - 4 * bumps:.3g}: the function is {verdict}.", **data)

    left = Panel(LEFT, ("w", -4, 4), ("loss", -0.5, 13), "curve and chord")
    left.add(curve=line(LINE["color"]), chord=line(ONE_SIDED, linestyle="--", marker="s", markersize=8))
    left.add(above=line(ALERT, linewidth=5, alpha=0.6))
    right = Panel(RIGHT, ("w", -4, 4), ("curvature (second derivative)", -8, 8), KNOBS)
    right.add(zero=level(ALERT, 0, linewidth=1, linestyle="--"))
    right.add(below=lambda ax: ax.axhspan(-8, 0, color=ALERT, alpha=0.08))
    right.add(words=note(0, -7.2, "below 0: bends downwards", ha="center", color=ALERT), bend=line(CENTRAL))
    knobs = {"bumps": knob(0.0, 0.0, 1.5), "a": knob(-3.0, -4.0, 4.0), "b": knob(2.0, -4.0, 4.0)}
    return picture([left, right], show, handles=(Handle(0, "a", None), Handle(0, "b", None)), **knobs)


def grounds():
    """Return the still picture of four kinds of ground from above, with arrows downhill and curvatures."""
    box = ((-2, 2), (-1.5, 1.5))
    cases = {
        "minimum": (pure("minimum", [1, 1], box), "both above 0"),
        "saddle": (pure("saddle", [1, -1], box), "one above 0,\none below"),
        "maximum": (pure("maximum", [-1, -1], box), "both below 0"),
        "plateau": (plateau(), "nearly 0\nfar out"),
    }

    def draw(ax, case):
        land, text = case
        height_map(ax, land)
        xs, ys = (np.linspace(*side, 9)[1::2] for side in land.box)
        w = np.stack(np.meshgrid(xs, ys), axis=-1)
        down = -land.grad(w)
        scale = 8 * np.abs(down).max()
        ax.quiver(w[..., 0], w[..., 1], down[..., 0], down[..., 1], scale=scale, width=0.012, zorder=2)
        ax.set(ylabel="", xlabel=f"curvatures {text}")

    told = "Arrows point downhill. At a minimum all point to it, at a maximum away, at a saddle in along one "
    told += "axis and out along the other; on a plateau they are too short to see."
    return Picture(columns(cases, {"": draw}, (9.6, 3.0), adjust=(0.05, 0.24, 0.99, 0.9, 0.28)), told)


def near_a_saddle(steps=500, far=0.5):
    """Return the scene of a walk that starts close to a saddle's ridge: from above, and |w[1]| against step.

    distance: of the start from the ridge.  noise: of the gradient.
    """
    land, t = saddle(), np.arange(steps + 1)

    def show(*, distance, lr, noise, seed):
        grad = noisy(land.grad, noise, seed) if noise else land.grad
        ws = path(gradient_descent, grad, np.array([-1.8, distance]), steps, lr=lr)
        away, formula = np.flatnonzero(np.abs(ws[:, 1]) > far), distance * (1 + 0.5 * lr) ** t
        needed = saddle_steps(distance, lr) if distance < far else 0
        still = f"Still at the saddle after {steps} steps"
        told = f"Away after {counted(away[0], 'step')}" if away.size else still
        data = {"walk": ws, "growth": np.abs(ws[:, 1]), "theory": (t[formula < 1], formula[formula < 1])}
        return Shown(f"{told}; the formula without noise says {needed:.0f}.", **data)

    above = from_above(LEFT, land, "from above: the ridge is w[1] = 0", walk=walk(gradient_descent))
    right = Panel(RIGHT, step(steps), log("distance from the ridge |w[1]|", 1e-16, 1e3))
    right.title = "distance {distance:.2g}   lr {lr:.2g}   noise {noise:g}   seed {seed}"
    right.add(far=level(ALERT, far, linewidth=1, linestyle="--"))
    right.add(words=note(0.98 * steps, 20, "above the dashed line: away", color=ALERT, ha="right"))
    right.add(theory=band(CENTRAL, alpha=0.3), growth=plain(gradient_descent, within=(1e-17, np.inf)))
    knobs = {"distance": knob(1e-3, 1e-15, 1.0, log=True), "lr": knob(0.1, 0.02, 1.5)}
    knobs |= {"noise": knob(0.0, [0.0, 1e-9, 1e-6, 1e-3, 0.1]), "seed": knob(0, 0, 20)}
    return picture([above, right], show, **knobs)


def on_a_plateau(steps=800, walkers=20):
    """Return the scene of walks that start far out on a plateau: the profile, and distance against step.

    One walk is without noise; the others have noise of one size and different draws. lr is 3.
    start: distance from the centre.  weights: how many there are.
    """
    edge = 4.0  # the slope is largest there
    distance, shown = np.linspace(0, 40, 201), np.arange(0, steps + 1, 4)

    def show(*, start, noise, weights, seed):
        distances = plateau_walks(start, noise, weights, seed, steps, walkers)
        inside, last = distances < edge, distances[-1, 1:]
        first = np.flatnonzero(inside[:, 0])
        alone = f"enters the basin at step {first[0]}" if first.size else "does not enter the basin"
        data = {"noisy": [(shown, r) for r in distances[shown, 1:].T], "quiet": (shown, distances[shown, 0])}
        data |= {"begin": ([start], basin(np.array([[start]]))), "ends": (last, basin(last[:, None]))}
        told = f"In {steps} steps: without noise the walk {alone}; with noise {noise:g}, "
        return Shown(f"{told}{inside[:, 1:].any(axis=0).sum()} of {walkers} walks enter it.", **data)

    left = Panel(LEFT, ("distance from the centre", 0, 40), ("loss", -0.05, 1.15), size=10)
    left.title = "dot: the start; bars: where the noisy walks ended"
    left.add(profile=line("#7f9dbb", (distance, basin(distance[:, None]))))
    left.add(basin=lambda ax: ax.axvspan(0, edge, color="#7f9dbb", alpha=0.25))
    left.add(begin=dots(LINE["color"]), ends=dots(ONE_SIDED, marker="|", size=14))
    right = Panel(RIGHT, step(steps), ("distance from the centre (shaded: the basin)", 0, 40))
    right.title = "start {start:.3g}   noise {noise:g}   weights {weights}   seed {seed}"
    right.add(basin=lambda ax: ax.axhspan(0, edge, color="#7f9dbb", alpha=0.25))
    thin = {"linewidth": 0.6, "alpha": 0.7, "within": (-np.inf, 100)}
    right.add(noisy=many(line(ONE_SIDED, **thin) for _ in range(walkers)))
    right.add(quiet=plain(gradient_descent, linewidth=2.2))
    knobs = {"start": knob(14.0, 4.0, 17.0), "noise": knob(0.0, [0.0, 0.01, 0.03, 0.1, 0.3])}
    knobs |= {"weights": knob(1, [1, 2, 3, 10, 30]), "seed": knob(0, 0, 20)}
    return picture([left, right], show, handles=(Handle(0, "start", None),), **knobs)


def newton():
    """Return the scene of Newton's steps: from above, and the loss along the first one, model and truth."""
    reach = np.linspace(-0.5, 2, 126)

    def show(*, landscape, start_x, start_y, damping):
        land, w = NEWTON_GROUNDS[landscape], np.array([start_x, start_y])
        g, H, span = land.grad(w), hessian(land.grad, w), np.ptp(land.box, axis=1)
        length = 0.2 / max(np.linalg.norm(g / span), 1e-12)
        data = {"walk": newton_walk(land, w, damping), "downhill": np.stack([w, w - length * g])}
        move = newton_direction(land, w, damping)
        curvatures = ", ".join(f"{c:.3g}" for c in np.linalg.eigvalsh(H))
        if move is None:
            told = f"Curvatures {curvatures}: with this damping one of them is 0, and there is no step."
            return Shown(told, low=None, high=None, **data)
        model, truth = change_along(land, w, move, reach)
        promised, change = change_along(land, w, move, np.ones(1))
        size = max(np.abs(model).max(), 1e-9)
        data |= {"truth": (reach, np.clip(truth, -50 * size, 50 * size)), "model": (reach, model)}
        data |= {"dots": ([0, 1], [0, np.clip(change[0], -50 * size, 50 * size)])}
        way = "downhill" if g @ move < 0 else "uphill"
        told = f"Curvatures here: {curvatures}. The step begins {way} and "
        told += f"changes the loss by {change[0]:.3g}; the model promised {promised[0]:.3g}."
        return Shown(told, low=-1.3 * size, high=3 * size, **data)

    def panels(landscape):
        land = NEWTON_GROUNDS[landscape]
        left = from_above(LEFT, land, f"{land.name}; solid: 8 Newton steps, dotted: downhill", size=10)
        left.add(walk=line(NEWTON, markersize=6, linewidth=1.6, within=(-1e3, 1e3)))
        left.add(downhill=line(ALERT, linestyle=":", linewidth=2.4, within=ANYWHERE))
        side = "how far along the first step (1: all of it)", -0.5, 2
        right = Panel(RIGHT, side, ("loss, less the loss at the start", "low", "high"), legend="upper center")
        right.title = "start ({start_x:.3g}, {start_y:.3g})   damping {damping:g}"
        right.add(truth=line(LINE["color"], label="the loss", within=ANYWHERE))
        right.add(model=line(CENTRAL, linestyle="--", label="quadratic model", within=ANYWHERE))
        return [left, right.add(dots=dots(NEWTON["color"], size=8, within=ANYWHERE))]

    # On the saddle, from here Newton goes to it: higher up both curvatures are positive.
    knobs = {"start_x": knob(-1.5, -2.0, 2.0), "start_y": knob(0.3, -1.0, 1.5)}
    knobs |= {"damping": knob(0.0, [0.0, 0.1, 0.6, 1.0, 10.0, 100.0])}
    return picture(panels, show, landscape=knob("ravine", NEWTON_GROUNDS, still=True), **knobs)


def network_slice(net, w, directions, points=(61, 49)):
    """Return the scene of a network's loss on a plane through w: the plane from above, and along one line.

    directions: name → pair of directions, each of shape (n,). The picture's unit is the length of each.
    plane: which pair.  width: how far it reaches.  turn: the line's angle, in degrees.
    """
    along = np.linspace(-1, 1, 81)

    @lru_cache
    def bands(plane, width):
        heights = plane_heights(net, w, directions[plane], width, points)
        land = Landscape("", lambda w: heights, None, [0, 0], [[0, 0]], ((-1, 1), (-1, 1)))
        return height_bands(land, heights.shape[::-1])

    def show(*, plane, width, turn):
        c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        first, second = directions[plane]
        losses = plane_losses(net, w, directions[plane], width * c * along, width * s * along)
        told = f"Along this line the loss goes from {losses[len(along) // 2]:.2g} in the middle to "
        told += f"{losses[0]:.2g} and {losses[-1]:.2g} at the ends. Curvature in the middle: "
        told += f"{curvature_along(net, w, c * first + s * second):.2g}."
        data = {"map": bands(plane, width), "line": ([-c, c], [-s, s]), "losses": (along, losses)}
        return Shown(told, middle=([0], [0]), **data)

    ends = -1, 1, False, [-1, 0, 1]
    left = Panel(LEFT, ("first direction, in widths", *ends), ("second direction, in widths", *ends))
    left.title = "the loss on the plane"
    left.add(map=image((-1, 1, -1, 1)))
    left.add(middle=dots("white", marker="*", size=14, markeredgecolor="#333333", zorder=5))
    left.add(line=line(ALERT, linestyle="--", linewidth=2))
    right = Panel(RIGHT, ("along the dashed line, in widths", *ends), log("loss", 1e-3, 300))
    right.title = "{plane}   width {width:g}   turn {turn}°"
    right.add(losses=plain(gradient_descent, within=(1e-4, 1e4)))
    knobs = {"plane": knob(next(iter(directions)), directions), "width": knob(1.0, [0.1, 0.3, 1.0, 2.0])}
    return picture([left, right], show, **knobs, turn=knob(0, 0, 180))
