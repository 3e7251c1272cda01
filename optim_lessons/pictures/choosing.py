"""The pictures of lesson 11: what a budget buys, two rules over the same seeds, the width of the good lr."""

from textwrap import fill

import numpy as np

from optim_lessons.choosing import best_quantile, expected_best, good_width, paired_bootstrap, time_to_target
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.live import Scene
from optim_lessons.lab.plots import ALERT, RULE_STYLES, Picture, counted, look, new_figure

PALE = "#9aa7b4"
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

    table: as protocol.results gives it. Knobs: problem, schedule and k.
    """
    problems, schedules, rules = names_of(table)

    def build(figure, *, problem, schedule):
        rows = {rule: table[problem, schedule, rule] for rule in rules}
        ks = np.arange(1, 1 + len(rows[rules[0]].trials))
        left, right = figure.add_axes((0.085, 0.14, 0.47, 0.76)), figure.add_axes((0.665, 0.14, 0.32, 0.76))
        means = {rule: expected_best(row.trials, ks) for rule, row in rows.items()}
        for rule, mean in means.items():
            left.plot(ks, mean, **style(rule))
        low = min(mean[-1] for mean in means.values())
        high = max(mean[0] for mean in means.values())
        left.set(xscale="log", yscale="log", xlim=(1, ks[-1]), xlabel="k, the budget of trials")
        _log_ticks(left, low, high)
        left.set_xticks([1, 2, 5, 10, 20, ks[-1]], [1, 2, 5, 10, 20, ks[-1]], minor=False)
        left.set_xticks([], minor=True)
        left.set(ylabel="validation loss", title=f"mean of the best of k trials: {problem}")
        here = left.axvline(1, color=ALERT, linewidth=1, linestyle=":", animated=True)
        places = _rule_rows(right, rules)
        bands = {r: right.plot([], [], animated=True, color=RULE_STYLES[r]["color"], lw=5, alpha=0.35)[0]
                 for r in rules}  # fmt: skip
        dots = {
            r: right.plot([], [], animated=True, color=RULE_STYLES[r]["color"], ls="",
                          marker=RULE_STYLES[r]["marker"], ms=7)[0]
            for r in rules
        }  # fmt: skip
        right.set(xscale="log", xlabel="validation loss of the best")
        right.set_xlim(low * 0.97, max(high, low * 1.1) * 1.03)
        _plain(right.xaxis)
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, k):
            here.set_xdata([k, k])
            for rule, row in rows.items():
                ends = best_quantile(row.trials, k, 0.1), best_quantile(row.trials, k, 0.9)
                bands[rule].set_data(ends, [places[rule]] * 2)
                dots[rule].set_data([means[rule][k - 1]], [places[rule]])
            settings.set_text(f"k {k}, {schedule} lr: mean, and 8 cases of 10")
            order = sorted(rules, key=lambda rule: means[rule][k - 1])
            first, second, last = (f"{SHORT[r]} {means[r][k - 1]:.3g}" for r in (*order[:2], order[-1]))
            return (
                f"{problem}, {schedule} lr: with a budget of {k} the expected best is {first}, "
                f"then {second}; last {last}."
            )

        return move

    still = {"problem": problems[6], "schedule": schedules[0]}
    ranges = {"problem": problems, "schedule": schedules, "k": (1, len(table[next(iter(table))].tuning))}
    return Scene(build, {"k": 8}, still, ranges, size=(10.4, 4.2))


def two_rules(table, target_of):
    """Return the scene of two chosen trials over the fresh seeds: their curves, and their paired differences.

    target_of: a function of (table, problem), the validation loss to be reached.
    Knobs: problem, schedule, rule, against, and target, which multiplies that loss.
    """
    problems, schedules, rules = names_of(table)

    def build(figure, *, problem, schedule, rule, against):
        left, right = figure.add_axes((0.085, 0.14, 0.5, 0.76)), figure.add_axes((0.66, 0.14, 0.32, 0.76))
        rows = {name: table[problem, schedule, name] for name in dict.fromkeys((rule, against))}
        goal = target_of(table, problem)
        for name, row in rows.items():
            curve = np.where(np.isfinite(row.curve), row.curve, row.start)  # what a lost run counts as
            epochs = np.arange(len(curve))
            low, middle, high = np.quantile(curve, [0, 0.5, 1], axis=1)
            left.fill_between(epochs, low, high, color=style(name)["color"], alpha=0.15, linewidth=0)
            left.plot(epochs, middle, label=SHORT[name], **style(name))
        left.set(xlim=(0, len(curve) - 1), yscale="log", xlabel="epoch", ylabel="validation loss")
        lines = np.concatenate([line.get_ydata() for line in left.lines])
        _log_ticks(left, min(lines.min(), 0.6 * goal), max(lines.max(), 1.5 * goal))
        left.legend(loc="upper right")
        level = left.axhline(goal, color=ALERT, linewidth=1, linestyle=":", animated=True)
        settings = left.set_title("", fontsize=10, animated=True)
        a, b = table[problem, schedule, rule].test, table[problem, schedule, against].test
        mean, low, high = paired_bootstrap(a, b)
        seeds = np.arange(len(a))
        right.axvline(0, color="#444444", linewidth=1)
        right.plot(a - b, seeds, "o", color=PALE, markersize=6)
        right.plot([low, high], [-2, -2], color=ALERT, linewidth=3, solid_capstyle="butt")
        right.plot([mean], [-2], "D", color=ALERT, markersize=8)
        reach = 1.15 * max(np.abs(a - b).max(), abs(low), abs(high), 1e-6)
        right.set(xlim=(-reach, reach), ylim=(-3, len(a)), title="test loss, seed by seed")
        right.set_xlabel(f"{SHORT[rule]} − {SHORT[against]}")
        right.set_yticks([-2, *seeds], ["mean", *(f"seed {s + 1}" for s in seeds)], fontsize=8.5)
        right.locator_params(axis="x", nbins=4)
        verdict = "a tie" if low <= 0 <= high else f"{SHORT[rule if high < 0 else against]} is ahead"

        def move(*, target):
            level.set_ydata([target * goal] * 2)
            settings.set_text(f"{problem}, {schedule} lr; target {target:.3g} × {goal:.3g}")
            times = []
            for name, row in rows.items():
                epochs = time_to_target(row.curve, target * goal)
                count = int(np.isfinite(epochs).sum())
                half = np.median(epochs)
                times.append(
                    f"{SHORT[name]} in {counted(f'{half:g}', 'epoch')}" if np.isfinite(half)
                    else f"{SHORT[name]} in {count} of {len(epochs)} runs only"
                )  # fmt: skip
            return (
                f"Target {target * goal:.3g} (median of {len(a)} seeds): {', '.join(times)}. Test loss "
                f"{SHORT[rule]} − {SHORT[against]} {mean:+.2g}, in {low:+.2g} to {high:+.2g}: {verdict}."
            )

        return move

    still = {"problem": problems[5], "schedule": schedules[0], "rule": "adam", "against": "gradient_descent"}
    ranges = {"problem": problems, "schedule": schedules, "rule": rules, "against": rules}
    return Scene(build, {"target": 1.0}, still, ranges | {"target": (0.6, 1.5)}, size=(10.4, 4.2))


def widths(table, lrs):
    """Return the scene of the loss against lr alone, and of how wide the good region is for each rule.

    lrs: what was swept. Knobs: problem, schedule, rule, and factor: a loss is good up to so many times the
    lowest one of the rule.
    """
    problems, schedules, rules = names_of(table)

    def build(figure, *, problem, schedule):
        left, right = figure.add_axes((0.085, 0.14, 0.5, 0.76)), figure.add_axes((0.7, 0.14, 0.28, 0.76))
        rows = {rule: table[problem, schedule, rule].swept for rule in rules}
        for losses in rows.values():
            left.plot(lrs, losses, color="#c5cdd5", linewidth=1)
        left.set(xscale="log", yscale="log", xlim=(lrs[0], lrs[-1]), xlabel="lr, other knobs at defaults")
        low = min(losses.min() for losses in rows.values())
        _log_ticks(left, low, max(losses.max() for losses in rows.values()))
        left.set_ylabel("validation loss")
        line = left.plot([], [], linewidth=2.4, animated=True)[0]
        level = left.axhline(1, color=ALERT, linewidth=1, linestyle=":", animated=True)
        settings = left.set_title("", fontsize=10, animated=True)
        places = _rule_rows(right, rules)
        bars = {r: right.plot([], [], animated=True, color=RULE_STYLES[r]["color"], lw=9,
                              solid_capstyle="butt")[0] for r in rules}  # fmt: skip
        right.set(xlim=(0, 5), xlabel="decades of good lr")

        def move(*, rule, factor):
            line.set(**{k: v for k, v in style(rule).items() if k != "marker"})
            line.set_data(lrs, rows[rule])
            level.set_ydata([factor * rows[rule].min()] * 2)
            reach = {name: good_width(lrs, losses, factor) for name, losses in rows.items()}
            for name, bar in bars.items():
                bar.set_data([0, max(reach[name], 0.01)], [places[name]] * 2)
            settings.set_text(f"{problem}, {schedule} lr; {SHORT[rule]}, factor {factor:.3g}")
            widest = max(reach, key=reach.get)
            return (
                f"{problem}, {schedule} lr: {SHORT[rule]} is best at {best_of(rows[rule], lr=lrs)} and "
                f"within {factor:.3g} times that over {reach[rule]:.2f} decades. "
                f"Widest: {SHORT[widest]}, {reach[widest]:.2f}."
            )

        return move

    still = {"problem": problems[6], "schedule": schedules[0]}
    ranges = {"problem": problems, "schedule": schedules, "rule": rules, "factor": (1.02, 2.0)}
    return Scene(build, {"rule": "adam", "factor": 1.1}, still, ranges, size=(10.4, 4.2))


def can_it_be_seen():
    """Return the scene of forty tests of two models, one of them truly better: how often does a test show it?

    Knobs: accuracy (of the worse one, in points), better (by so many points), images (in the test part).
    """

    def build(figure):
        ax = figure.add_axes((0.09, 0.14, 0.88, 0.76), xticks=[], xlim=(-1, 40))
        ax.set_xlabel("forty tests: 95% intervals, dark where they do not hold 0; dotted: the truth")
        ax.axhline(0, color="#444444", linewidth=1)
        truth = ax.axhline(0, color=ALERT, linewidth=1, linestyle=":", animated=True)
        ax.set(ylim=(-5, 5), ylabel="measured difference, points")
        bars = [ax.plot([], [], animated=True, linewidth=3, solid_capstyle="butt")[0] for _ in range(40)]
        settings = ax.set_title("", fontsize=10, animated=True)

        def move(*, accuracy, better, images):
            truth.set_ydata([better, better])
            shares = np.array([accuracy, min(accuracy + better, 100.0)]) / 100
            seen = np.random.default_rng(0).binomial(images, shares, size=(40, 2)) / images
            difference = 100 * (seen[:, 1] - seen[:, 0])
            error = 100 * np.sqrt((seen * (1 - seen)).sum(axis=1) / images)
            shown = np.abs(difference) > 1.96 * error
            for i, bar in enumerate(bars):
                bar.set_data([i, i], difference[i] + 1.96 * error[i] * np.array([-1, 1]))
                bar.set_color("#0060a8" if shown[i] else "#c5cdd5")
            settings.set_text(f"accuracy {accuracy:.3g} against {100 * shares[1]:.3g}, {images} images each")
            tested = f"each tested on {images} images of its own: {shown.sum()} of 40 tests"
            if better == 0:
                return f"Two equal models, {tested} show a difference where there is none."
            return (
                f"Two models, {counted(f'{better:.2g}', 'point')} apart, {tested} show a difference; "
                f"{np.sum(difference < 0)} rank them wrongly."
            )

        return move

    moving = {"accuracy": 97.0, "better": 0.5, "images": 360}
    ranges = {"accuracy": (80.0, 98.0), "better": (0.0, 2.0), "images": (100, 20_000)}
    return Scene(build, moving, ranges=ranges, size=(9.6, 3.6))


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
        _plain(ax.xaxis)
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


def _rule_rows(ax, rules):
    """Give each rule a row, the first on top, named in its colour; return name → height."""
    heights = {rule: len(rules) - 1 - i for i, rule in enumerate(rules)}
    ax.set_yticks(list(heights.values()), [SHORT[rule] for rule in rules])
    for label, rule in zip(ax.get_yticklabels(), rules, strict=True):
        label.set_color(RULE_STYLES[rule]["color"])
    ax.set_ylim(-0.7, len(rules) - 0.3)
    return heights


def _log_ticks(ax, low, high):
    """Show low to high on a log axis, with a few plain numbers even where it is less than a decade."""
    high = max(high, 1.05 * low)
    ax.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.08)
    _plain(ax.yaxis)


def _plain(axis):
    low, high = axis.get_view_interval()
    ticks = np.geomspace(low, high, 6)[1:-1]
    axis.set_ticks(ticks, [f"{tick:.2g}" if high / low > 1.5 else f"{tick:.3g}" for tick in ticks])
    axis.set_ticks([], minor=True)
