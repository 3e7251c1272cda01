"""The pictures of lesson 05: three forms as arrows, two rules side by side, their limits, the guarantee."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from optim_lessons import momentum as heavy_ball
from optim_lessons import nesterov as look_ahead
from optim_lessons.bridge import look_behind
from optim_lessons.gradient_descent import contraction, gradient_descent
from optim_lessons.lab.live import Scene
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import (
    ALERT,
    Picture,
    height_bands,
    height_map,
    look,
    new_figure,
    path_line,
    rule_style,
    set_loss,
    set_path,
)
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.pictures.gradient_descent import FLAT, STEEP

VELOCITY, GRADIENT = "#d55e00", STEEP  # as in the picture of lesson 04
RULES = {"gradient descent": gradient_descent, "heavy ball": momentum, "Nesterov": nesterov}
LIMITS = {
    "gradient descent": lambda beta: 2 + 0 * beta,
    "heavy ball": lambda beta: 2 * (1 + beta),
    "Nesterov": lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
}
FACTORS = {
    "gradient descent": lambda x, beta: contraction(x, 1.0) + 0 * beta,
    "heavy ball": heavy_ball.spectral_radius,
    "Nesterov": look_ahead.spectral_radius,
}
FORMS = ("heavy ball", "look-ahead form", "this course's form")


def arrows():
    """Return the scene of one step in three forms: where each takes its gradient, as arrows.

    The ravine has the curvatures 1 and 1/5. Knobs: lr, beta and step (the step that is drawn).
    """
    ravine = quadratic(condition=5.0)
    box = (-4.6, 1.8), (-1.9, 1.9)

    def build(figure):
        axes = [figure.add_axes((left, 0.22, 0.29, 0.63)) for left in (0.075, 0.39, 0.705)]
        panels = [_arrow_panel(ax, ravine, box, form) for ax, form in zip(axes, FORMS, strict=True)]
        axes[0].set_ylabel("w[1]")
        settings = axes[1].text(
            0.5, 1.14, "", transform=axes[1].transAxes, ha="center", fontsize=10, clip_on=False, animated=True
        )
        figure.legend(handles=_arrow_keys(), loc="lower center", ncols=5, fontsize=9)

        def move(*, lr, beta, step):
            drawn = three_forms(ravine, lr, beta, step)
            for panel, form in zip(panels, FORMS, strict=True):
                _set_arrows(panel, drawn[form], box)
            settings.set_text(f"lr {lr:.3g}   beta {beta:.3g}   step {step}")
            ball, ahead = drawn[FORMS[0]], drawn[FORMS[1]]
            angle = _angle(ravine.grad(ball["gradient_at"]), ravine.grad(ahead["gradient_at"]))
            slopes = f"At step {step} the heavy ball's gradient is taken at {_point(ball['gradient_at'])}"
            return (
                f"{slopes}, Nesterov's at {_point(ahead['gradient_at'])}, in both of its forms. "
                f"The two gradients differ by {angle:.0f} degrees."
            )

        return move

    knobs = {"lr": 0.5, "beta": 0.9, "step": 3}
    ranges = {"lr": (0.05, 1.2), "beta": (0.0, 0.95), "step": (1, 15)}
    return Scene(build, knobs, ranges=ranges, size=(10.8, 3.9))


def three_forms(landscape, lr, beta, step):
    """Return what each form does in one step: dict form → points.

    start, gradient_at, end: where the step begins, where the gradient is taken, where it ends.
    corner: between its two arrows.  past: where it was before.  other: the points of the look-ahead form.
    """
    ball = record(momentum, landscape.grad, landscape.start, step, lr=lr, beta=beta)
    ours = record(nesterov, landscape.grad, landscape.start, step, lr=lr, beta=beta)
    behind = look_behind(ours["w"], -lr * ours["m"], beta=beta)
    w, t = ball["w"], step - 1
    ahead = ours["w"]
    rolled = w[t] - lr * beta * ball["m"][t]
    corners = {FORMS[0]: rolled, FORMS[1]: ahead[t], FORMS[2]: behind[step]}
    walks = {FORMS[0]: w, FORMS[1]: behind, FORMS[2]: ahead}
    gradient_at = {FORMS[0]: w[t], FORMS[1]: ahead[t], FORMS[2]: ahead[t]}
    return {
        form: {
            "past": walks[form][:step],
            "start": walks[form][t],
            "corner": corners[form],
            "end": walks[form][step],
            "other": behind,
            "gradient_at": gradient_at[form],
        }
        for form in FORMS
    }


def _arrow_panel(ax, ravine, box, form):
    height_map(ax, ravine)
    ax.set(xlim=box[0], ylim=box[1], ylabel="", title=form)
    if form != FORMS[0]:
        ax.tick_params(labelleft=False)
    style = rule_style(momentum if form == FORMS[0] else nesterov)
    past = ax.plot([], [], animated=True, **style | {"linewidth": 1, "markersize": 4, "alpha": 0.8})[0]
    ring = ax.plot([], [], "o", markersize=15, fillstyle="none", color="#111111", animated=True, zorder=4)[0]
    end = ax.plot([], [], animated=True, zorder=5, **style | {"linestyle": "", "markersize": 9})[0]
    first_is_velocity = form != FORMS[2]
    both = [
        _arrow(ax, VELOCITY if velocity == first_is_velocity else GRADIENT, velocity == first_is_velocity)
        for velocity in (True, False)
    ]
    ghost = None
    if form == FORMS[2]:
        ghost = ax.plot([], [], "D", fillstyle="none", color="#333333", markersize=5, animated=True)[0]
    return past, ring, end, both, ghost


def _arrow(ax, colour, velocity):
    arrow = FancyArrowPatch(
        (0, 0),
        (0, 0),
        arrowstyle="-|>",
        mutation_scale=13,
        shrinkA=0,
        shrinkB=0,
        color=colour,
        linewidth=3.2 if velocity else 1.8,
        animated=True,
        zorder=6,
    )
    return ax.add_patch(arrow)


def _arrow_keys():
    ring = Line2D([], [], marker="o", markersize=11, fillstyle="none", linestyle="", color="#111111")
    ring.set_label("here the gradient is taken")
    velocity = Line2D([], [], color=VELOCITY, linewidth=3.2, label="β · velocity")
    gradient = Line2D([], [], color=GRADIENT, linewidth=1.8, label="−lr · gradient")
    end = Line2D([], [], marker="D", linestyle="", color="#666666", label="the step ends here")
    ghost = Line2D([], [], marker="D", fillstyle="none", linestyle="", color="#333333")
    ghost.set_label("points of the look-ahead form")
    return [velocity, gradient, ring, end, ghost]


def _set_arrows(panel, points, box):
    past, ring, end, (first, second), ghost = panel
    if ghost is not None:
        ghost.set_data(*points["other"].T)
    past.set_data(*np.vstack([points["past"], points["start"]]).T)
    ring.set_data(*points["gradient_at"][:, None])
    end.set_data(*points["end"][:, None])
    for arrow, a, b in ((first, "start", "corner"), (second, "corner", "end")):
        a, b = points[a], points[b]
        arrow.set_visible(bool(np.linalg.norm(b - a) > 0.02))
        arrow.set_positions(a, b)


def _angle(a, b):
    cosine = (a @ b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _point(w):
    return f"({w[0]:.2f}, {w[1]:.2f})"


def cycle():
    """Return the scene of heavy ball and Nesterov on the function where the heavy ball may cycle for ever.

    Each has its own lr and beta: heavy ball those that are best for a quadratic of the same curvatures, 1
    to 25; Nesterov those that come with a proof, 1/L. Knobs: start, and lr_scale, which multiplies both lr.
    """
    own = {momentum: heavy_ball.best_lr_and_beta(1, 25), nesterov: (1 / 25, 2 / 3)}
    steps = 60

    def build(figure):
        left = figure.add_axes((0.075, 0.135, 0.42, 0.77), xlim=(0, steps), ylim=(-4.4, 4.4))
        right = figure.add_axes((0.595, 0.135, 0.39, 0.77), xlim=(0, steps), ylim=(1e-9, 1e3), yscale="log")
        left.set(xlabel="step", ylabel="w")
        right.set(xlabel="step", ylabel="distance to the minimum |w|")
        left.axhspan(1, 2, color="#e8eef4", zorder=0)
        right.set_title("pale band: curvature 1; elsewhere 25", fontsize=10)
        left.axhline(0, color="#c5cdd5", linewidth=1)
        lines = [_two_lines(rule, left, right) for rule in own]
        right.legend(loc="upper right")
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, start, lr_scale):
            said = []
            for (rule, (lr, beta)), (walk, distance) in zip(own.items(), lines, strict=True):
                ws = path(rule, lessard_recht_packard, np.array([start]), steps, lr=lr_scale * lr, beta=beta)
                ws = ws[:, 0]
                _set_walk(walk, ws)
                set_loss(distance, np.abs(ws))
                said.append(f"{_name(rule)} {how_it_ends(ws)}")
            settings.set_text(f"start {start:.3g}   lr scale {lr_scale:.3g}")
            return f"After {steps} steps: {said[0]}; {said[1]}."

        return move

    knobs = {"start": 3.3, "lr_scale": 1.0}
    return Scene(build, knobs, ranges={"start": (-4.0, 4.0), "lr_scale": (0.3, 1.6)})


def how_it_ends(ws):
    """Say in words how a walk along one axis, shape (steps + 1,), ends."""
    if not np.isfinite(ws[-1]) or abs(ws[-1]) > 1e3:
        return "has flown away"
    if abs(ws[-1]) < 1e-6:
        return "is at the minimum"
    for period in (1, 2, 3, 4, 5, 6):
        if abs(ws[-1] - ws[-1 - period]) < 1e-4 * abs(ws[-1]):
            places = ", ".join(f"{w:.2f}" for w in np.sort(ws[-period:]))
            return f"goes round for ever: {places}"
    return f"is at {ws[-1]:.2g}"


def _name(rule):
    return next(name for name, known in RULES.items() if known is rule)


def _set_walk(line, ws):
    """Show one coordinate against the step, up to and with the first value that leaves the picture."""
    low, high = line.axes.get_ylim()
    gone = np.flatnonzero(~((ws >= low) & (ws <= high)))
    seen = ws[: gone[0] + 1] if gone.size else ws
    seen = np.clip(seen[np.isfinite(seen)], 9 * low, 9 * high)
    line.set_data(np.arange(len(seen)), seen)


def _two_lines(rule, left, right):
    """Add a rule's line to the left and to the right axes; return both."""
    look = rule_style(rule) | {"markersize": 3, "linewidth": 1.4, "animated": True}
    return left.plot([], [], **look)[0], right.plot([], [], label=_name(rule), **look)[0]


def side_by_side():
    """Return the scene of heavy ball and Nesterov in the ravine, at the same lr and beta.

    Left their paths, right the steep and the flat coordinate of each. The curvatures are 1 and
    1/condition. Knobs: lr, beta and condition.
    """
    steps = 80

    def build(figure):
        above = figure.add_axes((0.065, 0.125, 0.43, 0.785))
        steep = figure.add_axes((0.59, 0.565, 0.4, 0.345), xlim=(0, steps), ylim=(-1.9, 1.9))
        flat = figure.add_axes((0.59, 0.125, 0.4, 0.345), xlim=(0, steps), ylim=(-4.8, 6.8))
        steep.set_ylabel("steep coordinate")
        flat.set(ylabel="flat coordinate", xlabel="step")
        steep.tick_params(labelbottom=False)
        for ax in (steep, flat):
            ax.axhline(0, color="#c5cdd5", linewidth=1)
        shown = [10.0, quadratic(condition=10.0)]
        ground = height_map(above, shown[1], animated=True)
        lines = {
            rule: (path_line(above, rule, animated=True), *_two_lines(rule, steep, flat))
            for rule in (momentum, nesterov)
        }
        flat.legend(handles=[line for *_, line in lines.values()], loc="upper right", ncols=2)
        settings = above.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta, condition):
            if condition != shown[0]:
                shown[:] = condition, quadratic(condition=condition)
                ground.set_data(height_bands(shown[1]))
            ravine, said = shown[1], []
            for rule, (walk, *coordinates) in lines.items():
                ws = path(rule, ravine.grad, ravine.start, steps, lr=lr, beta=beta)
                set_path(walk, ws, ravine.box)
                for line, values in zip(coordinates, (ws[:, 1], ws[:, 0]), strict=True):
                    _set_walk(line, values)
                factor = FACTORS[_name(rule)]
                both = float(factor(lr, beta)), float(factor(lr / condition, beta))
                said.append(f"{_name(rule)}: steep {both[0]:.3f}, flat {both[1]:.3f}{_grows(both)}")
            settings.set_text(f"lr {lr:.3g}   beta {beta:.3g}   condition {condition:.3g}")
            return f"Factor per step in the long run. {said[0]}. {said[1]}."

        return move

    knobs = {"lr": 0.5, "beta": 0.9, "condition": 30.0}
    ranges = {"lr": (0.01, 4.0), "beta": (0.0, 0.99), "condition": (1.0, 300.0)}
    return Scene(build, knobs, ranges=ranges, size=(9.6, 4.4))


def _grows(factors):
    return " (diverges)" if max(factors) > 1 else ""


def factor_against_curvature():
    """Return the scene of the three rules' factor per step against lr·curvature, and their limits.

    Knobs: beta, and lr (times curvature), the place where the factors are read off.
    """

    def build(figure):
        ax = figure.add_axes((0.075, 0.14, 0.905, 0.76), xlim=(0, 4.2), ylim=(0, 1.35))
        ax.set(xlabel="lr × curvature", ylabel="factor per step")
        ax.axhline(1, color=ALERT, linewidth=1, linestyle="--")
        ax.axhspan(1, 1.35, color=ALERT, alpha=0.08)
        x = np.linspace(0, 4.2, 841)
        lines, limits, dots = {}, {}, {}
        for name, rule in RULES.items():
            style = rule_style(rule)
            plain = style | {"marker": "", "animated": True}
            lines[name] = ax.plot([], [], label=name, **plain)[0]
            dots[name] = ax.plot([], [], animated=True, **style | {"linestyle": "", "markersize": 9})[0]
            limits[name] = ax.plot([], [], animated=True, **style | {"linestyle": "", "markersize": 12})[0]
            limits[name].set(fillstyle="none", markeredgewidth=2)
        now = ax.axvline(0, color="#888888", linewidth=1, animated=True)
        open_marker = Line2D(
            [], [], marker="o", markersize=11, fillstyle="none", linestyle="", color="#444444"
        )
        open_marker.set_label("its limit")
        ax.legend(handles=[*lines.values(), open_marker], loc="lower right")
        ax.text(0.05, 1.29, "above 1: diverges", va="top", fontsize=9)
        settings = ax.set_title("", fontsize=10, animated=True)

        def move(*, beta, lr):
            for name in RULES:
                limit = LIMITS[name](beta)
                lines[name].set_data(x, FACTORS[name](x, beta))
                dots[name].set_data([lr], [min(float(FACTORS[name](lr, beta)), 1.33)])
                limits[name].set_data([limit], [1.0])
            now.set_xdata([lr, lr])
            read = ", ".join(f"{name} {float(FACTORS[name](lr, beta)):.3f}" for name in RULES)
            ends = ", ".join(f"{name} {float(LIMITS[name](beta)):.3f}" for name in RULES)
            settings.set_text(f"beta {beta:.3g}   lr × curvature {lr:.3g}")
            return f"At lr × curvature = {lr:.3g}: {read}. Limits: {ends}."

        return move

    ranges = {"beta": (0.0, 0.99), "lr": (0.01, 4.0)}
    return Scene(build, {"beta": 0.9, "lr": 0.5}, ranges=ranges)


def limits_against_beta():
    """Return the still picture of the largest lr·L of each rule against beta."""
    figure = new_figure((9.6, 3.4))
    beta = np.linspace(0, 1, 101)
    with look():
        ax = figure.add_axes((0.075, 0.16, 0.72, 0.74))
        for name, rule in RULES.items():
            ax.plot(beta, LIMITS[name](beta), **rule_style(rule) | {"marker": ""})
            ax.text(1.02, LIMITS[name](1.0), name, color=rule_style(rule)["color"], va="center")
        ax.set(xlim=(0, 1), ylim=(0, 4.3), xlabel="beta", ylabel="largest lr × L")
        ax.set_title("Below its line a rule converges on quadratics")
    ends = ", ".join(f"{name} {LIMITS[name](1.0):.3g}" for name in RULES)
    return Picture(figure, f"All three limits are 2 at beta = 0. Towards beta = 1 they go to: {ends}.")


CHAIN = 100  # weights of the chain


def chain():
    """Return f − minimum, gradient, the minimum and L of the chain: 100 weights, each tied to the next.

    f = ½·(w₁² + Σ (wᵢ − wᵢ₊₁)² + w₁₀₀²) − w₁. Source: Nesterov 2018, section 2.1.2.
    """
    A = 2 * np.eye(CHAIN) - np.eye(CHAIN, k=1) - np.eye(CHAIN, k=-1)
    pull = np.eye(CHAIN)[0]
    best = np.linalg.solve(A, pull)

    def above(w):
        return 0.5 * ((w - best) @ A * (w - best)).sum(axis=-1)

    return above, lambda w: w @ A - pull, best, 4.0


def unreachable(steps):
    """Return the chain's f − minimum that no rule can fall below, which moves in the span of its gradients.

    After t steps only the first t weights can have moved; best for them is a chain of t weights.
    """
    t = np.minimum(steps, CHAIN)
    return 0.5 * (CHAIN / (CHAIN + 1) - t / (t + 1))


def growing(t):
    """Return the beta of the 1983 guarantee at step t = 0, 1, ...: t/(t + 3)."""
    return t / (t + 3)


def guarantee():
    """Return the scene of the chain: gradient descent, Nesterov at constant and at growing beta, the bounds.

    Knobs: lr (L is 4: the guarantee holds up to 1/4) and beta (of the constant one).
    """
    steps = 90
    above, grad, best, L = chain()
    t = np.arange(1, steps + 1)
    size = best @ best

    def build(figure):
        ax = figure.add_axes((0.085, 0.135, 0.56, 0.77), xscale="log", yscale="log")
        ax.set(xlim=(1, steps), ylim=(4e-4, 20), xlabel="step", ylabel="loss − minimum")
        ax.fill_between(t, 1e-9, unreachable(t), color="#d9d9d9", label="no rule gets here")
        looks = {
            "gradient descent": rule_style(gradient_descent) | {"marker": ""},
            "constant beta": rule_style(nesterov) | {"marker": "", "linestyle": ":"},
            "beta = t/(t + 3)": rule_style(nesterov) | {"marker": ""},
        }
        lines = [ax.plot([], [], animated=True, label=name, **style)[0] for name, style in looks.items()]
        bound = ax.plot([], [], color="#444444", linewidth=6, alpha=0.25, animated=True)[0]
        bound.set_label("the promise")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        settings = ax.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta):
            betas = lambda t: np.array([[0.0], [beta], [growing(t)]])  # noqa: E731
            ws = path(nesterov, grad, np.zeros((3, CHAIN)), steps, lr=lr, beta=betas)
            losses = above(ws)[1:].T
            for line, loss in zip(lines, losses, strict=True):
                line.set_data(t, np.clip(loss, 1e-9, 1e9))
            held = lr <= 1 / L
            bound.set_data(t, 2 * size / (lr * (t + 1) ** 2))
            bound.set_visible(held)
            settings.set_text(f"lr {lr:.3g}   constant beta {beta:.3g}")
            ends = ", ".join(f"{n} {loss[-1]:.2g}" for n, loss in zip(looks, losses, strict=True))
            promise = (
                f"the promise {2 * size / (lr * (steps + 1) ** 2):.2g}" if held else "no promise above 1/L"
            )
            return f"Loss above the minimum after {steps} steps: {ends}; {promise}."

        return move

    return Scene(build, {"lr": 0.25, "beta": 0.9}, ranges={"lr": (0.02, 0.4), "beta": (0.0, 0.99)})


def noise(batches, lrs, steps, gaps):
    """Return the scene of the same three rules on real data, with all examples or with few in each step.

    batches: examples per step.  lrs: learning rates.  steps: where the loss was measured, shape (m,).
    gaps: label → loss above the minimum, shape (len(batches), m, len(lrs)); labels begin with a rule's name.
    Knobs: batch and lr.
    """
    batches, choices = [int(b) for b in batches], [float(lr) for lr in lrs]

    def build(figure):
        ax = figure.add_axes((0.085, 0.135, 0.6, 0.77), yscale="log")
        ax.set(xlim=(0, steps[-1]), ylim=(3e-6, 40), xlabel="step", ylabel="loss − minimum")
        lines = {}
        for label in gaps:
            name = next(name for name in RULES if label.startswith(name))
            style = rule_style(RULES[name]) | {"markersize": 3.5, "linewidth": 1.4}
            lines[label] = ax.plot([], [], label=label, animated=True, **style)[0]
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        settings = ax.set_title("", fontsize=10, animated=True)

        def move(*, batch, lr):
            ends = {}
            for label, line in lines.items():
                gap = gaps[label][batches.index(batch), :, choices.index(lr)]
                line.set_data(steps, np.clip(gap, 1e-9, 1e9))
                ends[label] = gap[-1]
            settings.set_text(f"batch {batch}   lr {lr:g}")
            order = ", ".join(f"{label} {ends[label]:.2g}" for label in sorted(ends, key=ends.get))
            return f"Loss above the minimum after {steps[-1]} steps, best first: {order}."

        return move

    return Scene(build, {"batch": batches[-1], "lr": choices[-1]})


def four_runs(runs):
    """Return the still picture of the runs to diagnose: steep and flat coordinate against the step.

    runs: dict name → dict with "steep" and "flat", each one number per step.
    """
    figure = new_figure((9.6, 4.6))
    with look():
        axes = figure.subplots(2, len(runs), sharex=True, sharey="row")
        figure.subplots_adjust(0.08, 0.12, 0.99, 0.93, wspace=0.12, hspace=0.15)
        for column, (name, run) in zip(axes.T, runs.items(), strict=True):
            column[0].plot(run["steep"], "o-", color=STEEP, markersize=3, linewidth=1)
            column[1].plot(run["flat"], "s-", color=FLAT, markersize=3, linewidth=1)
            column[0].set(title=name, ylim=(-2.2, 2.2))
            column[1].set(xlabel="step", ylim=(-4.6, 4.6))
            for ax in column:
                ax.axhline(0, color="#c5cdd5", linewidth=1, zorder=0)
        axes[0, 0].set_ylabel("steep coordinate")
        axes[1, 0].set_ylabel("flat coordinate")
    ends = "; ".join(
        f"{name}: steep {run['steep'][-1]:.2g}, flat {run['flat'][-1]:.2g}" for name, run in runs.items()
    )
    return Picture(figure, f"Four runs, their coordinates at the end. {ends}.")


def learned(shares, parts):
    """Return the still picture of how far each weight has come, against how often its feature is there.

    shares: of the examples with the feature, shape (k,).  parts: label → part of the way, shape (k,).
    """
    figure = new_figure((9.6, 3.6))
    with look():
        ax = figure.add_axes((0.085, 0.15, 0.9, 0.75))
        looks = ((rule_style(nesterov)["color"], "D"), ("#5b7389", "o"))
        for (label, part), (colour, marker) in zip(parts.items(), looks, strict=False):
            ax.plot(shares, part, marker, color=colour, markersize=5, alpha=0.75, label=label)
        ax.axhline(1, color="#444444", linewidth=1, linestyle="--")
        ax.set(xscale="log", ylim=(-0.4, 2), xlabel="share of the examples that have the feature")
        ax.set(
            ylabel="part of the way", title="Each dot is one weight; 1 is where it ends when trained for long"
        )
        ax.legend(loc="upper left", ncols=2)
    return Picture(
        figure,
        "Median part of the way, rarest fifth and commonest fifth of the features. "
        + "; ".join(f"{label}: {_fifths(shares, part)}" for label, part in parts.items())
        + ".",
    )


def _fifths(shares, part):
    order, n = np.argsort(shares), len(shares) // 5
    return f"{np.median(part[order[:n]]):.2f} and {np.median(part[order[-n:]]):.2f}"
