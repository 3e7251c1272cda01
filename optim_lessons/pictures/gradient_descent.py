"""The pictures of lesson 01: the parabola, a ravine's two factors, scaled inputs, the edge."""

import numpy as np

from optim_lessons.gradient_descent import best_lr, contraction, gradient_descent, largest_stable_lr
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, Picture, look, new_figure, rule_style, set_loss

LINE = rule_style(gradient_descent)
STEEP, FLAT = "#0060a8", "#b87700"  # the steep and the flat direction of a ravine
STEPS = 30


def parabola():
    """Return the scene of descent in one dimension: on the parabola, and its distance against the step.

    Knobs: lr, curvature and start (where the walk begins).
    """

    def build(figure):
        left, right = figure.add_axes((0.07, 0.135, 0.42, 0.77)), figure.add_axes((0.6, 0.135, 0.37, 0.77))
        left.set(xlim=(-4, 4), ylim=(-0.5, 14), xlabel="w", ylabel="loss ½·curvature·w²")
        right.set(
            xlim=(0, STEPS),
            ylim=(1e-6, 1e3),
            yscale="log",
            xlabel="step",
            ylabel="distance to the minimum |w|",
        )
        w = np.linspace(-4, 4, 200)
        curve = left.plot([], [], color="#7f9dbb", animated=True)[0]
        walk = left.plot([], [], animated=True, **LINE | {"linewidth": 1.2, "markersize": 4})[0]
        theory = right.plot([], [], color=STEEP, linewidth=6, alpha=0.35, animated=True)[0]
        distance = right.plot([], [], animated=True, **LINE | {"markersize": 3})[0]
        left.set_title("the walk")
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, lr, curvature, start):
            ws = path(gradient_descent, lambda w: curvature * w, np.array([start]), STEPS, lr=lr)[:, 0]
            factor = contraction(lr, curvature)
            curve.set_data(w, 0.5 * curvature * w**2)
            seen = ws[np.abs(ws) < 1e3]
            walk.set_data(seen, 0.5 * curvature * seen**2)
            set_loss(distance, np.abs(ws))
            set_loss(theory, np.abs(start) * factor ** np.arange(STEPS + 1))
            settings.set_text(f"lr {lr:.3g}   curvature {curvature:.3g}   factor {factor:.3g}")
            return f"1 − lr·curvature = {1 - lr * curvature:.3g}: {_in_words(1 - lr * curvature)}"

        return move

    knobs = {"lr": 0.3, "curvature": 1.0, "start": 3.0}
    return Scene(build, knobs, handles=(Handle(0, "start", None),))


def _in_words(factor):
    if abs(factor) > 1:
        return "each step lands on the other side and further away. The walk diverges."
    if abs(factor) == 1:
        return "each step lands on the other side, equally far away. It never ends."
    if factor < 0:
        return (
            f"each step lands on the other side, at {-factor:.3g} of the distance. It converges in a zig-zag."
        )
    return f"each step leaves {factor:.3g} of the distance, on the same side. It converges."


def factor_against_lr():
    """Return the still picture of |1 − lr·curvature| against lr, for curvature 1."""
    figure = new_figure((9.6, 3.4))
    with look():
        ax = figure.add_axes((0.08, 0.16, 0.9, 0.74))
        lr = np.linspace(0, 2.5, 301)
        ax.plot(lr, contraction(lr, 1.0), color=LINE["color"])
        ax.axhline(1, color=ALERT, linewidth=1, linestyle="--")
        ax.axvspan(2, 2.5, color=ALERT, alpha=0.12)
        for x, text in (
            (0.5, "same side,\ncloser"),
            (1.5, "other side,\ncloser"),
            (2.25, "other side,\nfurther away"),
        ):
            ax.text(x, 0.35 if x > 2 else 1.25, text, ha="center", va="center")
        ax.set(xlim=(0, 2.5), ylim=(0, 1.5), xlabel="lr × curvature", ylabel="factor per step")
        ax.set_title("What is left of the distance after one step")
    return Picture(
        figure,
        "The factor falls from 1 at lr × curvature = 0 to 0 at 1, rises to 1 at 2, and is above 1 beyond.",
    )


def two_factors():
    """Return the scene of a ravine's two factors against lr, and the steps that a tenfold gain costs.

    The steep direction has curvature L = 1, the flat one μ = 1/condition. Knobs: lr and condition.
    """

    def build(figure):
        left, right = figure.add_axes((0.07, 0.135, 0.42, 0.77)), figure.add_axes((0.6, 0.135, 0.37, 0.77))
        lr_axis = np.linspace(0, 2.2, 221)
        left.plot(lr_axis, contraction(lr_axis, 1.0), color=STEEP, label="steep: |1 − lr·L|")
        left.axhline(1, color=ALERT, linewidth=1, linestyle="--")
        left.set(xlim=(0, 2.2), ylim=(0, 1.25), xlabel="lr (L = 1)", ylabel="factor per step")
        flat = left.plot([], [], color=FLAT, linestyle="--", animated=True, label="flat: |1 − lr·μ|")[0]
        now = left.plot([], [], "o", color=STEEP, markersize=9, animated=True)[0]
        now_flat = left.plot([], [], "s", color=FLAT, markersize=9, animated=True)[0]
        left.legend(loc="lower right")
        kappa = np.geomspace(1.01, 1000, 200)
        right.loglog(kappa, steps_per_digit(2 / (1 + 1 / kappa), kappa), color=LINE["color"])
        right.set(
            xlim=(1, 1000),
            ylim=(0.3, 1e5),
            xlabel="condition number κ",
            ylabel="steps to one tenth the distance",
        )
        right.set_title("line: the best lr; dot: this lr")
        here = right.plot([], [], "D", color=ALERT, markersize=9, animated=True)[0]
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, condition):
            flat.set_data(lr_axis, contraction(lr_axis, 1 / condition))
            now.set_data([lr], [contraction(lr, 1.0)])
            now_flat.set_data([lr], [contraction(lr, 1 / condition)])
            steps = steps_per_digit(lr, condition)
            here.set_data([condition], [steps])
            best = best_lr(np.array([1 / condition, 1.0]))
            settings.set_text(f"lr {lr:.3g}   condition {condition:.3g}   best lr {best:.3g}")
            if lr >= largest_stable_lr(1.0):
                return f"lr {lr:.3g} is not below 2/L = 2: the steep direction does not converge."
            factors = contraction(lr, 1.0), contraction(lr, 1 / condition)
            if np.isclose(*factors, rtol=1e-3, atol=0):
                slower = "Both directions are equally fast"
            else:
                slower = f"The {'steep' if factors[0] > factors[1] else 'flat'} direction is slower"
            return (
                f"{slower}: {steps:.3g} steps to a tenth of the distance; "
                f"at the best lr, {best:.3g}, it would take {steps_per_digit(best, condition):.3g}."
            )

        return move

    return Scene(build, {"lr": 1.0, "condition": 30.0})


def steps_per_digit(lr, condition):
    """Return how many steps make the slower direction's distance ten times smaller; L is 1, inf if never."""
    worst = np.maximum(contraction(lr, 1.0), contraction(lr, 1 / condition))
    with np.errstate(divide="ignore"):
        return np.where(worst < 1, np.log(10) / -np.log(np.minimum(worst, 1)), np.inf)


def curvatures_before_and_after(raw, scaled):
    """Return the still picture of a least-squares loss's curvatures, for raw and for standardised inputs.

    raw, scaled: the eigenvalues of the two Hessians, one per direction.
    """
    figure = new_figure((9.6, 3.0))
    with look():
        ax = figure.add_axes((0.14, 0.2, 0.83, 0.68))
        for height, (values, marker, colour) in enumerate(((scaled, "s", FLAT), (raw, "o", STEEP))):
            ax.plot(values, np.full(len(values), height), marker, color=colour, alpha=0.7, markersize=8)
            ax.text(values.max() * 3, height, f"κ = {values.max() / values.min():.1e}", va="center")
        ax.set(xscale="log", ylim=(-0.6, 1.6), xlabel="curvature of the loss along each direction")
        ax.set_xlim(right=raw.max() * 1e3)
        ax.set_yticks([0, 1], ["standardised", "raw"])
        ax.set_title(
            f"{len(raw)} directions of one loss: the steps are set by the rightmost, the time by the leftmost"
        )
    return Picture(
        figure,
        f"Raw inputs: curvatures over {_decades(raw)} decades. Standardised: over {_decades(scaled)}.",
    )


def _decades(values):
    return f"{np.log10(values.max() / values.min()):.1f}"


def loss_curves(curves, title):
    """Return the still picture of several losses against the step. curves: dict label → losses."""
    figure = new_figure((9.6, 3.4))
    styles = ("-", "--", "-.", ":")
    with look():
        ax = figure.add_axes((0.1, 0.16, 0.88, 0.74))
        for (label, losses), style, colour in zip(
            curves.items(), styles, (STEEP, FLAT, LINE["color"], ALERT), strict=False
        ):
            ax.semilogy(losses, style, color=colour, label=label)
        ax.set(xlabel="step", ylabel="loss", title=title)
        ax.legend()
    return Picture(
        figure, "; ".join(f"{label}: {c[0]:.3g} to {c[-1]:.3g}" for label, c in curves.items()) + "."
    )


def edge_of_stability(lrs, steps, sharpnesses, losses):
    """Return the scene of a network's sharpness and loss along training, one run per lr.

    lrs: shape (k,).  steps: where it was measured, shape (m,).  sharpnesses, losses: shape (m, k).
    Knobs: lr (one of the runs) and up_to_step (the last step shown).
    """
    choices = [float(lr) for lr in lrs]

    def build(figure):
        left, right = figure.add_axes((0.07, 0.135, 0.42, 0.77)), figure.add_axes((0.585, 0.135, 0.385, 0.77))
        left.set(xlim=(0, steps[-1]), ylim=(0, 1.15 * 2 / min(choices)), xlabel="step")
        left.set_ylabel("sharpness (largest curvature)")
        right.set(xlim=(0, steps[-1]), yscale="log", xlabel="step", ylabel="loss")
        right.set_ylim(0.8 * np.nanmin(losses), 1.2 * np.nanmax(losses))
        left.plot(steps, sharpnesses, color="#c5cdd5", linewidth=1)
        right.plot(steps, losses, color="#c5cdd5", linewidth=1)
        limit = left.axhline(1, color=ALERT, linestyle="--", animated=True)
        note = left.text(
            steps[-1], 1, "2/lr", color=ALERT, ha="right", va="bottom", clip_on=True, animated=True
        )
        sharp = left.plot([], [], animated=True, **LINE | {"marker": ""})[0]
        loss = right.plot([], [], animated=True, **LINE | {"marker": ""})[0]
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, up_to_step):
            run = choices.index(lr)
            shown = steps <= up_to_step
            limit.set_ydata([2 / lr, 2 / lr])
            note.set_y(2 / lr)
            sharp.set_data(steps[shown], sharpnesses[shown, run])
            loss.set_data(steps[shown], losses[shown, run])
            settings.set_text(f"lr {lr:g}   up to step {up_to_step}")
            return (
                f"lr {lr:g}, step {steps[shown][-1]}: sharpness {sharpnesses[shown, run][-1]:.2f}, "
                f"2/lr = {2 / lr:.2f}, loss {losses[shown, run][-1]:.4f}."
            )

        return move

    return Scene(build, {"lr": choices[0], "up_to_step": int(steps[-1])})


def four_runs(runs):
    """Return the still picture of the runs to diagnose: loss and steep coordinate against the step.

    runs: dict name → dict with "loss" and "steep", each one number per step.
    """
    figure = new_figure((9.6, 4.6))
    with look():
        axes = figure.subplots(2, len(runs), sharex=True)
        figure.subplots_adjust(0.07, 0.12, 0.99, 0.93, wspace=0.35, hspace=0.15)
        for column, (name, run) in zip(axes.T, runs.items(), strict=True):
            column[0].plot(run["loss"], color=LINE["color"])
            column[0].set(yscale="log", title=name)
            column[1].plot(run["steep"], "o-", color=STEEP, markersize=3, linewidth=1)
            column[1].set_xlabel("step")
        axes[0, 0].set_ylabel("loss")
        axes[1, 0].set_ylabel("steep coordinate")
    ends = "; ".join(
        f"{name}: loss {run['loss'][0]:.2g} to {run['loss'][-1]:.2g}" for name, run in runs.items()
    )
    return Picture(figure, f"Four runs. {ends}.")
