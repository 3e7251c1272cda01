"""Judge a learner's rule: its signature, its results, its mistake, or the first step that differs."""

import itertools
from functools import cache

import numpy as np

from optim_lessons.course.judging.failures import nothing_returned, raised, remembers
from optim_lessons.course.judging.mistakes import variant
from optim_lessons.course.judging.signature import is_same_function, no_function, wrong_signature
from optim_lessons.course.judging.trials import (
    Malformed,
    Unwritten,
    agree,
    close,
    constant_factor,
    difference,
    hard_trials,
    is_unwritten,
    mixed_by,
    mixes,
    run,
    run_checked,
    several_runs,
    size,
    steps,
    trials,
)
from optim_lessons.course.judging.verdict import is_open, listed, right, still_open, wrong
from optim_lessons.course.sandbox.watchdog import SECONDS, guarded
from optim_lessons.lab.knobs import parts

_SPACE = "the last axis is the space, all axes before it are runs; with `keepdims=True` a sum keeps its axis."
_STATE = "in the very first call the state is a single number, 0.0; a sum with an array makes it an array."
_KNOB = "a knob is a single number: it has no places, and a product with it is written `*`."
_PRODUCT = "several runs come at once: multiply place by place, then sum over the last axis."
_AXIS = "the second argument of `np.max` is an axis; `np.maximum` compares two arrays, place by place."
_NUMBERS = [  # what says that a single number was taken for an array
    (AttributeError, "'float' object"),
    (TypeError, "'float' object is not subscriptable"),
    (TypeError, "'float' object does not support item"),
    (ValueError, "einstein sum"),
    (ValueError, "does not have enough dimensions"),
    (ValueError, "array of dimension 0"),
]


def _notes(reference):
    """Return the hints for errors in a rule: (kind of exception, part of its message, hint, in which line).

    The last is a pattern that the line has to hold; an empty one fits any line.
    """
    state, knobs = ("|".join(names) for names in (parts(reference).state, parts(reference).knobs))
    notes = [
        (TypeError, "", _AXIS, r"np\.a?(max|min)\("),
        (ValueError, "broadcast", _SPACE, ""),
        (ValueError, "not aligned", _PRODUCT, ""),
        (ValueError, "core dimension", _PRODUCT, ""),
    ]
    used_as_array = r"\b({0})\b *(\[|\.|@)|@ *({0})\b"
    for kind, part in _NUMBERS:
        if knobs:
            notes.append((kind, part, _KNOB, used_as_array.format(knobs)))
        if state:
            notes.append((kind, part, _STATE, rf"\b({state})\b"))
    return notes


def judge_rule(exercise, answer, seconds=SECONDS, seed=0):
    """Return the verdict on a learner's rule.  seed: of the trials."""
    refused = refused_unseen(exercise, answer)
    if refused is not None:
        return refused
    reference = exercise.reference
    ordinary, hard = trials(reference, seed), hard_trials(reference, seed)
    # The first trial once more: a rule that remembers does not answer the same. Several runs come last:
    # where coordinates do not mix, no exercise speaks of runs, and a rule that cannot have them is right too.
    cases = [*ordinary, *hard, ordinary[0], several_runs(reference, seed)]
    got, error, title = _tried(exercise, answer, cases, seconds)
    n, wanted = len(ordinary), _wanted(reference, cases)
    agreed = [agree(*pair) for pair in zip(got, wanted, strict=False)]
    if len(got) < n or not all(agreed[:n]):
        return _wrong_rule(
            exercise, answer, got[:n], error if len(got) < n else None, title, ordinary, seconds
        )
    if not all(agreed[n : n + len(hard)]):
        k = agreed.index(False)
        return _wrong_with_hard_input(exercise, got[k], wanted[k], cases[k])
    if not all(agreed[: len(cases) - 1]):
        return remembers(f"`{exercise.name}`")
    if all(agreed[n:]) and len(got) == len(cases):
        return _right(exercise)
    if len(got) == len(cases):
        return _wrong_rule(exercise, answer, got[-1:], None, title, cases[-1:], seconds)
    one_at_a_time = len(got) == len(cases) - 1 and not mixes(reference)
    cannot = isinstance(error, Exception) and not isinstance(error, Unwritten | Malformed)
    if one_at_a_time and (cannot or getattr(error, "mistake", "") == "shape"):
        again, _, _ = _tried(exercise, answer, cases[-1:], seconds)
        if again:
            return remembers(f"`{exercise.name}`")
        return _right(
            exercise,
            "It takes one run at a time; a sweep gives it several, on the axes before the last. ",
        )
    return _failed(exercise, answer, error, title, cases, seconds)


def _tried(exercise, answer, cases, seconds):
    """Return what a rule answers in the trials that it comes through, what it raised, and in which trial."""
    names, wanted = ["w", *parts(exercise.reference).state], _wanted(exercise.reference, cases)
    begun, done = [], []

    def attempt():
        for case, want in zip(cases, wanted, strict=True):
            begun.append(case.title)
            done.append(run_checked(answer, case, names, want))

    _, error = guarded(attempt, seconds)
    return done, error, begun[-1] if begun else ""


def _wanted(reference, cases):
    with np.errstate(all="ignore"):
        return [run(reference, case) for case in cases]


def _right(exercise, remark=""):
    names = ["w", *parts(exercise.reference).state]
    runs = "and with several runs at once" if not remark else "and with zeros, huge and tiny numbers"
    return right(
        f"`{exercise.name}` gives the right {listed(names)} at every step: from the start, in mid-run, "
        f"{runs}. {remark}{exercise.because}".rstrip()
    )


def _wrong_rule(exercise, answer, got, error, title, cases, seconds):
    """Return the verdict on a rule that went wrong in the ordinary trials.

    got: its answers in those that it came through.  error: what it raised in the next one, or None.
    """
    name, reference = f"`{exercise.name}`", exercise.reference
    wanted = _wanted(reference, cases)
    gone = any(not agree(*pair) for pair in zip(got, wanted, strict=False))
    again, _, _ = _tried(exercise, answer, cases[: len(got)], seconds)
    unsteady = len(again) < len(got) or not all(map(agree, again, got))
    if unsteady and not isinstance(error, Malformed | Unwritten):
        return remembers(name)  # what is left of one trial does not fit the next
    if error is not None:
        malformed = isinstance(error, Malformed) and error.mistake in ("shape", "dtype")
        return first(
            lambda: _behind_the_shape(exercise, answer, cases, seconds) if malformed else None,
            # Gone wrong before it stopped: what went wrong then is what counts.
            lambda: recognise(exercise, got, cases) if gone else None,
            lambda: _mixing(exercise, answer, seconds) if gone else None,
            lambda: _failed(exercise, answer, error, title, cases, seconds),
        )
    names = ["w", *parts(reference).state]
    return first(
        lambda: recognise(exercise, got, cases),
        lambda: _not_finite(exercise, got, wanted, names, cases),
        lambda: _unused(name, answer, reference, got, cases, seconds),
        lambda: _mixing(exercise, answer, seconds),
        lambda: _first_difference(exercise, got, wanted, names, cases),
    )


def _failed(exercise, answer, error, title, cases, seconds):
    """Return the verdict on a rule that raised, or returned what cannot be compared."""
    name = f"`{exercise.name}`"
    if isinstance(error, Malformed):
        return wrong(str(error), error.mistake)
    if isinstance(error, Unwritten):
        where = _where_nothing(answer, cases, _wanted(exercise.reference, cases), seconds)
        return nothing_returned(name, answer, error.args[0], where)
    return raised(name, answer, error, title, seconds, _notes(exercise.reference))


def refused_unseen(exercise, answer):
    """Return a verdict if an answer needs no call to be refused: open, the course's own, wrong arguments."""
    name, reference = f"`{exercise.name}`", exercise.reference
    if is_open(answer):
        return still_open(f"{name} is not written yet.")
    if is_same_function(answer, reference):
        return wrong(
            f"This is the course's own `{reference.__name__}`. It is right, but it is not yours.",
            "the-courses-own",
            "write the formula yourself, line by line; `reveal` shows it if you are stuck for long.",
        )
    # A verdict on a wrong answer is false, so `or` would pass it over: first looks for None.
    return first(
        lambda: no_function(name, answer),
        lambda: wrong_signature(name, answer, reference),
    )


def first(*attempts):
    """Return the first verdict that is not None."""
    return next((verdict for attempt in attempts if (verdict := attempt()) is not None), None)


def recognise(exercise, got, cases):
    """Return the verdict that names the mistake (or two at once) that gives these answers, or None."""
    sizes = [[size(answers, i) for i in range(len(answers[0]))] for answers in got]

    def same(mine, theirs, sizes):
        return len(mine) == len(theirs) and all(map(close, mine, theirs, sizes))

    def behaves_like(*mistakes):
        rule = variant(exercise.reference, *mistakes)
        try:
            with np.errstate(all="ignore"):
                return all(
                    same(mine, theirs, biggest)  # nearly all differ in the first step, and stop there
                    for answers, case, biggest in zip(got, cases, sizes, strict=False)
                    for mine, theirs in zip(answers, steps(rule, case), strict=True)
                )
        except Exception:  # some pairs of mistakes cannot run: then nobody made them
            return False

    k = min(1, len(got) - 1)  # the trial in mid-run, if the answer has come so far

    @cache
    def first_step(*mistakes):
        try:
            with np.errstate(all="ignore"):
                return next(steps(variant(exercise.reference, *mistakes), cases[k]))
        except Exception:
            return ()

    def plausible(a, b):
        """Say whether two mistakes can be behind the answer: what one of them changes alone, it has changed.

        Without this look at one step of each mistake, 1,700 pairs of AdamW's would be compiled.
        """
        one, other, none = first_step(a), first_step(b), first_step()
        if not len(one) == len(other) == len(none) == len(got[k][0]):
            return True
        for mine, x, y, usual, biggest in zip(got[k][0], one, other, none, sizes[k], strict=True):
            touched = [z for z in (x, y) if not close(z, usual, biggest)]
            if len(touched) < 2 and not close(mine, (touched or [usual])[0], biggest):
                return False
        return True

    return first(
        lambda: _in_another_order(exercise, got, cases),
        lambda: named(exercise, behaves_like, plausible),
    )


def named(exercise, behaves_like, plausible=lambda a, b: True):
    """Return the verdict that names the mistake, or two at once, with which the reference behaves so."""
    for mistake in exercise.mistakes:
        if behaves_like(mistake):
            return wrong(mistake.text, mistake.name, mistake.hint)
    for pair in itertools.combinations(exercise.mistakes, 2):
        if not plausible(*pair):
            continue
        for a, b in (pair, pair[::-1]):
            try:
                variant(exercise.reference, a, b)
            except (ValueError, SyntaxError):  # the two change the same piece of text
                continue
            if behaves_like(a, b):
                return wrong(
                    f"Two things at once. First: {a.text} Second: {b.text}",
                    f"{a.name} + {b.name}",
                    a.hint,
                )
            break
    return None


def _where_nothing(answer, cases, wanted, seconds):
    """Return in which step of which trial a rule returns nothing; "" if it never returns anything.

    Each step begins where the reference's step before has ended.
    """
    seen = []

    def attempt():
        for case, want in zip(cases, wanted, strict=True):
            before = [(case.w, *case.state), *want]
            for step, ((w, *state), g) in enumerate(zip(before, case.gradients, strict=False), 1):
                new = answer(w, g, *state, **case.knobs)
                seen.append((is_unwritten(new), f"at step {step}, {case.title}"))

    guarded(attempt, seconds)  # an error in it is no matter: what came before is seen
    missing = [where for nothing, where in seen if nothing]
    return missing[0] if missing and len(missing) < len(seen) else ""


def _behind_the_shape(exercise, answer, cases, seconds):
    """Return a verdict if a wrong order or a named mistake is behind a wrong shape or type, or None."""
    names = ["w", *parts(exercise.reference).state]
    one_step = [cases[0].first_steps(1)]
    begun, _ = guarded(lambda: [run_checked(answer, case, names) for case in one_step], seconds)
    got, _ = guarded(lambda: [run_checked(answer, case, names) for case in cases], seconds)
    if got and all(map(agree, got, _wanted(exercise.reference, cases))):
        return None  # right but for the type
    return first(
        lambda: _in_another_order(exercise, begun, cases) if begun else None,
        lambda: recognise(exercise, got, cases) if got else None,
        lambda: _mixing(exercise, answer, seconds),
    )


def _in_another_order(exercise, got, cases):
    """Return a verdict if the right values come back in a wrong order, which only the first step shows."""
    case = cases[0].first_steps(1)
    want = run(exercise.reference, case)
    mine = got[0][0]
    if len(mine) != len(want[0]) or agree([mine], want):
        return None
    for order in itertools.islice(itertools.permutations(range(len(mine))), 1, None):
        if agree([tuple(mine[i] for i in order)], want):
            return wrong(
                "The values are right, but they come back in another order than they went in.",
                "returned-order",
                "the new weights come first, then the state in the order of the arguments.",
            )
    return None


def _mixing(exercise, answer, seconds):
    """Return a verdict if a rule mixes coordinates that have nothing to do with each other, or None."""
    if mixes(exercise.reference):
        return None
    seen = [guarded(lambda late=late: mixed_by(answer, exercise.reference, late), seconds) for late in (1, 0)]
    value = next((value for value, _ in seen if value), None)
    if value is None:
        return None
    return wrong(
        f"`{exercise.name}` mixes the coordinates: what happens in one of them changes the {value} of "
        "the others.",
        "coordinates-mixed",
        "each coordinate walks alone: is there a sum, a mean, a maximum or a product over all of them?",
    )


def _not_finite(exercise, got, wanted, names, cases):
    """Return a verdict if a value turns into NaN or infinity where that of the reference does not."""
    for answers, want, case in zip(got, wanted, cases, strict=True):
        for step, (answer, expected) in enumerate(zip(answers, want, strict=True), 1):
            values = zip(names, answer, expected, strict=True)
            bad = [n for n, mine, x in values if np.any(np.isfinite(x) & ~np.isfinite(mine))]
            if bad:
                return wrong(
                    f"At step {step}, {case.title}, `{exercise.name}` turns {listed(bad)} "
                    "into NaN or infinity.",
                    "not-finite",
                    "is there a division by 0, or the root of a negative number?",
                )
    return None


def _wrong_with_hard_input(exercise, got, want, case):
    """Return the verdict on a rule that is right with ordinary numbers, but not in a hard trial."""
    names = ["w", *parts(exercise.reference).state]
    hint = exercise.hint
    if np.any(
        [np.isfinite(b) & ~np.isfinite(a) for a, b in zip(got[-1], want[-1], strict=True) if np.ndim(b)]
    ):
        hint = "is there a division by 0, or the root of a negative number?"
    return wrong(
        f"With ordinary numbers all is right. {difference(got, want, names, case)}", "hard-input", hint
    )


def _unused(name, answer, reference, got, cases, seconds):
    """Return a verdict if a knob or the state changes nothing in the answer."""
    names = ["w", *parts(reference).state]
    for knob in parts(reference).knobs:
        halved = [c._replace(knobs={**c.knobs, knob: 0.5 * c.knobs[knob]}) for c in cases[:2]]
        if _same_answers(answer, got[:2], halved, names, seconds):
            return wrong(
                f"{name} does not use `{knob}` as the formula does: another value of it changes nothing.",
                f"{knob}-unused",
                "use the argument's name where the formula has its letter, not a number.",
            )
    state = cases[1].state if len(cases) > 1 else ()
    for i, part in enumerate(names[1 : 1 + len(state)]):
        # Both signs: a rule that restarts may forget its state for good reason, but not for both.
        changed = [(*state[:i], sign * (state[i] * 2 + 1), *state[i + 1 :]) for sign in (1, -1)]
        others = [cases[1]._replace(state=values) for values in changed]
        if _same_answers(answer, [got[1], got[1]], others, names, seconds):
            return wrong(
                f"{name} does not use the `{part}` that comes in: every call starts from nothing.",
                f"{part}-unused",
                f"what was returned as {part} comes back in the next call.",
            )
    return None


def _same_answers(answer, got, cases, names, seconds):
    other, _ = guarded(lambda: [run_checked(answer, case, names) for case in cases], seconds)
    return other is not None and all(map(agree, other, got))


def _first_difference(exercise, got, wanted, names, cases):
    answers, want, case = next(
        found for found in zip(got, wanted, cases, strict=True) if not agree(*found[:2])
    )
    text, hint = difference(answers, want, names, case), exercise.hint
    factor = constant_factor(got, wanted, names, parts(exercise.reference).knobs, cases)
    if all(map(_nearly, got, wanted)):
        text += " Everywhere at least three digits are right."
        hint = "is something rounded, or a small number added?"
    return wrong(f"{text} {factor}".rstrip(), None, hint)


def _nearly(got, want):
    return all(
        np.shape(a) == np.shape(b) and np.all(np.abs(a - b) <= 1e-3 * size(want, i))
        for mine, theirs in zip(got, want, strict=True)
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True))
    )
