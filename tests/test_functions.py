"""The kind `function`: right in any form, wrong by its name, and a clear verdict on everything else."""

import functools
import inspect
import math
import tracemalloc

import numpy as np
import pytest

from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging.kinds import Function
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.course.judging.words import Words


def mean_of_rows(X, rows):
    """Return the mean of some rows."""
    return X[rows].sum(axis=0) / len(rows)


def draw(rng):
    return {
        "for three rows of five": (rng.standard_normal((5, 2)), np.array([4, 0, 0])),
        "for a single row": (rng.standard_normal((4, 3)), np.array([2])),
    }


WORDS = Words(
    id="99.mean_of_rows",
    hint="one number per column.",
    mistakes=(
        Mistake("sum", "A sum.", "divide.", [("X[rows].sum(axis=0) / len(rows)", "X[rows].sum(axis=0)")]),
        Mistake("all-rows", "All.", "some.", [("X[rows].sum(axis=0) / len(rows)", "X.mean(axis=0)")]),
        Mistake("along-columns", "Columns.", "rows.", [("axis=0", "axis=1")]),
        Mistake("rows-shifted", "Shifted.", "from 0.", [("X[rows]", "X[rows - 1]")]),
        Mistake("negative", "Less.", "more.", [("/ len(rows)", "/ -len(rows)")]),
    ),
)
EXERCISE = Function(WORDS, mean_of_rows, inputs=draw)


def test_another_form_of_the_function_is_right():
    def attempt(X, rows):
        return np.array([X[list(rows), j].mean() for j in range(X.shape[1])])

    verdict = EXERCISE.judge(attempt)
    assert verdict
    assert "right result for every input that was tried" in verdict.text


@pytest.mark.parametrize("mistake", EXERCISE.mistakes, ids=lambda m: m.name)
def test_a_named_mistake_is_caught_as_itself_whatever_its_shape(mistake):
    assert EXERCISE.judge(EXERCISE.variant(mistake.name)).mistake == mistake.name


def test_a_result_that_is_always_zero_is_told_so_and_not_as_a_factor():
    verdict = EXERCISE.judge(lambda X, rows: 0.0 * X[0])
    assert "It is 0 in every case." in verdict.text
    assert "times the right result" not in verdict.text


def test_two_mistakes_at_once_are_both_named():
    def attempt(X, rows):
        return -X[rows - 1].sum(axis=0) / len(rows)

    assert EXERCISE.judge(attempt).mistake == "rows-shifted + negative"


def test_an_unknown_wrong_result_is_told_with_the_input_and_its_ratio():
    verdict = EXERCISE.judge(lambda X, rows: 3 * X[rows].mean(axis=0))
    assert verdict.mistake is None
    assert "not right for three rows of five. It is 3 times the right result." in verdict.text
    assert EXERCISE.hint in verdict.text


def _writes(X, rows):
    X *= 2
    return X[rows].mean(axis=0)


def _draws(X, rows):
    return np.random.default_rng().standard_normal(X.shape[1])


@pytest.mark.parametrize(
    ("attempt", "mistake"),
    [
        (mean_of_rows, "the-courses-own"),
        (lambda X: X, "arguments"),
        (lambda rows, X: X, "argument-order"),
        (3, "no-function"),
        (lambda X, rows: "text", "returned-type"),
        (lambda X, rows: 1j * X[rows].mean(axis=0), "returned-type"),
        (lambda X, rows: X[rows], "shape"),
        (lambda X, rows: X[rows + 100], "raised"),
        (_writes, "writes-in-place"),
        (_draws, "hidden-memory"),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_reason(attempt, mistake):
    verdict = EXERCISE.judge(attempt)
    assert not verdict
    assert verdict.done
    assert verdict.mistake == mistake, verdict


def _only_for_several(X, rows):
    if len(rows) > 1:
        return X[rows].mean(axis=0)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (_only_for_several, "`my_mean_of_rows` returned nothing for a single row."),
        (lambda X, rows: None if len(rows) > 1 else X[rows[0]], "returned nothing for three rows of five."),
        (lambda X, rows: ... if len(rows) > 1 else X[rows[0]], "returned `...` for three rows of five."),
    ],
)
def test_where_nothing_comes_back_in_one_case_only_is_told(attempt, said):
    verdict = EXERCISE.judge(attempt)
    assert verdict.done
    assert verdict.mistake == "returns-nothing"
    assert said in verdict.text
    assert "does a branch lack its `return`?" in verdict.text


def test_a_written_function_without_a_return_is_told_so():
    def attempt(X, rows):
        X[rows].mean(axis=0)

    verdict = EXERCISE.judge(attempt)
    assert verdict.mistake == "returns-nothing"
    assert "is `return` missing" in verdict.text


def test_arrays_that_do_not_fit_are_told_how_axes_are_matched():
    text = EXERCISE.judge(lambda X, rows: X[rows] + np.ones(7)).text
    assert "two sizes have to be equal, or one of them 1" in text
    assert "space" not in text  # which a function need not have


@pytest.mark.parametrize("kind", [np.float32, np.float16, int])
def test_a_right_result_of_a_shorter_type_is_told_so(kind):
    verdict = EXERCISE.judge(lambda X, rows: X[rows].mean(axis=0).astype(kind))
    assert verdict.mistake == "dtype"
    assert f"`{np.dtype(kind)}`" in verdict.text


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nan_and_infinity_are_told_with_the_case(number):
    verdict = EXERCISE.judge(lambda X, rows: X[rows].mean(axis=0) * (number if len(rows) == 1 else 1))
    assert verdict.mistake == "not-finite"
    assert "NaN or infinity for a single row" in verdict.text


@pytest.mark.parametrize("attempt", [..., None, lambda X, rows: None, lambda X, rows: ...])
def test_what_is_not_written_yet_is_open(attempt):
    verdict = EXERCISE.judge(attempt)
    assert not verdict
    assert not verdict.done


# The course's own, in other words


def by_coordinate(f, w, h=1e-5):
    slopes = np.zeros(len(w))
    for i in range(len(w)):
        ahead, behind = w.copy(), w.copy()
        ahead[i] += h
        behind[i] -= h
        slopes[i] = (f(ahead) - f(behind)) / h / 2
    return slopes


def by_inverse(w, g, H, damping):
    return w - np.linalg.inv(H + damping * np.identity(w.size)) @ g


def by_eigenvectors(w, g, H, damping):
    curvatures, V = np.linalg.eigh(H)
    return w - V @ ((V.T @ g) / (curvatures + damping))


def on_a_copy(w, g, H, damping):
    damped = H.copy()
    damped[np.diag_indices_from(damped)] += damping
    return w - np.linalg.lstsq(damped, g, rcond=None)[0]


def row_by_row(w, X, y, rows):
    total = np.zeros_like(w)
    for r in rows:
        total += (np.dot(X[r], w) - y[r]) * X[r]
    return total / len(rows)


def by_einsum(w, X, y, rows):
    return np.einsum("ij,i->j", X[rows], np.einsum("ij,j->i", X[rows], w) - y[rows]) / rows.size


def multiplied_out(w, X, y, rows):
    return X[rows].T @ X[rows] / len(rows) @ w - X[rows].T @ y[rows] / len(rows)


def half_angle(t, peak, warm, total, floor):
    if t < warm:
        return peak / warm * t
    if t >= total:
        return floor
    return floor + (peak - floor) * math.cos(math.pi / 2 * (t - warm) / (total - warm)) ** 2


def least_of_three(t, peak, warm, total, cool):
    return peak * max(0, min(t / warm, 1, (total - t) / cool))


def interpolated(t, peak, warm, total, cool):
    return np.interp(t, [0, warm, total - cool, total], [0, peak, peak, 0])


def run_by_run(losses, target):
    flat = losses.reshape(len(losses), -1)
    rows = [next((i for i, loss in enumerate(run) if loss <= target), math.inf) for run in flat.T]
    return np.array(rows).reshape(losses.shape[1:])


def by_percentile(a, b, again):
    return np.percentile((a[again] - b[again]).mean(axis=-1), [2.5, 97.5])


def draw_by_draw(a, b, again):
    means = [np.mean([a[i] - b[i] for i in draw]) for draw in again]
    return np.array([np.quantile(means, 0.025), np.quantile(means, 0.975)])


def early_return(w, g, scale, lr):
    if np.isinf(g).any() or np.isnan(g).any():
        return w
    return w - lr / scale * np.array(g, dtype=float)


def by_average(gradients, counts):
    return np.average(gradients, axis=0, weights=counts)


def by_product(gradients, counts):
    return counts @ gradients / np.sum(counts)


def part_by_part(gradients, counts):
    whole, seen = np.zeros(gradients.shape[1]), 0
    for g, n in zip(gradients, counts, strict=True):
        whole, seen = whole + n * g, seen + n
    return whole / seen


def pair_by_pair(lrs, betas, curvature, steps):
    losses = np.empty((len(lrs), len(betas)))
    for i, j in np.ndindex(losses.shape):
        w, m = 1.0, 0.0
        for _ in range(steps):
            m = betas[j] * m + curvature * w
            w = w - lrs[i] * m
        losses[i, j] = curvature * w * w / 2
    return losses


def in_place(lrs, betas, curvature, steps):
    L, B = np.meshgrid(lrs, betas, indexing="ij")
    w, m = np.ones(L.shape), np.zeros(L.shape)
    for _ in range(steps):
        m *= B
        m += curvature * w
        w -= L * m
    return 0.5 * curvature * w**2


def by_singular_values(X, a, b, c, d):
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    return U * (a * s + b * s**3 + c * s**5 + d * s**7) @ Vt


def from_the_inside_out(X, a, b, c, d):
    A, one = X @ X.T, np.identity(len(X))
    return (a * one + A @ (b * one + A @ (c * one + d * A))) @ X


def on_the_other_side(X, a, b, c, d):
    A = X.T @ X
    return X * a + X @ (b * A + c * np.linalg.matrix_power(A, 2) + d * np.linalg.matrix_power(A, 3))


IN_OTHER_WORDS = {
    "02.numerical_gradient": [by_coordinate],
    "02.damped_newton": [by_inverse, by_eigenvectors, on_a_copy],
    "03.batch_gradient": [row_by_row, by_einsum, multiplied_out],
    "09.warm_cosine": [half_angle],
    "09.trapezoid": [least_of_three, interpolated],
    "11.time_to_target": [run_by_run],
    "11.bootstrap_interval": [by_percentile, draw_by_draw],
    "12.scaled_step": [early_return],
    "13.loss_map": [pair_by_pair, in_place],
    "14.newton_schulz_step": [by_singular_values, from_the_inside_out, on_the_other_side],
    "15.accumulated": [by_average, by_product, part_by_part],
}


def test_every_function_is_tried_in_other_words():
    assert set(IN_OTHER_WORDS) == {e.id for e in EXERCISES.values() if e.kind == "function"}


@pytest.mark.parametrize(("id", "attempt"), [(id, f) for id, fs in IN_OTHER_WORDS.items() for f in fs])
def test_a_function_in_other_words_is_right(id, attempt):
    assert check(id, attempt)


# What a hostile and a clumsy learner hand in, for every rule and function


def dressed(f, change):
    """Return a function that changes each value that f returns, with f's name and arguments."""

    @functools.wraps(f)
    def wrapper(*args, **knobs):
        result = f(*args, **knobs)
        return tuple(map(change, result)) if isinstance(result, tuple) else change(result)

    return wrapper


def as_object(f):
    class Callable:
        __signature__ = inspect.signature(f)

        def __call__(self, *args, **knobs):
            return f(*args, **knobs)

    return Callable()


def talkative(f):
    def said(x):
        print(x)
        np.log(-1.0)
        return x

    return dressed(f, said)


def raising(kind):
    def raised(x):
        raise kind

    return lambda f: dressed(f, raised)


def of_the_type_given(f):
    @functools.wraps(f)
    def dress(*args, **knobs):
        single = any(getattr(x, "dtype", None) == np.float32 for x in args)
        result = f(*args, **knobs)
        values = result if isinstance(result, tuple) else (result,)
        values = tuple(x.astype(np.float32) if single and isinstance(x, np.ndarray) else x for x in values)
        return values if isinstance(result, tuple) else values[0]

    return dress


RIGHT = {
    "decorated": lambda f: dressed(f, lambda x: x),
    "an object": as_object,
    "prints and warns": talkative,
    "NumPy numbers": lambda f: dressed(f, lambda x: np.asarray(x)[()]),
    "arrays without axes": lambda f: dressed(f, np.asarray),
    "copies": lambda f: dressed(f, lambda x: np.array(x, order="F")),
    "a partial": functools.partial,
    "as short as what was given": of_the_type_given,
}
WRONG = {
    "nothing": (lambda f: dressed(f, lambda x: None), ("returns-nothing", "returned-type")),
    "text": (lambda f: dressed(f, str), ("returned-type",)),
    "a type": (lambda f: dressed(f, type), ("returned-type",)),
    "the function": (lambda f: dressed(f, lambda x: f), ("returned-type",)),
    "objects": (lambda f: dressed(f, lambda x: np.asarray(x, dtype=object)), ("returned-type",)),
    "truth": (lambda f: dressed(f, lambda x: np.asarray(x) > 0), ("returned-type",)),
    "complex": (lambda f: dressed(f, lambda x: x + 0j), ("complex", "returned-type")),
    "a huge whole number": (lambda f: dressed(f, lambda x: 10**400), ("returned-type",)),
    "one axis more": (lambda f: dressed(f, lambda x: np.asarray(x)[..., None]), ("shape",)),
    "an empty array": (lambda f: dressed(f, lambda x: np.array([])), ("shape",)),
    "NaN": (lambda f: dressed(f, lambda x: x * np.nan), ("not-finite",)),
    "arguments hidden": (lambda f: lambda *args, **knobs: f(*args, **knobs), ("arguments",)),
    "no arguments": (lambda f: lambda: 0, ("arguments",)),
    "a class": (type, ("a-class", "no-function")),
    "code": (lambda f: f.__code__, ("no-function",)),
    "left": (raising(KeyboardInterrupt), ("raised",)),
    "ended": (raising(SystemExit(3)), ("raised",)),
    "an assertion": (raising(AssertionError), ("raised",)),
    "a recursion": (raising(RecursionError), ("raised",)),
}


def _own(exercise):
    exec(exercise.solution, namespace := {"np": np})
    return namespace[exercise.name]


WRITTEN = pytest.mark.parametrize(
    "exercise", [e for e in EXERCISES.values() if e.kind in ("rule", "function")], ids=lambda e: e.id
)


@WRITTEN
@pytest.mark.parametrize("dress", RIGHT)
def test_a_right_answer_in_another_dress_is_right(exercise, dress):
    assert check(exercise.id, RIGHT[dress](_own(exercise)))


@WRITTEN
@pytest.mark.parametrize("fault", WRONG)
def test_what_is_unusable_is_told_what_it_is(exercise, fault):
    make, mistakes = WRONG[fault]
    verdict = check(exercise.id, make(_own(exercise)))
    assert not verdict
    assert verdict.done
    assert verdict.mistake in mistakes, verdict
    assert any(who in verdict.text for who in (f"`{exercise.name}`", "Your function", "The new "))


def test_an_answer_that_grows_in_each_step_takes_no_memory():
    exercise = EXERCISES["01.gradient_descent"]
    answer = WRONG["one axis more"][0](_own(exercise))
    tracemalloc.start()
    try:
        assert check(exercise.id, answer).mistake == "shape"
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
