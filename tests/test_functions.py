"""The kind `function`: right in any form, wrong by its name, and a clear verdict on everything else."""

import numpy as np
import pytest

from optim_lessons.course.kinds import function
from optim_lessons.course.mistakes import Mistake


def mean_of_rows(X, rows):
    """Return the mean of some rows."""
    return X[rows].sum(axis=0) / len(rows)


def draw(rng):
    return {
        "for three rows of five": (rng.standard_normal((5, 2)), np.array([4, 0, 0])),
        "for a single row": (rng.standard_normal((4, 3)), np.array([2])),
    }


EXERCISE = function(
    "99.mean_of_rows",
    mean_of_rows,
    inputs=draw,
    task="",
    hint="one number per column.",
    mistakes=[
        Mistake("sum", "A sum.", "divide.", [("X[rows].sum(axis=0) / len(rows)", "X[rows].sum(axis=0)")]),
        Mistake("all-rows", "All.", "some.", [("X[rows].sum(axis=0) / len(rows)", "X.mean(axis=0)")]),
        Mistake("along-columns", "Columns.", "rows.", [("axis=0", "axis=1")]),
        Mistake("rows-shifted", "Shifted.", "from 0.", [("X[rows]", "X[rows - 1]")]),
        Mistake("negative", "Less.", "more.", [("/ len(rows)", "/ -len(rows)")]),
    ],
)


def test_another_form_of_the_function_is_right():
    def attempt(X, rows):
        return np.array([X[list(rows), j].mean() for j in range(X.shape[1])])

    verdict = EXERCISE.judge(attempt)
    assert verdict
    assert "right result for every input" in verdict.text


@pytest.mark.parametrize("mistake", EXERCISE.mistakes, ids=lambda m: m.name)
def test_a_named_mistake_is_caught_as_itself_whatever_its_shape(mistake):
    assert EXERCISE.judge(EXERCISE.variant(mistake.name)).mistake == mistake.name


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
