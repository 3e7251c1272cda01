"""The pictures of lesson 04: the ravine, the velocity, the spring and its phase space, the whole spectrum,
the cycle, four balls.
"""

import matplotlib
import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import last_tenth, settled
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import (
    ALERT,
    Picture,
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
from optim_lessons.lab.scenes import reading
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum, spectral_radius
from optim_lessons.pictures.gradient_descent import STEEP

BALL, PLAIN = rule_style(momentum), rule_style(gradient_descent)

STEPS = 60
CURVATURES = np.geomspace(0.01, 1, 5)
PUSH = "#0060a8"  # the newest gradient


def ravine():
    """Return the scene of the ball and of gradient descent in a ravine, from above, and their losses.

    Knobs: lr, beta, hold, condition and steps. Gradient descent runs at lr. Without hold the ball does
    too; with hold it runs at lr·(1 − beta), so that a steady slope is followed at lr whatever beta is.
    """

    def build(figure):
        first = quadratic(condition=30.0)
        above = figure.add_axes((0.075, 0.135, 0.49, 0.77))
        beside = figure.add_axes((0.655, 0.135, 0.32, 0.77), title="loss against step")
        ground = height_map(above, first, animated=True)
        loss_axis(beside, float(first(first.start)), 0.0)
        beside.xaxis.set_animated(True)
        rules = {"gradient descent": gradient_descent, "momentum": momentum}
        paths = {name: path_line(above, rule, animated=True) for name, rule in rules.items()}
        losses = {
            name: beside.plot([], [], label=name, animated=True, **rule_style(rule) | {"marker": ""})[0]
            for name, rule in rules.items()
        }
        beside.legend(loc="upper right", fontsize=9)
        settings = above.set_title("", fontsize=10, animated=True)
        shown = {"condition": 30.0, "surface": first}

        def move(*, lr, beta, hold, condition, steps):
            if condition != shown["condition"]:
                shown.update(condition=condition, surface=quadratic(condition=condition))
                ground.set_data(height_bands(shown["surface"]))
            surface = shown["surface"]
            used = lr * (1 - beta) if hold else lr
            knobs = {"gradient descent": {"lr": lr}, "momentum": {"lr": used, "beta": beta}}
            told = {"gradient descent": f"Gradient descent at lr {lr:.3g}", "momentum": "Momentum"}
            for name, rule in rules.items():
                ws = path(rule, surface.grad, surface.start, steps, **knobs[name])
                set_path(paths[name], ws, surface.box)
                set_loss(losses[name], surface(ws))
                told[name] = reading(told[name], ws, surface(ws), surface)
            if beside.get_xlim() != (0, steps):
                beside.set_xlim(0, steps)
                beside.xaxis.stale = True
            settings.set_text(
                f"ball: lr {used:.3g}   beta {beta:g}   lr/(1 − beta) {used / (1 - beta):.3g}"
                f"   condition {condition:.3g}{'   held' if hold else ''}"
            )
            return f"{told['momentum']} {told['gradient descent']}"

        return move

    knobs = {"lr": 1.9, "beta": 0.0, "hold": False, "condition": 30.0, "steps": 60}
    return Scene(build, knobs, ranges={"lr": (0.01, 4.0), "beta": (0.0, 0.99), "condition": (1.0, 300.0)})


def velocity():
    """Return the scene of one step taken apart: the kept part of the old velocity, and the new push.

    Knobs: lr, beta, and step, the one whose arrows are shown. Beside it: m and g in each coordinate.
    """
    surface = quadratic(condition=20.0)

    def build(figure):
        ground = figure.add_axes((0.065, 0.125, 0.475, 0.785))
        height_map(ground, surface)
        titles = ("along the ravine: w[0]", "across the ravine: w[1]")
        places = (0.645, 0.565, 0.345, 0.345), (0.645, 0.125, 0.345, 0.345)
        beside = [figure.add_axes(place, xlim=(0, STEPS)) for place in places]
        lines = []
        for ax, name, side in zip(beside, titles, (1.8, 4.5), strict=True):
            ax.set(ylim=(-side, side))
            ax.text(0.98, 0.95, name, transform=ax.transAxes, ha="right", va="top", fontsize=10)
            ax.axhline(0, color="#c5cdd5", linewidth=1)
            g = ax.plot([], [], color=PUSH, linewidth=1.2, marker=".", markersize=4, animated=True)[0]
            m = ax.plot([], [], animated=True, **BALL | {"markersize": 3, "linewidth": 1.4})[0]
            now = ax.axvline(0, color="#333333", linewidth=1, animated=True)
            lines.append((m, g, now))
        beside[0].tick_params(labelbottom=False)
        beside[1].set_xlabel("step")
        beside[0].set_title("squares: velocity m;  dots: gradient g", fontsize=10)
        walk = path_line(ground, momentum, animated=True, alpha=0.5)
        arrow = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.009, "zorder": 4}
        arrow["animated"] = True
        kept = ground.quiver([0], [0], [0], [0], color=BALL["color"], label="kept: −lr·beta·m", **arrow)
        push = ground.quiver([0], [0], [0], [0], color=PUSH, label="new: −lr·g", **arrow)
        ball = ground.plot([], [], "o", color="#222222", markersize=8, zorder=5, animated=True)[0]
        ground.legend(loc="lower right", fontsize=9)
        settings = ground.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta, step):
            run = record(momentum, surface.grad, surface.start, STEPS, lr=lr, beta=beta)
            ws, ms = run["w"], run["m"]
            gs = surface.grad(ws)
            set_path(walk, ws, surface.box)
            for i, (m, g, now) in enumerate(lines):
                m.set_data(np.arange(STEPS + 1), np.clip(ms[:, i], -1e3, 1e3))
                g.set_data(np.arange(STEPS + 1), np.clip(gs[:, i], -1e3, 1e3))
                now.set_xdata([step, step])
            w, g, m = (np.clip(a[step], -1e3, 1e3) for a in (ws, gs, ms))
            halfway = w - lr * beta * m
            kept.set_offsets([w])
            kept.set_UVC(*(-lr * beta * m).reshape(2, 1))
            push.set_offsets([halfway])
            push.set_UVC(*(-lr * g).reshape(2, 1))
            ball.set_data([w[0]], [w[1]])
            settings.set_text(f"lr {lr:.3g}   beta {beta:.3g}   step {step}")
            if not np.isfinite(w).all():
                return f"Before step {step} the walk has left the finite numbers: lr or beta is too large."
            share = (
                "The old velocity and the new push agree."
                if g @ m > 0
                else (
                    "The new push brakes the old velocity." if g @ m < 0 else "There is no old velocity yet."
                )
            )
            return (
                f"At step {step} the gradient is ({g[0]:.2g}, {g[1]:.2g}) and the velocity m is "
                f"({m[0]:.2g}, {m[1]:.2g}). {share}"
            )

        return move

    knobs = {"lr": 0.5, "beta": 0.8, "step": 3}
    ranges = {"lr": (0.02, 4.0), "beta": (0.0, 0.99), "step": (0, STEPS - 1)}
    return Scene(build, knobs, ranges=ranges, size=(9.6, 4.6))


def spring():
    """Return the scene of the ball on a parabola of curvature 1: its swings, and the two roots behind them.

    Knobs: lr and beta. Right: the complex plane, with the unit circle (factor 1) and the circle √beta.
    """

    def build(figure):
        left = figure.add_axes((0.08, 0.135, 0.49, 0.77), xlim=(0, STEPS), ylim=(-1.6, 1.6))
        left.set(xlabel="step", ylabel="w")
        left.axhline(0, color="#c5cdd5", linewidth=1)
        right = figure.add_axes((0.645, 0.135, 0.345, 0.77), xlim=(-1.6, 1.6), ylim=(-1.3, 1.3))
        right.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
        angle = np.linspace(0, 2 * np.pi, 181)
        circle = np.array([np.cos(angle), np.sin(angle)])
        right.plot(*circle, color=ALERT, linewidth=1.5)
        right.axhline(0, color="#c5cdd5", linewidth=1)
        right.set_title("red: size 1;  dashed: size √beta", fontsize=10)
        inner = right.plot([], [], color="#222222", linestyle="--", linewidth=1, animated=True)[0]
        dots = right.plot([], [], "s", color=BALL["color"], markersize=9, animated=True)[0]
        edges = [left.plot([], [], color=STEEP, linewidth=5, alpha=0.3, animated=True)[0] for _ in range(2)]
        ball = left.plot([], [], animated=True, **BALL | {"markersize": 3.5, "linewidth": 1.3})[0]
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta):
            ws = path(momentum, lambda w: w, np.ones(1), STEPS, lr=lr, beta=beta)[:, 0]
            roots = both_roots(lr, beta)
            factor = spectral_radius(lr, beta)
            t = np.arange(STEPS + 1)
            ball.set_data(t, np.clip(ws, -1e3, 1e3))
            for edge, sign in zip(edges, (1, -1), strict=True):
                edge.set_data(t, np.clip(sign * factor**t, -1e3, 1e3))
            inner.set_data(*np.sqrt(beta) * circle)
            dots.set_data(roots.real, roots.imag)
            critical = (1 - np.sqrt(lr)) ** 2
            settings.set_text(f"lr × curvature {lr:.3g}   beta {beta:.3g}   critical beta {critical:.3g}")
            return f"{damping(lr, beta)} Factor per step in the long run: {factor:.3f}."

        return move

    ranges = {"lr": (0.002, 5.0), "beta": (0.0, 0.99)}
    return Scene(build, {"lr": 0.1, "beta": 0.9}, ranges=ranges)


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

    Knobs: lr and beta. The velocity is drawn as lr·m, the last move with its sign turned. Right: w and
    lr·m against the step.
    """

    def build(figure):
        left = figure.add_axes((0.08, 0.135, 0.4, 0.77), xlim=(-1.6, 1.6), ylim=(-1.6, 1.6))
        left.set(xlabel="w", ylabel="lr·m")
        right = figure.add_axes((0.575, 0.135, 0.405, 0.77), xlim=(0, STEPS), ylim=(-1.6, 1.6))
        right.set(xlabel="step")
        for line in (left.axhline, left.axvline, right.axhline):
            line(0, color="#c5cdd5", linewidth=1)
        walk = left.plot([], [], animated=True, **BALL | {"markersize": 3.5, "linewidth": 1})[0]
        left.plot([1], [0], "o", color="#222222", markersize=7)
        left.annotate("start", (1, 0), (1.05, 0.1))
        place = right.plot([], [], label="w", animated=True, **BALL | {"markersize": 3, "linewidth": 1.2})[0]
        velocity = right.plot([], [], color=PUSH, linestyle="--", label="lr·m", animated=True)[0]
        right.legend(loc="upper right", fontsize=9)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta):
            run = record(momentum, lambda w: w, np.ones(1), STEPS, lr=lr, beta=beta)
            w, v = (np.clip(values[:, 0], -1e3, 1e3) for values in (run["w"], lr * run["m"]))
            walk.set_data(w, v)
            place.set_data(np.arange(STEPS + 1), w)
            velocity.set_data(np.arange(STEPS + 1), v)
            settings.set_text(f"lr × curvature {lr:.3g}   beta {beta:.3g}")
            root = both_roots(lr, beta)[0]
            shrinks = f"{abs(root):.3f}" if abs(root.imag) > 1e-9 else f"{spectral_radius(lr, beta):.3f}"
            if abs(root.imag) > 1e-9:
                turn = 2 * np.pi / abs(np.angle(root))
                return (
                    f"A spiral: once round in {turn:.3g} steps; the size is multiplied by {shrinks} in each."
                )
            return f"No spiral: two real roots. The size is multiplied by {shrinks} per step in the long run."

        return move

    ranges = {"lr": (0.002, 4.0), "beta": (0.0, 0.99)}
    return Scene(build, {"lr": 0.1, "beta": 0.9}, ranges=ranges)


def spectrum(curvatures=CURVATURES, steps=120):
    """Return the scene of one walk over many curvatures at once: the error in each direction, and their sum.

    curvatures: one direction each, with a start of 1.  Knobs: lr and beta. Right: the factor per step in the
    long run against the curvature.
    """
    colours = look_up(np.linspace(0, 1, len(curvatures)))

    def build(figure):
        left = figure.add_axes((0.08, 0.135, 0.5, 0.77), xlim=(0, steps), ylim=(1e-6, 30), yscale="log")
        left.set(xlabel="step", ylabel="distance in each direction")
        right = figure.add_axes((0.665, 0.135, 0.315, 0.77), xscale="log", ylim=(0, 1.1))
        right.set(xlim=(curvatures[0] / 1.5, curvatures[-1] * 1.5), xlabel="curvature")
        right.set_ylabel("factor per step")
        right.axhline(1, color=ALERT, linewidth=1.5)
        lines = [left.plot([], [], color=c, linewidth=1.3, animated=True)[0] for c in colours]
        total = left.plot([], [], color="#222222", linewidth=2.4, animated=True, label="all together")[0]
        left.legend(loc="upper right", fontsize=9)
        along = np.geomspace(curvatures[0] / 1.5, curvatures[-1] * 1.5, 200)
        curve = right.plot([], [], color="#7f9dbb", animated=True)[0]
        dots = right.scatter(curvatures, 0 * curvatures, c=colours, s=45, zorder=3, animated=True)
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta):
            ws = path(momentum, lambda w: curvatures * w, np.ones(len(curvatures)), steps, lr=lr, beta=beta)
            t = np.arange(steps + 1)
            for line, w in zip(lines, np.abs(ws.T), strict=True):
                line.set_data(t, np.clip(w, 1e-9, 1e6))
            total.set_data(t, np.clip(np.linalg.norm(ws, axis=-1), 1e-9, 1e6))
            factors = spectral_radius(lr * curvatures, beta)
            curve.set_data(along, np.minimum(spectral_radius(lr * along, beta), 2))
            dots.set_offsets(np.stack([curvatures, np.minimum(factors, 2)], axis=-1))
            settings.set_text(f"lr {lr:.3g}   beta {beta:.3g}")
            if factors.max() >= 1:
                return f"The direction of curvature {curvatures[factors.argmax()]:.2g} does not shrink."
            if np.ptp(factors) < 1e-3:
                return f"All {len(curvatures)} directions have the same factor, {factors[0]:.3f}."
            slow, fast = factors.argmax(), factors.argmin()
            return (
                f"Slowest: curvature {curvatures[slow]:.2g}, factor {factors[slow]:.3f}; "
                f"fastest: curvature {curvatures[fast]:.2g}, factor {factors[fast]:.3f}."
            )

        return move

    return Scene(build, {"lr": 1.0, "beta": 0.0}, ranges={"lr": (0.02, 4.0), "beta": (0.0, 0.99)})


def look_up(shares):
    """Return colours from the flattest (blue) to the steepest direction (red), told apart in grey too."""
    flat, steep = (np.array(matplotlib.colors.to_rgb(name)) for name in ("#9fc5e8", STEEP))
    return [tuple(flat + share * (steep - flat)) for share in shares]


def valley_walks(*rules):
    """Return the scene of rules on the convex valley of Lessard, Recht and Packard, minimum at 0.

    rules: momentum, nesterov, ... Knobs: lr, beta and start. Left: the last 30 of 120 steps, in the valley.
    """
    count = 120

    def build(figure):
        left = figure.add_axes((0.07, 0.135, 0.36, 0.77), xlim=(-5, 5), ylim=(-25, 330))
        left.set(xlabel="w", ylabel="loss")
        right = figure.add_axes((0.52, 0.135, 0.46, 0.77), xlim=(0, count), ylim=(-6, 6), xlabel="step")
        right.set_ylabel("w")
        w = np.linspace(-5, 5, 400)
        left.plot(w, valley_height(w), color="#7f9dbb")
        for bend in (1, 2):
            left.axvline(bend, color="#c5cdd5", linewidth=1)
            right.axhline(bend, color="#c5cdd5", linewidth=1)
        right.axhline(0, color="#c5cdd5", linewidth=1)
        left.set_title(f"where it is in steps {count - 30} to {count}", fontsize=10)
        lines = []
        for rule in rules:
            style = rule_style(rule) | {"animated": True, "label": rule_label(rule), "linewidth": 1.2}
            large, small = (style | {"markersize": size} for size in (7, 3))
            lines.append((left.plot([], [], **large)[0], right.plot([], [], **small)[0]))
        if len(rules) > 1:
            right.legend(loc="upper right", fontsize=9)
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta, start):
            said = []
            for rule, (where, walk) in zip(rules, lines, strict=True):
                ws = path(rule, lessard_recht_packard, np.array([start]), count, lr=lr, beta=beta)[:, 0]
                walk.set_data(np.arange(count + 1), np.clip(ws, -1e3, 1e3))
                late = np.clip(ws[-31:], -1e2, 1e2)
                where.set_data(late, valley_height(late))
                said.append(f"{rule_label(rule).capitalize()}: {_fate(ws)}")
            settings.set_text(f"lr {lr:.4g}   beta {beta:.3g}   start {start:.3g}")
            return " ".join(said)

        return move

    ranges = {"lr": (0.01, 0.16), "beta": (0.0, 0.95), "start": (-5.0, 5.0)}
    knobs = {"lr": 1 / 9, "beta": 4 / 9, "start": 3.3}
    return Scene(build, knobs, ranges=ranges, handles=(Handle(0, "start", None),))


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
    figure = new_figure((9.6, 2.8))
    with look():
        axes = figure.subplots(1, len(runs))
        figure.subplots_adjust(0.075, 0.2, 0.99, 0.88, wspace=0.42)
        for ax, (name, w) in zip(axes, runs.items(), strict=True):
            ax.axhline(0, color="#c5cdd5", linewidth=1)
            ax.plot(w, color=BALL["color"], marker="s", markersize=2.5, linewidth=1)
            ax.set(title=name, xlabel="step")
        axes[0].set_ylabel("w")
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
