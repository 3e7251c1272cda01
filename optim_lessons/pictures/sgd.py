"""The pictures of lesson 03: minibatches, the noise ball, batch sizes, the order of the examples."""

import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of, last_tenth, stays_below
from optim_lessons.lab.live import Scene
from optim_lessons.lab.path import grid, path
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
    set_loss,
    set_path,
)
from optim_lessons.landscapes import Landscape, quadratic
from optim_lessons.pictures.gradient_descent import FLAT, STEEP
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

    return Landscape("two weights, real data", f, grad, [-0.6, 1.1], [best], ((-0.9, 1.1), (-0.3, 1.3)))


def one_batch(X, y):
    """Return the scene of 400 minibatch gradients at one place, and their error against the batch size.

    X, y: examples with two features.  Knobs: batch and seed.
    """
    land, draws = least_squares(X, y), 400
    errors = X @ land.start - y
    each = errors[:, None] * X  # the gradient of every single example
    full = each.mean(axis=0)
    spread = np.sqrt(((each - full) ** 2).sum(axis=1).mean())

    def build(figure):
        left, right = figure.add_axes(LEFT), figure.add_axes(RIGHT)
        left.set(xlim=(-4.6, 3.1), ylim=(-2.6, 3.4))
        left.set(xlabel="gradient along w[0]", ylabel="gradient along w[1]")
        left.axhline(0, color="#c5cdd5", linewidth=1)
        left.axvline(0, color="#c5cdd5", linewidth=1)
        dots = left.plot([], [], "o", color=MINI["color"], markersize=3.5, alpha=0.6, animated=True)[0]
        line = {"color": FULL["color"], "linewidth": 2, "marker": "D", "markevery": [1], "zorder": 6}
        left.plot([0, full[0]], [0, full[1]], animated=True, label="full gradient", **line)
        left.legend(loc="lower right")
        settings = left.set_title("", fontsize=10, animated=True)
        sizes = np.array([1, 1024])
        right.loglog(sizes, spread / np.sqrt(sizes), color=STEEP, linewidth=6, alpha=0.35, label="formula")
        right.axhline(np.linalg.norm(full), color=FULL["color"], linewidth=1.2)
        right.text(900, 1.1 * np.linalg.norm(full), "length of the full gradient", fontsize=10, ha="right")
        right.set(xlim=(1, 1024), ylim=(0.02, 5), xlabel="batch", ylabel="error of the gradient")
        right.set_title("error: root of the mean squared distance", fontsize=10)
        now = right.plot([], [], "o", color=MINI["color"], markersize=9, animated=True, label="400 batches")[
            0
        ]
        right.legend(loc="lower left")

        def move(*, batch, seed):
            rows = np.random.default_rng((seed, batch)).integers(len(X), size=(draws, batch))
            gradients = each[rows].mean(axis=1)
            error = np.sqrt(((gradients - full) ** 2).sum(axis=1).mean())
            uphill = np.mean(gradients @ full < 0)
            dots.set_data(gradients.T)
            now.set_data([batch], [error])
            settings.set_text(f"400 gradients of batches of {batch}   seed {seed}")
            return (
                f"Batch {batch}: the gradient is off by {error:.3f} (formula {spread / np.sqrt(batch):.3f}); "
                f"{uphill:.0%} of the batches point the wrong way, more than 90 degrees off."
            )

        return move

    return Scene(build, {"batch": 16, "seed": 0})


def full_against_minibatch(X, y):
    """Return the scene of descent by the full gradient and by minibatches, from one start.

    X, y: examples with two features.  Knobs: lr, batch, seed, epochs, and what is counted: "examples"
    gives both walks the same number of looks at an example, "steps" the same number of steps.
    """
    land, n = least_squares(X, y), len(X)
    lowest = float(land(land.minima)[0])

    def build(figure):
        above, beside = figure.add_axes(LEFT), figure.add_axes(RIGHT)
        height_map(above, land)
        small = {"markersize": 2.5, "linewidth": 1.1, "animated": True}
        mini = above.plot([], [], **MINI | small)[0]
        full = above.plot([], [], **FULL | small | {"markersize": 5, "linewidth": 1.8})[0]
        loss_axis(beside, float(land(land.start)), lowest, decades=6)
        beside.xaxis.set_animated(True)
        lines = [
            beside.plot([], [], animated=True, **style | {"marker": marker, "markersize": 5})[0]
            for style, marker in ((MINI, ""), (FULL, "o"))
        ]
        _legend_above(beside)
        settings = above.set_title("", fontsize=10, animated=True)

        def move(*, lr, batch, seed, epochs, count):
            rows = batches(n, batch, seed=seed)
            steps = epochs * -(-n // batch)
            ws = path(sgd, lambda w, t: batch_gradient(w, X, y, rows(t)), land.start, steps, lr=lr)
            full_steps = epochs if count == "examples" else steps
            vs = path(gradient_descent, land.grad, land.start, full_steps, lr=lr)
            set_path(mini, ws, land.box)
            set_path(full, vs, land.box)
            cost, full_cost = (epochs * n / steps, n) if count == "examples" else (1, 1)
            for line, walk, unit in zip(lines, (ws, vs), (cost, full_cost), strict=True):
                set_loss(line, land(walk), lowest)
                line.set_xdata(unit * line.get_xdata())
            lines[1].set_marker("o" if full_steps < 60 else "")
            _set_right(beside, epochs * n if count == "examples" else steps, f"{count} used")
            settings.set_text(f"lr {lr:.3g}   batch {batch}   epochs {epochs}   seed {seed}")
            return (
                f"Full gradient: {_looks(n, full_steps)}, loss − minimum {_tail(land(vs) - lowest)}. "
                f"Minibatch: {_looks(epochs * n, steps, True)}, loss − minimum {_tail(land(ws) - lowest)}."
            )

        return move

    moving = {"lr": 0.1, "batch": 16, "seed": 0, "epochs": 2, "count": "examples"}
    return Scene(build, moving, ranges={"epochs": (1, 4), "count": ["examples", "steps"]})


def _looks(examples, steps, total=False):
    looks = examples if total else examples * steps
    return f"{counted(f'{steps:,}', 'step')}, {looks:,} examples"


def _tail(losses):
    return f"{losses[-1]:.2g}" if np.isfinite(losses[-1]) else "infinite"


def _legend_above(ax):
    ax.legend(loc="lower left", bbox_to_anchor=(-0.08, 0.98), ncols=3, columnspacing=1.2, fontsize=10)


def _set_right(ax, end, label):
    if ax.get_xlim() != (0, end) or ax.get_xlabel() != label:
        ax.set(xlim=(0, end), xlabel=label)
        ax.xaxis.stale = True


def ball():
    """Return the scene of 200 walkers with noise of their own in a ravine, and their mean loss.

    The ravine has the curvatures 1 and 1/condition; theory and walkers start at (−4, 1.5).
    Knobs: lr, noise, condition, seed, and steps, the moment shown on the left.
    """
    start = np.array([-4.0, 1.5])
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(-2 * np.log(0.05)) * np.array([np.cos(angle), np.sin(angle)])

    def build(figure):
        left, right = figure.add_axes(LEFT), figure.add_axes(RIGHT)
        left.set(xlim=(-5, 5), ylim=(-3, 3), xlabel="w[0], flat", ylabel="w[1], steep")
        left.plot(*start, "x", color=ALERT, markersize=8)
        left.plot(0, 0, "*", color="white", markeredgecolor="#333333", markersize=13, zorder=1)
        dots = left.plot([], [], "o", color=MINI["color"], markersize=3, alpha=0.6, animated=True)[0]
        ring = left.plot([], [], color=STEEP, linewidth=2, animated=True)[0]
        right.set(xlim=(0, STEPS), ylim=(1e-4, 1e2), yscale="log", xlabel="step", ylabel="mean loss")
        exact = right.plot([], [], color=STEEP, linewidth=6, alpha=0.35, label="formula", animated=True)[0]
        way = right.plot([], [], color=FULL["color"], linewidth=1.4, label="without noise", animated=True)[0]
        mean = right.plot([], [], **MINI | {"marker": "", "label": "200 walkers"}, animated=True)[0]
        now = right.axvline(0, color=ALERT, linewidth=1, animated=True)
        _legend_above(right)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, noise, condition, steps, seed):
            h = np.array([1 / condition, 1.0])
            ws = walkers(h, start, lr=lr, noise=noise, seed=seed)
            t = np.arange(STEPS + 1)[:, None]
            with np.errstate(all="ignore"):
                squares = np.stack(
                    [mean_square(t[:, 0], *p, noise) for p in zip(start, [lr, lr], h, strict=True)], axis=-1
                )
                middle = (1 - lr * h) ** t * start
                reach = np.sqrt(np.maximum(squares - middle**2, 0))
                set_loss(exact, 0.5 * squares @ h)
                set_loss(way, 0.5 * middle**2 @ h)
                set_loss(mean, 0.5 * (ws**2 @ h).mean(axis=1))
            seen = np.clip(ws[steps], -1e3, 1e3)
            dots.set_data(seen[np.isfinite(seen).all(axis=1)].T)
            ring.set_data(np.clip(middle[steps][:, None] + reach[steps][:, None] * circle, -1e3, 1e3))
            now.set_xdata([steps, steps])
            settings.set_text(
                f"lr {lr:.3g}   noise {noise:.3g}   condition {condition:.3g}   step {steps}   seed {seed}"
            )
            return _ball_in_words(lr, noise, h, start, steps)

        return move

    moving = {"lr": 0.2, "noise": 0.5, "condition": 4.0, "steps": 100, "seed": 0}
    return Scene(build, moving, ranges={"lr": (0.01, 2.2), "condition": (1.0, 100.0), "steps": (0, STEPS)})


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
    Knobs: lr, batch, order and seed.
    """
    lowest, steps = float(net(minimum)), 300
    w0, marks = minimum.astype(np.float32), np.arange(0, steps + 1, 10)

    def build(figure):
        left, right = figure.add_axes(LEFT), figure.add_axes(RIGHT)
        left.set(xlim=(0, steps), ylim=(1e-6, 10), yscale="log", xlabel="step", ylabel="loss − minimum")
        level = left.axhline(1, color=STEEP, linewidth=6, alpha=0.35, animated=True)
        line = left.plot([], [], linewidth=1.5, animated=True)[0]
        lrs = np.geomspace(0.005, 3, 2)
        right.set(xlim=lrs, ylim=(1e-6, 10), xscale="log", yscale="log", xlabel="lr")
        right.set_ylabel("loss − minimum, second half")
        formula = right.plot([], [], color=STEEP, linewidth=6, alpha=0.35, label="formula", animated=True)[0]
        now = right.plot([], [], markersize=10, linestyle="", animated=True)[0]
        right.legend(loc="upper left")
        settings = left.set_title("", fontsize=10, animated=True)
        words = right.set_title("", fontsize=10, animated=True)

        def move(*, lr, batch, order, seed):
            ws = path(sgd, dealt(net, batch, order, seed), w0, steps, lr=lr)
            above = np.maximum(net(ws[marks]) - lowest, 1e-7)
            end = above[len(marks) // 2 :].mean()
            style = ORDER_STYLES[order]
            expected = lr * noise / (4 * batch)
            line.set_data(marks, above)
            line.set(color=style["color"], linestyle=style["linestyle"])
            now.set_data([lr], [end])
            now.set(color=style["color"], marker=style["marker"])
            formula.set_data(lrs, lrs * noise / (4 * batch))
            level.set_ydata([expected, expected])
            settings.set_text(f"lr {lr:.3g}   batch {batch}   seed {seed}")
            words.set_text(f"measured: {order}")
            return (
                f"lr {lr:.3g}, batch {batch}, {order}: {end:.2g} above the minimum on average; "
                f"the formula for draws with replacement says {expected:.2g}."
            )

        return move

    moving = {"lr": 0.1, "batch": 16, "order": "with replacement", "seed": 0}
    return Scene(build, moving, ranges={"lr": (0.01, 2.0), "order": list(ORDER_STYLES)})


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

    sizes, steps, lrs: measured, shape (k,).  Knobs: least_steps and critical_batch, the formula's two
    numbers, and batch, the place to read.
    """
    sizes, steps, lrs = map(np.asarray, (sizes, steps, lrs))
    axis = np.geomspace(1, sizes.max(), 100)

    def build(figure):
        left, right = figure.add_axes(LEFT), figure.add_axes(RIGHT)
        left.loglog(sizes, steps, "o", color=MINI["color"], markersize=7, label="measured")
        right.loglog(sizes, lrs, "o", color=MINI["color"], markersize=7, label="measured best lr")
        left.set(xlim=(0.8, 1400), ylim=(3, 6000), xlabel="batch", ylabel="steps to the target")
        right.set(xlim=(0.8, 1400), ylim=(0.01, 5), xlabel="batch", ylabel="best lr")
        curve = left.plot([], [], color=STEEP, linewidth=2, label="formula", animated=True)[0]
        lrs_line = right.plot([], [], color=STEEP, linewidth=2, label="formula", animated=True)[0]
        parts = [
            left.plot([], [], color=FLAT, linewidth=1.2, linestyle=style, animated=True)[0]
            for style in (":", "--")
        ]
        marks = [
            ax.plot([], [], "D", color=ALERT, markersize=8, animated=True, zorder=5)[0]
            for ax in (left, right)
        ]
        left.legend(loc="upper right")
        right.legend(loc="upper left")
        settings = left.set_title("", fontsize=10, animated=True)
        price = right.set_title("", fontsize=10, animated=True)

        def move(*, least_steps, critical_batch, batch):
            curve.set_data(axis, steps_for_batch(axis, least_steps, critical_batch))
            lrs_line.set_data(axis, lr_for_batch(axis, max(lrs), critical_batch))
            parts[0].set_data(axis, np.full_like(axis, least_steps))
            parts[1].set_data(axis, least_steps * critical_batch / axis)
            needed = steps_for_batch(batch, least_steps, critical_batch)
            marks[0].set_data([batch], [needed])
            marks[1].set_data([batch], [lr_for_batch(batch, max(lrs), critical_batch)])
            off = np.exp(np.abs(np.log(steps_for_batch(sizes, least_steps, critical_batch) / steps)).max())
            settings.set_text(f"least steps {least_steps}   critical batch {critical_batch}   batch {batch}")
            price.set_text(f"batch {batch}: {needed:.3g} steps, {needed * batch:,.0f} examples")
            return (
                f"Batch {batch} by the formula: {needed:.3g} steps, {needed / least_steps:.3g} times the "
                f"least; {needed * batch:,.0f} examples, {1 + batch / critical_batch:.3g} times the least. "
                f"The formula is off by a factor of {off:.2g} at worst."
            )

        return move

    moving = {"least_steps": 20, "critical_batch": 32, "batch": 64}
    return Scene(build, moving, ranges={"least_steps": (1, 40)})


def ravine():
    """Return the scene of a ravine with and without noise: the zig-zag and the creeping stay.

    Knobs: lr, noise, condition and seed.
    """

    def build(figure):
        above, beside = figure.add_axes(LEFT), figure.add_axes(RIGHT)
        shown = [None]
        ground = height_map(above, quadratic(), animated=True)
        small = {"markersize": 3, "linewidth": 1.2, "animated": True}
        mini, full = above.plot([], [], **MINI | small)[0], above.plot([], [], **FULL | small)[0]
        beside.set(xlim=(0, 100), ylim=(1e-4, 1e2), yscale="log", xlabel="step", ylabel="loss")
        exact = beside.plot([], [], color=STEEP, linewidth=6, alpha=0.35, label="mean of SGD", animated=True)[
            0
        ]
        lines = [
            beside.plot([], [], animated=True, **style | {"marker": "", "label": label})[0]
            for style, label in ((FULL, "without noise"), (MINI, "one run"))
        ]
        _legend_above(beside)
        settings = above.set_title("", fontsize=10, animated=True)

        def move(*, lr, noise, condition, seed):
            land, h = quadratic(condition=condition), np.array([1 / condition, 1.0])
            if shown[0] != condition:
                ground.set_data(height_bands(land))
                shown[0] = condition
            clean = path(gradient_descent, land.grad, land.start, 100, lr=lr)
            shaken = path(sgd, noisy(land.grad, noise, seed), land.start, 100, lr=lr)
            set_path(full, clean, land.box)
            set_path(mini, shaken, land.box)
            t = np.arange(101)
            squares = [mean_square(t, s, lr, c, noise) for s, c in zip(land.start, h, strict=True)]
            mean = 0.5 * h @ np.array(squares)
            set_loss(exact, mean)
            for line, walk in zip(lines, (clean, shaken), strict=True):
                set_loss(line, land(walk))
            settings.set_text(f"lr {lr:.3g}   noise {noise:.3g}   condition {condition:.3g}   seed {seed}")
            return (
                f"After 100 steps the loss is {_short(land(clean[-1]))} without noise; "
                f"with noise it is {_short(mean[-1])} on average."
            )

        return move

    moving = {"lr": 1.9, "noise": 0.2, "condition": 100.0, "seed": 0}
    return Scene(build, moving, ranges={"lr": (0.05, 2.1), "noise": (0.0, 1.0)})


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
