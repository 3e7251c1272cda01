"""The pictures of lesson 14: rare classes, turned matrices, singular values on their way to 1, no end."""

import numpy as np

from optim_lessons.beyond_adam import COEFFICIENTS, on_singular_value
from optim_lessons.choosing import expected_best
from optim_lessons.lab.fair import nearest, settled

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Panel, Shown, dots, from_above, knob, level, line, log, many, picture, step, upright,
)  # fmt: skip
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, columns, counted
from optim_lessons.studies import beyond as study
from optim_lessons.studies import protocol

PALE = "#9aa7b4"
GROUP_COLOURS = dict(zip(study.GROUPS, ("#0060a8", "#b87700", "#b3261e"), strict=True))
STYLES = {name: RULE_STYLES[its] for name, its in study.LESSON_11.items()} | {
    "Lion": {"color": "#b87700", "linestyle": (0, (1, 1)), "marker": "d"},
    "Shampoo": {"color": "#7a4a00", "linestyle": "--", "marker": "^"},
    "SOAP": {"color": "#b0518a", "linestyle": (0, (4, 1, 1, 1)), "marker": "v"},
    "Muon": {"color": "#6a3d9a", "linestyle": "-", "marker": "s"},
    "Schedule-Free SGD": {"color": "#777777", "linestyle": "-.", "marker": "h"},
    "Schedule-Free Adam": {"color": "#b3261e", "linestyle": "-.", "marker": "p"},
}
FACTORS = (2.0 ** np.arange(-3.0, 1.1)).tolist()  # with each of them every rule was tried
END_FACTORS = (2.0 ** np.arange(-2.0, 2.1)).tolist()


def line_style(name, **changes):
    """Return how a rule's line looks, without its marks."""
    return STYLES[name] | {"marker": "", "label": name} | changes


def ring_of(rule):
    """Return the mark of a place on a rule's line."""
    return dots(STYLES[rule]["color"], size=10, fillstyle="none", within=FREE)


def tails():
    """Return the scene of made-up classes: how many examples each has, and the loss of three groups.

    factor: the lr is so many times the rule's best one at this tail.
    """

    def show(*, tail, rule, factor):
        sizes, lrs = study.counts(tail), study.TAIL_LRS[rule]
        group, rank = study.groups(sizes), np.arange(1, len(sizes) + 1)
        (best, losses), (base, plain) = study.tail_best(tail, rule), study.tail_best(tail, "gradient descent")
        i = nearest(lrs, factor * best.value)
        data, said = {"lr": lrs[i], "mark": " (best)" * (i == best.index)}, []
        data["classes"] = ", ".join(map(str, np.bincount(group)))
        for k, name in enumerate(study.GROUPS):
            its, other = losses[k, :, i], plain[k, :, base.index]
            data |= {f"classes: {name}": (rank[group == k], sizes[group == k])}
            data |= {name: its, f"plain {name}": other}
            said.append(f"{name} {settled(its):.2f} ({settled(other):.2f})")
        told = "Highest loss of the last tenth of the steps, in brackets gradient descent at its best lr: "
        return Shown(f"{told}{', '.join(said)}.", **data)

    sides = log("class, frequent ones first", 0.9, 70), log("examples", 1, 500)
    left = Panel((0.075, 0.155, 0.34, 0.73), *sides, "tail {tail:g}: {classes} classes")
    right = Panel((0.5, 0.155, 0.485, 0.73), step(study.STEPS), ("loss of the group", 0, 4.5))
    right.title, right.legend = "{rule}   lr {lr:.3g}{mark}", {"loc": "upper right"}
    for name, colour in GROUP_COLOURS.items():
        left.add(**{f"classes: {name}": dots(colour, size=4)})
        right.add(**{f"plain {name}": line(colour, linestyle="--", linewidth=1)})
        right.add(**{name: line(colour, linewidth=2.5, label=name, within=(-np.inf, 20))})
    words = "gradient descent at its best lr"
    right.add(key=line(PALE, [], linestyle="--", linewidth=1, label=words))
    knobs = {"tail": knob(1.0, study.TAILS), "rule": knob("gradient descent", study.TAIL_RULES)}
    return picture([left, right], show, figsize=(10.2, 3.9), **knobs, factor=knob(1.0, FACTORS))


def words():
    """Return the still picture of the way that each group of words has made, a line for each rule."""
    ways = study.word_ways()
    sizes = np.bincount(study.groups(study.results()["words"].sum(axis=0)))

    def draw(ax, k):
        for rule, way in ways.items():
            ax.plot(np.arange(1, study.STEPS + 1), way[k, 1:], **line_style(rule))
        ax.set(xscale="log", ylim=(0, 1.1))
        if k == 0:
            ax.legend(loc="lower right")

    groups = {f"{name}: {sizes[k]} words": k for k, name in enumerate(study.GROUPS)}
    adjust = 0.065, 0.16, 0.985, 0.89, 0.08
    figure = columns(groups, {"part of the way": draw}, (10.2, 3.3), adjust=adjust, sharey=True)
    said = "; ".join(f"{rule} {', '.join(f'{x:.2f}' for x in way[:, 10])}" for rule, way in ways.items())
    return Picture(figure, f"After 10 steps frequent, middle and rare words have made of their way: {said}.")


def matrices():
    """Return the scene of the race on matrix regression.

    turn: how far the axes are turned.  factor: each lr is so many times the rule's own best one.
    """

    def show(*, turn, factor):
        place, data, said = study.TURNS.index(turn), {}, []
        for rule, (_, _, lrs) in study.MATRIX_RULES.items():
            best = study.matrix_best(rule)[place]
            its = study.results()[f"matrices {rule}"][place][:, nearest(lrs, factor * best.value)]
            data |= {rule: (2 * np.arange(len(its)), its), f"ring of {rule}": ([turn], [best.score])}
            said.append(f"{rule} {its[-1]:.0e}")
        return Shown(f"Loss over its start after {study.MATRIX_STEPS} steps: {', '.join(said)}.", **data)

    left = Panel((0.08, 0.145, 0.43, 0.75), step(study.MATRIX_STEPS), log("loss / its start", 1e-10, 3))
    left.title, left.legend = "turn {turn:g}   {factor:g} times the best lr", {"loc": "lower left"}
    ends = log("at the end, each at its best lr", 1e-10, 3)
    right = Panel((0.6, 0.145, 0.385, 0.75), ("turn", -0.02, 1.02), ends)
    for rule in study.MATRIX_RULES:
        scores = [best.score for best in study.matrix_best(rule)]
        left.add(**{rule: line(line_style(rule), within=(1e-11, np.inf))})
        right.add(**{f"ends of {rule}": line(STYLES[rule], (study.TURNS, scores), markersize=4)})
        right.add(**{f"ring of {rule}": ring_of(rule)})
    knobs = {"turn": knob(0.0, study.TURNS), "factor": knob(1.0, FACTORS)}
    return picture([left, right], show, figsize=(10.2, 4.0), **knobs)


def newton_schulz():
    """Return the scene of Newton and Schulz's steps on the gradient of a hidden layer.

    Left: what so many steps make of a singular value, the polynomial put into itself.  Right: the singular
    values of the gradient after each step.  a, b, c: the coefficients.
    """
    gradient, most = study.hidden_gradient(), 10
    s = np.concatenate([np.geomspace(1e-4, 0.1, 200), np.linspace(0.1, 1, 300)])

    def show(*, steps, a, b, c, digits):
        walk = study.newton_schulz(gradient, steps, (a, b, c), digits)
        values = np.linalg.svd(np.nan_to_num(walk, posinf=0, neginf=0), compute_uv=False)
        data = {"curve": (s, on_singular_value(s, steps, (a, b, c)))}
        data |= {"ends": (values[0], values[-1]), "values": values.T}
        said, first, last = counted(steps, "step"), values[0], values[-1]
        if not np.isfinite(walk).all() or last.max() > 100:
            return Shown(f"After {said} a singular value is above 100: this map throws them out.", **data)
        inside = int(((last > 0.68) & (last < 1.21)).sum())
        told = f"{said}: singular values from {last.min():.3g} to {last.max():.3g}, {inside} of "
        told += f"{len(gradient)} between 0.68 and 1.21; before, from {first.min():.2g} to {first.max():.2g}."
        return Shown(told, **data)

    sides = log("singular value of G / ‖G‖", 1e-4, 1), ("what becomes of it", 0, 1.6)
    left = Panel((0.07, 0.145, 0.4, 0.75), *sides)
    left.title = "{a:g}·s {b:+g}·s³ {c:+g}·s⁵, {steps} times, {digits}"
    right = Panel((0.57, 0.145, 0.415, 0.75), step(most), log("singular values", 1e-4, 4))
    for side, panel in (("left", left), ("right", right)):
        panel.add(**{f"one, {side}": level(PALE, 1, linestyle=":")})
    colour = STYLES["Muon"]["color"]
    left.add(curve=line(colour, within=(-1, 100)), ends=dots(ALERT, size=4, within=(-np.inf, 100)))
    look = {"marker": "o", "markersize": 2, "linewidth": 1, "within": (1e-5, 100)}
    right.add(values=many(line(colour, **look) for _ in gradient))
    a, b, c = COEFFICIENTS
    knobs = {"steps": knob(5, 0, most), "a": knob(a, 1.0, 5.0), "b": knob(b, -7.0, 0.0)}
    knobs |= {"c": knob(c, 0.0, 3.0), "digits": knob("float64", ["float64", "bfloat16"])}
    return picture([left, right], show, figsize=(10.2, 4.0), play="steps", **knobs)


def duel():
    """Return the scene of AdamW against Muon on digits by budget.

    chosen_by: the part by which the best trial is chosen.
    """
    budgets = np.arange(1, study.DUEL_TRIALS + 1)

    def show(*, trials, chosen_by):
        said, ends, data = [], [], {}
        for rule in study.DUEL_RANGES:
            its = expected_best(study.duel_trials(rule, chosen_by), budgets)
            data |= {rule: (budgets, its), f"ring of {rule}": ([trials], [its[trials - 1]])}
            said.append(f"{rule} {its[trials - 1]:.3f}")
            for part in ("train", "test"):
                losses = data[f"{rule}, {part}"] = study.duel_curves(rule, chosen_by, part).mean(axis=1)
            ends.append(f"{rule} {losses[-1]:.3f}")
        told = f"Best of {trials}, by {chosen_by}: {', '.join(said)}. The best of all {study.DUEL_TRIALS}, "
        return Shown(f"{told}test loss with fresh seeds: {', '.join(ends)}.", **data)

    ticks = {k: str(k) for k in (1, 2, 4, 8, 24)}
    sides = log("trials", 0.9, 27, ticks), log("expected loss of the best", 1e-4, 3)
    left = Panel((0.075, 0.145, 0.37, 0.75), *sides, "loss by {chosen_by}   trials {trials}")
    right = Panel((0.54, 0.145, 0.445, 0.75), step(8, "epoch"), log("best of 24, ten fresh seeds", 5e-5, 3))
    left.legend = right.legend = {"loc": "lower left"}
    for rule in study.DUEL_RANGES:
        left.add(**{rule: line(line_style(rule), within=FREE), f"ring of {rule}": ring_of(rule)})
        for part, width in (("test", 2.5), ("train", 1)):
            style = line_style(rule, label=f"{rule}, {part}", linewidth=width)
            right.add(**{style["label"]: line(style, within=FREE)})
    parts = knob("validation", ["validation", "train"])
    knobs = {"trials": knob(4, 1, study.DUEL_TRIALS), "chosen_by": parts}
    return picture([left, right], show, figsize=(10.2, 4.0), play="trials", **knobs)


def sequences():
    """Return the scene of Schedule-Free's three points in a noisy ravine, beside SGD with the same lr."""
    looks = {"z": ("z: steps", PALE, 1), "w": ("w: gradients are taken here", "#0060a8", 1.5)}
    looks |= {"x": ("x: the mean of all z", "#b3261e", 2.5)}

    def show(*, lr, beta, noise, seed, steps):
        data = study.free_and_planned(lr, beta, noise, seed, steps)
        losses = {f"loss of {name}": study.RAVINE(ws) for name, ws in data.items()}
        data |= {name: np.nan_to_num(its, nan=1e3) for name, its in losses.items()}
        z, w, x, plan = map(settled, losses.values())
        told = f"Worst loss in the last tenth of {steps} steps: z {z:.2g}, w {w:.2g}, x {x:.2g}; SGD with "
        return Shown(f"{told}a cosine to step 300: {plan:.2g}.", **data)

    above = from_above((0.07, 0.145, 0.45, 0.75), study.RAVINE, legend="lower right")
    told, within = "lr {lr:.3g}   beta {beta:g}   noise {noise:.2g}   steps {steps}", (1e-6, 1e3)
    sides = step(300), log("loss", 1e-4, 20)
    beside = Panel((0.62, 0.145, 0.365, 0.75), *sides, told, legend="upper right")
    for name, (label, colour, width) in looks.items():
        style = {"color": colour, "linestyle": "-", "linewidth": width}
        above.add(**{name: line(style, walk=True, label=label)})
        beside.add(**{f"loss of {name}": line(style, within=within)})
    look = {"linestyle": "--", "label": "SGD, cosine to step 300", "within": within}
    beside.add(**{"loss of plan": line("#008060", **look)})
    knobs = {"lr": knob(0.5, 0.01, 2.0), "beta": knob(0.9), "noise": knob(0.5, 0.0, 3.0)}
    knobs |= {"seed": knob(0, 0, 20), "steps": knob(300, 10, 300)}
    return picture([above, beside], show, figsize=(10.2, 4.0), **knobs)


WAY_STYLES = {
    "constant": {"color": "#222222", "linestyle": "-"},
    "cosine": {"color": "#b87700", "linestyle": "--"},
    "average": {"color": "#008060", "linestyle": ":"},
    "Schedule-Free": {"color": "#b3261e", "linestyle": "-."},
}


def ends():
    """Return the scene of trainings with and without an end date.

    stop: where they are read, a part of the steps.  factor: each lr is so many times the way's best one.
    """
    lrs = study.OPEN_LRS

    def show(*, problem, stop, factor):
        data, said = {}, []
        for way in WAY_STYLES:
            best, losses = study.open_best(problem, way)
            i, row = nearest(lrs, factor * best.value), round(stop * (len(losses) - 1))
            data |= {way: (study.EVERY * np.arange(len(losses)), losses[:, i])}
            data |= {f"{way} at the end": ([lrs[i]], [losses[-1, i]])}
            said.append(f"{way} {losses[row, i]:.3f}")
        now = study.EVERY * row
        return Shown(f"Loss at step {now}: {', '.join(said)}.", now=now, **data)

    def panels(problem):
        low, high = (0.2, 0.4) if problem == "right labels" else (0.33, 0.7)
        last = study.EVERY * (len(study.open_best(problem, "cosine")[1]) - 1)
        left = Panel((0.075, 0.145, 0.52, 0.75), step(last), ("loss", low, high), legend="upper right")
        left.title = "{problem}   stopped at step {now}   {factor:g} times the best lr"
        sides = log("lr", lrs[0], lrs[-1]), ("loss at the end", low, high)
        right = Panel((0.69, 0.145, 0.295, 0.75), *sides)
        for way, style in WAY_STYLES.items():
            scores = np.clip(study.open_best(problem, way)[1][-1], 0, 10)
            left.add(**{way: line(style, label=way, within=(-np.inf, 10))})
            right.add(**{f"{way} by lr": line(style, (lrs, scores))})
            right.add(**{f"{way} at the end": dots(style["color"], size=6, within=(-np.inf, 10))})
        return [left.add(now=upright(ALERT, linestyle=":")), right]

    knobs = {"problem": knob("right labels", study.OPEN_EPOCHS, still=True)}
    knobs |= {"stop": knob(0.5, [0.25, 0.5, 0.75, 1.0]), "factor": knob(1.0, END_FACTORS)}
    return picture(panels, show, figsize=(10.2, 4.0), **knobs)


def race():
    """Return the scene of all rules by budget, on three problems of lesson 11."""
    budgets = np.arange(1, protocol.TRIALS + 1)

    def curves(problem):
        losses = study.race_losses(problem, "trials")
        return {rule: expected_best(its, budgets) for rule, its in losses.items()}

    def show(*, problem, trials):
        ends = {rule: curve[trials - 1] for rule, curve in curves(problem).items()}
        said = [f"{rule} {ends[rule]:.3g}" for rule in sorted(ends, key=ends.get)]
        told = f"Best of {trials}: first {', '.join(said[:3])}; last {', '.join(said[-2:])}."
        return Shown(told, now=trials)

    def panels(problem):
        found = curves(problem)
        low, high = min(c.min() for c in found.values()), max(c[0] for c in found.values())
        levels = {y: f"{y:g}" for y in (0.12, 0.2, 0.3, 0.5, 1, 2, 2.5) if low < y < high}
        sides = [log("trials", 0.95, 60, {k: str(k) for k in (1, 4, 12, 48)})._replace(minor=True)]
        sides += [log("expected validation loss of the best", 0.95 * low, 1.1 * high, levels)]
        panel = Panel((0.085, 0.145, 0.62, 0.75), *sides, "{problem}   trials {trials}")
        panel.legend = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02)}
        panel.add(**{rule: line(line_style(rule), (budgets, curve)) for rule, curve in found.items()})
        return [panel.add(now=upright(ALERT, linestyle=":"))]

    knobs = {"problem": knob("digits, small network", study.RACE_PROBLEMS, still=True)}
    knobs |= {"trials": knob(4, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48])}
    return picture(panels, show, figsize=(10.2, 4.0), **knobs)


def four(steps):
    """Return the still picture of the singular values of four rules' steps.  steps: letter → values."""

    def draw(ax, values):
        ranks = np.arange(1, len(values) + 1)
        ax.plot(ranks, np.maximum(values, 1e-4), "o-", color=STYLES["Muon"]["color"])
        ax.set(yscale="log", ylim=(5e-4, 2))

    layout = {"adjust": (0.065, 0.19, 0.985, 0.88, 0.1), "xlabel": "singular value", "sharey": True}
    figure = columns(steps, {"over the largest": draw}, (10.2, 2.8), **layout)
    said = "; ".join(f"{letter} {', '.join(f'{x:.3f}' for x in values)}" for letter, values in steps.items())
    return Picture(figure, f"The singular values of four steps, over the largest: {said}.")
