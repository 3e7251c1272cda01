"""The pictures of lesson 05: three forms as arrows, two rules side by side, their limits, the guarantee."""

from functools import lru_cache

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from optim_lessons import momentum as heavy_ball
from optim_lessons.gradient_descent import gradient_descent

from optim_lessons.lab.panels import (  # isort: skip
    KNOBS, Mark, Panel, Shown, band, dots, from_above, knob, line, log, note, picture, plain, stacked, step,
    still, upright, walk,
)  # fmt: skip
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, rule_style, to_diagnose
from optim_lessons.landscapes import lessard_recht_packard, quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.pictures.gradient_descent import FLAT, ONE, QUIET, STEEP, ZERO
from optim_lessons.studies.chain import chain, unreachable, with_memories
from optim_lessons.studies.forms import FORMS, angle, three_forms
from optim_lessons.studies.spectrum import FACTORS, LIMITS

VELOCITY, GRADIENT = "#d55e00", STEEP  # as in the picture of lesson 04
RULES = {"gradient descent": gradient_descent, "heavy ball": momentum, "Nesterov": nesterov}
NAMES = {rule: name for name, rule in RULES.items()}
THIN = {"markersize": 3, "linewidth": 1.4}
OPEN = {"fillstyle": "none", "linestyle": ""}
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0)}
FAR = (1e-9, 1e9)
_ravine = lru_cache(maxsize=8)(quadratic)
ARROW_KEYS = {
    "β · velocity": {"color": VELOCITY, "linewidth": 3.2},
    "−lr · gradient": {"color": GRADIENT, "linewidth": 1.8},
    "here the gradient is taken": OPEN | {"marker": "o", "markersize": 11, "color": "#111111"},
    "the step ends here": {"marker": "D", "linestyle": "", "color": "#666666"},
    "points of the look-ahead form": OPEN | {"marker": "D", "color": "#333333"},
}


def arrows():
    """Return the scene of one step in three forms: where each takes its gradient, as arrows.

    The ravine has the curvatures 1 and 1/5. step: the one that is drawn.
    """
    ravine = quadratic(condition=5.0)

    def show(*, lr, beta, step):
        forms, data = three_forms(ravine, lr, beta, step), {}
        for form, at in forms.items():
            data[f"past, {form}"] = np.vstack([at["past"], at["start"]])
            data |= {f"{name}, {form}": at[name][None] for name in ("gradient_at", "end")}
            data[f"first, {form}"] = at["start"], at["corner"]
            data[f"second, {form}"] = at["corner"], at["end"]
        data["other"] = forms[FORMS[2]]["other"]
        at = [forms[form]["gradient_at"] for form in FORMS[:2]]
        first, second = (f"({w[0]:.2f}, {w[1]:.2f})" for w in at)
        told = f"At step {step} the heavy ball's gradient is taken at {first}, "
        told += f"Nesterov's at {second}, in both of its forms. The two gradients differ by "
        data["settings"] = -1.4, 2.432, f"lr {lr:.3g}   beta {beta:.3g}   step {step}"
        return Shown(f"{told}{angle(*map(ravine.grad, at)):.0f} degrees.", **data)

    panels = [_arrow_panel(ravine, *one) for one in zip(FORMS, (0.075, 0.39, 0.705), strict=True)]
    below = {"loc": "lower center", "ncols": 5, "fontsize": 9}
    panels[0].add(keys=lambda ax: ax.figure.legend(handles=_keys(**ARROW_KEYS), **below))
    panels[1].add(settings=note(None, None, None, ha="center", fontsize=10))  # above all three
    knobs = {"lr": knob(0.5, 0.05, 1.2), "beta": knob(0.9, 0.0, 0.95), "step": knob(3, 1, 15)}
    return picture(panels, show, figsize=(10.8, 3.9), **knobs)


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


def _keys(**looks):
    return [Line2D([], [], label=label, **look) for label, look in looks.items()]


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
            knobs = {"lr": lr_scale * lr, "beta": beta}
            ws = path(rule, lessard_recht_packard, np.array([start]), steps, **knobs)[:, 0]
            data |= {NAMES[rule]: ws, f"distance of {NAMES[rule]}": np.abs(ws)}
            said.append(f"{NAMES[rule]} {how_it_ends(ws)}")
        return Shown(f"After {steps} steps: {said[0]}; {said[1]}.", **data)

    told = "start {start:.3g}   lr scale {lr_scale:.3g}"
    left = Panel((0.075, 0.135, 0.42, 0.77), step(steps), ("w", -4.4, 4.4), told)
    left.add(flat=lambda ax: ax.axhspan(1, 2, color="#e8eef4", zorder=0), zero=ZERO)
    right = Panel((0.595, 0.135, 0.39, 0.77), step(steps), log("distance to the minimum |w|", 1e-9, 1e3))
    right.title, right.size, right.legend = "pale band: curvature 1; elsewhere 25", 10, {"loc": "upper right"}
    for rule in own:
        left.add(**{NAMES[rule]: line(rule, walk=True, within=(-9 * 4.4, 9 * 4.4), **THIN)})
        right.add(**{f"distance of {NAMES[rule]}": line(rule, label=NAMES[rule], **THIN)})
    knobs = {"start": knob(3.3, -4.0, 4.0), "lr_scale": knob(1.0, 0.3, 1.6, log=True)}
    return picture([left, right], show, **knobs)


def how_it_ends(ws):
    """Say in words how a walk along one axis, shape (steps + 1,), ends."""
    if not np.isfinite(ws[-1]) or abs(ws[-1]) > 1e3:
        return "has flown away"
    if abs(ws[-1]) < 1e-6:
        return "is at the minimum"
    for period in range(1, 7):
        if abs(ws[-1] - ws[-1 - period]) < 1e-4 * abs(ws[-1]):
            places = ", ".join(f"{w:.2f}" for w in np.sort(ws[-period:]))
            return f"goes round for ever: {places}"
    return f"is at {ws[-1]:.2g}"


def side_by_side():
    """Return the scene of heavy ball and Nesterov in the ravine, at the same lr and beta.

    Left their paths, right the steep and the flat coordinate of each. The curvatures are 1 and 1/condition.
    """
    steps = 80

    def show(*, lr, beta, condition):
        ravine, data, said = _ravine(condition=condition), {}, []
        for rule in (momentum, nesterov):
            ws, name = path(rule, ravine.grad, ravine.start, steps, lr=lr, beta=beta), NAMES[rule]
            both = float(FACTORS[name](lr, beta)), float(FACTORS[name](lr / condition, beta))
            data |= {f"walk of {name}": ws, f"steep, {name}": ws[:, 1], f"flat, {name}": ws[:, 0]}
            said.append(f"{name}: steep {both[0]:.3f}, flat {both[1]:.3f}{' (diverges)' * (max(both) > 1)}")
        return Shown(f"Factor per step in the long run. {said[0]}. {said[1]}.", ground=ravine, **data)

    above = from_above((0.065, 0.125, 0.43, 0.785), _ravine(condition=10.0), KNOBS, moving=True)
    sides = ("steep coordinate", -1.9, 1.9), ("flat coordinate", -4.8, 6.8)
    steep, flat = (panel.add(zero=ZERO) for panel in stacked(0.59, 0.4, steps, *sides))
    flat.legend = {"loc": "upper right", "ncols": 2}
    for rule in (momentum, nesterov):
        name, look = NAMES[rule], THIN | {"label": NAMES[rule]}
        above.add(**{f"walk of {name}": walk(rule)})
        steep.add(**{f"steep, {name}": line(rule, walk=True, within=(-9 * 1.9, 9 * 1.9), **look)})
        flat.add(**{f"flat, {name}": line(rule, walk=True, within=(-9 * 4.8, 9 * 6.8), **look)})
    knobs = {"lr": knob(0.5, 0.01, 4.0), "beta": knob(0.9, 0.0, 0.99)}
    knobs |= {"condition": knob(30.0, 1.0, 300.0, log=True)}
    return picture([above, steep, flat], show, figsize=(9.6, 4.4), **knobs)


def factor_against_curvature():
    """Return the scene of the three rules' factor per step against lr·curvature, and their limits.

    lr: times curvature, the place where the factors are read off.
    """
    x = np.linspace(0, 4.2, 841)

    def show(*, beta, lr):
        data, read, ends = {"now": lr}, [], []
        for name in RULES:
            factor, limit = float(FACTORS[name](lr, beta)), float(LIMITS[name](beta))
            data |= {name: (x, FACTORS[name](x, beta)), f"{name} here": ([lr], [min(factor, 1.33)])}
            data[f"limit of {name}"] = [limit], [1.0]
            read.append(f"{name} {factor:.3f}")
            ends.append(f"{name} {limit:.3f}")
        told = f"At lr × curvature = {lr:.3g}: {', '.join(read)}. Limits: {', '.join(ends)}."
        return Shown(told, **data)

    told = "beta {beta:.3g}   lr × curvature {lr:.3g}"
    panel = Panel((0.075, 0.14, 0.905, 0.76), ("lr × curvature", 0, 4.2), ("factor per step", 0, 1.35), told)
    panel.add(one=ONE, lost=lambda ax: ax.axhspan(1, 1.35, color=ALERT, alpha=0.08))
    for name, rule in RULES.items():
        panel.add(**{name: plain(rule, label=name), f"{name} here": line(rule, linestyle="", markersize=9)})
        panel.add(**{f"limit of {name}": line(rule, markersize=12, markeredgewidth=2, **OPEN)})
    panel.add(now=upright("#888888", linewidth=1))
    panel.add(text=note(0.05, 1.29, "above 1: diverges", va="top", fontsize=9))
    limit = {"its limit": OPEN | {"marker": "o", "markersize": 11, "color": "#444444"}}
    known = lambda ax: ax.get_legend_handles_labels()[0]  # noqa: E731
    panel.add(keys=lambda ax: ax.legend(handles=known(ax) + _keys(**limit), loc="lower right"))
    return picture([panel], show, beta=knob(0.9, 0.0, 0.99), lr=knob(0.5, 0.01, 4.0))


def limits_against_beta():
    """Return the still picture of the largest lr·L of each rule against beta."""
    beta = np.linspace(0, 1, 101)
    panel = Panel((0.075, 0.16, 0.72, 0.74), ("beta", 0, 1), ("largest lr × L", 0, 4.3))
    panel.title = "Below its line a rule converges on quadratics"
    for name, rule in RULES.items():
        word = note(1.02, LIMITS[name](1.0), name, color=rule_style(rule)["color"], va="center")
        panel.add(**{name: plain(rule, (beta, LIMITS[name](beta))), f"{name} beside": word})
    ends = ", ".join(f"{name} {LIMITS[name](1.0):.3g}" for name in RULES)
    return still([panel], f"All three limits are 2 at beta = 0. Towards beta = 1 they go to: {ends}.")


def guarantee():
    """Return the scene of the chain: gradient descent, Nesterov at constant and at growing beta, the bounds.

    lr: L is 4, the guarantee holds up to 1/4.  beta: of the constant one.
    """
    steps, L = 90, chain()[3]
    t = np.arange(1, steps + 1)
    looks = {"gradient descent": plain(gradient_descent, label="gradient descent", within=FAR)}
    for name, dash in {"constant beta": {"linestyle": ":"}, "beta = t/(t + 3)": {}}.items():
        looks[name] = plain(nesterov, label=name, within=FAR, **dash)

    def show(*, lr, beta):
        measured, bound = with_memories(lr, beta, steps)
        data = {name: (t, losses) for name, losses in zip(looks, measured.T, strict=True)}
        ends = ", ".join(f"{name} {losses[-1]:.2g}" for name, (_, losses) in data.items())
        promised = "no promise above 1/L"
        if lr <= 1 / L:
            data["bound"], promised = (t, bound), f"the promise {bound[-1]:.2g}"
        return Shown(f"Loss above the minimum after {steps} steps: {ends}; {promised}.", **data)

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
        order = sorted(its, key=lambda label: its[label][-1])
        ends = ", ".join(f"{label} {its[label][-1]:.2g}" for label in order)
        told = f"Loss above the minimum after {steps[-1]} steps, best first: {ends}."
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
    told = lambda run: f"steep {run['steep'][-1]:.2g}, flat {run['flat'][-1]:.2g}"  # noqa: E731
    layout = {"adjust": (0.08, 0.12, 0.99, 0.93, 0.12, 0.15), "sharex": True, "sharey": "row"}
    return to_diagnose(runs, rows, "Four runs, their coordinates at the end.", told, **layout)


def learned(shares, parts):
    """Return the still picture of how far each weight has come, against how often its feature is there.

    shares: of the examples with the feature, shape (k,).  parts: label → part of the way, shape (k,).
    """

    def draw(ax):
        looks = ((rule_style(nesterov)["color"], "D"), ("#5b7389", "o"))
        for (label, part), (colour, marker) in zip(parts.items(), looks, strict=False):
            ax.plot(shares, part, marker, color=colour, markersize=5, alpha=0.75, label=label)
        ax.axhline(1, color="#444444", linewidth=1, linestyle="--")
        ax.set(xscale="log", xlabel="share of the examples that have the feature")

    panel = Panel((0.085, 0.15, 0.9, 0.75), None, ("part of the way", -0.4, 2), parts=draw)
    panel.title = "Each dot is one weight; 1 is where it ends when trained for long"
    panel.legend = {"loc": "upper left", "ncols": 2}
    medians = "; ".join(f"{label}: {_fifths(shares, part)}" for label, part in parts.items())
    told = f"Median part of the way, rarest fifth and commonest fifth of the features. {medians}."
    return still([panel], told, (9.6, 3.6))


def _fifths(shares, part):
    order, n = np.argsort(shares), len(shares) // 5
    return f"{np.median(part[order[:n]]):.2f} and {np.median(part[order[-n:]]):.2f}"
