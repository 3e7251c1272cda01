"""The exercises of lesson 11: fair races, their statistics, and a problem that nobody has described."""

import numpy as np

from optim_lessons.choosing import time_to_target
from optim_lessons.course.judging.answers import read_number
from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number
from optim_lessons.course.judging.verdict import Verdict, is_open, quote, still_open, wrong
from optim_lessons.course.judging.words import Page
from optim_lessons.lab.knobs import parts
from optim_lessons.studies.protocol import RULES
from optim_lessons.studies.unknown import BUDGET, GUESS, PASS, entrant, grid, score, unknown

page = Page(__name__)


def reports():
    """Return the five reports of exercise 5: letter → text."""
    return {
        "A": "AdamW against SGD on the digits, ten seeds each. Every knob got 48 trials, to be just: AdamW "
        "has five, so 240 trials, SGD has one, so 48. Chosen on the validation part. AdamW: loss 0.081, "
        "SGD: 0.086.",
        "B": "Our new rule against Adam. For ours, 48 trials, chosen on the validation part, gave lr 0.02. "
        "Adam ran with lr 0.001, the value of its library. Ten seeds each, test opened once. Ours: 97.4%, "
        "Adam: 94.0%.",
        "C": "48 trials for each of seven rules, three seeds for each trial. The table shows, for each rule, "
        "the highest mean accuracy that any of its 48 trials reached on the 360 images held out at the very "
        "end. RMSProp: 97.9%, Adam: 97.7%.",
        "D": "48 trials for each rule, chosen on the validation part. The winners were trained with ten new "
        "seeds. The table shows what each rule is able to do: its highest accuracy on test. Momentum: 98.1%, "
        "AdaGrad: 97.8%.",
        "E": "48 trials for each rule, same seeds, test opened once, intervals of ten seeds: a tie. So speed "
        "decides. 48 runs of SGD, trained side by side on one core, took 1.9 s, 48 of Adam 2.3 s: whoever "
        "trains a network with Adam waits 21% longer.",
    }


def bootstrap_interval(a, b, again):
    """Return the ends of the middle 95% of the mean differences, over drawn pairs of seeds."""
    differences = a - b
    means = differences[again].mean(axis=1)
    return np.quantile(means, [0.025, 0.975])


def _bootstrap_inputs(rng):
    def case(seeds, draws):
        common = rng.standard_normal(seeds)
        a, b = (common + 0.3 * rng.standard_normal(seeds) + shift for shift in (0.2, 0.0))
        return a, b, rng.integers(seeds, size=(draws, seeds))

    same = rng.standard_normal(5)
    return {
        "for 10 seeds and 500 draws": case(10, 500),
        "for 7 seeds and 60 draws": case(7, 60),
        "for a single draw": case(4, 1),
        "where a and b are equal": (same, same.copy(), rng.integers(5, size=(30, 5))),
    }


def _target_inputs(rng):
    falling = np.cumprod(rng.uniform(0.6, 0.95, size=(12, 6)), axis=0)
    falling[:, 1] += 10  # never there
    falling[6:, 2] += 5  # was there and left again
    edge = np.array([[3.0, 3.0], [2.0, 2.5], [1.5, 2.0], [1.0, 1.0]])
    return {
        "for six runs": (falling, 0.3),
        "where a loss is exactly the target": (edge, 2.0),
        "for losses of shape (rows, 2, 3)": (falling.reshape(12, 2, 3), 0.2),
        "where runs are lost": (np.array([[2.0, 2.0, 2.0], [np.nan, np.inf, 1.0], [0.5, 0.5, np.nan]]), 1.0),
        "for a single run of one row": (np.array([[0.5]]), 1.0),
        "for losses below 0": (-falling[::-1], -5.0),
    }


def read_entry(name, answer):
    """Return an entry as a dict of rule, lr, schedule and decay, or the Verdict that says what is wrong."""
    example = '`{"rule": "adam", "lr": 0.01, "schedule": "constant", "decay": 0.0}`'
    if is_open(answer):
        return still_open(f"`{name}` is not entered yet: give a dict, such as {example}.")
    if not isinstance(answer, dict):
        return wrong(f"`{name}` is {quote(answer)}: give a dict, such as {example}.", "no-entry")
    for key in [*answer, "rule", "lr"]:
        if key not in ("rule", "lr", "schedule", "decay"):
            return wrong(f"`{name}` has the key {quote(key)}: its keys are as in {example}.", "no-entry")
        if key not in answer:
            return wrong(f"`{name}` has no {quote(key)}: its keys are as in {example}.", "no-entry")
    entry = {"schedule": "constant", "decay": 0.0} | answer
    if any(is_open(value) for value in entry.values()):
        return still_open(f"Something in `{name}` is still open.")
    for key in ("rule", "schedule"):
        word = getattr(entry[key], "__name__", entry[key])
        entry[key] = word.strip().lower() if isinstance(word, str) else word
    for key in ("lr", "decay"):
        entry[key] = read_number(f'{name}["{key}"]', entry[key])
        if isinstance(entry[key], Verdict):
            return wrong(entry[key].text, "no-entry")
    try:
        entrant(**entry)
    except (TypeError, ValueError) as error:
        return wrong(f"`{name}`: {error}.".replace("*", "").replace("..", "."), "no-entry")
    return entry


def _note(answer):
    """Remember the entry that was ranked: ranking it has opened the test part."""
    entry = read_entry("my_entry", answer)
    if isinstance(entry, dict) and unknown.entered is None:
        unknown.entered = entry


def _ranked(entry):
    if unknown.opened:
        return "test-opened", ""
    if unknown.entered not in (None, entry):
        return "second-entry", ""
    if unknown.spent > BUDGET:
        return "overspent", f"You spent {unknown.spent} of {BUDGET}."
    if max(entry["lr"], entry["decay"]) > np.finfo(np.float32).max:
        return "diverged", ""
    loss, rank = score(**entry)
    if not np.isfinite(loss):
        return "diverged", ""
    if rank <= PASS:
        return None
    seen = f"Its test loss is {loss:.3f}: rank {rank} among {len(grid())} entries; the best {PASS} pass."
    shipped = parts(RULES[entry["rule"]]).knobs
    defaults = {"lr": shipped["lr"], "schedule": "constant", "decay": shipped.get("weight_decay", 0.0)}
    if entry == {"rule": entry["rule"]} | defaults:
        return "only-defaults", seen
    if loss >= GUESS:  # higher ones count as a guess
        return "as-a-guess", seen
    return ("no-decay" if entry["decay"] == 0 else "not-near-the-top"), seen


exercises = (
    Choice(page["11.predict_budget"], "budget_guess", answer="b"),
    Choice(page["11.predict_knobs"], "knobs_guess", answer="b"),
    Function(page["11.time_to_target"], time_to_target, inputs=_target_inputs),
    Number(
        page["11.trials_needed"],
        "trials_needed",
        accept=(13.4, 14),
        solution="np.ceil(np.log(0.05) / np.log(0.8))",
    ),
    Number(
        page["11.images_needed"],
        "images_needed",
        accept=(8200, 9680),
        solution="2 * 0.97 * 0.03 * (1.96 / 0.005) ** 2",
    ),
    Function(
        page["11.bootstrap_interval"],
        bootstrap_interval,
        name="my_bootstrap_interval",
        inputs=_bootstrap_inputs,
    ),
    Diagnosis(
        page["11.unfair"],
        "unfair",
        what="report",
        answer={
            "A": "different budgets",
            "B": "tuned for one only",
            "C": "chosen on test",
            "D": "best seed reported",
            "E": "time of a batch",
        },
    ),
    Goal(
        page["11.unknown"],
        "my_entry",
        _ranked,
        read=read_entry,
        noted=_note,
        solution='{"rule": "adamw", "lr": 0.03, "schedule": "cosine", "decay": 1.0}',
        points=4,
    ),
)
