"""The pictures of lesson 03: minibatches, the noise ball, batch sizes, the order of the examples."""

from functools import lru_cache

import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import last_tenth

from optim_lessons.lab.panels import (  # isort: skip
    FREE, KNOBS, Axis, Panel, Shown, band, dots, from_above, knob, level, line, log, loss_panel, note,
    picture, plain, step, upright, walk,
)  # fmt: skip
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, axes_in, counted, floor, to_diagnose
from optim_lessons.landscapes import quadratic
from optim_lessons.pictures.gradient_descent import FLAT, QUIET, STEEP
from optim_lessons.sgd import batch_gradient, batches, lr_for_batch, noise_ball, noisy, sgd, steps_for_batch

from optim_lessons.studies.minibatches import (  # isort: skip
    START, STEPS, dealt, drawn_gradients, least_squares, mean_and_square, most_of_them, off_by,
    walkers,
)  # fmt: skip

FULL = RULE_STYLES["gradient_descent"] | {"label": "full gradient"}
MINI = RULE_STYLES["sgd"] | {"label": "minibatch"}
DARK, GREY = FULL["color"], MINI["color"]
LEFT, RIGHT = (0.075, 0.135, 0.41, 0.77), (0.6, 0.135, 0.375, 0.77)
LEGEND_ABOVE = {"loc": "lower left", "bbox_to_anchor": (-0.08, 0.98), "ncols": 3}
LEGEND_ABOVE |= {"columnspacing": 1.2, "fontsize": 10}
SIZES, SEED = [1, 2, 4, 8, 16, 32, 64, 128, 256], knob(0, 0, 20)
ORDER_STYLES = {
    "with replacement": {"color": STEEP, "linestyle": "--", "marker": "s"},
    "reshuffled": {"color": "#008060", "linestyle": "-", "marker": "o"},
    "sorted by class": {"color": ALERT, "linestyle": "-.", "marker": "^"},
}
_ravine = lru_cache(maxsize=8)(quadratic)


def one_batch(X, y):
    """Return the scene of 400 minibatch gradients at one place, and their error against the batch size.

    X, y: examples with two features.
    """
    sizes = np.array([1, 1024])
    each = (X @ START - y)[:, None] * X  # the gradient of every single example
    full = each.mean(axis=0)
    length, spread = np.linalg.norm(full), off_by(each, full)

    def show(*, batch, seed):
        gradients = drawn_gradients(each, batch, seed)
        error, wrong = off_by(gradients, full), np.mean(gradients @ full < 0)
        told = f"Batch {batch}: the gradient is off by {error:.3f} (formula {spread / np.sqrt(batch):.3f}); "
        told += f"{wrong:.0%} of the batches point the wrong way, more than 90 degrees off."
        return Shown(told, gradients=gradients, full=([0, full[0]], [0, full[1]]), error=([batch], [error]))

    sides = ("gradient along w[0]", -4.6, 3.1), ("gradient along w[1]", -2.6, 3.4)
    left = Panel(LEFT, *sides, "400 gradients of batches of {batch}   seed {seed}", legend="lower right")
    left.add(zero=level(QUIET, 0, linewidth=1), none=upright(QUIET, 0, linewidth=1))
    end = {"linewidth": 2, "marker": "D", "markevery": [1], "zorder": 6}
    left.add(gradients=dots(GREY, size=3.5, alpha=0.6), full=line(DARK, label="full gradient", **end))
    sides = log("batch", 1, 1024), log("error of the gradient", 0.02, 5)
    right = Panel(RIGHT, *sides, "error: root of the mean squared distance", size=10, legend="lower left")
    right.add(formula=band(STEEP, (sizes, spread / np.sqrt(sizes)), label="formula"))
    right.add(length=level(DARK, length, linewidth=1.2), error=dots(GREY, label="400 batches"))
    right.add(name=note(900, 1.1 * length, "length of the full gradient", fontsize=10, ha="right"))
    return picture([left, right], show, batch=knob(16, [*SIZES, len(X)]), seed=SEED)


def full_against_minibatch(X, y):
    """Return the scene of descent by the full gradient and by minibatches, from one start.

    X, y: examples with two features.  count: "examples" gives both walks the same number of looks at an
    example, "steps" the same number of steps.
    """
    land, n = least_squares(X, y), len(X)
    lowest = floor(land)[0]

    def show(*, lr, batch, seed, epochs, count):
        rows, steps, by_example = batches(n, batch, seed=seed), epochs * -(-n // batch), count == "examples"
        ws = path(sgd, lambda w, t: batch_gradient(w, X, y, rows(t)), land.start, steps, lr=lr)
        full_steps = epochs if by_example else steps
        vs = path(gradient_descent, land.grad, land.start, full_steps, lr=lr)
        cost, full_cost = (epochs * n / steps, n) if by_example else (1, 1)
        told = f"Full gradient: {_looks(full_steps, n * full_steps, land(vs) - lowest)} "
        told += f"Minibatch: {_looks(steps, epochs * n, land(ws) - lowest)}"
        many = ", many" * (full_steps >= 60)
        data = {f"full losses{many}": (full_cost * np.arange(full_steps + 1), land(vs))}
        data |= {"mini losses": (cost * np.arange(steps + 1), land(ws)), "mini": ws, "full": vs}
        return Shown(told, end=epochs * n if by_example else steps, **data)

    above = from_above(LEFT, land, "lr {lr:.3g}   batch {batch}   epochs {epochs}   seed {seed}")
    above.add(mini=walk(MINI, markersize=2.5, linewidth=1.1), full=walk(FULL, markersize=5, linewidth=1.8))
    beside = loss_panel(RIGHT, land, Axis("{count} used", 0, "end"), decades=6, legend=LEGEND_ABOVE)
    beside.add(**{"mini losses": plain(MINI, above=lowest)})
    beside.add(**{"full losses": line(FULL, above=lowest, markersize=5)})
    beside.add(**{"full losses, many": plain(FULL, above=lowest, label="")})
    knobs = {"lr": knob(0.3, 0.01, 2), "batch": knob(16, [*SIZES, len(X)]), "seed": SEED}
    count = knob("examples", ["examples", "steps"])
    return picture([above, beside], show, **knobs, epochs=knob(2, 1, 4), count=count)


def _looks(steps, examples, above):
    return f"{counted(f'{steps:,}', 'step')}, {examples:,} examples, loss − minimum {_or_infinite(above, 2)}."


def _or_infinite(losses, digits):
    return f"{losses[-1]:.{digits}g}" if np.isfinite(losses[-1]) else "infinite"


def ball():
    """Return the scene of 200 walkers with noise of their own in a ravine, and their mean loss.

    The ravine has the curvatures 1 and 1/condition; theory and walkers start at (−4, 1.5). steps: the moment
    shown on the left.
    """
    start = np.array([-4.0, 1.5])

    def show(*, lr, noise, condition, steps, seed):
        h = np.array([1 / condition, 1.0])
        ws = walkers(h, start, lr=lr, noise=noise, seed=seed)
        middle, squares = mean_and_square(h, start, lr=lr, noise=noise)
        data = {"exact": 0.5 * squares @ h, "way": 0.5 * middle**2 @ h}
        data |= {"walkers": ws[steps], "mean": 0.5 * (ws**2 @ h).mean(axis=1), "now": steps}
        ring = most_of_them(middle[steps], squares[steps])
        return Shown(_ball_in_words(lr, noise, h, start, steps), ring=tuple(ring), **data)

    left = Panel(LEFT, ("w[0], flat", -5, 5), ("w[1], steep", -3, 3))
    left.title = "lr {lr:.3g}   noise {noise:.3g}   condition {condition:.3g}   step {steps}   seed {seed}"
    left.add(start=dots(ALERT, tuple(start[:, None]), marker="x", size=8))
    left.add(minimum=dots("white", ([0], [0]), marker="*", size=13, markeredgecolor="#333333", zorder=1))
    left.add(walkers=dots(GREY, size=3, alpha=0.6), ring=line(STEEP, linewidth=2))
    right = Panel(RIGHT, step(STEPS), log("mean loss", 1e-4, 1e2), legend=LEGEND_ABOVE)
    right.add(exact=band(STEEP, label="formula"), way=line(DARK, linewidth=1.4, label="without noise"))
    right.add(mean=plain(MINI, label="200 walkers"), now=upright(ALERT, linewidth=1))
    knobs = {"lr": knob(0.2, 0.01, 2.2), "noise": knob(0.5, 0.0, 3.0)}
    knobs |= {"condition": knob(4.0, 1.0, 100.0, log=True), "steps": knob(100, 0, STEPS)}
    return picture([left, right], show, **knobs, seed=SEED)


def _ball_in_words(lr, noise, h, start, steps):
    if lr >= 2:
        return f"lr {lr:.3g} is not below 2/L = 2: the steep direction does not converge, noise or not."
    flat, steep = noise_ball(lr, h, noise)
    left = np.abs(1 - lr * h[0]) ** steps * abs(start[0])
    return (
        f"In the end the ball has the radius {flat:.3g} along the flat direction and {steep:.3g} along the "
        f"steep one. At step {steps} the flat coordinate is on average still {left:.2g} away."
    )


def radius_against_lr(radii, lrs, noise):
    """Return the still picture of the ball's radius on a parabola of curvature 1, against lr.

    radii: measured, one for each of lrs.  noise: standard deviation of the gradient's noise.
    """
    lr = np.append(np.geomspace(0.005, 1.9, 200), 2 - np.geomspace(0.1, 1e-3, 50))
    with axes_in((9.6, 3.6), (0.08, 0.16, 0.9, 0.74)) as (figure, ax):
        ax.loglog(lr, noise_ball(lr, 1.0, noise), color=STEEP, linewidth=6, alpha=0.35, label="exact formula")
        ax.loglog(lr, noise * np.sqrt(lr / 2), color=FLAT, linestyle="--", label="root of lr/2h, times σ")
        ax.loglog(lrs, radii, "o", color=GREY, markersize=7, label="measured")
        ax.axvline(2, color=ALERT, linewidth=1, linestyle="--")
        ax.text(1.96, 0.06, "2/h", color=ALERT, ha="right")
        ax.set(xlim=(0.005, 2.6), ylim=(0.02, 20), xlabel="lr (h = 1)", ylabel="radius of the ball")
        ax.legend(loc="upper left")
        ax.set_title("For small lr the radius goes like the root of lr; near 2/h it explodes")
    pairs = ", ".join(f"{r:.2g} at lr {a:g}" for a, r in zip(lrs, radii, strict=True))
    return Picture(figure, f"Measured radius of the noise ball: {pairs}.")


def digits_ball(net, minimum, noise):
    """Return the scene of a model that starts at its very minimum and is trained on, batch by batch.

    net: a Model with a penalty.  minimum: its weights there.  noise: tr Σ there, of single examples.
    """
    lowest, steps, lrs = float(net(minimum)), 300, np.geomspace(0.005, 3, 2)
    w0, marks = minimum.astype(np.float32), np.arange(0, steps + 1, 10)

    def show(*, lr, batch, order, seed):
        above = net(path(sgd, dealt(net, batch, order, seed), w0, steps, lr=lr)[marks]) - lowest
        end, formula = np.maximum(above, 1e-7)[len(marks) // 2 :].mean(), lrs * noise / (4 * batch)
        expected = lr * noise / (4 * batch)
        told = f"lr {lr:.3g}, batch {batch}, {order}: {end:.2g} above the minimum on average; "
        told += f"the formula for draws with replacement says {expected:.2g}."
        data = {order: (marks, above), f"{order}: the end": ([lr], [end]), "formula": (lrs, formula)}
        return Shown(told, expected=expected, **data)

    told, pale = "lr {lr:.3g}   batch {batch}   seed {seed}", {"linewidth": 6, "alpha": 0.35}
    left = Panel(LEFT, step(steps), log("loss − minimum", 1e-6, 10), told, expected=level(STEEP, **pale))
    sides = log("lr", *lrs), log("loss − minimum, second half", 1e-6, 10)
    right = Panel(RIGHT, *sides, "measured: {order}", legend="upper left")
    right.add(formula=band(STEEP, label="formula", within=FREE))
    for order, style in ORDER_STYLES.items():
        left.add(**{order: plain(style, linewidth=1.5, within=(1e-7, np.inf))})
        right.add(**{f"{order}: the end": line(style, linestyle="", markersize=10, within=FREE)})
    knobs = {"lr": knob(0.1, 0.01, 2.0), "batch": knob(16, [4, 8, 16, 32, 64, 128, 256])}
    return picture([left, right], show, **knobs, order=knob("with replacement", ORDER_STYLES), seed=SEED)


def with_and_without_penalty(epochs, losses, noises):
    """Return the still picture of two trainings, with L2 and without: loss, and the noise that is left.

    epochs: shape (k,).  losses, noises: shape (k, 2), with L2 first; noise is the root of tr Σ.
    """
    styles = {"with L2": (STEEP, "-"), "without": (FLAT, "--")}
    curves = {"loss, without the penalty": losses, "noise of one example's gradient": noises}
    with axes_in((9.6, 3.6), (0.08, 0.16, 0.4, 0.72), (0.58, 0.16, 0.4, 0.72)) as (figure, *axes):
        for ax, (title, pair) in zip(axes, curves.items(), strict=True):
            for (label, (colour, dashes)), values in zip(styles.items(), pair.T, strict=True):
                ax.semilogy(epochs, values, dashes, color=colour, label=label)
            ax.set(xlabel="epoch", title=title)
            ax.legend()
    ends = zip(styles, losses[-1], noises[-1], strict=True)
    ends = "; ".join(f"{label}: loss {loss:.2g}, noise {noise:.2g}" for label, loss, noise in ends)
    return Picture(figure, f"After {epochs[-1]} epochs {ends}.")


def orders(lrs, excess):
    """Return the still picture of how far above the minimum each order of the examples ends, against lr.

    lrs: shape (k,).  excess: dict order → array of shape (k,).
    """
    with axes_in((9.6, 3.8), (0.1, 0.15, 0.88, 0.75)) as (figure, ax):
        for order, values in excess.items():
            ax.loglog(lrs, values, label=order, markersize=7, **ORDER_STYLES[order])
        ax.set(xlabel="lr", ylabel="loss − minimum")
        ax.legend(loc="upper left")
        ax.set_title("Softmax regression on digits with L2: how far above the minimum, by order")
    first, last = (f"at lr {lrs[i]:g}" for i in (0, -1))
    ends = "; ".join(f"{k}: {v[0]:.1g} {first}, {v[-1]:.1g} {last}" for k, v in excess.items())
    return Picture(figure, f"Loss above the minimum. {ends}.")


def batch_sizes(sizes, steps, lrs):
    """Return the scene of the steps to a target and the best lr against the batch, measured and by formula.

    sizes, steps, lrs: measured, shape (k,).  least_steps, critical_batch: the formula's two numbers.  batch:
    the place to read.
    """
    sizes, steps, lrs = map(np.asarray, (sizes, steps, lrs))
    axis, most = np.geomspace(1, sizes.max(), 100), max(lrs)

    def show(*, least_steps, critical_batch, batch):
        formula = least_steps, critical_batch
        needed, best = steps_for_batch(batch, *formula), lr_for_batch(batch, most, critical_batch)
        off = np.exp(np.abs(np.log(steps_for_batch(sizes, *formula) / steps)).max())
        told = f"Batch {batch} by the formula: {needed:.3g} steps, {needed / least_steps:.3g} times the least"
        told += f"; {needed * batch:,.0f} examples, {1 + batch / critical_batch:.3g} times the least. "
        told += f"The formula is off by a factor of {off:.2g} at worst."
        data = {"steps": steps_for_batch(axis, *formula), "lrs": lr_for_batch(axis, most, critical_batch)}
        data |= {"least": least_steps, "falling": least_steps * critical_batch / axis}
        data = {name: (axis, values) for name, values in data.items()} | {"here": ([batch], [needed])}
        return Shown(told, needed=needed, examples=needed * batch, lr_here=([batch], [best]), **data)

    place, measured = log("batch", 0.8, 1400), {"marker": "o", "linestyle": "", "markersize": 7}
    told = "least steps {least_steps}   critical batch {critical_batch}   batch {batch}"
    left = Panel(LEFT, place, log("steps to the target", 3, 6000), told, legend="upper right")
    told = "batch {batch}: {needed:.3g} steps, {examples:,.0f} examples"
    right = Panel(RIGHT, place, log("best lr", 0.01, 5), told, legend="upper left")
    left.add(measured=line(GREY, (sizes, steps), label="measured", **measured))
    right.add(measured=line(GREY, (sizes, lrs), label="measured best lr", **measured))
    for panel, name in ((left, "steps"), (right, "lrs")):
        panel.add(**{name: line(STEEP, linewidth=2, label="formula", within=FREE)})
    for name, dash in (("least", ":"), ("falling", "--")):
        left.add(**{name: line(FLAT, linewidth=1.2, linestyle=dash, within=FREE)})
    for panel, name in ((left, "here"), (right, "lr_here")):
        panel.add(**{name: dots(ALERT, marker="D", size=8, zorder=5, within=FREE)})
    knobs = {"least_steps": knob(20, 1, 40), "critical_batch": knob(32, [8, *SIZES[4:], 512, 1024])}
    return picture([left, right], show, **knobs, batch=knob(64, sizes.tolist()))


def ravine():
    """Return the scene of a ravine with and without noise: the zig-zag and the creeping stay."""

    def show(*, lr, noise, condition, seed):
        land, h = _ravine(condition=condition), np.array([1 / condition, 1.0])
        clean = path(gradient_descent, land.grad, land.start, 100, lr=lr)
        shaken = path(sgd, noisy(land.grad, noise, seed), land.start, 100, lr=lr)
        mean = 0.5 * h @ mean_and_square(h, land.start, lr=lr, noise=noise, steps=100)[1].T
        told = f"After 100 steps the loss is {_or_infinite(land(clean), 3)} without noise; "
        told += f"with noise it is {_or_infinite(mean, 3)} on average."
        data = {"exact": mean, "clean_losses": land(clean), "losses": land(shaken)}
        return Shown(told, ground=land, clean=clean, shaken=shaken, **data)

    above, thin = from_above(LEFT, quadratic(), KNOBS, moving=True), {"markersize": 3, "linewidth": 1.2}
    above.add(shaken=walk(MINI, **thin), clean=walk(FULL, **thin))
    beside = Panel(RIGHT, step(100), log("loss", 1e-4, 1e2), legend=LEGEND_ABOVE)
    beside.add(exact=band(STEEP, label="mean of SGD"), clean_losses=plain(FULL, label="without noise"))
    beside.add(losses=plain(MINI, label="one run"))
    knobs = {"lr": knob(1.9, 0.05, 2.1), "noise": knob(0.2, 0.0, 1.0)}
    return picture([above, beside], show, **knobs, condition=knob(100.0, 1.0, 1000.0, log=True), seed=SEED)


def four_runs(runs, epochs=5):
    """Return the still picture of four trainings to diagnose: the loss against the epoch.

    runs: dict name → losses, one per step.  epochs: how many passes over the data they are.
    """

    def draw(ax, losses):
        ax.semilogy(np.linspace(0, epochs, len(losses)), losses, color=DARK, linewidth=1.2)
        ax.set(ylim=(0.3, 5), xticks=range(epochs + 1))
        ax.set_yticks([0.3, 0.5, 1, 2, 4], ["0.3", "0.5", "1", "2", "4"])
        ax.set_yticks([], minor=True)
        ax.grid(axis="x", color="#dde3e8")

    told = lambda losses: f"{losses[0]:.2g} to {losses[-1]:.2g}"  # noqa: E731
    layout = {"size": (9.6, 3.4), "adjust": (0.07, 0.16, 0.99, 0.89, 0.1), "xlabel": "epoch", "sharey": True}
    return to_diagnose(runs, {"loss on all examples": draw}, "Four runs.", told, **layout)


def losses_against_cost(curves, title):
    """Return the still picture of several losses against the examples looked at.

    curves: dict label → (examples, losses), two arrays of one shape; "full gradient" has its own style.
    """
    dashes = {STEEP: "--", FLAT: "-.", "#008060": ":"}
    looks = ({"color": colour, "linestyle": dash} for colour, dash in dashes.items())
    with axes_in((9.6, 3.6), (0.1, 0.16, 0.88, 0.74)) as (figure, ax):
        for label, (examples, losses) in curves.items():
            look = FULL if label == "full gradient" else next(looks)
            ax.semilogy(examples, losses, **look | {"label": label})
        ax.set(xlabel="examples looked at", ylabel="loss", title=title)
        ax.legend()
    ends = "; ".join(f"{label}: {last_tenth(losses).mean():.3g}" for label, (_, losses) in curves.items())
    return Picture(figure, f"Mean loss over the last tenth of {examples[-1]:,} examples. {ends}.")
