"""The pictures of lesson 01: the parabola, a ravine's two factors, scaled inputs, the edge."""

import numpy as np

from optim_lessons.gradient_descent import best_lr, contraction, gradient_descent, largest_stable_lr
from optim_lessons.lab.live import Handle

from optim_lessons.lab.panels import (  # isort: skip
    Panel, Shown, band, dots, knob, level, line, log, note, picture, plain, step, still,
)  # fmt: skip
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, rule_style, to_diagnose
from optim_lessons.studies.spectrum import steps_per_digit

LINE = rule_style(gradient_descent)
STEEP, FLAT = "#0060a8", "#b87700"  # the steep and the flat direction of a ravine
STEPS = 30
LEFT, RIGHT = (0.07, 0.135, 0.42, 0.77), (0.6, 0.135, 0.37, 0.77)
QUIET = "#c5cdd5"
ZERO = level(QUIET, 0, linewidth=1)
ONE = level(ALERT, 1, linewidth=1, linestyle="--")  # a factor of 1: what is above it diverges


def parabola():
    """Return the scene of descent in one dimension: on the parabola, and its distance against the step.

    start: where the walk begins.
    """
    w, t = np.linspace(-4, 4, 200), np.arange(STEPS + 1)

    def show(*, lr, curvature, start):
        ws = path(gradient_descent, lambda w: curvature * w, np.array([start]), STEPS, lr=lr)[:, 0]
        factor = contraction(lr, curvature)
        said = f"1 − lr·curvature = {1 - lr * curvature:.3g}: {_in_words(1 - lr * curvature)}"
        drawn = {"curve": (w, 0.5 * curvature * w**2), "walk": (ws, 0.5 * curvature * ws**2)}
        drawn |= {"distance": np.abs(ws), "theory": np.abs(start) * factor**t}
        return Shown(said, factor=factor, **drawn)

    left = Panel(LEFT, ("w", -4, 4), ("loss ½·curvature·w²", -0.5, 14), "the walk")
    left.add(curve=line("#7f9dbb"), walk=line(LINE, linewidth=1.2, markersize=4))
    told = "lr {lr:.3g}   curvature {curvature:.3g}   factor {factor:.3g}"
    right = Panel(RIGHT, step(STEPS), log("distance to the minimum |w|", 1e-6, 1e3), told)
    right.add(theory=band(STEEP), distance=line(LINE, markersize=3))
    knobs = {"lr": knob(0.3, 0.01, 4), "curvature": knob(1.0, 0.1, 10.0, log=True)}
    knobs |= {"start": knob(3.0, -4.0, 4.0)}
    return picture([left, right], show, handles=(Handle(0, "start", None),), **knobs)


def _in_words(factor):
    if abs(factor) > 1:
        return "each step lands on the other side and further away. The walk diverges."
    if abs(factor) == 1:
        return "each step lands on the other side, equally far away. It never ends."
    if factor < 0:
        at = f"{-factor:.3g} of the distance"
        return f"each step lands on the other side, at {at}. It converges in a zig-zag."
    return f"each step leaves {factor:.3g} of the distance, on the same side. It converges."


def factor_against_lr():
    """Return the still picture of |1 − lr·curvature| against lr, for curvature 1."""
    lr = np.linspace(0, 2.5, 301)
    panel = Panel((0.08, 0.16, 0.9, 0.74), ("lr × curvature", 0, 2.5), ("factor per step", 0, 1.5))
    panel.title = "What is left of the distance after one step"
    panel.add(factor=line(LINE["color"], (lr, contraction(lr, 1.0))), one=ONE)
    panel.add(lost=lambda ax: ax.axvspan(2, 2.5, color=ALERT, alpha=0.12))
    places = {"same side,\ncloser": (0.5, 1.25), "other side,\ncloser": (1.5, 1.25)}
    for text, place in (places | {"other side,\nfurther away": (2.25, 0.35)}).items():
        panel.add(**{text: note(*place, text, ha="center", va="center")})
    told = "The factor falls from 1 at lr × curvature = 0 to 0 at 1, rises to 1 at 2, and is above 1 beyond."
    return still([panel], told)


def two_factors():
    """Return the scene of a ravine's two factors against lr, and the steps that a tenfold gain costs.

    The steep direction has curvature L = 1, the flat one μ = 1/condition.
    """
    lrs, kappa = np.linspace(0, 2.2, 221), np.geomspace(1.01, 1000, 200)

    def show(*, lr, condition):
        factors = contraction(lr, 1.0), contraction(lr, 1 / condition)
        steps, best = steps_per_digit(lr, condition), best_lr(np.array([1 / condition, 1.0]))
        drawn = {"flat": (lrs, contraction(lrs, 1 / condition)), "here": ([condition], [steps]), "best": best}
        drawn |= {"steep_now": ([lr], factors[:1]), "flat_now": ([lr], factors[1:])}
        if lr >= largest_stable_lr(1.0):
            said = f"lr {lr:.3g} is not below 2/L = 2: the steep direction does not converge."
            return Shown(said, **drawn)
        said = f"{_slower(*factors)}: {steps:.3g} steps to a tenth of the distance; at the best lr, "
        return Shown(f"{said}{best:.3g}, it would take {steps_per_digit(best, condition):.3g}.", **drawn)

    told = "lr {lr:.3g}   condition {condition:.3g}   best lr {best:.3g}"
    left = Panel(LEFT, ("lr (L = 1)", 0, 2.2), ("factor per step", 0, 1.25), told, legend="lower right")
    left.add(steep=line(STEEP, (lrs, contraction(lrs, 1.0)), label="steep: |1 − lr·L|"), one=ONE)
    left.add(flat=line(FLAT, linestyle="--", label="flat: |1 − lr·μ|"))
    left.add(steep_now=dots(STEEP), flat_now=dots(FLAT, marker="s"))
    sides = log("condition number κ", 1, 1000), log("steps to one tenth the distance", 0.3, 1e5)
    right = Panel(RIGHT, *sides, "line: the best lr; dot: this lr")
    right.add(limit=plain(LINE, (kappa, steps_per_digit(2 / (1 + 1 / kappa), kappa))))
    right.add(here=dots(ALERT, marker="D"))
    return picture([left, right], show, lr=knob(1.0, 0.01, 2.2), condition=knob(30.0, 1.0, 1000.0, log=True))


def _slower(steep, flat):
    if np.isclose(steep, flat, rtol=1e-3, atol=0):
        return "Both directions are equally fast"
    return f"The {'steep' if steep > flat else 'flat'} direction is slower"


def curvatures_before_and_after(raw, scaled):
    """Return the still picture of a least-squares loss's curvatures, for raw and for standardised inputs.

    raw, scaled: the eigenvalues of the two Hessians, one per direction.
    """

    def draw(ax):
        for height, (values, marker, colour) in enumerate(((scaled, "s", FLAT), (raw, "o", STEEP))):
            ax.plot(values, np.full(len(values), height), marker, color=colour, alpha=0.7, markersize=8)
            ax.text(values.max() * 3, height, f"κ = {values.max() / values.min():.1e}", va="center")
        ax.set(xscale="log", ylim=(-0.6, 1.6), xlabel="curvature of the loss along each direction")
        ax.set_xlim(right=raw.max() * 1e3)
        ax.set_yticks([0, 1], ["standardised", "raw"])

    panel = Panel((0.14, 0.2, 0.83, 0.68), curvatures=draw)
    panel.title = f"{len(raw)} directions of one loss: "
    panel.title += "the steps are set by the rightmost, the time by the leftmost"
    told = f"Raw inputs: curvatures over {_decades(raw)} decades. Standardised: over {_decades(scaled)}."
    return still([panel], told, (9.6, 3.0))


def _decades(values):
    return f"{np.log10(values.max() / values.min()):.1f}"


def loss_curves(curves, title):
    """Return the still picture of several losses against the step. curves: dict label → losses."""
    looks = ("-", STEEP), ("--", FLAT), ("-.", LINE["color"]), (":", ALERT)

    def draw(ax):
        for (label, losses), (dash, colour) in zip(curves.items(), looks, strict=False):
            ax.semilogy(losses, dash, color=colour, label=label)
        ax.set(xlabel="step", ylabel="loss")

    ends = "; ".join(f"{label}: {c[0]:.3g} to {c[-1]:.3g}" for label, c in curves.items())
    return still([Panel((0.1, 0.16, 0.88, 0.74), title=title, legend={}, curves=draw)], f"{ends}.")


def edge_of_stability(lrs, steps, sharpnesses, losses):
    """Return the scene of a network's sharpness and loss along training, one run per lr.

    lrs: shape (k,).  steps: where it was measured, shape (m,).  sharpnesses, losses: shape (m, k).
    Knobs: lr, one of the runs, and up_to_step, the last step shown.
    """
    choices, last = [float(lr) for lr in lrs], int(steps[-1])

    def show(*, lr, up_to_step):
        run, seen = choices.index(lr), steps <= up_to_step
        sharp, loss = sharpnesses[seen, run], losses[seen, run]
        said = f"lr {lr:g}, step {steps[seen][-1]}: sharpness {sharp[-1]:.2f}, 2/lr = {2 / lr:.2f}, "
        drawn = {"sharpness": (steps[seen], sharp), "loss": (steps[seen], loss)}
        return Shown(f"{said}loss {loss[-1]:.4f}.", limit=2 / lr, name=(last, 2 / lr, "2/lr"), **drawn)

    side = "sharpness (largest curvature)", 0, 1.15 * 2 / min(choices)
    left = Panel(LEFT, step(last), side, "lr {lr:g}   up to step {up_to_step}")
    left.add(all=lambda ax: ax.plot(steps, sharpnesses, color=QUIET, linewidth=1))
    left.add(limit=level(ALERT, linestyle="--"))
    word = note(None, None, None, color=ALERT, ha="right", va="bottom", clip_on=True)
    left.add(name=word, sharpness=plain(LINE))
    side = log("loss", 0.8 * np.nanmin(losses), 1.2 * np.nanmax(losses))
    right = Panel((0.585, 0.135, 0.385, 0.77), step(last), side)
    right.add(all=lambda ax: ax.plot(steps, losses, color=QUIET, linewidth=1), loss=plain(LINE))
    return picture([left, right], show, lr=knob(choices[0], choices), up_to_step=knob(last, 0, last))


def four_runs(runs):
    """Return the still picture of the runs to diagnose: loss and steep coordinate against the step.

    runs: dict name → dict with "loss" and "steep", each one number per step.
    """
    rows = {"loss": lambda ax, run: ax.semilogy(run["loss"], color=LINE["color"])}
    steep = {"color": STEEP, "markersize": 3, "linewidth": 1}
    rows |= {"steep coordinate": lambda ax, run: ax.plot(run["steep"], "o-", **steep)}
    told = lambda run: f"loss {run['loss'][0]:.2g} to {run['loss'][-1]:.2g}"  # noqa: E731
    adjust = (0.07, 0.12, 0.99, 0.93, 0.35, 0.15)
    return to_diagnose(runs, rows, "Four runs.", told, adjust=adjust, sharex=True)
