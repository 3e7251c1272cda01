"""The pictures of lesson 11: what a budget buys, two rules over the same seeds, the width of the good lr."""

import functools
from textwrap import fill

import numpy as np

from optim_lessons.choosing import best_quantile, expected_best, good_width, paired_bootstrap, time_to_target
from optim_lessons.lab.fair import best_of

from optim_lessons.lab.panels import (  # isort: skip
    Mark, Panel, Shown, dots, knob, level, line, log, picture, step, upright,
)  # fmt: skip
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, counted, look, new_figure
from optim_lessons.pictures.gradient_descent import QUIET

PALE = "#9aa7b4"
EVERYWHERE = (-np.inf, np.inf)
SHORT = {"gradient_descent": "descent", "momentum": "momentum", "nesterov": "Nesterov", "adagrad": "AdaGrad"}
SHORT |= {"rmsprop": "RMSProp", "adam": "Adam", "adamw": "AdamW"}


def style(rule):
    """Return a rule's line, without markers, from its name."""
    return RULE_STYLES[rule] | {"marker": ""}


def names_of(table):
    """Return the problems, schedules and rules of a table, each in its order."""
    return tuple(list(dict.fromkeys(column)) for column in zip(*table, strict=True))


def budget(table):
    """Return the scene of the best of k trials: its mean against k, and where it mostly falls for one k.

    table: as protocol.results gives it.
    """
    problems, schedules, rules = names_of(table)

    @functools.lru_cache
    def expected(problem, schedule):
        rows = {rule: table[problem, schedule, rule] for rule in rules}
        ks = np.arange(1, 1 + len(rows[rules[0]].trials))
        return rows, ks, {rule: expected_best(row.trials, ks) for rule, row in rows.items()}

    def show(*, problem, schedule, k):
        rows, _, means = expected(problem, schedule)
        data = {"now": k}
        for height, (rule, row) in zip(_heights(rules), rows.items(), strict=True):
            ends = best_quantile(row.trials, k, 0.1), best_quantile(row.trials, k, 0.9)
            data |= {f"band of {rule}": (ends, [height] * 2), rule: ([means[rule][k - 1]], [height])}
        order = sorted(rules, key=lambda rule: means[rule][k - 1])
        first, second, last = (f"{SHORT[r]} {means[r][k - 1]:.3g}" for r in (*order[:2], order[-1]))
        told = f"{problem}, {schedule} lr: with a budget of {k} the expected best is {first}, "
        return Shown(f"{told}then {second}; last {last}.", **data)

    def panels(problem, schedule):
        _, ks, means = expected(problem, schedule)
        low, high = min(mean[-1] for mean in means.values()), max(mean[0] for mean in means.values())
        trials = log("k, the budget of trials", 1, ks[-1], {k: k for k in (1, 2, 5, 10, 20, ks[-1])})
        left = Panel((0.085, 0.14, 0.47, 0.76), trials, _log_side("validation loss", low, high))
        left.title = f"mean of the best of k trials: {problem}"
        left.add(**{rule: line(style(rule), (ks, mean)) for rule, mean in means.items()})
        left.add(now=upright(ALERT, linewidth=1, linestyle=":"))
        side = _plain("validation loss of the best", low * 0.97, max(high, low * 1.1) * 1.03)
        right = Panel((0.665, 0.14, 0.32, 0.76), side, title="k {k}, {schedule} lr: mean, and 8 cases of 10")
        right.add(rows=lambda ax: _rule_rows(ax, rules))
        pale = {"linewidth": 5, "alpha": 0.35, "within": EVERYWHERE}
        right.add(**{f"band of {rule}": line(RULE_STYLES[rule]["color"], **pale) for rule in rules})
        for rule in rules:
            point = {"marker": RULE_STYLES[rule]["marker"], "size": 7, "within": EVERYWHERE}
            right.add(**{rule: dots(RULE_STYLES[rule]["color"], **point)})
        return [left, right]

    knobs = {"problem": knob(problems[6], problems, still=True)}
    knobs |= {"schedule": knob(schedules[0], schedules, still=True)}
    most = len(table[next(iter(table))].tuning)
    return picture(panels, show, figsize=(10.4, 4.2), **knobs, k=knob(8, 1, most))


def two_rules(table, target_of):
    """Return the scene of two chosen trials over the fresh seeds: their curves, and their paired differences.

    target_of: a function of (table, problem), the validation loss to be reached; target multiplies it.
    """
    problems, schedules, rules = names_of(table)

    def drawn(problem, schedule, rule, against):
        """Return the chosen rules' rows, the loss to be reached, and the two rules' losses on the tests."""
        rows = {name: table[problem, schedule, name] for name in dict.fromkeys((rule, against))}
        tests = (table[problem, schedule, name].test for name in (rule, against))
        return rows, target_of(table, problem), *tests

    def show(*, problem, schedule, rule, against, target):
        rows, goal, a, b = drawn(problem, schedule, rule, against)
        mean, low, high = paired_bootstrap(a, b)
        verdict = "a tie" if low <= 0 <= high else f"{SHORT[rule if high < 0 else against]} is ahead"
        times = []
        for name, row in rows.items():
            epochs = time_to_target(row.curve, target * goal)
            count, half = int(np.isfinite(epochs).sum()), np.median(epochs)
            when = f"of {len(epochs)} runs only" if not np.isfinite(half) else ""
            times.append(f"{SHORT[name]} in {f'{count} {when}' if when else counted(f'{half:g}', 'epoch')}")
        told = f"Target {target * goal:.3g} (median of {len(a)} seeds): {', '.join(times)}. Test loss "
        told += f"{SHORT[rule]} − {SHORT[against]} {mean:+.2g}, in {low:+.2g} to {high:+.2g}: {verdict}."
        curves = {name: np.median(_counted(row), axis=1) for name, row in rows.items()}
        data = {"differences": a - b, "ends": (low, high), "curves": curves}
        return Shown(told, level=target * goal, goal=goal, **data)

    def panels(problem, schedule, rule, against):
        rows, goal, a, b = drawn(problem, schedule, rule, against)
        (mean, low, high), seeds = paired_bootstrap(a, b), np.arange(len(a))
        left = Panel((0.085, 0.14, 0.5, 0.76), legend="upper right")
        middles = []
        for name, row in rows.items():
            least, middle, most = np.quantile(_counted(row), [0, 0.5, 1], axis=1)
            shade = {"color": style(name)["color"], "alpha": 0.15, "linewidth": 0}
            area = functools.partial(_shade, low=least, high=most, **shade)
            left.add(**{f"area of {name}": area, name: line(style(name), middle, label=SHORT[name])})
            middles.append(middle)
        side = "validation loss", min(np.min(middles), 0.6 * goal), max(np.max(middles), 1.5 * goal)
        left.sides = {"x": step(len(middle) - 1, "epoch"), "y": _log_side(*side)}
        left.title = "{problem}, {schedule} lr; target {target:.3g} × {goal:.3g}"
        left.add(level=level(ALERT, linewidth=1, linestyle=":"))
        reach = 1.15 * max(np.abs(a - b).max(), abs(low), abs(high), 1e-6)
        side, names = f"{SHORT[rule]} − {SHORT[against]}", ["mean", *(f"seed {s + 1}" for s in seeds)]
        right = Panel((0.66, 0.14, 0.32, 0.76), (side, -reach, reach), ("", -3, len(a)))
        right.title = "test loss, seed by seed"
        right.add(zero=upright("#444444", 0, linewidth=1), each=dots(PALE, (a - b, seeds), size=6))
        right.add(interval=line(ALERT, ([low, high], [-2, -2]), linewidth=3, solid_capstyle="butt"))
        right.add(mean=dots(ALERT, ([mean], [-2]), marker="D", size=8))
        right.add(rows=lambda ax: ax.set_yticks([-2, *seeds], names, fontsize=8.5))
        return [left, right.add(few=lambda ax: ax.locator_params(axis="x", nbins=4))]

    knobs = {"problem": (problems[5], problems), "schedule": (schedules[0], schedules)}
    knobs |= {"rule": ("adam", rules), "against": ("gradient_descent", rules)}
    knobs = {name: knob(*its, still=True) for name, its in knobs.items()}
    return picture(panels, show, figsize=(10.4, 4.2), **knobs, target=knob(1.0, 0.6, 1.5))


def _counted(row):
    """Return the losses of a row's runs; one that is lost counts as where it began."""
    return np.where(np.isfinite(row.curve), row.curve, row.start)


def _shade(ax, low, high, **look):
    ax.fill_between(np.arange(len(low)), low, high, **look)


def widths(table, lrs):
    """Return the scene of the loss against lr alone, and of how wide the good region is for each rule.

    lrs: what was swept.  factor: a loss is good up to so many times the lowest one of the rule.
    """
    problems, schedules, rules = names_of(table)

    def show(*, problem, schedule, rule, factor):
        rows = {name: table[problem, schedule, name].swept for name in rules}
        reach = {name: good_width(lrs, losses, factor) for name, losses in rows.items()}
        widest, bars = max(reach, key=reach.get), zip(rules, _heights(rules), strict=True)
        data = {f"bar of {name}": ([0, max(reach[name], 0.01)], [height] * 2) for name, height in bars}
        told = f"{problem}, {schedule} lr: {SHORT[rule]} is best at {best_of(rows[rule], lr=lrs)} and within "
        told += f"{factor:.3g} times that over {reach[rule]:.2f} decades. Widest: {SHORT[widest]}, "
        data |= {rule: (lrs, rows[rule]), "level": factor * rows[rule].min(), "name": SHORT[rule]}
        return Shown(f"{told}{reach[widest]:.2f}.", **data)

    def panels(problem, schedule):
        rows = {rule: table[problem, schedule, rule].swept for rule in rules}
        ends = min(losses.min() for losses in rows.values()), max(losses.max() for losses in rows.values())
        sides = log("lr, other knobs at defaults", lrs[0], lrs[-1]), _log_side("validation loss", *ends)
        left = Panel((0.085, 0.14, 0.5, 0.76), *sides)
        left.title = "{problem}, {schedule} lr; {name}, factor {factor:.3g}"
        left.add(**{f"all {rule}": line(QUIET, (lrs, losses), linewidth=1) for rule, losses in rows.items()})
        for rule in rules:
            left.add(**{rule: line(style(rule), linewidth=2.4, within=EVERYWHERE)})
        left.add(level=level(ALERT, linewidth=1, linestyle=":"))
        right = Panel((0.7, 0.14, 0.28, 0.76), ("decades of good lr", 0, 5))
        right.add(rows=lambda ax: _rule_rows(ax, rules))
        for rule in rules:
            wide = {"linewidth": 9, "solid_capstyle": "butt", "within": EVERYWHERE}
            right.add(**{f"bar of {rule}": line(RULE_STYLES[rule]["color"], **wide)})
        return [left, right]

    knobs = {"problem": knob(problems[6], problems, still=True)}
    knobs |= {"schedule": knob(schedules[0], schedules, still=True)}
    knobs |= {"rule": knob("adam", rules), "factor": knob(1.1, 1.02, 2.0)}
    return picture(panels, show, figsize=(10.4, 4.2), **knobs)


def can_it_be_seen():
    """Return the scene of forty tests of two models, one of them truly better: how often does a test show it?

    accuracy: of the worse one, in points.  better: by so many points.  images: in the test part.
    """

    def show(*, accuracy, better, images):
        shares = np.array([accuracy, min(accuracy + better, 100.0)]) / 100
        seen = np.random.default_rng(0).binomial(images, shares, size=(40, 2)) / images
        difference = 100 * (seen[:, 1] - seen[:, 0])
        error = 100 * np.sqrt((seen * (1 - seen)).sum(axis=1) / images)
        clear, ends = np.abs(difference) > 1.96 * error, difference + 1.96 * error * np.array([[-1], [1]])
        tested = f"each tested on {images} images of its own: {clear.sum()} of 40 tests"
        told = f"Two models, {counted(f'{better:.2g}', 'point')} apart, {tested} show a difference; "
        told += f"{np.sum(difference < 0)} rank them wrongly."
        if better == 0:
            told = f"Two equal models, {tested} show a difference where there is none."
        return Shown(told, truth=better, second=100 * shares[1], intervals=(ends.T, clear))

    words = "forty tests: 95% intervals, dark where they do not hold 0; dotted: the truth"
    side = "measured difference, points", -5, 5
    panel = Panel((0.09, 0.14, 0.88, 0.76), (words, -1, 40, False, []), side)
    panel.add(zero=level("#444444", 0, linewidth=1))
    panel.title = "accuracy {accuracy:.3g} against {second:.3g}, {images} images each"
    panel.add(truth=level(ALERT, linewidth=1, linestyle=":"))

    def put(bars, intervals):
        for i, (bar, ends, clear) in enumerate(zip(bars, *intervals, strict=True)):
            bar.set_data([i, i], ends)
            bar.set_color("#0060a8" if clear else QUIET)

    wide = {"linewidth": 3, "solid_capstyle": "butt"}
    panel.add(intervals=Mark(lambda ax, **more: [ax.plot([], [], **wide | more)[0] for _ in range(40)], put))
    knobs = {"accuracy": knob(97.0, 80.0, 98.0), "better": knob(0.5, 0.0, 2.0)}
    knobs |= {"images": knob(360, 100, 20_000)}
    return picture([panel], show, figsize=(9.6, 3.6), **knobs)


def places(table, shared):
    """Return the still picture of who is how far behind: rules against problems, for each schedule.

    shared: schedule → problem → the rules that share its first place.
    """
    problems, schedules, rules = names_of(table)
    figure = new_figure((10.6, 7.0))
    with look():
        for part, schedule in enumerate(schedules):
            ax = figure.add_axes((0.1, 0.57 - 0.48 * part, 0.885, 0.36))
            means = np.array([[table[p, schedule, r].test.mean() for p in problems] for r in rules])
            behind = means / means.min(axis=0) - 1
            ax.imshow(np.clip(behind, 0, 0.5), cmap="Blues", vmin=0, vmax=0.8, aspect="auto")
            for i, j in np.ndindex(behind.shape):
                first = rules[i] in shared[schedule][problems[j]]
                text = "best" if behind[i, j] == 0 else _percent(behind[i, j])
                ax.text(j, i, f"★ {text}" if first else text, ha="center", va="center", fontsize=10,
                        weight="bold" if first else "normal")  # fmt: skip
            ax.set_yticks(range(len(rules)), [SHORT[r] for r in rules])
            ax.set_xticks(range(len(problems)), [fill(p, 9) for p in problems], fontsize=9)
            ax.tick_params(length=0)
            ax.set_title(f"{schedule} lr: test loss above the lowest of the column; ★ shares first place")
    counts = {s: {r: sum(r in who for who in shared[s].values()) for r in rules} for s in schedules}
    return Picture(
        figure,
        " ".join(
            f"{s.capitalize()} lr, first places (shared): "
            + ", ".join(f"{SHORT[r]} {n}" for r, n in counts[s].items()) + "."
            for s in schedules
        ),
    )  # fmt: skip


def _percent(x):
    return f"+{x:.0%}" if x < 9.995 else f"×{1 + x:.0f}"


def trials(results, part="validation_loss"):
    """Return the still picture of a race: each rule's trials as dots, its chosen one with a ring.

    results: name → Result of a race.
    """
    figure = new_figure((9.6, 3.4))
    with look():
        ax = figure.add_axes((0.12, 0.16, 0.86, 0.74))
        rows = _rule_rows(ax, list(results))
        best = {}
        for name, result in results.items():
            losses = result.history[part][-1].mean(axis=1)
            start = float(result.history[part][0].mean())
            counts = np.where(np.isfinite(losses), np.minimum(losses, start), start)
            colour = RULE_STYLES[name]["color"]
            ax.plot(counts, np.full(len(counts), rows[name]), "|", color=colour, markersize=13, alpha=0.7)
            best[name] = float(counts.min())
            ax.plot([best[name]], [rows[name]], "o", color=colour, markersize=11, fillstyle="none")
        ax.set(xscale="log", xlabel="validation loss at the end; circle: the chosen trial")
        ticks = _plain("", *ax.get_xlim()).ticks
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.set_xticks([], minor=True)
        ax.set_title("Every bar is a trial. Most of them are bad; those far right learned nothing")
    order = sorted(best, key=best.get)
    return Picture(figure, "; ".join(f"{SHORT[r]} {best[r]:.2f}" for r in order) + ".")


def costs(measured):
    """Return the still picture of what one step of one run costs. measured: problem → rule → Cost."""
    figure = new_figure((9.6, 3.4))
    rules = list(next(iter(measured.values())))
    with look():
        axes = figure.subplots(1, len(measured))
        figure.subplots_adjust(0.115, 0.17, 0.985, 0.87, wspace=0.12)
        for ax, (name, costs) in zip(np.atleast_1d(axes), measured.items(), strict=True):
            rows = _rule_rows(ax, rules)
            for rule, cost in costs.items():
                y, colour = rows[rule], RULE_STYLES[rule]["color"]
                gradient = min(cost.gradient, cost.step)
                ax.barh(y, 1e6 * gradient, color="#c5cdd5", height=0.6)
                ax.barh(y, 1e6 * (cost.step - gradient), left=1e6 * gradient, color=colour, height=0.6)
            ax.set(title=name, xlabel="µs for one step; grey: the gradient")
            if ax is not np.atleast_1d(axes)[0]:
                ax.set_yticklabels([])
    sizes = "; ".join(
        f"{name}: {', '.join(f'{SHORT[r]} {c.state:,}' for r, c in costs.items())}"
        for name, costs in measured.items()
    )
    return Picture(figure, f"Bytes of state beside the weights. {sizes}.")


def _heights(rules):
    """Return the height of each rule's row, the first on top."""
    return range(len(rules) - 1, -1, -1)


def _rule_rows(ax, rules):
    """Give each rule a row, the first on top, named in its colour; return name → height."""
    ax.set_yticks(list(_heights(rules)), [SHORT[rule] for rule in rules])
    for label, rule in zip(ax.get_yticklabels(), rules, strict=True):
        label.set_color(RULE_STYLES[rule]["color"])
    ax.set_ylim(-0.7, len(rules) - 0.3)
    return dict(zip(rules, _heights(rules), strict=True))


def _log_side(label, low, high):
    """Return a log axis that shows low to high, with plain numbers even where it is less than a decade."""
    high = max(high, 1.05 * low)
    return _plain(label, low / (high / low) ** 0.05, high * (high / low) ** 0.08)


def _plain(label, low, high):
    ticks = np.geomspace(low, high, 6)[1:-1]
    digits = ".2g" if high / low > 1.5 else ".3g"
    return log(label, low, high, {tick: f"{tick:{digits}}" for tick in ticks})
