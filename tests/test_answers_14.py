"""Lesson 14's exercises: unusual right answers are right, wrong ones are named, what they claim is true."""

import numpy as np
import pytest

from optim_lessons.beyond_adam import COEFFICIENTS, on_singular_value, orthogonalised
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_14 import (
    REACHED,
    RULES,
    four_steps,
    loss_within,
    newton_schulz_step,
    unit_lion,
)
from optim_lessons.lab.path import path


def test_the_step_of_the_exercise_with_no_last_term_is_muons():
    X = np.random.default_rng(0).standard_normal((3, 5))
    X = X / np.linalg.norm(X)
    np.testing.assert_allclose(newton_schulz_step(X, *COEFFICIENTS, 0.0), orthogonalised(X, 1), atol=1e-12)


def by_columns(X, a, b, c, d):
    B = X.T @ X
    return X @ (a * np.eye(len(B)) + B @ (b * np.eye(len(B)) + B @ (c * np.eye(len(B)) + d * B)))


def by_singular_values(X, a, b, c, d):
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    return (U * (a * s + b * s**3 + c * s**5 + d * s**7)) @ Vt


@pytest.mark.parametrize("answer", [by_columns, by_singular_values])
def test_a_step_from_the_other_side_or_by_singular_values_is_right(answer):
    assert check("14.newton_schulz_step", answer)


def test_the_singular_value_of_the_exercise_is_that_of_two_steps():
    assert check("14.singular_value", on_singular_value(0.02, 2))
    for wrong, steps in (("one-step", 1), ("three-steps", 3), ("five-steps", 5)):
        assert check("14.singular_value", on_singular_value(0.02, steps)).mistake == wrong
    assert check("14.singular_value", on_singular_value(0.02, 2, (1.5, -0.5, 0.0))).mistake == "newtons"


def unit_by_norm(w, g, m=0.0, *, lr=1e-2, beta1=0.9, beta2=0.99, weight_decay=0.1):
    c = g + beta1 * (m - g)
    direction = c / np.maximum(np.linalg.norm(c, axis=-1, keepdims=True), 1e-7)
    return w - lr * (direction + weight_decay * w), g + beta2 * (m - g)


def test_the_unseen_rule_is_right_in_another_form_and_its_traps_are_seen():
    assert check("14.unit_lion", unit_by_norm)

    def unguarded(w, g, m=0.0, *, lr=1e-2, beta1=0.9, beta2=0.99, weight_decay=0.1):
        c = beta1 * m + (1 - beta1) * g
        w = w - lr * weight_decay * w - lr * c / np.linalg.norm(c, axis=-1, keepdims=True)
        return w, beta2 * m + (1 - beta2) * g

    assert check("14.unit_lion", unguarded).mistake == "hard-input"


def test_each_step_of_the_unseen_rule_is_lr_long():
    g = np.random.default_rng(1).standard_normal((20, 6))
    ws = path(unit_lion, lambda w, t: g[t], np.zeros(6), 20, lr=0.1, weight_decay=0.0)
    np.testing.assert_allclose(np.linalg.norm(np.diff(ws, axis=0), axis=1), 0.1)


def test_the_four_steps_show_what_tells_their_rules():
    steps = {RULES[letter]: values for letter, values in four_steps().items()}
    np.testing.assert_allclose(steps["Shampoo"], 1, atol=1e-4)
    falls = steps["gradient descent"]
    np.testing.assert_allclose(falls[1:] / falls[:-1], 0.4, rtol=1e-6)
    assert np.sum(steps["Muon"] > 0.55) >= 6
    assert np.ptp(steps["Muon"][:6]) > 0.05
    assert steps["Lion"][1] < 0.75
    assert np.ptp(steps["Lion"][1:-1] / steps["Lion"][2:]) > 0.2


def test_the_goal_needs_both_lrs():
    assert max(loss_within(lr, 0.1) for lr in (0.1, 0.2, 0.3)) < 0.9 * REACHED
    assert min(loss_within(lr, rest) for lr in (0.03, 2.0) for rest in (0.1, 0.2)) > 1.1 * REACHED
    assert min(loss_within(lr, rest) for lr in (0.1, 0.2, 0.3) for rest in (0.03, 0.5)) > 1.1 * REACHED
    for pair, mistake in (
        ((1e-4, 0.1), "lr-too-small"),
        ((30.0, 0.1), "lr-too-large"),
        ((0.2, 1e-4), "rest-too-small"),
        ((0.2, 5.0), "rest-too-large"),
        ((0.2, -1.0), "not-positive"),
    ):
        assert check("14.budget", pair).mistake == mistake, pair


def test_parts_are_told_by_letter():
    parts = dict(A="AdamW", B="Muon", C="AdamW", D="Muon", E="AdamW", F="AdamW")
    assert check("14.layers", parts)
    assert check("14.layers", parts | {"A": "Muon"}).mistake == "AdamW-taken-for-Muon"
    assert check("14.layers", parts | {"D": "AdamW"}).mistake == "Muon-taken-for-AdamW"
