"""The pictures of lesson 11: what a budget buys, two rules over the same seeds, the width of the good lr."""

import functools
from textwrap import fill

import numpy as np

from optim_lessons.choosing import best_quantile, expected_best, good_width, time_to_target
from optim_lessons.choosing import counted as as_they_count
from optim_lessons.lab.fair import best_of

from optim_lessons.lab.panels import (  # isort: skip
    Mark, Panel, Shown, dots, knob, level, line, log, picture, step, upright,
)  # fmt: skip
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, axes_in, columns, counted
from optim_lessons.pictures.gradient_descent import QUIET
from optim_lessons.studies.guide import differences, paired
from optim_lessons.studies.protocol import PROBLEMS, RULES, SCHEDULES

PALE = "#9aa7b4"
EVERYWHERE = (-np.inf, np.inf)
NOW = {"linewidth": 1, "linestyle": ":"}
COLOURS = {rule: RULE_STYLES[rule]["color"] for rule in RULES}
LINES = {rule: RULE_STYLES[rule] | {"marker": ""} for rule in RULES}
SHORT = {"gradient_descent": "descent", "momentum": "momentum", "nesterov": "Nesterov", "adagrad": "AdaGrad"}
SHORT |= {"rmsprop": "RMSProp", "adam": "Adam", "adamw": "AdamW"}


def races(problem):
    """Return the knobs that choose among the races: another one is another picture."""
    knobs = {"problem": (problem, PROBLEMS), "schedule": ("constant", SCHEDULES)}
    return {name: knob(*its, still=True) for name, its in knobs.items()}


def budget(table):
    """Return the scene of the best of k trials: its mean against k, and where it mostly falls for one k.

    table: as protocol.results gives it.
    """
    ks = np.arange(1, 1 + len(table[next(iter(table))].tuning))

    @functools.lru_cache
    def expected(problem, schedule):
        return {rule: expected_best(table[problem, schedule, rule].trials, ks) for rule in RULES}

    def show(*, problem, schedule, k):
        means = {rule: mean[k - 1] for rule, mean in expected(problem, schedule).items()}
        data = {"now": k}
        for rule, height in _heights(RULES).items():
            ends = [best_quantile(table[problem, schedule, rule].trials, k, share) for share in (0.1, 0.9)]
            data |= {f"band of {rule}": (ends, [height] * 2), rule: ([means[rule]], [height])}
        order = [f"{SHORT[rule]} {means[rule]:.3g}" for rule in sorted(means, key=means.get)]
        told = f"{problem}, {schedule} lr: with a budget of {k} the expected best is {order[0]}, "
        return Shown(f"{told}then {order[1]}; last {order[-1]}.", **data)

    def panels(problem, schedule):
        means = expected(problem, schedule)
        low, high = min(mean[-1] for mean in means.values()), max(mean[0] for mean in means.values())
        trials = log("k, the budget of trials", 1, ks[-1], {k: k for k in (1, 2, 5, 10, 20, ks[-1])})
        left = Panel((0.085, 0.14, 0.47, 0.76), trials, _log_side("validation loss", low, high))
        left.title = f"mean of the best of k trials: {problem}"
        left.add(**{rule: line(LINES[rule], (ks, mean)) for rule, mean in means.items()})
        left.add(now=upright(ALERT, **NOW))
        side = _plain("validation loss of the best", low * 0.97, max(high, low * 1.1) * 1.03)
        right = _by_rule((0.665, 0.14, 0.32, 0.76), side, "k {k}, {schedule} lr: mean, and 8 cases of 10")
        for rule in RULES:
            right.add(**{f"band of {rule}": _bar(rule, linewidth=5, alpha=0.35)})
            point = {"marker": RULE_STYLES[rule]["marker"], "size": 7, "within": EVERYWHERE}
            right.add(**{rule: dots(COLOURS[rule], **point)})
        return [left, right]

    knobs = races("digits, small network") | {"k": knob(8, 1, int(ks[-1]))}
    return picture(panels, show, figsize=(10.4, 4.2), **knobs)


def two_rules(table, target_of):
    """Return the scene of two chosen trials over the fresh seeds: their curves, and their paired differences.

    target_of: a function of (table, problem), the validation loss to be reached; target multiplies it.
    """

    def show(*, problem, schedule, rule, against, target):
        curves, each, mean, low, high = paired(table, problem, schedule, rule, against)
        goal, times = target_of(table, problem), []
        verdict = "a tie" if low <= 0 <= high else f"{SHORT[rule if high < 0 else against]} is ahead"
        for name in curves:
            epochs = time_to_target(table[problem, schedule, name].curve, target * goal)
            reached, half = np.isfinite(epochs).sum(), np.median(epochs)
            some = f"{reached} of {len(epochs)} runs only"
            times.append(f"{SHORT[name]} in {counted(f'{half:g}', 'epoch') if np.isfinite(half) else some}")
        told = f"Target {target * goal:.3g} (median of {len(each)} seeds): {', '.join(times)}. Test loss "
        told += f"{SHORT[rule]} − {SHORT[against]} {mean:+.2g}, in {low:+.2g} to {high:+.2g}: {verdict}."
        middles = {name: np.median(its, axis=1) for name, its in curves.items()}
        data = {"differences": each, "ends": (low, high), "curves": middles}
        return Shown(told, level=target * goal, goal=goal, **data)

    def panels(problem, schedule, rule, against):
        curves, each, mean, low, high = paired(table, problem, schedule, rule, against)
        goal, seeds, middles = target_of(table, problem), np.arange(len(each)), []
        left = Panel((0.085, 0.14, 0.5, 0.76), legend="upper right")
        for name, losses in curves.items():
            least, middle, most = np.quantile(losses, [0, 0.5, 1], axis=1)
            shade = {"color": COLOURS[name], "alpha": 0.15, "linewidth": 0}
            area = functools.partial(_shade, low=least, high=most, **shade)
            left.add(**{f"area of {name}": area, name: line(LINES[name], middle, label=SHORT[name])})
            middles.append(middle)
        side = "validation loss", min(np.min(middles), 0.6 * goal), max(np.max(middles), 1.5 * goal)
        left.sides = {"x": step(len(middle) - 1, "epoch"), "y": _log_side(*side)}
        left.title = "{problem}, {schedule} lr; target {target:.3g} × {goal:.3g}"
        left.add(level=level(ALERT, **NOW))
        reach = 1.15 * max(np.abs(each).max(), abs(low), abs(high), 1e-6)
        side, names = f"{SHORT[rule]} − {SHORT[against]}", ["mean", *(f"seed {s + 1}" for s in seeds)]
        right = Panel((0.66, 0.14, 0.32, 0.76), (side, -reach, reach), ("", -3, len(each)))
        right.title = "test loss, seed by seed"
        right.add(zero=upright("#444444", 0, linewidth=1), each=dots(PALE, (each, seeds), size=6))
        right.add(interval=line(ALERT, ([low, high], [-2, -2]), linewidth=3, solid_capstyle="butt"))
        right.add(mean=dots(ALERT, ([mean], [-2]), marker="D", size=8))
        right.add(rows=lambda ax: ax.set_yticks([-2, *seeds], names, fontsize=8.5))
        return [left, right.add(few=lambda ax: ax.locator_params(axis="x", nbins=4))]

    knobs = races("digits, softmax") | {"rule": knob("adam", RULES, still=True)}
    knobs |= {"against": knob("gradient_descent", RULES, still=True), "target": knob(1.0, 0.6, 1.5)}
    return picture(panels, show, figsize=(10.4, 4.2), **knobs)


def _shade(ax, low, high, **look):
    ax.fill_between(np.arange(len(low)), low, high, **look)


def widths(table, lrs):
    """Return the scene of the loss against lr alone, and of how wide the good region is for each rule.

    lrs: what was swept.  factor: a loss is good up to so many times the lowest one of the rule.
    """

    def show(*, problem, schedule, rule, factor):
        swept = {name: table[problem, schedule, name].swept for name in RULES}
        reach = {name: good_width(lrs, losses, factor) for name, losses in swept.items()}
        widest, own = max(reach, key=reach.get), swept[rule]
        told = f"{problem}, {schedule} lr: {SHORT[rule]} is best at {best_of(own, lr=lrs)} and within "
        told += f"{factor:.3g} times that over {reach[rule]:.2f} decades. Widest: {SHORT[widest]}, "
        data = {rule: (lrs, own), "level": factor * own.min(), "name": SHORT[rule]}
        for name, height in _heights(RULES).items():
            data[f"bar of {name}"] = [0, max(reach[name], 0.01)], [height] * 2
        return Shown(f"{told}{reach[widest]:.2f}.", **data)

    def panels(problem, schedule):
        swept = {rule: table[problem, schedule, rule].swept for rule in RULES}
        ends = np.min(list(swept.values())), np.max(list(swept.values()))
        sides = log("lr, other knobs at defaults", lrs[0], lrs[-1]), _log_side("validation loss", *ends)
        left = Panel((0.085, 0.14, 0.5, 0.76), *sides)
        left.title = "{problem}, {schedule} lr; {name}, factor {factor:.3g}"
        left.add(**{f"all {rule}": line(QUIET, (lrs, its), linewidth=1) for rule, its in swept.items()})
        right = _by_rule((0.7, 0.14, 0.28, 0.76), ("decades of good lr", 0, 5))
        for rule in RULES:
            left.add(**{rule: line(LINES[rule], linewidth=2.4, within=EVERYWHERE)})
            right.add(**{f"bar of {rule}": _bar(rule, linewidth=9, solid_capstyle="butt")})
        return [left.add(level=level(ALERT, **NOW)), right]

    knobs = {"rule": knob("adam", RULES), "factor": knob(1.1, 1.02, 2.0)}
    return picture(panels, show, figsize=(10.4, 4.2), **races("digits, small network"), **knobs)


def can_it_be_seen():
    """Return the scene of forty tests of two models, one of them truly better: how often does a test show it?

    accuracy: of the worse one, in points.  better: by so many points.  images: in the test part.
    """

    def show(*, accuracy, better, images):
        second = min(accuracy + better, 100.0)
        difference, ends = differences(accuracy, second, images)
        clear = (ends[:, 0] > 0) | (ends[:, 1] < 0)
        tested = f"each tested on {images} images of its own: {clear.sum()} of 40 tests"
        told = f"Two models, {counted(f'{better:.2g}', 'point')} apart, {tested} show a difference; "
        told += f"{np.sum(difference < 0)} rank them wrongly."
        if better == 0:
            told = f"Two equal models, {tested} show a difference where there is none."
        return Shown(told, truth=better, second=second, intervals=(ends, clear))

    words = "forty tests: 95% intervals, dark where they do not hold 0; dotted: the truth"
    side = "measured difference, points", -5, 5
    panel = Panel((0.09, 0.14, 0.88, 0.76), (words, -1, 40, False, []), side)
    panel.title = "accuracy {accuracy:.3g} against {second:.3g}, {images} images each"
    panel.add(zero=level("#444444", 0, linewidth=1), truth=level(ALERT, **NOW))

    def put(bars, intervals):
        for i, (bar, ends, clear) in enumerate(zip(bars, *intervals, strict=True)):
            bar.set_data([i, i], ends)
            bar.set_color("#0060a8" if clear else QUIET)

    wide = {"linewidth": 3, "solid_capstyle": "butt"}
    panel.add(intervals=Mark(lambda ax, **more: [ax.plot([], [], **wide | more)[0] for _ in range(40)], put))
    knobs = {"accuracy": knob(97.0, 80.0, 98.0), "better": knob(0.5, 0.0, 2.0)}
    return picture([panel], show, figsize=(9.6, 3.6), **knobs, images=knob(360, 100, 20_000))


def places(table, shared):
    """Return the still picture of who is how far behind: rules against problems, for each schedule.

    shared: schedule → problem → the rules that share its first place.
    """
    said = []
    with axes_in((10.6, 7.0), *((0.1, y, 0.885, 0.36) for y in (0.57, 0.09))) as (figure, *axes):
        for ax, schedule in zip(axes, SCHEDULES, strict=True):
            means = np.array([[table[p, schedule, r].test.mean() for p in PROBLEMS] for r in RULES])
            behind = means / means.min(axis=0) - 1
            ax.imshow(np.clip(behind, 0, 0.5), cmap="Blues", vmin=0, vmax=0.8, aspect="auto")
            for i, rule in enumerate(RULES):
                for j, problem in enumerate(PROBLEMS):
                    first = rule in shared[schedule][problem]
                    style = {"ha": "center", "va": "center", "fontsize": 10}
                    style["weight"] = "bold" if first else "normal"
                    ax.text(j, i, "★ " * first + _percent(behind[i, j]), **style)
            ax.set_yticks(range(len(RULES)), [SHORT[r] for r in RULES])
            ax.set_xticks(range(len(PROBLEMS)), [fill(p, 9) for p in PROBLEMS], fontsize=9)
            ax.tick_params(length=0)
            ax.set_title(f"{schedule} lr: test loss above the lowest of the column; ★ shares first place")
            firsts = (f"{SHORT[r]} {sum(r in who for who in shared[schedule].values())}" for r in RULES)
            said.append(f"{schedule.capitalize()} lr, first places (shared): {', '.join(firsts)}.")
    return Picture(figure, " ".join(said))


def _percent(x):
    return "best" if x == 0 else f"+{x:.0%}" if x < 9.995 else f"×{1 + x:.0f}"


def trials(results, part="validation_loss"):
    """Return the still picture of a race: each rule's trials as dots, its chosen one with a ring.

    results: name → Result of a race.
    """
    best = {}
    with axes_in((9.6, 3.4), (0.12, 0.16, 0.86, 0.74)) as (figure, ax):
        for name, row in _rule_rows(ax, results).items():
            losses = results[name].history[part]
            counts = as_they_count(losses[-1].mean(axis=1), float(losses[0].mean()))
            ax.plot(counts, np.full(len(counts), row), "|", color=COLOURS[name], markersize=13, alpha=0.7)
            best[name] = float(counts.min())
            ax.plot([best[name]], [row], "o", color=COLOURS[name], markersize=11, fillstyle="none")
        ax.set(xscale="log", xlabel="validation loss at the end; circle: the chosen trial")
        ticks = _plain("", *ax.get_xlim()).ticks
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.set_xticks([], minor=True)
        ax.set_title("Every bar is a trial. Most of them are bad; those far right learned nothing")
    return Picture(figure, "; ".join(f"{SHORT[r]} {best[r]:.2f}" for r in sorted(best, key=best.get)) + ".")


def costs(measured):
    """Return the still picture of what one step of one run costs. measured: problem → rule → Cost."""

    def draw(ax, costs):
        for rule, row in _rule_rows(ax, costs).items():
            gradient, whole = 1e6 * min(costs[rule].gradient, costs[rule].step), 1e6 * costs[rule].step
            ax.barh(row, gradient, color="#c5cdd5", height=0.6)
            ax.barh(row, whole - gradient, left=gradient, color=COLOURS[rule], height=0.6)
        if not ax.get_subplotspec().is_first_col():
            ax.set_yticklabels([])

    words = "µs for one step; grey: the gradient"
    adjust = 0.115, 0.17, 0.985, 0.87, 0.12
    figure = columns(measured, {"": draw}, (9.6, 3.4), adjust=adjust, xlabel=words)
    sizes = "; ".join(
        f"{name}: {', '.join(f'{SHORT[r]} {c.state:,}' for r, c in costs.items())}"
        for name, costs in measured.items()
    )
    return Picture(figure, f"Bytes of state beside the weights. {sizes}.")


def _heights(rules):
    """Return the height of each rule's row, the first on top."""
    return dict(zip(rules, range(len(rules) - 1, -1, -1), strict=True))


def _rule_rows(ax, rules):
    """Give each rule a row, the first on top, named in its colour; return name → height."""
    heights = _heights(rules)
    ax.set_yticks(list(heights.values()), [SHORT[rule] for rule in rules])
    for label, rule in zip(ax.get_yticklabels(), rules, strict=True):
        label.set_color(COLOURS[rule])
    ax.set_ylim(-0.7, len(rules) - 0.3)
    return heights


def _by_rule(place, side, title=""):
    """Return the Panel with a row for each rule.  side: along the rows."""
    return Panel(place, side, title=title, rows=lambda ax: _rule_rows(ax, RULES))


def _bar(rule, **style):
    return line(COLOURS[rule], within=EVERYWHERE, **style)


def _log_side(label, low, high):
    """Return a log axis that shows low to high, with plain numbers even where it is less than a decade."""
    high = max(high, 1.05 * low)
    return _plain(label, low / (high / low) ** 0.05, high * (high / low) ** 0.08)


def _plain(label, low, high):
    ticks = np.geomspace(low, high, 6)[1:-1]
    digits = ".2g" if high / low > 1.5 else ".3g"
    return log(label, low, high, {tick: f"{tick:{digits}}" for tick in ticks})
