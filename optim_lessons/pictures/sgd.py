"""The pictures of lesson 03: minibatches, the noise ball, batch sizes, the order of the examples."""

from functools import lru_cache

import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of, last_tenth, stays_below

from optim_lessons.lab.panels import (  # isort: skip
    FREE, KNOBS, Axis, Panel, Shown, band, dots, from_above, knob, level, line, log, loss_panel, note,
    picture, plain, step, upright, walk,
)  # fmt: skip
from optim_lessons.lab.path import grid, path
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, counted, floor, look, new_figure
from optim_lessons.landscapes import Landscape, quadratic
from optim_lessons.pictures.gradient_descent import FLAT, QUIET, STEEP
from optim_lessons.sgd import (
    ORDERS,
    batch_gradient,
    batches,
    lr_for_batch,
    mean_square,
    noise_ball,
    noisy,
    sgd,
    steps_for_batch,
)

FULL = RULE_STYLES["gradient_descent"] | {"label": "full gradient"}
MINI = RULE_STYLES["sgd"] | {"label": "minibatch"}
LEFT, RIGHT = (0.075, 0.135, 0.41, 0.77), (0.6, 0.135, 0.375, 0.77)
PALE_BAND = {"color": STEEP, "linewidth": 6, "alpha": 0.35}
LEGEND_ABOVE = {"loc": "lower left", "bbox_to_anchor": (-0.08, 0.98), "ncols": 3}
LEGEND_ABOVE |= {"columnspacing": 1.2, "fontsize": 10}
START = np.array([-0.6, 1.1])
_ravine = lru_cache(maxsize=8)(quadratic)
WALKERS, STEPS = 200, 300
SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256]
ORDER_STYLES = {
    "with replacement": {"color": STEEP, "linestyle": "--", "marker": "s"},
    "reshuffled": {"color": "#008060", "linestyle": "-", "marker": "o"},
    "sorted by class": {"color": ALERT, "linestyle": "-.", "marker": "^"},
}


def least_squares(X, y):
    """Return the landscape of ½·mean of (x·w − y)² over examples with two features."""
    H, b = X.T @ X / len(X), X.T @ y / len(X)
    best = np.linalg.solve(H, b)
    constant = 0.5 * np.mean((y - X @ best) ** 2)

    def f(w):
        d = w - best
        return constant + 0.5 * ((d @ H) * d).sum(axis=-1)

    def grad(w):
        return (w - best) @ H

    return Landscape("two weights, real data", f, grad, START, [best], ((-0.9, 1.1), (-0.3, 1.3)))


def one_batch(X, y):
    """Return the scene of 400 minibatch gradients at one place, and their error against the batch size.

    X, y: examples with two features.
    """
    draws, sizes = 400, np.array([1, 1024])
    each = (X @ START - y)[:, None] * X  # the gradient of every single example
    full = each.mean(axis=0)
    length, spread = np.linalg.norm(full), np.sqrt(((each - full) ** 2).sum(axis=1).mean())

    def show(*, batch, seed):
        rows = np.random.default_rng((seed, batch)).integers(len(X), size=(draws, batch))
        gradients = each[rows].mean(axis=1)
        error = np.sqrt(((gradients - full) ** 2).sum(axis=1).mean())
        told = f"Batch {batch}: the gradient is off by {error:.3f} (formula {spread / np.sqrt(batch):.3f}); "
        told += f"{np.mean(gradients @ full < 0):.0%} of the batches point the wrong way, "
        told += "more than 90 degrees off."
        return Shown(told, gradients=gradients, full=([0, full[0]], [0, full[1]]), error=([batch], [error]))

    sides = ("gradient along w[0]", -4.6, 3.1), ("gradient along w[1]", -2.6, 3.4)
    left = Panel(LEFT, *sides, "400 gradients of batches of {batch}   seed {seed}", legend="lower right")
    left.add(zero=level(QUIET, 0, linewidth=1), none=upright(QUIET, 0, linewidth=1))
    left.add(gradients=dots(MINI["color"], size=3.5, alpha=0.6))
    full_line = {"color": FULL["color"], "linewidth": 2, "marker": "D", "markevery": [1], "zorder": 6}
    left.add(full=line(full_line, label="full gradient"))
    sides = log("batch", 1, 1024), log("error of the gradient", 0.02, 5)
    right = Panel(RIGHT, *sides, "error: root of the mean squared distance", size=10, legend="lower left")
    right.add(formula=band(STEEP, (sizes, spread / np.sqrt(sizes)), label="formula"))
    right.add(length=level(FULL["color"], length, linewidth=1.2))
    right.add(name=note(900, 1.1 * length, "length of the full gradient", fontsize=10, ha="right"))
    right.add(error=dots(MINI["color"], label="400 batches"))
    return picture([left, right], show, batch=knob(16, [*SIZES, len(X)]), seed=knob(0, 0, 20))


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
        told = f"Full gradient: {_looks(n, full_steps)}, loss − minimum {_tail(land(vs) - lowest)}. "
        told += f"Minibatch: {_looks(epochs * n, steps, True)}, loss − minimum {_tail(land(ws) - lowest)}."
        data = {"mini": ws, "full": vs, "mini losses": (cost * np.arange(steps + 1), land(ws))}
        data["full losses" if full_steps < 60 else "full losses, many"] = (
            full_cost * np.arange(full_steps + 1),
            land(vs),
        )
        return Shown(told, end=epochs * n if by_example else steps, **data)

    above = from_above(LEFT, land, "lr {lr:.3g}   batch {batch}   epochs {epochs}   seed {seed}")
    above.add(mini=walk(MINI, markersize=2.5, linewidth=1.1), full=walk(FULL, markersize=5, linewidth=1.8))
    beside = loss_panel(RIGHT, land, Axis("{count} used", 0, "end"), decades=6, legend=LEGEND_ABOVE)
    beside.add(
        **{"mini losses": plain(MINI, above=lowest), "full losses": line(FULL, above=lowest, markersize=5)}
    )
    beside.add(**{"full losses, many": plain(FULL, above=lowest, label="")})
    knobs = {"lr": knob(0.3, 0.01, 2), "batch": knob(16, [*SIZES, len(X)]), "seed": knob(0, 0, 20)}
    knobs |= {"epochs": knob(2, 1, 4)}
    return picture([above, beside], show, **knobs, count=knob("examples", ["examples", "steps"]))


def _looks(examples, steps, total=False):
    looks = examples if total else examples * steps
    return f"{counted(f'{steps:,}', 'step')}, {looks:,} examples"


def _tail(losses):
    return f"{losses[-1]:.2g}" if np.isfinite(losses[-1]) else "infinite"


def ball():
    """Return the scene of 200 walkers with noise of their own in a ravine, and their mean loss.

    The ravine has the curvatures 1 and 1/condition; theory and walkers start at (−4, 1.5). steps: the moment
    shown on the left.
    """
    start, angle = np.array([-4.0, 1.5]), np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(-2 * np.log(0.05)) * np.array([np.cos(angle), np.sin(angle)])
    t = np.arange(STEPS + 1)[:, None]

    def show(*, lr, noise, condition, steps, seed):
        h = np.array([1 / condition, 1.0])
        ws = walkers(h, start, lr=lr, noise=noise, seed=seed)
        squares = [mean_square(t[:, 0], *its, noise) for its in zip(start, [lr, lr], h, strict=True)]
        squares, middle = np.stack(squares, axis=-1), (1 - lr * h) ** t * start
        reach = np.sqrt(np.maximum(squares - middle**2, 0))
        ring = middle[steps][:, None] + reach[steps][:, None] * circle
        data = {"walkers": ws[steps], "ring": tuple(ring), "exact": 0.5 * squares @ h}
        data |= {"way": 0.5 * middle**2 @ h}
        return Shown(
            _ball_in_words(lr, noise, h, start, steps), mean=0.5 * (ws**2 @ h).mean(axis=1), now=steps, **data
        )

    left = Panel(LEFT, ("w[0], flat", -5, 5), ("w[1], steep", -3, 3))
    left.title = "lr {lr:.3g}   noise {noise:.3g}   condition {condition:.3g}   step {steps}   seed {seed}"
    left.add(start=dots(ALERT, tuple(start[:, None]), marker="x", size=8))
    left.add(minimum=dots("white", ([0], [0]), marker="*", size=13, markeredgecolor="#333333", zorder=1))
    left.add(walkers=dots(MINI["color"], size=3, alpha=0.6), ring=line(STEEP, linewidth=2))
    right = Panel(RIGHT, step(STEPS), log("mean loss", 1e-4, 1e2), legend=LEGEND_ABOVE)
    right.add(
        exact=band(STEEP, label="formula"), way=line(FULL["color"], linewidth=1.4, label="without noise")
    )
    right.add(mean=plain(MINI | {"label": "200 walkers"}), now=upright(ALERT, linewidth=1))
    knobs = {"lr": knob(0.2, 0.01, 2.2), "noise": knob(0.5, 0.0, 3.0)}
    knobs |= {"condition": knob(4.0, 1.0, 100.0, log=True)}
    return picture([left, right], show, **knobs, steps=knob(100, 0, STEPS), seed=knob(0, 0, 20))


def walkers(curvatures, start, *, lr, noise, seed, steps=STEPS, count=WALKERS):
    """Return the walks of SGD in a ravine, each walker with noise of its own: (steps + 1, count, 2).

    On a parabola along each axis the coordinates do not meet, so all walkers are one long vector.
    """
    h, w0 = np.tile(curvatures, count), np.tile(start, count)
    ws = path(sgd, noisy(lambda w: h * w, noise, seed), w0, steps, lr=lr)
    return ws.reshape(steps + 1, count, len(curvatures))


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
    figure = new_figure((9.6, 3.6))
    with look():
        ax = figure.add_axes((0.08, 0.16, 0.9, 0.74))
        lr = np.append(np.geomspace(0.005, 1.9, 200), 2 - np.geomspace(0.1, 1e-3, 50))
        ax.loglog(lr, noise_ball(lr, 1.0, noise), color=STEEP, linewidth=6, alpha=0.35, label="exact formula")
        ax.loglog(lr, noise * np.sqrt(lr / 2), color=FLAT, linestyle="--", label="root of lr/2h, times σ")
        ax.loglog(lrs, radii, "o", color=MINI["color"], markersize=7, label="measured")
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
        ws = path(sgd, dealt(net, batch, order, seed), w0, steps, lr=lr)
        above = net(ws[marks]) - lowest
        end = np.maximum(above, 1e-7)[len(marks) // 2 :].mean()
        expected = lr * noise / (4 * batch)
        told = f"lr {lr:.3g}, batch {batch}, {order}: {end:.2g} above the minimum on average; "
        data = {order: (marks, above), f"{order}: the end": ([lr], [end])}
        data |= {"formula": (lrs, lrs * noise / (4 * batch))}
        return Shown(
            f"{told}the formula for draws with replacement says {expected:.2g}.", expected=expected, **data
        )

    told = "lr {lr:.3g}   batch {batch}   seed {seed}"
    left = Panel(LEFT, step(steps), log("loss − minimum", 1e-6, 10), told, expected=level(PALE_BAND))
    sides = log("lr", *lrs), log("loss − minimum, second half", 1e-6, 10)
    right = Panel(RIGHT, *sides, "measured: {order}", legend="upper left")
    right.add(formula=band(STEEP, label="formula", within=FREE))
    for order, style in ORDER_STYLES.items():
        left.add(**{order: plain(style, linewidth=1.5, within=(1e-7, np.inf))})
        right.add(**{f"{order}: the end": line(style, linestyle="", markersize=10, within=FREE)})
    knobs = {"lr": knob(0.1, 0.01, 2.0), "batch": knob(16, [4, 8, 16, 32, 64, 128, 256])}
    order = knob("with replacement", ORDER_STYLES)
    return picture([left, right], show, **knobs, order=order, seed=knob(0, 0, 20))


def dealt(net, size, order, seed=0):
    """Return a model's gradient on batches, a function of (w, t), in one of the orders of ORDER_STYLES."""
    by_class = np.argsort(net.y, kind="stable")
    X, y = (net.X[by_class], net.y[by_class]) if order == "sorted by class" else (net.X, net.y)
    rows = batches(len(y), size, order=order if order in ORDERS else "as stored", seed=seed)
    return lambda w, t: net.grad(w, X[rows(t)], y[rows(t)])


def with_and_without_penalty(epochs, losses, noises):
    """Return the still picture of two trainings, with L2 and without: loss, and the noise that is left.

    epochs: shape (k,).  losses, noises: shape (k, 2), with L2 first; noise is the root of tr Σ.
    """
    figure = new_figure((9.6, 3.6))
    with look():
        left, right = figure.add_axes((0.08, 0.16, 0.4, 0.72)), figure.add_axes((0.58, 0.16, 0.4, 0.72))
        styles = {"with L2": (STEEP, "-"), "without": (FLAT, "--")}
        for ax, curves, title in (
            (left, losses, "loss, without the penalty"),
            (right, noises, "noise of one example's gradient"),
        ):
            for (label, (colour, dashes)), values in zip(styles.items(), curves.T, strict=True):
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
    figure = new_figure((9.6, 3.8))
    with look():
        ax = figure.add_axes((0.1, 0.15, 0.88, 0.75))
        for order, values in excess.items():
            ax.loglog(lrs, values, label=order, markersize=7, **ORDER_STYLES[order])
        ax.set(xlabel="lr", ylabel="loss − minimum")
        ax.legend(loc="upper left")
        ax.set_title("Softmax regression on digits with L2: how far above the minimum, by order")
    ends = "; ".join(
        f"{k}: {v[0]:.1g} at lr {lrs[0]:g}, {v[-1]:.1g} at lr {lrs[-1]:g}" for k, v in excess.items()
    )
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
        needed = steps_for_batch(batch, *formula)
        off = np.exp(np.abs(np.log(steps_for_batch(sizes, *formula) / steps)).max())
        told = (
            f"Batch {batch} by the formula: {needed:.3g} steps, {needed / least_steps:.3g} times the least; "
        )
        told += f"{needed * batch:,.0f} examples, {1 + batch / critical_batch:.3g} times the least. "
        told += f"The formula is off by a factor of {off:.2g} at worst."
        data = {"steps": (axis, steps_for_batch(axis, *formula))}
        data |= {"lrs": (axis, lr_for_batch(axis, most, critical_batch))}
        data |= {"least": (axis, least_steps), "falling": (axis, least_steps * critical_batch / axis)}
        data |= {"here": ([batch], [needed])}
        data |= {"lr here": ([batch], [lr_for_batch(batch, most, critical_batch)])}
        return Shown(told, needed=needed, examples=needed * batch, **data)

    place, measured = log("batch", 0.8, 1400), {"marker": "o", "linestyle": "", "markersize": 7}
    told = "least steps {least_steps}   critical batch {critical_batch}   batch {batch}"
    left = Panel(LEFT, place, log("steps to the target", 3, 6000), told, legend="upper right")
    told = "batch {batch}: {needed:.3g} steps, {examples:,.0f} examples"
    right = Panel(RIGHT, place, log("best lr", 0.01, 5), told, legend="upper left")
    left.add(measured=line(MINI["color"], (sizes, steps), label="measured", **measured))
    right.add(measured=line(MINI["color"], (sizes, lrs), label="measured best lr", **measured))
    left.add(steps=line(STEEP, linewidth=2, label="formula", within=FREE))
    right.add(lrs=line(STEEP, linewidth=2, label="formula", within=FREE))
    for name, dash in (("least", ":"), ("falling", "--")):
        left.add(**{name: line(FLAT, linewidth=1.2, linestyle=dash, within=FREE)})
    for panel, name in ((left, "here"), (right, "lr here")):
        panel.add(**{name: dots(ALERT, marker="D", size=8, zorder=5, within=FREE)})
    choices = [8, 16, 32, 64, 128, 256, 512, 1024]
    knobs = {"least_steps": knob(20, 1, 40), "critical_batch": knob(32, choices)}
    knobs |= {"batch": knob(64, sizes.tolist())}
    return picture([left, right], show, **knobs)


def ravine():
    """Return the scene of a ravine with and without noise: the zig-zag and the creeping stay."""
    t = np.arange(101)

    def show(*, lr, noise, condition, seed):
        land, h = _ravine(condition=condition), np.array([1 / condition, 1.0])
        clean = path(gradient_descent, land.grad, land.start, 100, lr=lr)
        shaken = path(sgd, noisy(land.grad, noise, seed), land.start, 100, lr=lr)
        squares = [mean_square(t, s, lr, c, noise) for s, c in zip(land.start, h, strict=True)]
        mean = 0.5 * h @ np.array(squares)
        told = f"After 100 steps the loss is {_short(land(clean[-1]))} without noise; "
        data = {"ground": land, "clean": clean, "shaken": shaken, "clean losses": land(clean), "exact": mean}
        return Shown(
            f"{told}with noise it is {_short(mean[-1])} on average.", **data, **{"one run": land(shaken)}
        )

    above, thin = from_above(LEFT, quadratic(), KNOBS, moving=True), {"markersize": 3, "linewidth": 1.2}
    above.add(shaken=walk(MINI, **thin), clean=walk(FULL, **thin))
    beside = Panel(RIGHT, step(100), log("loss", 1e-4, 1e2), legend=LEGEND_ABOVE)
    beside.add(exact=band(STEEP, label="mean of SGD"))
    beside.add(**{"clean losses": plain(FULL | {"label": "without noise"})})
    beside.add(**{"one run": plain(MINI | {"label": "one run"})})
    knobs = {"lr": knob(1.9, 0.05, 2.1), "noise": knob(0.2, 0.0, 1.0)}
    knobs |= {"condition": knob(100.0, 1.0, 1000.0, log=True)}
    return picture([above, beside], show, **knobs, seed=knob(0, 0, 20))


def _short(loss):
    return f"{loss:.3g}" if np.isfinite(loss) else "infinite"


def four_runs(runs, epochs=5):
    """Return the still picture of four trainings to diagnose: the loss against the epoch.

    runs: dict name → losses, one per step.  epochs: how many passes over the data they are.
    """
    figure = new_figure((9.6, 3.4))
    with look():
        axes = figure.subplots(1, len(runs), sharey=True)
        figure.subplots_adjust(0.07, 0.16, 0.99, 0.89, wspace=0.1)
        for ax, (name, losses) in zip(axes, runs.items(), strict=True):
            ax.semilogy(np.linspace(0, epochs, len(losses)), losses, color=FULL["color"], linewidth=1.2)
            ax.set(title=name, xlabel="epoch", ylim=(0.3, 5), xticks=range(epochs + 1))
            ax.set_yticks([0.3, 0.5, 1, 2, 4], ["0.3", "0.5", "1", "2", "4"])
            ax.set_yticks([], minor=True)
            ax.grid(axis="x", color="#dde3e8")
        axes[0].set_ylabel("loss on all examples")
    ends = "; ".join(f"{name}: {losses[0]:.2g} to {losses[-1]:.2g}" for name, losses in runs.items())
    return Picture(figure, f"Four runs. {ends}.")


def losses_against_cost(curves, title):
    """Return the still picture of several losses against the examples looked at.

    curves: dict label → (examples, losses), two arrays of one shape; "full gradient" has its own style.
    """
    figure = new_figure((9.6, 3.6))
    colours = iter((STEEP, FLAT, "#008060"))
    dashes = iter(("--", "-.", ":"))
    with look():
        ax = figure.add_axes((0.1, 0.16, 0.88, 0.74))
        for label, (examples, losses) in curves.items():
            own = FULL | {"linestyle": "-"} if label == "full gradient" else None
            own = own or {"color": next(colours), "linestyle": next(dashes), "label": label}
            ax.semilogy(examples, losses, **own)
        ax.set(xlabel="examples looked at", ylabel="loss", title=title)
        ax.legend()
    ends = "; ".join(f"{label}: {last_tenth(losses).mean():.3g}" for label, (_, losses) in curves.items())
    return Picture(figure, f"Mean loss over the last tenth of {examples[-1]:,} examples. {ends}.")


def steps_to_target(net, target, size, lrs, seeds=(0, 1, 2)):
    """Return how many steps SGD needs until the loss, the mean over the seeds, stays below a target.

    size: batch.  lrs: all are trained at once, from zero; the best one counts. Returns (steps, its lr);
    steps is inf if none arrives. Looked at after steps in equal ratios, at most 7% apart.
    """
    knobs = grid(lr=np.asarray(lrs), seed=list(seeds))
    budget = 40 + 1800 // size
    starts = np.zeros((len(lrs), len(seeds), net.n), np.float32)
    ws = path(sgd, net.batch_grad(size, knobs["seed"]), starts, budget, lr=knobs["lr"])
    marks = np.unique(np.geomspace(1, budget, 120).astype(int))
    row = stays_below(net(ws[marks]).mean(axis=-1), target)
    steps = np.where(np.isfinite(row), marks[np.where(np.isfinite(row), row, 0).astype(int)], np.inf)
    best = best_of(steps, lr=lrs)
    return best.score, best.value
