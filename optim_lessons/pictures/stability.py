"""The map of stability of lessons 04 and 05: a rule's factor per step over lr × curvature and beta."""

import numpy as np
from matplotlib.colors import to_rgba_array

from optim_lessons.lab.live import Handle
from optim_lessons.lab.panels import Panel, Shown, band, dots, knob, line, log, picture, stacked
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, HEIGHTS, roomiest, rule_label
from optim_lessons.pictures.gradient_descent import FLAT, STEEP, ZERO

from optim_lessons.studies.spectrum import (  # isort: skip
    CREEPS, DIVERGES, FLIPS, LIMIT, OSCILLATES, regime, trace_and_determinant,
)  # fmt: skip

STEPS = 60
LOWEST, HIGHEST = 1e-3, 15  # the ends of the map: lr × curvature
LEVELS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1)


def stability_map(rule, radius):
    """Return the scene of a rule's map of stability, with the walk of the chosen point beside it.

    rule: momentum or nesterov.  radius: its spectral_radius(lr·curvature, beta), which is drawn as the map.
    The loss has the curvatures L = 1 and μ = 1/condition, so lr·L is lr; at condition 1 there is one
    direction. The walk starts at distance 1 in each.
    """
    t = np.arange(STEPS + 1)

    def show(*, lr, beta, condition):
        data, factors = {"bar": ([max(lr / condition, LOWEST), lr], [beta, beta])}, {}
        for name, h in {"steep": 1.0, "flat": 1 / condition}.items():
            ws = path(rule, lambda w, h=h: h * w, np.ones(1), STEPS, lr=lr, beta=beta)[:, 0]
            factors[name] = float(radius(lr * h, beta))
            if name == "steep" or condition > 1:
                data |= {f"{name} point": ([max(lr * h, LOWEST)], [beta]), f"{name} walk": ws}
                data |= {f"{name} distance": np.abs(ws), f"{name} theory": factors[name] ** t}
        told = _race_in_words(**factors)
        if condition == 1:
            told = f"lr × curvature = {lr:.3g}, beta = {beta:.3g}: {in_words(rule, lr, beta)} "
            told += f"Factor per step in the long run: {factors['steep']:.3f}."
        return Shown(told, shape=f"   condition {condition:.3g}" if condition > 1 else "", **data)

    plane = Panel((0.065, 0.125, 0.475, 0.785), map=lambda ax: draw_map(ax, rule, radius))
    plane.add(bar=line("#222222", linewidth=2))
    above, below = stacked(0.645, 0.335, STEPS, ("w", -1.6, 1.6), log("distance |w|", 1e-6, 1e2))
    above.add(zero=ZERO).title = "lr {lr:.3g}   beta {beta:.3g}{shape}"
    for name, color, dash, marker in (("steep", STEEP, "-", "o"), ("flat", FLAT, "--", "s")):
        look = {"linestyle": dash, "marker": marker, "linewidth": 1.3, "markersize": 3}
        point = dots(color, marker=marker, size=10, markeredgecolor="white", clip_on=False, zorder=5)
        plane.add(**{f"{name} point": point})
        above.add(**{f"{name} walk": line(color, **look)})
        below.add(**{f"{name} distance": line(color, label=name, **look)})
        below.add(**{f"{name} theory": band(color, alpha=0.3)})
    knobs = {"lr": knob(0.1, 0.01, 5.0), "beta": knob(0.5, 0.0, 0.99)}
    knobs |= {"condition": knob(1.0, 1.0, 100.0, log=True)}
    shape = {"figsize": (9.6, 4.6), "handles": (Handle(0, "lr", "beta"),)}
    return picture([plane, above, below], show, **shape, **knobs)


def _race_in_words(steep, flat):
    """Say which of two directions is slower, and how slow, from their factors per step."""
    both = f"Factors: steep {steep:.3f}, flat {flat:.3f}. "
    lost = [name for name, factor in (("steep", steep), ("flat", flat)) if factor >= LIMIT]
    if lost[1:]:
        return f"{both}Neither direction converges."
    if lost:
        return f"{both}The {lost[0]} direction does not converge."
    digit = f"{np.log(10) / -np.log(max(steep, flat, 1e-300)):.1f} steps per digit in the long run."
    if f"{steep:.3f}" == f"{flat:.3f}":
        return f"{both}Both directions are alike: {digit}"
    return f"{both}The {'steep' if steep > flat else 'flat'} direction is slower: {digit}"


def draw_map(ax, rule, radius):
    """Draw a rule's factor per step over lr × curvature and beta: bands, and the borders of its regimes."""
    ax.set(xscale="log", xlim=(LOWEST, HIGHEST), ylim=(0, 1), xlabel="lr × curvature", ylabel="beta")
    inner = LEVELS[:-1]
    colours = [*(HEIGHTS(i / (len(inner) - 1)) for i in range(len(inner))), "#eccfcb"]
    # An image, as landscapes are: on a dark page its colours keep their meaning.
    bands = to_rgba_array(colours)[np.searchsorted(LEVELS[1:], radius(*_grid(800, 600))), :3]
    whole = {"extent": (0, 1, 0, 1), "transform": ax.transAxes, "aspect": "auto", "origin": "lower"}
    ax.imshow(bands, zorder=0, **whole)
    x, beta = _grid(400, 300)
    factor = radius(x, beta)
    half = np.searchsorted(x[0], 1.0)  # right of it the lines are too close for their numbers
    _, left = (
        ax.contour(x[:, part], beta[:, part], factor[:, part], inner[1:], colors="#5b7389", linewidths=0.7)
        for part in (slice(half, None), slice(half + 1))
    )
    numbers = ax.clabel(left, colors="#2f4256", fmt="%g", fontsize=8, inline_spacing=3)
    taken = [text.get_position() for text in numbers]
    ax.contour(x, beta, factor, [1], colors=ALERT, linewidths=2)
    trace, determinant = trace_and_determinant(rule, x, beta)
    ax.contour(x, beta, trace**2 / 4 - determinant, [0], colors="#222222", linestyles="--", linewidths=1.2)
    here, words = regime(rule, x, beta), {"fontsize": 10, "style": "italic", "color": "#333333"}
    for name in (CREEPS, OSCILLATES, FLIPS, DIVERGES):
        spot = roomiest((here == name) & _free(x, beta, taken))
        if spot is not None:
            ax.text(x[spot], beta[spot], name, ha="center", va="center", **words)
    ax.set_title(f"{rule_label(rule)}: factor per step (red: 1; dashed: border of oscillation)", fontsize=10)


def _grid(columns, rows):
    return np.meshgrid(np.geomspace(LOWEST, HIGHEST, columns), np.linspace(0, 0.999, rows))


def _free(x, beta, taken):
    """Return where on the map there is no number near."""
    decades = np.log10(x)
    near = [(abs(decades - np.log10(a)) < 0.15) & (abs(beta - b) < 0.03) for a, b in taken]
    return ~np.any(near, axis=0)


def in_words(rule, lr_times_curvature, beta):
    """Return one sentence that says how a rule moves on a parabola."""
    if np.allclose(trace_and_determinant(rule, lr_times_curvature, beta), 0, atol=1e-12):
        count = "two steps" if beta else "one step"
        return f"the ball is at the minimum after {count}, and stays."
    return {
        CREEPS: "the ball creeps to the minimum and does not cross it (overdamped).",
        OSCILLATES: "the ball swings through the minimum, a little less each time (underdamped).",
        FLIPS: "every step lands on the other side of the minimum.",
        DIVERGES: "the ball does not come to rest: it diverges, or never ends.",
    }[str(regime(rule, lr_times_curvature, beta))]
