"""Judge a learner's function that is no update rule: on drawn inputs, its results against the reference's."""

import inspect
from functools import cached_property

import numpy as np

from optim_lessons.course.judging.failures import nothing_returned, raised, remembers
from optim_lessons.course.judging.mistakes import variant
from optim_lessons.course.judging.rules import first, named, refused_unseen
from optim_lessons.course.judging.trials import TOLERANCE, TOLERANCE_32, read_only, text_of
from optim_lessons.course.judging.verdict import is_open, quote, right, wrong
from optim_lessons.course.sandbox.watchdog import SECONDS, guarded

NOTES = [
    (
        ValueError,
        "broadcast",
        "axes are matched from the last one back: two sizes have to be equal, or one of them 1. "
        "`np.shape` of both tells which do not fit.",
        "",
    ),
]


def judge_function(exercise, answer, seconds=SECONDS, seed=0):
    """Return the verdict on a learner's function."""
    refused = refused_unseen(exercise, answer)
    if refused is not None:
        return refused
    tried = Tried(exercise, answer, cases_of(exercise, seed), seconds)
    if tried.error is not None:
        return raised(tried.name, answer, tried.error, tried.stage, seconds, NOTES)
    cases, got = tried.cases, tried.got
    missing = [(title, result) for title, result in zip(cases, got, strict=True) if is_open(result)]
    if missing:
        title, result = missing[0]
        return nothing_returned(tried.name, answer, result, title if len(missing) < len(cases) else "")
    if all(map(alike, got, tried.wanted)):
        if not alike(tried.repeated, tried.wanted[0]):
            return remembers(tried.name)
        return right(
            f"{tried.name} gives the right result for every input that was tried. {exercise.because}".rstrip()
        )
    return first(DETECTORS, tried)


class Tried:
    """A learner's function, tried on drawn inputs.

    cases: title → arguments.  got: its results.  repeated: that of the first case, once more.
    error: what it raised, or None.  stage: the title of the last case begun.
    """

    def __init__(self, exercise, answer, cases, seconds):
        self.exercise, self.answer, self.cases, self.seconds = exercise, answer, cases, seconds
        self.name, self.stage = f"`{exercise.name}`", ""
        found, self.error = guarded(self._try, seconds)
        *self.got, self.repeated = found or [None]

    @cached_property
    def wanted(self):
        """What the right function gives."""
        return results(self.exercise.reference, self.cases)

    def _try(self):
        got = []
        for title, args in (*self.cases.items(), next(iter(self.cases.items()))):
            self.stage = title
            got.append(_as_array(self.exercise, _call(self.answer, args)))
        return got

    def again(self):
        """Return a new trial of the same function on the same inputs."""
        return Tried(self.exercise, self.answer, self.cases, self.seconds)


def cases_of(exercise, seed=0):
    """Return what a function is tried on, title → arguments: what is drawn, and its first in other arrays."""
    cases = exercise.inputs(np.random.default_rng(seed))
    first = next(iter(cases.values()))
    if any(map(_is_exact, first)):
        cases["with arrays that are parts of larger ones"] = tuple(map(_apart, first))
    if any(map(_is_exact, first)) and not any(map(callable, first)):
        cases["in `float32`"] = tuple(x.astype(np.float32) if _is_exact(x) else x for x in first)
    return cases


def _is_exact(x):
    return isinstance(x, np.ndarray) and x.dtype == np.float64


def _apart(x):
    """Return an array whose numbers are every second ones of a larger array; all else as it is."""
    if not isinstance(x, np.ndarray):
        return x
    larger = np.repeat(x, 2, axis=-1)
    larger.flags.writeable = False
    return larger[..., ::2]


def results(f, cases):
    """Return what a function gives for each of the inputs, a dict title → arguments."""
    with np.errstate(all="ignore"):
        return [_wanted(f, args) for args in cases.values()]


def _as_array(exercise, result):
    """Return a list or tuple of numbers as an array, unless an array is asked for; all else as it is."""
    if not isinstance(result, list | tuple) or "an array" in exercise.task:
        return result
    try:
        array = np.array(result)
    except (TypeError, ValueError):  # lists of several lengths
        return result
    return array if array.size and array.dtype.kind in "fiu" else result


def _call(f, args):
    return f(*(x if _cannot_be_written(x) else read_only(x) for x in args))


def _cannot_be_written(x):
    return isinstance(x, np.ndarray) and not x.flags.writeable


def _wanted(f, args):
    """Return what a reference gives; where it was given float32, with as many digits as that has."""
    result = _call(f, args)
    single = any(getattr(x, "dtype", None) == np.float32 for x in args)
    return np.asarray(result, np.float32) if single else result


def alike(got, want):
    """Return whether two results are equal, but for rounding: shape and every number."""
    if not _is_real(got) or np.shape(got) != np.shape(want):
        return False
    size = np.abs(np.where(np.isfinite(want), want, 0)).max(initial=0)
    near = TOLERANCE_32 if np.asarray(want).dtype == np.float32 else TOLERANCE
    return np.allclose(got, want, rtol=0, atol=near * size, equal_nan=True)


def _is_real(x):
    return isinstance(x, np.ndarray | np.number | int | float) and np.asarray(x).dtype.kind in "fiu"


# Detectors: each looks for one kind of fault, and returns the verdict that names it, or None.


def _recognised(tried):
    """A named mistake, or two at once."""

    def behaves_like(*mistakes):
        f, pairs = (
            variant(tried.exercise.reference, *mistakes),
            zip(tried.got, tried.cases.values(), strict=True),
        )
        try:
            with np.errstate(all="ignore"):
                # Nearly all differ in the first case, and stop there.
                return all(alike(mine, _wanted(f, args)) for mine, args in pairs)
        except Exception:  # some pairs of mistakes cannot run: then nobody made them
            return False

    return named(tried.exercise, behaves_like)


def _unusable(tried):
    """A result is no array of real numbers, or of the wrong shape."""
    for title, mine, want in zip(tried.cases, tried.got, tried.wanted, strict=True):
        if not _is_real(mine):
            text = f"{tried.name} returns {quote(mine)}, of type `{type(mine).__name__}`"
            return wrong(f"{text}: return an array of numbers, or one number.", "returned-type")
        if np.shape(mine) != np.shape(want):
            text = f"{tried.name} returns the shape {np.shape(mine)}, where {np.shape(want)} is expected"
            return wrong(f"{text}, {title}.", "shape", tried.exercise.hint)
    return None


def _unsteady(tried):
    """It does not answer the same a second time."""
    again = tried.again()
    same = again.error is None and all(map(alike, [*again.got, again.repeated], [*tried.got, tried.repeated]))
    return None if same else remembers(tried.name)


def _not_finite(tried):
    """A result is NaN or infinite where the right one is a number."""
    for title, mine, want in zip(tried.cases, tried.got, tried.wanted, strict=True):
        if np.any(np.isfinite(want) & ~np.isfinite(mine)):
            given = any(np.any(~np.isfinite(x)) for x in tried.cases[title] if _is_real(x))
            hint = (
                tried.exercise.hint
                if given
                else "is there a division by 0, or the root of a negative number?"
            )
            text = f"{tried.name} gives NaN or infinity {title}, where a number is expected."
            return wrong(text, "not-finite", hint)
    return None


def _digits_lost(tried):
    """All results are right but for the digits that their type cannot hold."""
    kinds = [np.asarray(mine).dtype for mine in tried.got]
    for kind in kinds:
        short = [np.asarray(want).astype(kind) for want in tried.wanted]
        pairs = zip(tried.got, short, strict=True)
        if kind != np.float64 and all(np.allclose(m, w, rtol=1e-2) for m, w in pairs):
            return wrong(
                f"{tried.name} is right, but its result is `{kind}`, which holds fewer digits than "
                "`float64`.",
                "dtype",
                "does something in it round, or give an array another type?",
            )
    return None


def _difference(tried):
    """Nothing that is known: where it differs first."""
    pairs = zip(tried.cases, tried.got, tried.wanted, strict=True)
    title, mine, want = next(pair for pair in pairs if not alike(*pair[1:]))
    given = zip(inspect.signature(tried.exercise.reference).parameters, tried.cases[title], strict=False)
    inputs = [f"{name} = {_shown(x)}" for name, x in given]
    digits = next((n for n in (4, 8, 12) if _shown(mine, n) != _shown(want, n)), 17)
    return wrong(
        f"{tried.name} is not right {title}.{_factor(tried.got, tried.wanted)}\n"
        f"Given `{', '.join(inputs)}`: expected `{_shown(want, digits)}`, came `{_shown(mine, digits)}`.",
        None,
        tried.exercise.hint,
    )


DETECTORS = (_recognised, _unusable, _unsteady, _not_finite, _digits_lost, _difference)


def _shown(x, digits=4):
    if callable(x):
        return "a function"
    return text_of(x, digits) if np.size(x) <= 12 else f"an array of shape {np.shape(x)}"


def _factor(got, wanted):
    """Return a sentence if every result is the right one times the same number, or nothing."""
    ratios = []
    for mine, want in zip(got, wanted, strict=True):
        used = np.asarray(want) != 0
        if not np.all(np.isfinite(want)) or np.any(np.asarray(mine)[~used] != 0):
            return ""
        ratios.extend(np.ravel(np.asarray(mine)[used] / np.asarray(want)[used]))
    constant = ratios and np.isfinite(ratios).all() and np.ptp(ratios) <= 1e-7 * abs(ratios[0])
    said = f"{ratios[0]:.4g}" if constant else "1"
    if float(said) == 0:
        return " It is 0 in every case."
    return "" if said == "1" else f" It is {said} times the right result."
