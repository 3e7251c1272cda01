"""Judge a learner's rule: its signature, its results, its mistake, or the first step that differs."""

import itertools

import numpy as np

from optim_lessons.course.judging.failures import nothing_returned, raised, remembers
from optim_lessons.course.judging.mistakes import edited, source_of, variant
from optim_lessons.course.judging.signature import is_same_function, no_function, wrong_signature
from optim_lessons.course.judging.trials import (
    Malformed,
    Unwritten,
    agree,
    difference,
    is_unwritten,
    run,
    run_checked,
    trials,
)
from optim_lessons.course.judging.verdict import is_open, listed, right, still_open, wrong
from optim_lessons.course.sandbox.watchdog import SECONDS, guarded
from optim_lessons.lab.knobs import parts

_SPACE = "the last axis is the space, all axes before it are runs; with `keepdims=True` a sum keeps its axis."
_STATE = "in the very first call the state is a single number, 0.0; a sum with an array makes it an array."
_PRODUCT = "several runs come at once: multiply place by place, then sum over the last axis."
NOTES = [
    (ValueError, "broadcast", _SPACE),
    (AttributeError, "'float' object", _STATE),
    (TypeError, "'float' object is not subscriptable", _STATE),
    (TypeError, "'float' object does not support item", _STATE),
    (ValueError, "einstein sum", _STATE),
    (ValueError, "does not have enough dimensions", _STATE),
    (ValueError, "array of dimension 0", _STATE),
    (ValueError, "not aligned", _PRODUCT),
    (ValueError, "core dimension", _PRODUCT),
]


def judge_rule(exercise, answer, seconds=SECONDS, seed=0):
    """Return the verdict on a learner's rule.  seed: of the trials."""
    refused = refused_unseen(exercise, answer)
    if refused is not None:
        return refused
    name, reference = f"`{exercise.name}`", exercise.reference
    names = ["w", *parts(reference).state]
    cases = trials(reference, seed)
    wanted = [run(reference, case) for case in cases]

    stage, done = [], []  # the titles of the trials begun, to say where an error came up; those gone through

    def attempt():
        got = []
        for case, want in zip(cases, wanted, strict=True):
            stage.append(case.title)
            got.append(run_checked(answer, case, names, want))
            done.append(got[-1])
        return got

    got, error = guarded(attempt, seconds)
    if isinstance(error, Malformed):
        refused = wrong(str(error), error.mistake)
        if error.mistake not in ("shape", "dtype"):
            return refused
        return first(lambda: _behind_the_shape(exercise, answer, cases, seconds), lambda: refused)
    if isinstance(error, Unwritten):
        where = _where_nothing(answer, cases, wanted, seconds)
        return nothing_returned(name, answer, error.args[0], where)
    if isinstance(error, Exception) and done and not _same_answers(answer, done[:1], cases[:1], seconds):
        return remembers(name)  # what is left of one trial does not fit the next
    if error is not None:
        return raised(name, answer, error, stage[-1], seconds, NOTES)
    verdict = judge_answers(exercise, got, cases)
    if verdict or verdict.mistake:
        return verdict
    again, _ = guarded(attempt, seconds)
    if again is None or not all(map(agree, again, got)):
        return remembers(name)
    return first(lambda: _unused(name, answer, reference, got, cases, seconds), lambda: verdict)


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


def judge_answers(exercise, got, cases):
    """Return the verdict on what a rule has answered in the trials, without calling it.

    got: a list of answers for each of the trials, of the right number and shape.
    """
    names = ["w", *parts(exercise.reference).state]
    wanted = [run(exercise.reference, case) for case in cases]
    if all(map(agree, got, wanted)):
        return right(
            f"`{exercise.name}` gives the right {listed(names)} at every step: from the start, in mid-run, "
            f"and with several runs at once. {exercise.because}".rstrip()
        )
    return first(
        lambda: recognise(exercise, got, cases),
        lambda: _not_finite(exercise, got, names, cases),
        lambda: _first_difference(exercise, got, wanted, names, cases),
    )


def first(*attempts):
    """Return the first verdict that is not None."""
    return next((verdict for attempt in attempts if (verdict := attempt()) is not None), None)


def recognise(exercise, got, cases):
    """Return the verdict that names the mistake (or two at once) that gives these answers, or None."""
    return first(
        lambda: _in_another_order(exercise, got, cases),
        lambda: named(exercise, lambda mistakes: _behaves_like(mistakes, exercise.reference, got, cases)),
    )


def named(exercise, behaves_like):
    """Return the verdict that names the mistake, or two at once, for which behaves_like(mistakes) is true."""
    for mistake in exercise.mistakes:
        if behaves_like((mistake,)):
            return wrong(mistake.text, mistake.name, mistake.hint)
    source = source_of(exercise.reference)
    for pair in itertools.combinations(exercise.mistakes, 2):
        for a, b in (pair, pair[::-1]):
            try:
                compile(edited(source, a, b), "<two mistakes>", "exec")
            except (ValueError, SyntaxError):  # the two change the same piece of text
                continue
            if behaves_like((a, b)):
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
    one_step = [cases[0]._replace(gradients=cases[0].gradients[:1])]
    begun, _ = guarded(lambda: [run(answer, case) for case in one_step], seconds)
    got, _ = guarded(lambda: [run(answer, case) for case in cases], seconds)
    if got and all(map(agree, got, [run(exercise.reference, case) for case in cases])):
        return None  # right but for the type
    return first(
        lambda: _in_another_order(exercise, begun, cases) if begun else None,
        lambda: recognise(exercise, got, cases) if got else None,
    )


def _behaves_like(mistakes, reference, got, cases):
    rule = variant(reference, *mistakes)
    with np.errstate(all="ignore"):
        for answers, case in zip(got, cases, strict=True):
            try:
                if not agree(answers, run(rule, case)):
                    return False
            except Exception:  # some pairs of mistakes cannot run: then nobody made them
                return False
    return True


def _in_another_order(exercise, got, cases):
    """Return a verdict if the right values come back in a wrong order, which only the first step shows."""
    names = ["w", *parts(exercise.reference).state]
    case = cases[0]._replace(gradients=cases[0].gradients[:1])
    want = run(exercise.reference, case)
    if agree(got[0][:1], want):
        return None
    for order in itertools.islice(itertools.permutations(range(len(names))), 1, None):
        if len(got[0][0]) == len(names) and agree([tuple(got[0][0][i] for i in order)], want):
            return wrong(
                "The values are right, but they come back in another order than they went in.",
                "returned-order",
                "the new weights come first, then the state in the order of the arguments.",
            )
    return None


def _not_finite(exercise, got, names, cases):
    """Return a verdict if a value turns into NaN or infinity, which in the reference none does."""
    for answers, case in zip(got, cases, strict=True):
        for step, answer in enumerate(answers, 1):
            bad = [n for n, value in zip(names, answer, strict=True) if not np.isfinite(value).all()]
            if bad:
                return wrong(
                    f"At step {step}, {case.title}, `{exercise.name}` turns {listed(bad)} "
                    "into NaN or infinity.",
                    "not-finite",
                    "is there a division by 0, or the root of a negative number?",
                )
    return None


def _unused(name, answer, reference, got, cases, seconds):
    """Return a verdict if a knob or the state changes nothing in the answer."""
    for knob in parts(reference).knobs:
        cases_2 = [c._replace(knobs={**c.knobs, knob: 0.5 * c.knobs[knob]}) for c in cases[:2]]
        if _same_answers(answer, got, cases_2, seconds):
            return wrong(
                f"{name} does not use `{knob}` as the formula does: another value of it changes nothing.",
                f"{knob}-unused",
                "use the argument's name where the formula has its letter, not a number.",
            )
    state = cases[1].state
    for i, part in enumerate(parts(reference).state):
        # Both signs: a rule that restarts may forget its state for good reason, but not for both.
        changed = [(*state[:i], sign * (state[i] * 2 + 1), *state[i + 1 :]) for sign in (1, -1)]
        others = [cases[1]._replace(state=values) for values in changed]
        if _same_answers(answer, [got[1], got[1]], others, seconds):
            return wrong(
                f"{name} does not use the `{part}` that comes in: every call starts from nothing.",
                f"{part}-unused",
                f"what was returned as {part} comes back in the next call.",
            )
    return None


def _same_answers(answer, got, cases, seconds):
    other, _ = guarded(lambda: [run(answer, case) for case in cases], seconds)
    return other is not None and all(map(agree, other, got))


def _nearly(got, want):
    pairs = [(a, b) for mine, right in zip(got, want, strict=True) for a, b in zip(mine, right, strict=True)]
    return all(np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in pairs)


def _first_difference(exercise, got, wanted, names, cases):
    for answers, want, case in zip(got, wanted, cases, strict=True):
        if not agree(answers, want):
            text, hint = difference(answers, want, names, case), exercise.hint
            if all(_nearly(*pair) for pair in zip(got, wanted, strict=True)):
                text += " Everywhere at least three digits are right."
                hint = "is something rounded, or a small number added?"
            return wrong(text, None, hint)
    return None
