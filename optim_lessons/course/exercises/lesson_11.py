"""The exercises of lesson 11: fair races, their statistics, and a problem that nobody has described."""

import numpy as np

from optim_lessons.choosing import time_to_target
from optim_lessons.course.judging.answers import read_number
from optim_lessons.course.judging.kinds import choice, diagnosis, function, goal, number
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.course.judging.verdict import Verdict, is_open, quote, still_open, wrong
from optim_lessons.lab.knobs import parts
from optim_lessons.studies.protocol import RULES
from optim_lessons.studies.unknown import BUDGET, PASS, entrant, grid, score, unknown


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
    default = entry["lr"] == parts(RULES[entry["rule"]]).knobs["lr"]
    untouched = entry["schedule"] == "constant" and entry["decay"] in (0.0, 0.01)
    if default and untouched:
        return "only-defaults", seen
    return ("no-decay" if entry["decay"] == 0 else "not-near-the-top"), seen


exercises = (
    choice(
        "11.predict_budget",
        "budget_guess",
        task="Digits, small network, constant lr, and a budget of one single trial, drawn from the ranges of "
        "the protocol. Which rule has the lowest expected loss?",
        options={
            "a": "Adam or AdamW: they need the least tuning",
            "b": "gradient descent: plain SGD",
            "c": "it makes no difference: the draw is random",
        },
        answer="b",
        hint="the lr is drawn from 0.0001 to 10 for everyone. For which rule is the largest part of that "
        "usable?",
        because="With these ranges most draws are too large for Adam, and not for SGD. The ranges are a part "
        "of the result.",
        mistakes=[
            Mistake(
                "habit-for-evidence",
                "Adam's default is good for many problems, but here nobody uses a default: the lr is drawn "
                "from five decades.",
                "at which lr does Adam begin to fail, and how much of the range lies above?",
                values="a",
            ),
            Mistake(
                "luck-is-equal",
                "The luck is equal: all rules even draw the same values of lr. What they do with a value is "
                "not.",
                "think of lr 1 in each rule.",
                values="c",
            ),
        ],
    ),
    choice(
        "11.predict_knobs",
        "knobs_guess",
        task="Adam, constant lr, nine problems. First only lr is tuned, all other knobs at their "
        "defaults; then "
        "lr, beta1, beta2 and eps are tuned together, with 48 trials. In the middle of the nine problems, "
        "the "
        "validation loss of the second is ...",
        options={
            "a": "lower by a fifth or more: four knobs know more than one",
            "b": "within a few per cent of the first",
            "c": "twice as high: 48 trials are far too few for four knobs",
        },
        answer="b",
        hint="look at how wide the good values of eps and of the betas were in lesson 08.",
        because="On these short trainings lr is most of it. Choi and others tuned eps on far longer ones, "
        "where it mattered.",
        mistakes=[
            Mistake(
                "knobs-count-alike",
                "The other knobs have wide plateaus: most of their values do as well as the default.",
                "which knob had the narrowest valley in lesson 08?",
                values="a",
            ),
            Mistake(
                "every-knob-needs-its-own-trials",
                "If only one of four knobs matters, 48 random draws are 48 different values of that one.",
                "what is the advantage of random draws over a grid?",
                values="c",
            ),
        ],
    ),
    function(
        "11.time_to_target",
        time_to_target,
        inputs=_target_inputs,
        task="Write `def my_time_to_target(losses, target)`. It returns, for each run, the first row at "
        "or below "
        "the target, and infinity for a run that never gets there.",
        hint="`np.argmax` of an array of True and False is the place of the first True, and 0 if there is "
        "none.",
        because="Infinity says honestly: not within the budget.",
        mistakes=[
            Mistake(
                "never-counts-as-zero",
                "A run that never gets there has the time 0: the loser is the fastest of all.",
                "what does `argmax` say where everything is False?",
                [("np.where(reached.any(axis=0), reached.argmax(axis=0), np.inf)", "reached.argmax(axis=0)")],
            ),
            Mistake(
                "never-counts-as-the-end",
                "A run that never gets there counts as if it arrived in the last row.",
                "arriving late and not arriving are two things.",
                [("np.inf", "len(losses) - 1")],
            ),
            Mistake(
                "never-counts-as-minus-one",
                "A run that never gets there has the time -1: it is ahead of all others.",
                "which time is later than every other?",
                [("np.inf", "-1")],
            ),
            Mistake(
                "never-counts-as-nan",
                "A run that never gets there has the time NaN, which is neither earlier nor later than any.",
                "which time is later than every other?",
                [("np.inf", "np.nan")],
            ),
            Mistake(
                "equal-is-not-reached",
                "A loss that is exactly the target does not count as reached.",
                "at or below.",
                [("<= target", "< target")],
            ),
            Mistake(
                "above-for-below",
                "You look for losses above the target.",
                "a loss falls towards its target.",
                [("<= target", ">= target")],
            ),
            Mistake(
                "last-for-first",
                "You count the rows that are not at the target. A run that reaches it and leaves it again "
                "gets "
                "a later time than it has earned.",
                "the first time counts, whatever comes after.",
                [("reached.argmax(axis=0)", "(~reached).sum(axis=0)")],
            ),
            Mistake(
                "one-row-late",
                "Your count is one too high: row 0 is the start, before any step.",
                "how many epochs are over in row 0?",
                [("reached.argmax(axis=0)", "reached.argmax(axis=0) + 1")],
            ),
        ],
    ),
    number(
        "11.trials_needed",
        "trials_needed",
        task="One decade of lr out of five is good. Trials are drawn log-uniformly from all five. How "
        "many are "
        "needed, at least, for a chance of 95% that one or more are good?",
        accept=(13.4, 14),
        solution="np.ceil(np.log(0.05) / np.log(0.8))",
        hint="what is the chance that one trial misses? That all n of them miss?",
        because="Few, for a knob that matters alone: random search is not as blind as it sounds.",
        mistakes=[
            Mistake(
                "mean-for-95-per-cent",
                "Five is the number of trials until the first hit, on average. Often it takes longer.",
                "how likely is it that five trials all miss?",
                values=5,
            ),
            Mistake(
                "chances-added",
                "You added up the chances of the trials: with six of them that would be more than 100%.",
                "multiply the chances to miss.",
                values=4.75,
            ),
            Mistake(
                "hits-for-misses",
                "You asked when the chance that all trials hit falls to 5%.",
                "the chance of one trial to miss is not one fifth.",
                values=(2, float(np.log(0.05) / np.log(0.2))),
            ),
            Mistake(
                "ninety-five-per-cent-of-missing",
                "You found when the chance to miss is still 95%.",
                "which chance has to be small?",
                values=(1, float(np.log(0.95) / np.log(0.8))),
            ),
            Mistake(
                "rounded-down",
                "With 13 trials the chance is a little below 95%.",
                "round so that the condition holds.",
                values=13,
            ),
        ],
    ),
    number(
        "11.images_needed",
        "images_needed",
        task="Two models are right on 97% of all images, but for a true difference of half a point. Each is "
        "tested on n images of its own. From which n on is half a point as large as 1.96 standard errors of "
        "the measured difference? (Use 97% for both standard errors.)",
        accept=(8200, 9680),  # from 97% and 97.5% (8,217) to 96.5% and 97% (9,661)
        solution="2 * 0.97 * 0.03 * (1.96 / 0.005) ** 2",
        hint="the variance of one measured accuracy p is p (1 - p) / n; the variances of two independent "
        "measurements add up.",
        because="About 25 times as many images as the digits' test part has.",
        mistakes=[
            Mistake(
                "one-model-only",
                "That is enough for the accuracy of one model. A difference of two has the variance of both.",
                "how many measurements go into the difference?",
                values=0.97 * 0.03 * (1.96 / 0.005) ** 2,
            ),
            Mistake(
                "one-standard-error",
                "With that n half a point is one standard error: nearly a third of all tests of two equal "
                "models "
                "show as much.",
                "where did 1.96 go?",
                values=2 * 0.97 * 0.03 / 0.005**2,
            ),
            Mistake(
                "square-forgotten",
                "The standard error falls with the root of n, so 1.96 enters with its square.",
                "solve 1.96 times the standard error = 0.005 for n, step by step.",
                values=2 * 0.97 * 0.03 * 1.96 / 0.005**2,
            ),
            Mistake(
                "root-of-p-times-q",
                "You used the standard deviation of one image where its variance belongs.",
                "is p (1 - p) a variance or a standard deviation?",
                values=2 * np.sqrt(0.97 * 0.03) * (1.96 / 0.005) ** 2,
            ),
            Mistake(
                "points-for-shares",
                "Half a point is 0.005 of all images, not 0.5 of them.",
                "write everything as a share of 1.",
                values=2 * 0.97 * 0.03 * (1.96 / 0.5) ** 2,
            ),
            Mistake(
                "wrong-accuracy",
                "You used half a point as if it were the rate of errors.",
                "which share of the images does a model get wrong?",
                values=2 * 0.995 * 0.005 * (1.96 / 0.005) ** 2,
            ),
        ],
    ),
    function(
        "11.bootstrap_interval",
        bootstrap_interval,
        name="my_bootstrap_interval",
        inputs=_bootstrap_inputs,
        task="Write `def my_bootstrap_interval(a, b, again)`. a and b hold one loss per seed, in the same "
        "order; "
        "each row of again holds the numbers of the seeds that were drawn. It returns an array of two "
        "numbers: "
        "the ends of the middle 95% of the mean differences.",
        hint="`x[again]` takes the drawn seeds of every draw at once; `np.quantile` finds the ends.",
        because="Paired: what a seed does to both rules is gone before anything is drawn.",
        mistakes=[
            Mistake(
                "turned-round",
                "You subtract a from b.",
                "a − b is positive where a is larger.",
                [("a - b", "b - a")],
            ),
            Mistake(
                "pairs-broken",
                "You draw the seeds of a and of b apart: luck that both share does not cancel any more.",
                "a seed stays one pair.",
                [
                    (
                        "differences[again].mean(axis=1)",
                        "a[again].mean(axis=1) - b[again[::-1]].mean(axis=1)",
                    )
                ],
            ),
            Mistake(
                "single-differences",
                "That is the spread of single drawn seeds. The question is how sure their mean is.",
                "what is computed from each draw before the quantiles?",
                [("differences[again].mean(axis=1)", "differences[again].ravel()")],
            ),
            Mistake(
                "mean-over-the-draws",
                "You average over the draws; the average has to go over the seeds of each draw.",
                "which axis of again are the seeds?",
                [("axis=1", "axis=0")],
            ),
            Mistake(
                "ninety-per-cent",
                "You cut 5% at each end: that leaves 90%.",
                "what is left out has two ends.",
                [("[0.025, 0.975]", "[0.05, 0.95]")],
            ),
            Mistake(
                "shares-for-per-cent",
                "Your two ends are nearly one: `np.percentile` counts from 0 to 100, not from 0 to 1.",
                "`np.quantile` takes shares.",
                [("np.quantile(means, [0.025, 0.975])", "np.percentile(means, [0.025, 0.975])")],
            ),
            Mistake(
                "median-for-mean",
                "You take the median of each draw, not its mean.",
                "the question was about mean differences.",
                [("differences[again].mean(axis=1)", "np.median(differences[again], axis=1)")],
            ),
            Mistake(
                "nothing-drawn",
                "You take the quantiles of the differences themselves: `again` is not used.",
                "what would you have seen with other seeds?",
                [("differences[again].mean(axis=1)", "differences")],
            ),
            Mistake(
                "ends-swapped",
                "The upper end comes first.",
                "low, then high.",
                [("[0.025, 0.975]", "[0.975, 0.025]")],
            ),
        ],
    ),
    diagnosis(
        "11.unfair",
        "unfair",
        what="report",
        answer={
            "A": "different budgets",
            "B": "tuned for one only",
            "C": "chosen on test",
            "D": "best seed reported",
            "E": "time of a batch",
        },
        labels={
            "different budgets": "both rules are searched, one of them in more trials",
            "tuned for one only": "one rule's knobs are searched, and the other's are not",
            "chosen on test": "the test part decides which trial is kept",
            "best seed reported": "of several seeds of the same trial only the luckiest is in the table",
            "time of a batch": "the time of many runs trained together is taken for that of one",
        },
        look={
            "A": "count what each rule was allowed to do.",
            "B": "where does each lr come from?",
            "C": "which images decided which trial is in the table?",
            "D": "what has been done with the ten numbers of each rule?",
            "E": "what was measured, and what is said about it?",
        },
        task="Five reports of races, A to E. Each breaks the protocol in one way. Name it: a dict, letter "
        "to cause.",
        hint="go through the protocol line by line: budget, tuning, choice, race, test, time.",
        because="Each of these has decided published comparisons.",
    ),
    goal(
        "11.unknown",
        "my_entry",
        _ranked,
        read=read_entry,
        noted=_note,
        solution='{"rule": "adamw", "lr": 0.03, "schedule": "cosine", "decay": 1.0}',
        points=4,
        task="Choose rule, lr, schedule and decay for the unknown problem, with a budget of "
        f"{BUDGET} runs of `unknown.train`. Enter them as a dict. It passes if it ranks among the best "
        f"{PASS} "
        f"of {len(grid())} entries by test loss.",
        hint="spend a few runs wide, on a log scale, before you spend many narrow; try what the guide "
        "says is "
        "worth trying, decay among it.",
        because=f"It is among the best {PASS} on the test part. Whether it was found on validation and "
        "within the budget, only you know: that is what the result is worth.",
        mistakes=[
            Mistake(
                "test-opened",
                "The test part was looked at while choosing, so it is no test any more.",
                "`unknown.start_again()` begins an honest attempt.",
            ),
            Mistake(
                "second-entry",
                "Another entry was ranked in this attempt: whoever chooses again has seen the test part.",
                "`unknown.start_again()` begins an honest attempt.",
            ),
            Mistake(
                "overspent",
                "More runs were spent than the budget allows.",
                "`unknown.start_again()` begins anew; plan the runs before you spend them.",
            ),
            Mistake(
                "diverged",
                "A run of this entry left the finite numbers on a fresh seed.",
                "one lucky seed is no proof that an lr is safe; step back from the edge.",
            ),
            Mistake(
                "only-defaults",
                "This is the rule as the library ships it: nothing was chosen.",
                "which knob did the guide find to be most of it?",
            ),
            Mistake(
                "no-decay",
                "The entry is sound, and others are better. It does without decay.",
                "there are 300 examples and some of their labels are wrong: what did lesson 10 do about "
                "that?",
            ),
            Mistake(
                "not-near-the-top",
                "The entry is sound, and others are better.",
                "which of the four choices have you not varied yet? lr and decay belong together.",
            ),
        ],
    ),
)
