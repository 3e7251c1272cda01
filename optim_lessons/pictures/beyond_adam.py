"""The pictures of lesson 14: rare classes, turned matrices, singular values on their way to 1, no end."""

from functools import cache

import numpy as np
from matplotlib.ticker import NullLocator

from optim_lessons.beyond_adam import COEFFICIENTS, averaged, on_singular_value, schedule_free
from optim_lessons.choosing import best_and_ties, counted, expected_best
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fair import best_of, nearest, settled
from optim_lessons.lab.kept import kept
from optim_lessons.lab.live import Scene
from optim_lessons.lab.path import path, record
from optim_lessons.lab.plots import (
    ALERT,
    PROPER_NAMES,
    RULE_STYLES,
    Picture,
    height_map,
    look,
    new_figure,
    set_path,
)
from optim_lessons.lab.plots import counted as counted_in
from optim_lessons.landscapes import quadratic
from optim_lessons.schedules import cosine
from optim_lessons.sgd import noisy
from optim_lessons.studies import beyond as study
from optim_lessons.studies import protocol

PALE = "#9aa7b4"
GROUP_COLOURS = dict(zip(study.GROUPS, ("#0060a8", "#b87700", "#b3261e"), strict=True))
STYLES = {
    "gradient descent": RULE_STYLES["gradient_descent"],
    "momentum": RULE_STYLES["momentum"],
    "Adam": RULE_STYLES["adam"],
    "AdamW": RULE_STYLES["adamw"],
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


# --- classes with a tail -----------------------------------------------------------------------------------


def shares(sizes):
    """Return the share of all examples that each group of classes has."""
    group = study.groups(sizes)
    return np.array([sizes[group == k].sum() for k in range(len(study.GROUPS))]) / sizes.sum()


def best_of_groups(losses, sizes, lrs):
    """Return the `Best` lr: of the worst mean loss over all examples in the last tenth of the steps."""
    return best_of(settled(np.tensordot(shares(sizes), losses, 1)), lr=lrs)


def tail_best(tail, rule):
    """Return a rule's `Best` lr on the made-up classes, and the stored losses, (groups, steps + 1, lrs)."""
    losses = study.results()[f"tails {rule}"][study.TAILS.index(tail)]
    return best_of_groups(losses, study.counts(tail), study.TAIL_LRS[rule]), losses


def tails():
    """Return the scene of made-up classes: how many examples each has, and the loss of three groups.

    Knobs: tail, rule, and factor: so many times the rule's best lr at this tail.
    """

    def build(figure):
        left, right = figure.add_axes((0.075, 0.155, 0.34, 0.73)), figure.add_axes((0.5, 0.155, 0.485, 0.73))
        left.set(xscale="log", yscale="log", xlim=(0.9, 70), ylim=(1, 500))
        left.set(xlabel="class, frequent ones first", ylabel="examples")
        right.set(xlim=(0, study.STEPS), ylim=(0, 4.5), xlabel="step", ylabel="loss of the group")
        dots, lines, pale = {}, {}, {}
        for name, colour in GROUP_COLOURS.items():
            dots[name] = left.plot([], [], "o", color=colour, markersize=4, animated=True)[0]
            style = {"color": colour, "animated": True}
            pale[name] = right.plot([], [], "--", linewidth=1, **style)[0]
            lines[name] = right.plot([], [], linewidth=2.5, label=name, **style)[0]
        right.plot([], [], "--", color=PALE, linewidth=1, label="gradient descent at its best lr")
        right.legend(loc="upper right")
        titles = [ax.set_title("", fontsize=10, animated=True) for ax in (left, right)]

        def move(*, tail, rule, factor):
            sizes = study.counts(tail)
            group, rank = study.groups(sizes), np.arange(1, len(sizes) + 1)
            best, losses = tail_best(tail, rule)
            base, plain = tail_best(tail, "gradient descent")
            lrs = study.TAIL_LRS[rule]
            i = nearest(lrs, factor * best.value)
            for k, name in enumerate(study.GROUPS):
                dots[name].set_data(rank[group == k], sizes[group == k])
                lines[name].set_data(np.arange(study.STEPS + 1), np.minimum(losses[k, :, i], 20))
                pale[name].set_data(np.arange(study.STEPS + 1), plain[k, :, base.index])
            titles[0].set_text(f"tail {tail:g}: {', '.join(map(str, np.bincount(group)))} classes")
            titles[1].set_text(f"{rule}   lr {lrs[i]:.3g}" + " (best)" * (i == best.index))
            ends = {name: (losses[k, -1, i], plain[k, -1, base.index]) for k, name in enumerate(study.GROUPS)}
            said = ", ".join(f"{name} {one:.2f} ({other:.2f})" for name, (one, other) in ends.items())
            return f"Loss after {study.STEPS} steps, in brackets gradient descent at its best lr: {said}."

        return move

    ranges = {"tail": list(study.TAILS), "rule": list(study.TAIL_RULES), "factor": FACTORS}
    return Scene(
        build, {"tail": 1.0, "rule": "gradient descent", "factor": 1.0}, {}, ranges, size=(10.2, 3.9)
    )


def word_ways():
    """Return for each rule at its best lr what part of its way each group of words has made: (3, steps + 1).

    0 is the start, where all words are as likely; 1 the lowest loss that the group can have.
    """
    found, ways = study.results(), {}
    low, sizes = study.lowest_word_losses(found["words"])[:, None], found["words"].sum(axis=0)
    for rule in study.TAIL_RULES:
        losses = found[f"words {rule}"]
        its = losses[:, :, best_of_groups(losses, sizes, study.WORD_LRS[rule]).index]
        ways[rule] = (its[:, :1] - its) / (its[:, :1] - low)
    return ways


def words():
    """Return the still picture of the way that each group of words has made, a line for each rule."""
    figure, ways = new_figure((10.2, 3.3)), word_ways()
    sizes = np.bincount(study.groups(study.results()["words"].sum(axis=0)))
    with look():
        axes = figure.subplots(1, 3, sharey=True)
        figure.subplots_adjust(0.065, 0.16, 0.985, 0.89, wspace=0.08)
        for k, (ax, name) in enumerate(zip(axes, study.GROUPS, strict=True)):
            for rule, way in ways.items():
                ax.plot(np.arange(1, study.STEPS + 1), way[k, 1:], **line_style(rule))
            ax.set(title=f"{name}: {sizes[k]} words", xlabel="step", xscale="log", ylim=(0, 1.1))
        axes[0].set_ylabel("part of the way")
        axes[0].legend(loc="lower right")
    said = "; ".join(f"{rule} {', '.join(f'{x:.2f}' for x in way[:, 10])}" for rule, way in ways.items())
    return Picture(figure, f"After 10 steps frequent, middle and rare words have made of their way: {said}.")


# --- matrices with turned axes -----------------------------------------------------------------------------


@cache
def matrix_best(rule):
    """Return a rule's `Best` lr at every turn, by the loss at the end."""
    found = study.results()[f"matrices {rule}"]
    return [best_of(losses[-1], lr=study.MATRIX_RULES[rule][2]) for losses in found]


def matrices():
    """Return the scene of the race on matrix regression.

    Knobs: turn (how far the axes are turned), and factor: so many times each rule's own best lr.
    """

    def build(figure):
        left, right = figure.add_axes((0.08, 0.145, 0.43, 0.75)), figure.add_axes((0.6, 0.145, 0.385, 0.75))
        for ax in (left, right):
            ax.set(yscale="log", ylim=(1e-10, 3), ylabel="loss / its start")
        left.set(xlim=(0, study.MATRIX_STEPS), xlabel="step")
        right.set(xlim=(-0.02, 1.02), xlabel="turn", ylabel="at the end, each at its best lr")
        lines, rings = {}, {}
        for rule in study.MATRIX_RULES:
            lines[rule] = left.plot([], [], animated=True, **line_style(rule))[0]
            ends = [best.score for best in matrix_best(rule)]
            right.plot(study.TURNS, ends, **STYLES[rule] | {"markersize": 4})
            rings[rule] = right.plot(
                [], [], "o", color=STYLES[rule]["color"], markersize=10, fillstyle="none", animated=True
            )[0]
        left.legend(loc="lower left")
        title = left.set_title("", fontsize=10, animated=True)

        def move(*, turn, factor):
            place, ends = study.TURNS.index(turn), {}
            for rule, line in lines.items():
                best, lrs = matrix_best(rule)[place], study.MATRIX_RULES[rule][2]
                its = study.results()[f"matrices {rule}"][place][:, nearest(lrs, factor * best.value)]
                line.set_data(2 * np.arange(len(its)), np.maximum(its, 1e-11))
                rings[rule].set_data([turn], [best.score])
                ends[rule] = its[-1]
            title.set_text(f"turn {turn:g}   {factor:g} times the best lr")
            said = ", ".join(f"{rule} {end:.0e}" for rule, end in ends.items())
            return f"Loss over its start after {study.MATRIX_STEPS} steps: {said}."

        return move

    ranges = {"turn": list(study.TURNS), "factor": FACTORS}
    return Scene(build, {"turn": 0.0, "factor": 1.0}, {}, ranges, size=(10.2, 4.0))


# --- Newton and Schulz -------------------------------------------------------------------------------------


def newton_schulz():
    """Return the scene of Newton and Schulz's steps on the gradient of a hidden layer.

    Left: what so many steps make of a singular value, the polynomial put into itself.  Right: the singular
    values of the gradient after each step.  Knobs: steps, the coefficients a, b, c, and digits.
    """
    gradient, most = study.hidden_gradient(), 10

    def build(figure):
        left, right = figure.add_axes((0.07, 0.145, 0.4, 0.75)), figure.add_axes((0.57, 0.145, 0.415, 0.75))
        s = np.concatenate([np.geomspace(1e-4, 0.1, 200), np.linspace(0.1, 1, 300)])
        left.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.6))
        left.set(xlabel="singular value of G / ‖G‖", ylabel="what becomes of it")
        right.set(yscale="log", xlim=(0, most), ylim=(1e-4, 4), xlabel="step", ylabel="singular values")
        for ax in (left, right):
            ax.axhline(1, color=PALE, linestyle=":")
        curve = left.plot([], [], color=STYLES["Muon"]["color"], animated=True)[0]
        dots = left.plot([], [], "o", color=ALERT, markersize=4, animated=True)[0]
        lines = [
            right.plot([], [], "o-", color=STYLES["Muon"]["color"], markersize=2, linewidth=1, animated=True)[
                0
            ]
            for _ in range(len(gradient))
        ]
        title = left.set_title("", fontsize=10, animated=True)

        def move(*, steps, a, b, c, digits):
            walk = study.newton_schulz(gradient, steps, (a, b, c), digits)
            finite = np.isfinite(walk).all()
            values = np.linalg.svd(np.nan_to_num(walk, posinf=0, neginf=0), compute_uv=False)
            curve.set_data(s, np.clip(on_singular_value(s, steps, (a, b, c)), -1, 100))
            dots.set_data(values[0], np.minimum(values[-1], 100))
            for line, its in zip(lines, values.T, strict=True):
                line.set_data(np.arange(steps + 1), np.clip(its, 1e-5, 100))
            title.set_text(f"{a:g}·s {b:+g}·s³ {c:+g}·s⁵, {steps} times, {digits}")
            said = counted_in(steps, "step")
            if not finite or values[-1].max() > 100:
                return f"After {said} a singular value is above 100: this map throws them out."
            inside = int(((values[-1] > 0.68) & (values[-1] < 1.21)).sum())
            return (
                f"{said}: singular values from {values[-1].min():.3g} to {values[-1].max():.3g}, "
                f"{inside} of {len(gradient)} between 0.68 and 1.21; before, "
                f"from {values[0].min():.2g} to {values[0].max():.2g}."
            )

        return move

    names = ("a", "b", "c")
    moving = {"steps": 5} | dict(zip(names, COEFFICIENTS, strict=True)) | {"digits": "float64"}
    ranges = {"steps": (0, most), "a": (1.0, 5.0), "b": (-7.0, 0.0), "c": (0.0, 3.0)}
    ranges |= {"digits": ["float64", "bfloat16"]}
    return Scene(build, moving, {}, ranges, size=(10.2, 4.0), play="steps")


# --- Muon and AdamW on digits ------------------------------------------------------------------------------


def duel_trials(rule, judge):
    """Return the losses of a duel's trials as they count: means over the seeds, shape (trials,)."""
    losses = study.results()[f"duel {rule} {judge}"]
    return counted(losses, np.log(10) + 0.1).mean(axis=1)


def duel_curves(rule, judge, part):
    """Return the fresh runs of the trial that a part has chosen: shape (epochs + 1, seeds)."""
    return study.results()[f"duel {rule} by {judge}, {part}"]


def duel():
    """Return the scene of AdamW against Muon on digits by budget.

    Knobs: trials, and chosen_by: the part by which the best trial is chosen, "validation" or "train".
    """

    def build(figure):
        left, right = figure.add_axes((0.075, 0.145, 0.37, 0.75)), figure.add_axes((0.54, 0.145, 0.445, 0.75))
        left.set(xscale="log", yscale="log", xlim=(0.9, 27), ylim=(1e-4, 3))
        left.set(xlabel="trials", ylabel="expected loss of the best")
        left.set_xticks([1, 2, 4, 8, 24], ["1", "2", "4", "8", "24"])
        left.xaxis.set_minor_locator(NullLocator())
        right.set(yscale="log", xlim=(0, 8), ylim=(5e-5, 3), xlabel="epoch")
        right.set(ylabel="best of 24, ten fresh seeds")
        budgets, lines, rings, curves = np.arange(1, study.DUEL_TRIALS + 1), {}, {}, {}
        for rule in study.DUEL_RANGES:
            lines[rule] = left.plot([], [], animated=True, **line_style(rule))[0]
            rings[rule] = left.plot(
                [], [], "o", color=STYLES[rule]["color"], markersize=10, fillstyle="none", animated=True
            )[0]
            for part, width in (("test", 2.5), ("train", 1)):
                style = line_style(rule, label=f"{rule}, {part}", linewidth=width)
                curves[rule, part] = right.plot([], [], animated=True, **style)[0]
        left.legend(loc="lower left")
        right.legend(loc="lower left")
        title = left.set_title("", fontsize=10, animated=True)

        def move(*, trials, chosen_by):
            said, ends = [], []
            for rule in study.DUEL_RANGES:
                its = expected_best(duel_trials(rule, chosen_by), budgets)
                lines[rule].set_data(budgets, its)
                rings[rule].set_data([trials], [its[trials - 1]])
                said.append(f"{rule} {its[trials - 1]:.3f}")
                for part in ("train", "test"):
                    losses = duel_curves(rule, chosen_by, part).mean(axis=1)
                    curves[rule, part].set_data(np.arange(len(losses)), losses)
                ends.append(f"{rule} {losses[-1]:.3f}")
            title.set_text(f"loss by {chosen_by}   trials {trials}")
            return (
                f"Best of {trials}, by {chosen_by}: {', '.join(said)}. The best of all {study.DUEL_TRIALS}, "
                f"test loss with fresh seeds: {', '.join(ends)}."
            )

        return move

    ranges = {"trials": (1, study.DUEL_TRIALS), "chosen_by": ["validation", "train"]}
    return Scene(build, {"trials": 4, "chosen_by": "validation"}, {}, ranges, size=(10.2, 4.0), play="trials")


# --- no end date -------------------------------------------------------------------------------------------


def sequences():
    """Return the scene of Schedule-Free's three points in a noisy ravine, beside SGD with the same lr.

    Knobs: lr, beta, noise, seed and steps.
    """
    ravine = quadratic(condition=10, angle=30)
    looks = {
        "z: steps": {"color": PALE, "linestyle": "-", "linewidth": 1},
        "w: gradients are taken here": {"color": "#0060a8", "linestyle": "-", "linewidth": 1.5},
        "x: the mean of all z": {"color": "#b3261e", "linestyle": "-", "linewidth": 2.5},
    }

    def build(figure):
        above = figure.add_axes((0.07, 0.145, 0.45, 0.75))
        beside = figure.add_axes((0.62, 0.145, 0.365, 0.75))
        height_map(above, ravine)
        beside.set(yscale="log", xlim=(0, 300), ylim=(1e-4, 20), xlabel="step", ylabel="loss")
        paths, losses = {}, {}
        for name, style in looks.items():
            paths[name] = above.plot([], [], animated=True, label=name, **style)[0]
            losses[name] = beside.plot([], [], animated=True, **style)[0]
        falling = beside.plot([], [], "--", color="#008060", animated=True, label="SGD, cosine to step 300")[
            0
        ]
        above.legend(loc="lower right")
        beside.legend(loc="upper right")
        title = beside.set_title("", fontsize=10, animated=True)

        def move(*, lr, beta, noise, seed, steps):
            grad = noisy(ravine.grad, noise, seed)
            seen = record(schedule_free, grad, ravine.start, steps, lr=lr, beta=beta)
            points = (seen["w"] + seen["dz"], seen["w"], averaged(seen["w"], seen["dz"], seen["dx"]))
            planned = path(gradient_descent, grad, ravine.start, steps, lr=cosine(lr, length=300))
            t, ends = np.arange(steps + 1), []
            for name, ws in zip(looks, points, strict=True):
                set_path(paths[name], ws, ravine.box)
                heights = ravine(ws)
                losses[name].set_data(t, np.clip(np.nan_to_num(heights, nan=1e3), 1e-6, 1e3))
                ends.append(settled(heights))
            falling.set_data(t, np.clip(np.nan_to_num(ravine(planned), nan=1e3), 1e-6, 1e3))
            title.set_text(f"lr {lr:.3g}   beta {beta:g}   noise {noise:.2g}   steps {steps}")
            return (
                f"Worst loss in the last tenth of {steps} steps: z {ends[0]:.2g}, w {ends[1]:.2g}, "
                f"x {ends[2]:.2g}; SGD with a cosine to step 300: {settled(ravine(planned)):.2g}."
            )

        return move

    moving = {"lr": 0.5, "beta": 0.9, "noise": 0.5, "seed": 0, "steps": 300}
    ranges = {"lr": (0.01, 2.0), "noise": (0.0, 3.0), "seed": (0, 20), "steps": (10, 300)}
    return Scene(build, moving, {}, ranges, size=(10.2, 4.0))


WAY_STYLES = {
    "constant": {"color": "#222222", "linestyle": "-"},
    "cosine": {"color": "#b87700", "linestyle": "--"},
    "average": {"color": "#008060", "linestyle": ":"},
    "Schedule-Free": {"color": "#b3261e", "linestyle": "-."},
}


@cache
def open_best(problem, way):
    """Return the `Best` lr of a way by the mean loss at its end, and the stored losses, (looks, lrs)."""
    losses = study.results()[f"{problem}, {way}"]
    return best_of(losses[-1], lr=study.OPEN_LRS), losses


def fresh_losses(problem, way):
    """Return the losses of the best lr with fresh seeds, shape (looks, seeds)."""
    return study.results()[f"{problem}, {way}, fresh"]


def ends():
    """Return the scene of trainings with and without an end date.

    Knobs: problem, stop (the step at which they are read), and factor: so many times each one's best lr.
    """

    def build(figure, *, problem):
        left, right = figure.add_axes((0.075, 0.145, 0.52, 0.75)), figure.add_axes((0.69, 0.145, 0.295, 0.75))
        looks = len(open_best(problem, "cosine")[1])
        low, high = (0.2, 0.4) if problem == "right labels" else (0.33, 0.7)
        t = study.EVERY * np.arange(looks)
        left.set(xlim=(0, t[-1]), ylim=(low, high), xlabel="step", ylabel="loss")
        right.set(xscale="log", ylim=(low, high), xlim=(study.OPEN_LRS[0], study.OPEN_LRS[-1]))
        right.set(xlabel="lr", ylabel="loss at the end")
        lines, dots = {}, {}
        for way, style in WAY_STYLES.items():
            losses = open_best(problem, way)[1]
            lines[way] = left.plot([], [], animated=True, label=way, **style)[0]
            right.plot(study.OPEN_LRS, np.clip(losses[-1], 0, 10), **style)
            dots[way] = right.plot([], [], "o", color=style["color"], markersize=6, animated=True)[0]
        now = left.axvline(0, color=ALERT, linestyle=":", animated=True)
        left.legend(loc="upper right")
        title = left.set_title("", fontsize=10, animated=True)

        def move(*, stop, factor):
            row, said = round(stop * (looks - 1)), []
            for way, line in lines.items():
                best, losses = open_best(problem, way)
                i = nearest(study.OPEN_LRS, factor * best.value)
                line.set_data(t, np.minimum(losses[:, i], 10))
                dots[way].set_data([study.OPEN_LRS[i]], [min(losses[-1, i], 10)])
                said.append(f"{way} {losses[row, i]:.3f}")
            now.set_xdata([t[row], t[row]])
            title.set_text(f"{problem}   stopped at step {t[row]}   {factor:g} times the best lr")
            return f"Loss at step {t[row]}: {', '.join(said)}."

        return move

    ranges = {"problem": list(study.OPEN_EPOCHS), "stop": [0.25, 0.5, 0.75, 1.0], "factor": END_FACTORS}
    return Scene(build, {"stop": 0.5, "factor": 1.0}, {"problem": "right labels"}, ranges, size=(10.2, 4.0))


# --- a race of all rules -----------------------------------------------------------------------------------


@cache
def race_losses(problem, kind):
    """Return for each rule its losses as they count, the seven of lesson 11 from its own rows with a cosine.

    kind: "trials", means over the seeds on the validation part; "test", of the best trial with fresh seeds.
    """
    found, place = study.results(), study.RACE_PROBLEMS.index(problem)
    names = {name: PROPER_NAMES.get(name, name.replace("_", " ")) for name in protocol.RULES}
    rows = {label: protocol.results()[problem, "cosine", name] for name, label in names.items()}
    old = {label: kept(row.trials if kind == "trials" else row.test) for label, row in rows.items()}
    start = float(found["race start"][place].mean())
    new = counted(found["race tuning" if kind == "trials" else "race test"][place], start)
    new = kept(new.mean(axis=-1) if kind == "trials" else new)
    return old | dict(zip(study.RACE_RANGES, new, strict=True))


def race_firsts(problem):
    """Return the rules that share the first place by their test losses, as lesson 11 counts them."""
    return best_and_ties(race_losses(problem, "test"))


def race():
    """Return the scene of all rules by budget, on three problems of lesson 11.  Knobs: problem and trials."""

    def build(figure, *, problem):
        ax = figure.add_axes((0.085, 0.145, 0.62, 0.75))
        losses, budgets = race_losses(problem, "trials"), np.arange(1, protocol.TRIALS + 1)
        curves = {rule: expected_best(its, budgets) for rule, its in losses.items()}
        low, high = min(c.min() for c in curves.values()), max(c[0] for c in curves.values())
        ax.set(xscale="log", yscale="log", xlim=(0.95, 60), ylim=(0.95 * low, 1.1 * high))
        ax.set(xlabel="trials", ylabel="expected validation loss of the best")
        ax.set_xticks([1, 4, 12, 48], ["1", "4", "12", "48"])
        levels = [y for y in (0.12, 0.2, 0.3, 0.5, 1, 2, 2.5) if low < y < high]
        ax.set_yticks(levels, [f"{y:g}" for y in levels])
        ax.yaxis.set_minor_locator(NullLocator())
        for rule, curve in curves.items():
            style = STYLES.get(rule) or RULE_STYLES[rule.lower()]
            ax.plot(budgets, curve, **style | {"marker": "", "label": rule})
        now = ax.axvline(1, color=ALERT, linestyle=":", animated=True)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02))
        title = ax.set_title("", fontsize=10, animated=True)

        def move(*, trials):
            now.set_xdata([trials, trials])
            order = sorted(curves, key=lambda rule: curves[rule][trials - 1])
            title.set_text(f"{problem}   trials {trials}")
            first, last = (
                ", ".join(f"{rule} {curves[rule][trials - 1]:.3g}" for rule in some)
                for some in (order[:3], order[-2:])
            )
            return f"Best of {trials}: first {first}; last {last}."

        return move

    ranges = {"problem": list(study.RACE_PROBLEMS), "trials": [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]}
    return Scene(build, {"trials": 4}, {"problem": "digits, small network"}, ranges, size=(10.2, 4.0))


def four(steps):
    """Return the still picture of the singular values of four rules' steps.  steps: letter → values."""
    figure = new_figure((10.2, 2.8))
    with look():
        axes = figure.subplots(1, len(steps), sharey=True)
        figure.subplots_adjust(0.065, 0.19, 0.985, 0.88, wspace=0.1)
        for ax, (letter, values) in zip(axes, steps.items(), strict=True):
            ax.plot(
                np.arange(1, len(values) + 1), np.maximum(values, 1e-4), "o-", color=STYLES["Muon"]["color"]
            )
            ax.set(title=letter, yscale="log", ylim=(5e-4, 2), xlabel="singular value")
        axes[0].set_ylabel("over the largest")
    said = "; ".join(f"{letter} {', '.join(f'{x:.3f}' for x in values)}" for letter, values in steps.items())
    return Picture(figure, f"The singular values of four steps, over the largest: {said}.")
