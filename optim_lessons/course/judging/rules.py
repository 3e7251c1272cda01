"""Judge a learner's rule: its signature, its results, its mistake, or the first step that differs."""

import copy
import itertools
from functools import cache, cached_property

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
_DIVISION = "is there a division by 0, or the root of a negative number?"
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


class Attempt:
    """A learner's rule in a row of trials.

    got: what it answers in those that it comes through.  error: what it raises in the next one, or None.
    stage: the title of the last trial that was begun.  whole: the attempt of which this is a part.
    """

    def __init__(self, exercise, answer, cases, seconds):
        self.exercise, self.answer, self.cases, self.seconds = exercise, answer, cases, seconds
        self.stage, self.got, self.whole = "", [], self
        _, self.error = guarded(self._try, seconds)

    def _try(self):
        for case, want in zip(self.cases, self.wanted, strict=True):
            self.stage = case.title
            self.got.append(run_checked(self.answer, case, self.names, want))

    def part(self, first, end):
        """Return the attempt at some of the trials alone; what it raised belongs to that trial's part."""
        part = copy.copy(self)
        part.whole = self
        part.cases, part.got = self.cases[first:end], self.got[first:end]
        part.wanted = self.wanted[first:end]
        part.error = self.error if len(part.got) < len(part.cases) else None
        return part

    def again(self, cases):
        """Return a new attempt of the same rule at other trials."""
        return Attempt(self.exercise, self.answer, cases, self.seconds)

    @property
    def reference(self):
        """The right rule."""
        return self.exercise.reference

    @property
    def names(self):
        """The names of what a rule returns: w, and its state."""
        return ["w", *parts(self.reference).state]

    @cached_property
    def wanted(self):
        """What the right rule answers in all the trials."""
        with np.errstate(all="ignore"):
            return [run(self.reference, case) for case in self.cases]

    @property
    def wrong(self):
        """Whether an answer differs from the right one, in the trials that it came through."""
        return any(not agree(*pair) for pair in zip(self.got, self.wanted, strict=False))

    def first_wrong(self):
        """Return the first trial with a wrong answer: what came, what is right, and the trial."""
        tried = zip(self.got, self.wanted, self.cases, strict=False)
        return next(found for found in tried if not agree(*found[:2]))


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
    whole, end = Attempt(exercise, answer, cases, seconds), len(cases)
    for first_case, end_case, detectors in (
        (0, len(ordinary), DETECTORS),
        (len(ordinary), end - 2, (_hard_input, _failed)),
        (end - 2, end - 1, (_remembered, _failed)),
        (end - 1, end, (_one_run_at_a_time, _failed, *DETECTORS)),
    ):
        part = whole.part(first_case, end_case)
        if part.error is not None or part.wrong:
            return first(detectors, part)
    return _right(whole)


def first(detectors, attempt):
    """Return the first verdict that is not None. (A verdict on a wrong answer is false.)"""
    return next((verdict for detect in detectors if (verdict := detect(attempt)) is not None), None)


def _right(attempt, remark=""):
    exercise = attempt.exercise
    runs = "and with several runs at once" if not remark else "and with zeros, huge and tiny numbers"
    return right(
        f"`{exercise.name}` gives the right {listed(attempt.names)} at every step: from the start, in "
        f"mid-run, {runs}. {remark}{exercise.because}".rstrip()
    )


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
    refused = no_function(name, answer)
    return wrong_signature(name, answer, reference) if refused is None else refused


# Detectors: each looks for one kind of fault in an attempt, and returns the verdict that names it, or None.


def _unsteady(attempt):
    """What is left of one trial does not fit the next."""
    again = attempt.again(attempt.cases[: len(attempt.got)]).got
    same = len(again) == len(attempt.got) and all(map(agree, again, attempt.got))
    if same or isinstance(attempt.error, Malformed | Unwritten):
        return None
    return remembers(f"`{attempt.exercise.name}`")


def _behind_the_shape(attempt):
    """A wrong order or a named mistake is behind a wrong shape or type."""
    if not (isinstance(attempt.error, Malformed) and attempt.error.mistake in ("shape", "dtype")):
        return None
    answer, cases, seconds = attempt.answer, attempt.cases, attempt.seconds

    def loose(cases):
        return guarded(lambda: [run_checked(answer, case, attempt.names) for case in cases], seconds)[0]

    got = loose(cases)
    if got and all(map(agree, got, attempt.wanted)):
        return None  # right but for the type
    begun = loose([cases[0].first_steps(1)])
    found = _in_another_order(attempt.exercise, begun, cases) if begun else None
    if found is None and got:
        found = recognise(attempt.exercise, got, cases)
    return _mixing_or_none(attempt) if found is None else found


def _recognised(attempt):
    """A named mistake, or two at once. If it stopped, it had gone wrong before: that is what counts."""
    return recognise(attempt.exercise, attempt.got, attempt.cases) if attempt.wrong else None


def _mixing(attempt):
    """It mixes coordinates that have nothing to do with each other."""
    return _mixing_or_none(attempt) if attempt.wrong else None


def _failed(attempt):
    """It raised, or returned what cannot be compared."""
    name, error = f"`{attempt.exercise.name}`", attempt.error
    if error is None:
        return None
    if isinstance(error, Malformed):
        return wrong(str(error), error.mistake)
    if isinstance(error, Unwritten):
        return nothing_returned(name, attempt.answer, error.args[0], _where_nothing(attempt))
    notes = _notes(attempt.reference)
    return raised(name, attempt.answer, error, attempt.stage, attempt.seconds, notes)


def _remembered(attempt):
    """It answers the first trial otherwise when it comes once more."""
    return remembers(f"`{attempt.exercise.name}`") if attempt.wrong else None


def _one_run_at_a_time(attempt):
    """It cannot have several runs at once, and no exercise asks for them where coordinates do not mix."""
    error = attempt.error
    cannot = isinstance(error, Exception) and not isinstance(error, Unwritten | Malformed)
    if mixes(attempt.reference) or not (cannot or getattr(error, "mistake", "") == "shape"):
        return None
    if attempt.again(attempt.cases).got:
        return remembers(f"`{attempt.exercise.name}`")
    remark = "It takes one run at a time; a sweep gives it several, on the axes before the last. "
    return _right(attempt, remark)


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

    found = _in_another_order(exercise, got, cases)
    return named(exercise, behaves_like, plausible) if found is None else found


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


def _where_nothing(attempt):
    """Return in which step of which trial a rule returns nothing; "" if it never returns anything.

    Each step begins where the reference's step before has ended.
    """
    seen, answer = [], attempt.answer

    def step_by_step():
        for case, want in zip(attempt.whole.cases, attempt.whole.wanted, strict=True):
            before = [(case.w, *case.state), *want]
            for step, ((w, *state), g) in enumerate(zip(before, case.gradients, strict=False), 1):
                new = answer(w, g, *state, **case.knobs)
                seen.append((is_unwritten(new), f"at step {step}, {case.title}"))

    guarded(step_by_step, attempt.seconds)  # an error in it is no matter: what came before is seen
    missing = [where for nothing, where in seen if nothing]
    return missing[0] if missing and len(missing) < len(seen) else ""


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


def _mixing_or_none(attempt):
    answer, reference = attempt.answer, attempt.reference
    if mixes(reference):
        return None
    for late in (True, False):
        value, _ = guarded(lambda late=late: mixed_by(answer, reference, late), attempt.seconds)
        if value:
            return wrong(
                f"`{attempt.exercise.name}` mixes the coordinates: what happens in one of them changes the "
                f"{value} of the others.",
                "coordinates-mixed",
                "each coordinate walks alone: is there a sum, a mean, a maximum or a product over all of "
                "them?",
            )
    return None


def _not_finite(attempt):
    """A value turns into NaN or infinity where that of the reference does not."""
    if attempt.error is not None:
        return None
    for answers, want, case in zip(attempt.got, attempt.wanted, attempt.cases, strict=True):
        for step, (answer, expected) in enumerate(zip(answers, want, strict=True), 1):
            values = zip(attempt.names, answer, expected, strict=True)
            bad = [n for n, mine, x in values if np.any(np.isfinite(x) & ~np.isfinite(mine))]
            if bad:
                return wrong(
                    f"At step {step}, {case.title}, `{attempt.exercise.name}` turns {listed(bad)} into "
                    "NaN or infinity.",
                    "not-finite",
                    _DIVISION,
                )
    return None


def _hard_input(attempt):
    """It is right with ordinary numbers, but not in a hard trial."""
    if not attempt.wrong:
        return None
    got, want, case = attempt.first_wrong()
    ends = zip(got[-1], want[-1], strict=True)
    lost = np.any([np.isfinite(b) & ~np.isfinite(a) for a, b in ends if np.ndim(b)])
    text = f"With ordinary numbers all is right. {difference(got, want, attempt.names, case)}"
    return wrong(text, "hard-input", _DIVISION if lost else attempt.exercise.hint)


def _unused(attempt):
    """A knob or the state changes nothing in the answer."""
    if attempt.error is not None:
        return None
    name, cases, got, names = f"`{attempt.exercise.name}`", attempt.cases, attempt.got, attempt.names

    def same_answers(got, cases):
        answer = attempt.answer
        other, _ = guarded(lambda: [run_checked(answer, case, names) for case in cases], attempt.seconds)
        return other is not None and all(map(agree, other, got))

    for knob in parts(attempt.reference).knobs:
        halved = [c._replace(knobs={**c.knobs, knob: 0.5 * c.knobs[knob]}) for c in cases[:2]]
        if same_answers(got[:2], halved):
            return wrong(
                f"{name} does not use `{knob}` as the formula does: another value of it changes nothing.",
                f"{knob}-unused",
                "use the argument's name where the formula has its letter, not a number.",
            )
    state = cases[1].state if len(cases) > 1 else ()
    for i, part in enumerate(names[1 : 1 + len(state)]):
        # Both signs: a rule that restarts may forget its state for good reason, but not for both.
        changed = [(*state[:i], sign * (state[i] * 2 + 1), *state[i + 1 :]) for sign in (1, -1)]
        if same_answers([got[1], got[1]], [cases[1]._replace(state=values) for values in changed]):
            return wrong(
                f"{name} does not use the `{part}` that comes in: every call starts from nothing.",
                f"{part}-unused",
                f"what was returned as {part} comes back in the next call.",
            )
    return None


def _first_difference(attempt):
    """Nothing that is known: where it differs first."""
    names, knobs = attempt.names, parts(attempt.reference).knobs
    got, want, case = attempt.first_wrong()
    text, hint = difference(got, want, names, case), attempt.exercise.hint
    factor = constant_factor(attempt.got, attempt.wanted, names, knobs, attempt.cases)
    if all(map(_nearly, attempt.got, attempt.wanted)):
        text += " Everywhere at least three digits are right."
        hint = "is something rounded, or a small number added?"
    return wrong(f"{text} {factor}".rstrip(), None, hint)


def _nearly(got, want):
    return all(
        np.shape(a) == np.shape(b) and np.all(np.abs(a - b) <= 1e-3 * size(want, i))
        for mine, theirs in zip(got, want, strict=True)
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True))
    )


DETECTORS = (
    _unsteady,
    _behind_the_shape,
    _recognised,
    _not_finite,
    _unused,
    _mixing,
    _failed,
    _first_difference,
)
