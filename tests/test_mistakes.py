"""Named mistakes: each applies, is caught as itself, and is told apart from all others of its rule."""

import itertools
import re

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging.functions import results
from optim_lessons.course.judging.mistakes import Mistake, edited, source_of, variant
from optim_lessons.course.judging.trials import TOLERANCE, run, trials
from optim_lessons.momentum import momentum

pytestmark = pytest.mark.essential

RULES = [e for e in EXERCISES.values() if e.kind == "rule"]
FUNCTIONS = [e for e in EXERCISES.values() if e.kind == "function"]
EACH = [pytest.param(e, m, id=f"{e.id}-{m.name}") for e in RULES + FUNCTIONS for m in e.mistakes]


@pytest.mark.parametrize(("exercise", "mistake"), EACH)
def test_a_mistake_is_caught_as_itself(exercise, mistake):
    verdict = check(exercise.id, variant(exercise.reference, mistake))
    assert not verdict
    assert verdict.done
    assert verdict.mistake == mistake.name
    assert mistake.text in verdict.text
    assert mistake.hint in verdict.text


def _answers(rule, cases):
    """Return every value a rule gives, as one list of arrays."""
    with np.errstate(all="ignore"):
        return [
            np.array([np.asarray(answer[i], dtype=float) for answer in answers])
            for answers in (run(rule, case) for case in cases)
            for i in range(len(answers[0]))
            if len({np.shape(answer[i]) for answer in answers}) == 1
        ]


def _distance(a, b):
    """Return by how much two rules' answers differ at most, relative to the size of each quantity."""
    distance = 0.0
    for x, y in zip(a, b, strict=False):
        both = np.isfinite(x) & np.isfinite(y) if x.shape == y.shape else None
        if both is None or any(np.any(kind(x) != kind(y)) for kind in (np.isfinite, np.isnan)):
            return np.inf
        size = max(np.abs(x[both]).max(initial=0), np.abs(y[both]).max(initial=0), 1e-300)
        distance = max(distance, (np.abs(x[both] - y[both]) / size).max(initial=0))
    return distance


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("exercise", RULES, ids=lambda e: e.id)
def test_no_two_mistakes_and_no_mistake_and_the_rule_itself_look_alike(exercise, seed):
    # Far above the tolerance, so that no rounding can turn one into the other. The nearest two, but for
    # one, are 3e-3 apart; PyTorch's 1e-6 beside the norm moves the clipped step by 3e-7.
    cases = trials(exercise.reference, seed)
    answers = {m.name: _answers(variant(exercise.reference, m), cases) for m in exercise.mistakes}
    answers["no mistake"] = _answers(exercise.reference, cases)
    for a, b in itertools.combinations(answers, 2):
        expected = 1e-7 if "small-number-added" in (a, b) else 1e-3
        assert _distance(answers[a], answers[b]) > expected > 100 * TOLERANCE, f"{a} looks like {b}"


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda e: e.id)
def test_no_two_mistakes_of_a_function_and_no_mistake_and_the_function_itself_look_alike(exercise, seed):
    cases = exercise.inputs(np.random.default_rng(seed))
    values = {m.name: results(variant(exercise.reference, m), cases) for m in exercise.mistakes}
    values["no mistake"] = results(exercise.reference, cases)
    for a, b in itertools.combinations(values, 2):
        distance = _distance(*([np.asarray(x, dtype=float) for x in values[name]] for name in (a, b)))
        assert distance > 1e-4 > 100 * TOLERANCE, f"{a} looks like {b}"


def test_there_are_enough_named_mistakes_for_each_rule_and_function():
    for exercise in RULES + FUNCTIONS:
        lines = source_of(exercise.reference).count("\n") - 1
        least = 12 if exercise.reference is adam else 4 if lines == 1 else 6
        assert len(exercise.mistakes) >= least, exercise.id


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.id)
def test_names_are_words_with_dashes_and_each_is_used_once(exercise):
    names = [m.name for m in exercise.mistakes]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", name), name


@pytest.mark.parametrize(("exercise", "mistake"), EACH)
def test_a_hint_does_not_contain_the_line_that_is_asked_for(exercise, mistake):
    lines = [line.strip() for line in source_of(exercise.reference).splitlines()[1:]]
    right_sides = [line.removeprefix("return ").split(" = ", 1)[-1] for line in lines[:-1] or lines]
    for formula in right_sides:
        if formula != "t + 1":  # which is also the wrong power that one mistake has to name
            assert formula not in mistake.hint
            assert formula not in mistake.text


def test_an_edit_that_does_not_fit_the_source_exactly_once_is_refused():
    with pytest.raises(ValueError, match="gone: 'lr \\* q' stands 0 times"):
        edited(source_of(momentum), Mistake("gone", "", edits=[("lr * q", "q")]))
    with pytest.raises(ValueError, match="twice: 'beta' stands 2 times"):
        edited(source_of(momentum), Mistake("twice", "", edits=[("beta", "b")]))


def test_a_variant_gives_a_lesson_its_uncorrected_adam():
    uncorrected = EXERCISES["08.adam"].variant("uncorrected")
    w, g = np.array([1.0, -2.0]), np.array([0.5, 3.0])
    m, v = 0.1 * g, 0.001 * g**2
    np.testing.assert_allclose(uncorrected(w, g)[0], w - 1e-3 * m / (np.sqrt(v) + 1e-8), rtol=1e-13)


def test_source_of_leaves_out_the_docstring_and_changes_the_name():
    assert source_of(momentum, "my_momentum") == (
        "def my_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):\n"
        "    m = beta * m + g\n    w = w - lr * m\n    return w, m\n"
    )


# What people really write: the rival forms as other courses and libraries print them.


def damped(w, g, m=0.0, *, lr=0.01, beta=0.9):
    m = beta * m + (1 - beta) * g
    return w - lr * m, m


def cs231n_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):
    m = beta * m - lr * g
    return w + m, m


def cs231n_nesterov(w, g, m=0.0, *, lr=0.01, beta=0.9):
    m_prev = m
    m = beta * m - lr * g
    return w - beta * m_prev + (1 + beta) * m, m


def keras_adam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    t = t + 1
    alpha = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    m = m + (g - m) * (1 - beta1)
    v = v + (np.square(g) - v) * (1 - beta2)
    return w - m * alpha / (np.sqrt(v) + eps), m, v, t


def optax_rmsprop(w, g, v=0.0, *, lr=0.01, beta=0.99, eps=1e-8):
    v = beta * v + (1 - beta) * g**2
    return w - lr * g / np.sqrt(v + eps), v


def stored_correction(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    t += 1
    m = (beta1 * m + (1 - beta1) * g) / (1 - beta1**t)
    v = (beta2 * v + (1 - beta2) * g**2) / (1 - beta2**t)
    return w - lr * m / (np.sqrt(v) + eps), m, v, t


def heavy_ball_by_the_old_m(w, g, m=0.0, *, lr=0.01, beta=0.9):
    w = w - lr * (g + beta * m)
    m = beta * m + g
    return w, m


def one_norm(w, g, *, lr=0.01, clip=1.0):
    norm = np.sqrt(np.sum(g**2))
    return w - lr * np.where(norm > clip, g / norm * clip, g)


def keras_nesterov(w, g, m=0.0, *, lr=0.01, beta=0.9):
    m = beta * m - lr * g
    return w + beta * m - lr * g, m


def velocity_at_the_weights(w, g, m=0.0, *, lr=0.01, beta=0.9):
    ahead = w + beta * m - lr * g
    return ahead, ahead - w


def adamax(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    t, m, v = t + 1, beta1 * m + (1 - beta1) * g, np.maximum(beta2 * v, np.abs(g))
    return w - lr / (1 - beta1**t) * m / (v + eps), m, v, t


def torch_nadam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    t, m, v = t + 1, beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    product = 1.0
    for s in range(1, t + 1):
        mu, ahead = (beta1 * (1 - 0.5 * 0.96 ** (k * 0.004)) for k in (s, s + 1))
        product = product * mu
    root = np.sqrt(v / (1 - beta2**t)) + eps
    w = w - lr * (1 - mu) / (1 - product) * g / root - lr * ahead / (1 - product * ahead) * m / root
    return w, m, v, t


def sign_with_l2(w, g, m=0.0, *, lr=1e-4, beta=0.9, weight_decay=0.01):
    m = beta * m + (1 - beta) * (g + weight_decay * w)
    return w - lr * np.sign(m), m


def cautious_steps(w, g, m=0.0, *, lr=1e-4, beta=0.9, weight_decay=0.01):
    m = beta * m + (1 - beta) * g
    return (1 - lr * weight_decay) * w - lr * np.sign(m) * (m * w > 0), m


@pytest.mark.parametrize(
    ("id", "attempt", "name"),
    [
        ("04.momentum", keras_nesterov, "nesterov-lr-inside"),
        ("05.nesterov", keras_nesterov, "lr-inside-with-sign"),
        ("05.nesterov", velocity_at_the_weights, "heavy-ball-lr-inside"),
        ("08.adam", adamax, "adamax"),
        ("08.nadam", torch_nadam, "growing-beta1"),
        ("10.cautious", sign_with_l2, "l2"),
        ("10.cautious", cautious_steps, "step-held-back"),
        ("04.momentum", damped, "damped"),
        ("04.momentum", cs231n_momentum, "lr-inside-with-sign"),
        ("05.nesterov", cs231n_nesterov, "lr-inside-with-sign"),
        ("05.nesterov", heavy_ball_by_the_old_m, "heavy-ball"),
        ("07.rmsprop", optax_rmsprop, "eps-inside-root"),
        ("08.adam", keras_adam, "eps-hat"),
        ("08.adam", stored_correction, "hats-returned"),
        ("01.clipped_descent", one_norm, "norm-over-all-runs"),
    ],
)
def test_a_rival_form_is_recognised_as_such(id, attempt, name):
    assert check(id, attempt).mistake == name


def test_two_mistakes_at_once_are_both_named():
    def attempt(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        t = t + 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        return w - lr * m_hat / np.sqrt(v + eps), m, v, t

    verdict = check("08.adam", attempt)
    assert verdict.mistake == "eps-inside-root + v-uncorrected"
    assert "Two things at once" in verdict.text
