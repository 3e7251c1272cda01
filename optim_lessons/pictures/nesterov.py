"""The pictures of lesson 05: three forms as arrows, two rules side by side, their limits, the guarantee."""

from functools import lru_cache

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from optim_lessons import momentum as heavy_ball
from optim_lessons import nesterov as look_ahead
from optim_lessons.bridge import look_behind
from optim_lessons.gradient_descent import contraction, gradient_descent

from optim_lessons.lab.panels import (  # isort: skip
    KNOBS, Mark, Panel, Shown, band, dots, from_above, knob, level, line, log, note, picture, plain, step,
    upright, walk,
)  # fmt: skip
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import ALERT, Picture, columns, look, new_figure, rule_style
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.pictures.gradient_descent import FLAT, QUIET, STEEP

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
THIN = {"markersize": 3, "linewidth": 1.4}
OPEN = {"markersize": 12, "fillstyle": "none", "markeredgewidth": 2}
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0)}
FAR = (1e-9, 1e9)
_ravine = lru_cache(maxsize=8)(quadratic)
FORMS = ("heavy ball", "look-ahead form", "this course's form")


def arrows():
    """Return the scene of one step in three forms: where each takes its gradient, as arrows.

    The ravine has the curvatures 1 and 1/5. step: the one that is drawn.
    """
    ravine = quadratic(condition=5.0)

    def show(*, lr, beta, step):
        forms, data = three_forms(ravine, lr, beta, step), {}
        for form, points in forms.items():
            data[f"past, {form}"] = np.vstack([points["past"], points["start"]])
            data |= {f"{name}, {form}": points[name][None] for name in ("gradient_at", "end")}
            data[f"first, {form}"], data[f"second, {form}"] = (
                (points[a], points[b]) for a, b in (("start", "corner"), ("corner", "end"))
            )
        data["other"] = forms[FORMS[2]]["other"]
        at = [forms[form]["gradient_at"] for form in FORMS[:2]]
        told = f"At step {step} the heavy ball's gradient is taken at {_point(at[0])}, "
        told += f"Nesterov's at {_point(at[1])}, in both of its forms. The two gradients differ by "
        settings = f"lr {lr:.3g}   beta {beta:.3g}   step {step}"
        return Shown(f"{told}{_angle(*map(ravine.grad, at)):.0f} degrees.", settings=settings, **data)

    panels = [
        _arrow_panel(ravine, form, left) for form, left in zip(FORMS, (0.075, 0.39, 0.705), strict=True)
    ]
    panels[0].add(
        keys=lambda ax: ax.figure.legend(handles=_arrow_keys(), loc="lower center", ncols=5, fontsize=9)
    )
    panels[1].add(settings=Mark(_settings, lambda text, words: text.set_text(words)))
    knobs = {"lr": knob(0.5, 0.05, 1.2), "beta": knob(0.9, 0.0, 0.95), "step": knob(3, 1, 15)}
    return picture(panels, show, figsize=(10.8, 3.9), **knobs)


def _settings(ax, **options):
    place = {"transform": ax.transAxes, "ha": "center", "clip_on": False}
    return ax.text(0.5, 1.14, "", fontsize=10, **place | options)


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


def _arrow_panel(ravine, form, left):
    """Return the panel of one form: its points so far, the place of its gradient, its two arrows, its end."""
    panel = from_above((left, 0.22, 0.29, 0.63), ravine, form)

    def fit(ax):
        ax.set(xlim=(-4.6, 1.8), ylim=(-1.9, 1.9), ylabel="w[1]" if form == FORMS[0] else "")
        ax.tick_params(labelleft=form == FORMS[0])

    rule, looks = momentum if form == FORMS[0] else nesterov, [(VELOCITY, 3.2), (GRADIENT, 1.8)]
    first, second = looks if form != FORMS[2] else looks[::-1]
    panel.add(fit=fit, **{f"past, {form}": line(rule, linewidth=1, markersize=4, alpha=0.8)})
    panel.add(**{f"gradient_at, {form}": dots("#111111", size=15, fillstyle="none", zorder=4)})
    panel.add(**{f"end, {form}": line(rule, zorder=5, linestyle="", markersize=9)})
    panel.add(**{f"first, {form}": _arrow(*first), f"second, {form}": _arrow(*second)})
    if form == FORMS[2]:
        panel.add(other=dots("#333333", marker="D", size=5, fillstyle="none"))
    return panel


def _arrow(colour, width):
    """Return the mark of an arrow between two points, which is left out where they are nearly one."""
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "shrinkA": 0, "shrinkB": 0, "zorder": 6}
    look |= {"color": colour, "linewidth": width}

    def put(arrow, ends):
        arrow.set_visible(bool(np.linalg.norm(ends[1] - ends[0]) > 0.02))
        arrow.set_positions(*ends)

    return Mark(lambda ax, **more: ax.add_patch(FancyArrowPatch((0, 0), (0, 0), **look | more)), put)


def _arrow_keys():
    ring = Line2D([], [], marker="o", markersize=11, fillstyle="none", linestyle="", color="#111111")
    ring.set_label("here the gradient is taken")
    velocity = Line2D([], [], color=VELOCITY, linewidth=3.2, label="β · velocity")
    gradient = Line2D([], [], color=GRADIENT, linewidth=1.8, label="−lr · gradient")
    end = Line2D([], [], marker="D", linestyle="", color="#666666", label="the step ends here")
    ghost = Line2D([], [], marker="D", fillstyle="none", linestyle="", color="#333333")
    ghost.set_label("points of the look-ahead form")
    return [velocity, gradient, ring, end, ghost]


def _angle(a, b):
    cosine = (a @ b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _point(w):
    return f"({w[0]:.2f}, {w[1]:.2f})"


def cycle():
    """Return the scene of heavy ball and Nesterov on the function where the heavy ball may cycle for ever.

    Each has its own lr and beta: heavy ball those that are best for a quadratic of the same curvatures, 1
    to 25; Nesterov those that come with a proof, 1/L. lr_scale multiplies both lr.
    """
    own = {momentum: heavy_ball.best_lr_and_beta(1, 25), nesterov: (1 / 25, 2 / 3)}
    steps = 60

    def show(*, start, lr_scale):
        data, said = {}, []
        for rule, (lr, beta) in own.items():
            ws = path(rule, lessard_recht_packard, np.array([start]), steps, lr=lr_scale * lr, beta=beta)[
                :, 0
            ]
            data |= {_name(rule): ws, f"distance of {_name(rule)}": np.abs(ws)}
            said.append(f"{_name(rule)} {how_it_ends(ws)}")
        return Shown(f"After {steps} steps: {said[0]}; {said[1]}.", **data)

    told = "start {start:.3g}   lr scale {lr_scale:.3g}"
    left = Panel((0.075, 0.135, 0.42, 0.77), step(steps), ("w", -4.4, 4.4), told)
    left.add(flat=lambda ax: ax.axhspan(1, 2, color="#e8eef4", zorder=0), zero=level(QUIET, 0, linewidth=1))
    right = Panel((0.595, 0.135, 0.39, 0.77), step(steps), log("distance to the minimum |w|", 1e-9, 1e3))
    right.title, right.size, right.legend = "pale band: curvature 1; elsewhere 25", 10, {"loc": "upper right"}
    for rule in own:
        left.add(**{_name(rule): line(rule, walk=True, within=(-9 * 4.4, 9 * 4.4), **THIN)})
        right.add(**{f"distance of {_name(rule)}": line(rule, label=_name(rule), **THIN)})
    knobs = {"start": knob(3.3, -4.0, 4.0), "lr_scale": knob(1.0, 0.3, 1.6, log=True)}
    return picture([left, right], show, **knobs)


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


def side_by_side():
    """Return the scene of heavy ball and Nesterov in the ravine, at the same lr and beta.

    Left their paths, right the steep and the flat coordinate of each. The curvatures are 1 and 1/condition.
    """
    steps = 80

    def show(*, lr, beta, condition):
        ravine, data, said = _ravine(condition=condition), {}, []
        for rule in (momentum, nesterov):
            ws, name = path(rule, ravine.grad, ravine.start, steps, lr=lr, beta=beta), _name(rule)
            both = float(FACTORS[name](lr, beta)), float(FACTORS[name](lr / condition, beta))
            data |= {f"walk of {name}": ws, f"steep, {name}": ws[:, 1], f"flat, {name}": ws[:, 0]}
            said.append(f"{name}: steep {both[0]:.3f}, flat {both[1]:.3f}{_grows(both)}")
        return Shown(f"Factor per step in the long run. {said[0]}. {said[1]}.", ground=ravine, **data)

    above = from_above((0.065, 0.125, 0.43, 0.785), _ravine(condition=10.0), KNOBS, moving=True)
    steep = Panel((0.59, 0.565, 0.4, 0.345), step(steps, ""), ("steep coordinate", -1.9, 1.9))
    steep.add(hide=lambda ax: ax.tick_params(labelbottom=False))
    flat = Panel((0.59, 0.125, 0.4, 0.345), step(steps), ("flat coordinate", -4.8, 6.8))
    flat.legend = {"loc": "upper right", "ncols": 2}
    for panel in (steep, flat):
        panel.add(zero=level(QUIET, 0, linewidth=1))
    for rule in (momentum, nesterov):
        name, look = _name(rule), THIN | {"label": _name(rule)}
        above.add(**{f"walk of {name}": walk(rule)})
        steep.add(**{f"steep, {name}": line(rule, walk=True, within=(-9 * 1.9, 9 * 1.9), **look)})
        flat.add(**{f"flat, {name}": line(rule, walk=True, within=(-9 * 4.8, 9 * 6.8), **look)})
    knobs = {"lr": knob(0.5, 0.01, 4.0), "beta": knob(0.9, 0.0, 0.99)}
    knobs |= {"condition": knob(30.0, 1.0, 300.0, log=True)}
    return picture([above, steep, flat], show, figsize=(9.6, 4.4), **knobs)


def _grows(factors):
    return " (diverges)" if max(factors) > 1 else ""


def factor_against_curvature():
    """Return the scene of the three rules' factor per step against lr·curvature, and their limits.

    lr: times curvature, the place where the factors are read off.
    """
    x = np.linspace(0, 4.2, 841)

    def show(*, beta, lr):
        factors, limits = (
            {n: float(f[n](*at)) for n in RULES} for f, at in ((FACTORS, (lr, beta)), (LIMITS, (beta,)))
        )
        data = {name: (x, FACTORS[name](x, beta)) for name in RULES} | {"now": lr}
        data |= {f"{name} here": ([lr], [min(factors[name], 1.33)]) for name in RULES}
        data |= {f"limit of {name}": ([limits[name]], [1.0]) for name in RULES}
        read, ends = (", ".join(f"{n} {value:.3f}" for n, value in its.items()) for its in (factors, limits))
        return Shown(f"At lr × curvature = {lr:.3g}: {read}. Limits: {ends}.", **data)

    told = "beta {beta:.3g}   lr × curvature {lr:.3g}"
    panel = Panel((0.075, 0.14, 0.905, 0.76), ("lr × curvature", 0, 4.2), ("factor per step", 0, 1.35), told)
    panel.add(one=level(ALERT, 1, linewidth=1, linestyle="--"))
    panel.add(lost=lambda ax: ax.axhspan(1, 1.35, color=ALERT, alpha=0.08))
    for name, rule in RULES.items():
        panel.add(**{name: plain(rule, label=name), f"{name} here": line(rule, linestyle="", markersize=9)})
        panel.add(**{f"limit of {name}": line(rule, linestyle="", **OPEN)})
    open_marker = Line2D([], [], marker="o", markersize=11, fillstyle="none", linestyle="", color="#444444")
    open_marker.set_label("its limit")
    panel.add(
        now=upright("#888888", linewidth=1), text=note(0.05, 1.29, "above 1: diverges", va="top", fontsize=9)
    )
    panel.add(
        keys=lambda ax: ax.legend(
            handles=[*ax.get_legend_handles_labels()[0], open_marker], loc="lower right"
        )
    )
    return picture([panel], show, beta=knob(0.9, 0.0, 0.99), lr=knob(0.5, 0.01, 4.0))


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

    lr: L is 4, the guarantee holds up to 1/4.  beta: of the constant one.
    """
    steps = 90
    above, grad, best, L = chain()
    t, size = np.arange(1, steps + 1), best @ best
    looks = {"gradient descent": plain(gradient_descent, label="gradient descent", within=FAR)}
    looks |= {"constant beta": plain(nesterov, linestyle=":", label="constant beta", within=FAR)}
    looks |= {"beta = t/(t + 3)": plain(nesterov, label="beta = t/(t + 3)", within=FAR)}

    def show(*, lr, beta):
        betas = lambda t: np.array([[0.0], [beta], [growing(t)]])  # noqa: E731
        ws = path(nesterov, grad, np.zeros((3, CHAIN)), steps, lr=lr, beta=betas)
        losses = dict(zip(looks, above(ws)[1:].T, strict=True))
        promise = {"bound": (t, 2 * size / (lr * (t + 1) ** 2))} if lr <= 1 / L else {}
        ends = ", ".join(f"{name} {loss[-1]:.2g}" for name, loss in losses.items())
        promised = f"the promise {promise['bound'][1][-1]:.2g}" if promise else "no promise above 1/L"
        told = f"Loss above the minimum after {steps} steps: {ends}; {promised}."
        return Shown(told, **{name: (t, loss) for name, loss in losses.items()}, **promise)

    grey = {"color": "#d9d9d9", "label": "no rule gets here"}
    panel = Panel((0.085, 0.135, 0.56, 0.77), log("step", 1, steps), log("loss − minimum", 4e-4, 20))
    panel.title, panel.legend = "lr {lr:.3g}   constant beta {beta:.3g}", BESIDE
    panel.add(below=lambda ax: ax.fill_between(t, 1e-9, unreachable(t), **grey), **looks)
    panel.add(bound=band("#444444", alpha=0.25, label="the promise", within=FAR))
    return picture([panel], show, lr=knob(0.25, 0.02, 0.4), beta=knob(0.9, 0.0, 0.99))


def noise(batches, lrs, steps, gaps):
    """Return the scene of the same three rules on real data, with all examples or with few in each step.

    batches: examples per step.  lrs: learning rates.  steps: where the loss was measured, shape (m,).
    gaps: label → loss above the minimum, shape (len(batches), m, len(lrs)); labels begin with a rule's name.
    """
    batches, choices = [int(b) for b in batches], [float(lr) for lr in lrs]

    def show(*, batch, lr):
        its = {label: gap[batches.index(batch), :, choices.index(lr)] for label, gap in gaps.items()}
        order = ", ".join(
            f"{label} {its[label][-1]:.2g}" for label in sorted(its, key=lambda one: its[one][-1])
        )
        told = f"Loss above the minimum after {steps[-1]} steps, best first: {order}."
        return Shown(told, **{label: (steps, gap) for label, gap in its.items()})

    panel = Panel((0.085, 0.135, 0.6, 0.77), step(steps[-1]), log("loss − minimum", 3e-6, 40))
    panel.title, panel.legend = "batch {batch}   lr {lr:g}", BESIDE
    for label in gaps:
        rule = next(rule for name, rule in RULES.items() if label.startswith(name))
        panel.add(**{label: line(rule, label=label, markersize=3.5, linewidth=1.4, within=FAR)})
    return picture([panel], show, batch=knob(batches[-1], batches), lr=knob(choices[-1], choices))


def four_runs(runs):
    """Return the still picture of the runs to diagnose: steep and flat coordinate against the step.

    runs: dict name → dict with "steep" and "flat", each one number per step.
    """

    def coordinate(ax, values, style, color, side):
        ax.plot(values, style, color=color, markersize=3, linewidth=1)
        ax.set_ylim(-side, side)
        ax.axhline(0, color=QUIET, linewidth=1, zorder=0)

    rows = {"steep coordinate": lambda ax, run: coordinate(ax, run["steep"], "o-", STEEP, 2.2)}
    rows |= {"flat coordinate": lambda ax, run: coordinate(ax, run["flat"], "s-", FLAT, 4.6)}
    figure = columns(runs, rows, adjust=(0.08, 0.12, 0.99, 0.93, 0.12, 0.15), sharex=True, sharey="row")
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
