"""Lesson 11's decision guide. It is computed from the results: change the races, and it says something else.

print(guide(results()))
"""

import math
import textwrap
from typing import NamedTuple

import numpy as np

from optim_lessons.choosing import best_and_ties, counted, good_width, paired_bootstrap, time_to_target
from optim_lessons.lab.fair import best_of, nearest
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.races import Entrant
from optim_lessons.studies.protocol import FRESH_SEEDS, GOOD, PROBLEMS, RULES, SCHEDULES, SWEEP, problem


def firsts(table, schedule=None):
    """Return problem → who shares the first place, best first: names of rules, or pairs (rule, schedule).

    Judged by test loss over the fresh seeds. schedule: compare only rules with this one.
    """
    shared = {}
    for name in PROBLEMS:
        if schedule is None:
            losses = {(r, s): table[name, s, r].test for r in RULES for s in SCHEDULES}
        else:
            losses = {r: table[name, schedule, r].test for r in RULES}
        shared[name] = best_and_ties(losses)
    return shared


class Duel(NamedTuple):
    """How often one side was ahead, tied or behind, over all that was paired."""

    ahead: int
    tied: int
    behind: int

    def __str__(self):
        """Say it in words."""
        return f"ahead {self.ahead}, tied {self.tied}, behind {self.behind}"


def duel(pairs):
    """Return the Duel of the first of each pair of rows against the second, by paired test losses."""
    signs = []
    for row, other in pairs:
        _, low, high = paired_bootstrap(row.test, other.test)
        signs.append(-1 if high < 0 else 1 if low > 0 else 0)
    return Duel(signs.count(-1), signs.count(0), signs.count(1))


def of_rules(table, a, b, schedules=tuple(SCHEDULES)):
    """Return the Duel of rule a against rule b over all problems."""
    return duel((table[p, s, a], table[p, s, b]) for p in PROBLEMS for s in schedules)


def of_schedules(table, rules=tuple(RULES)):
    """Return the Duel of the cosine against the constant lr over all problems."""
    return duel((table[p, "cosine", r], table[p, "constant", r]) for p in PROBLEMS for r in rules)


def default_entrant(rule):
    """Return the Entrant with all of a rule's knobs at their defaults: a single trial."""
    return Entrant(rule, {"lr": parts(rule).knobs["lr"]})


def at_default(row):
    """Return the swept loss at the rule's default lr: all knobs at their defaults."""
    default = parts(RULES[row.rule]).knobs["lr"]
    return float(row.swept[nearest(SWEEP, default)])


def width(row):
    """Return how many decades of lr are good, the other knobs at their defaults."""
    return good_width(SWEEP, row.swept, GOOD)


def target(table, name):
    """Return the problem's target, as the protocol says."""
    ends = np.sort(table[name, "constant", "gradient_descent"].curve[-1])
    return float(ends[len(ends) // 2])


def steps_to_target(table, name, schedule, rule, factor=1.0):
    """Return each fresh run's steps to factor times the target; infinity where it never gets there."""
    one = problem(name)
    epochs = time_to_target(table[name, schedule, rule].curve, factor * target(table, name))
    return epochs * (one.steps // one.epochs)


def standard_error(accuracy, examples):
    """Return the standard error of an accuracy measured on so many examples."""
    return math.sqrt(accuracy * (1 - accuracy) / examples)


def paired(table, problem, schedule, *rules):
    """Return two rules' curves, the differences of their test losses, their mean and its interval.

    Curves: rule → validation losses, shape (epochs + 1, seeds); a run that is lost counts as where it began.
    """
    rows = {rule: table[problem, schedule, rule] for rule in rules}
    tests = [table[problem, schedule, rule].test for rule in rules]
    curves = {rule: np.where(np.isfinite(row.curve), row.curve, row.start) for rule, row in rows.items()}
    return curves, tests[0] - tests[1], *paired_bootstrap(*tests)


def differences(first, second, examples, tests=40):
    """Return the measured differences of two models in many tests, and the ends of their 95% intervals.

    first, second: true accuracies, in points.  examples: in a test, each model on its own.  Shapes: (tests,),
    (tests, 2).
    """
    shares = np.array([first, second]) / 100
    seen = np.random.default_rng(0).binomial(examples, shares, size=(tests, 2)) / examples
    difference = 100 * (seen[:, 1] - seen[:, 0])
    error = 100 * np.sqrt((seen * (1 - seen)).sum(axis=1) / examples)
    return difference, difference[:, None] + 1.96 * error[:, None] * np.array([-1, 1])


def guide(table):
    """Return the guide in words, every number and name of it from the table."""
    lines = ["WHERE THE FIRST PLACE WENT (test loss; 14 entries for each problem: 7 rules, 2 schedules)"]
    lines += [_place(table, name, shared) for name, shared in firsts(table).items()]
    lines += ["", "WHAT THE PAIRS SAY (one pair: same problem, same fresh seeds)"]
    lines += [f"- the cosine against a constant lr: {of_schedules(table)}."]
    lines += [
        f"- {a} against {b}: {of_rules(table, a, b)}."
        for a, b in (
            ("momentum", "gradient_descent"),
            ("nesterov", "momentum"),
            ("adam", "gradient_descent"),
            ("adam", "momentum"),
            ("adam", "rmsprop"),
            ("adamw", "adam"),
        )
    ]
    lines += ["", "WHAT TUNING IS WORTH (validation loss above the best trial of all 7 rules; constant lr)"]
    lines += [f"- {rule}: {_excess(table, rule)}" for rule in RULES]
    lines += ["", "WHERE THE EVIDENCE IS THIN"]
    lines += [*_thin(table)]
    return "\n".join(
        textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False) for line in lines
    )


def _place(table, name, shared):
    losses = {(r, s): table[name, s, r].test.mean() for r in RULES for s in SCHEDULES}
    worst = max(losses, key=losses.get)
    who = ", ".join(f"{r} {s}" for r, s in shared)
    ratio = losses[worst] / losses[shared[0]]
    return f"- {name}: {who}. Last: {' '.join(worst)}, {ratio:.2f} times the first's loss."


def _excess(table, rule):
    """Return in words how far above the best a rule is at its defaults, with lr tuned, with all tuned."""
    above = {"at its defaults": [], "with lr tuned": [], "with all knobs tuned": []}
    for name in PROBLEMS:
        best = min(table[name, "constant", r].trials.min() for r in RULES)
        row = table[name, "constant", rule]
        for key, loss in zip(above, (at_default(row), row.swept.min(), row.trials.min()), strict=True):
            above[key].append(loss / best - 1)
    return ", ".join(f"{key} {np.median(values):.0%}" for key, values in above.items()) + "."


def same_on_validation(table):
    """Return on how many problems the first entry is also among the first by the validation part.

    That part has other examples. The runs are the same ones; it has chosen the trials, but not the rule.
    """
    tests, same = firsts(table), 0
    for name, shared in tests.items():
        ends = {(r, s): _curve_end(table[name, s, r]) for r in RULES for s in SCHEDULES}
        same += shared[0] in best_and_ties(ends)
    return same


def _curve_end(row):
    return counted(row.curve[-1], row.start)


def _thin(table):
    same = same_on_validation(table)
    yield (
        f"- The same runs measured on the validation part, other examples: in {same} of {len(PROBLEMS)} "
        "problems the entry named first above shares the first place there too."
    )
    edges = [
        f"{r} {s} ({p})"
        for p in PROBLEMS
        for s in SCHEDULES
        for r in RULES
        if best_of(table[p, s, r].swept, lr=SWEEP).at_edge
    ]
    if edges:
        yield f"- The best lr was the end of the range, so the range was wrong for: {', '.join(edges)}."
    for name in PROBLEMS:
        rows = [table[name, s, r] for r in RULES for s in SCHEDULES]
        lost = {f"{row.rule} {row.schedule}": int((~np.isfinite(row.test_loss)).sum()) for row in rows}
        lost = {who: n for who, n in lost.items() if n}
        if lost:
            listed = ", ".join(f"{who} {n} of {len(FRESH_SEEDS)}" for who, n in lost.items())
            yield f"- {name}: fresh runs were lost: {listed}."
        if not problem(name).net.classifies:
            continue
        alive = [row.test_accuracy[np.isfinite(row.test_accuracy)] for row in rows]
        means = [100 * accuracy.mean() for accuracy in alive if accuracy.size]
        examples = len(problem(name).test.X)
        error = 100 * standard_error(max(means) / 100, examples)
        spread = max(means) - min(means)
        if spread < 3 * error:
            yield (
                f"- {name}: mean accuracies from {min(means):.1f} to {max(means):.1f} points, and one "
                f"standard error of {examples} examples is {error:.1f}."
            )
