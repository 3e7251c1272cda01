"""What a rule's signature says, and which values its knobs may take."""

import functools
from fractions import Fraction

import numpy as np
import pytest
from discovery import RULES

from optim_lessons.adam import adam
from optim_lessons.lab.knobs import check_names, check_value, limits, parts

pytestmark = pytest.mark.essential

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def test_parts_are_read_from_the_signature_in_its_order():
    state, knobs = parts(adam)
    assert list(state.items()) == [("m", 0.0), ("v", 0.0), ("t", 0)]
    assert list(knobs.items()) == [("lr", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8)]


def test_parts_know_a_learners_own_rule_and_one_with_fixed_knobs():
    def mine(w, g, speed=0.0, *, lr=0.5):
        return w - lr * g, speed

    assert parts(mine) == ({"speed": 0.0}, {"lr": 0.5})
    assert parts(functools.partial(adam, lr=0.5)).knobs["lr"] == 0.5


def test_parts_are_read_anew_when_a_rule_is_written_anew():
    def mine(w, g, *, lr=0.5):
        return w - lr * g

    first = parts(mine)

    def mine(w, g, m=0.0, *, lr=0.1):
        return w - lr * g, m

    assert parts(mine) != first


def test_a_rule_that_cannot_be_hashed_is_read_too():
    class Rule:
        __hash__ = None

        def __call__(self, w, g, *, lr=0.1):
            return w - lr * g

    assert parts(Rule()).knobs == {"lr": 0.1}


@pytest.mark.parametrize("not_a_rule", [None, 3, "adam", [adam]])
def test_what_is_no_function_is_refused(not_a_rule):
    with pytest.raises(TypeError, match=r"the rule is .* a rule is a function"):
        parts(not_a_rule)


def test_a_function_without_weights_and_gradient_is_refused():
    with pytest.raises(TypeError, match=r"f\(w\) is no update rule.*weights w and the gradient g first"):
        parts(lambda_named("f"))


def lambda_named(name):
    def f(w):
        return w

    f.__name__ = name
    return f


def test_state_without_a_starting_value_is_refused():
    def mine(w, g, m, *, lr=0.1):
        return w - lr * g, m

    with pytest.raises(TypeError, match=r"mine: the state m has no starting value: .* m=0\.0"):
        parts(mine)


@every_rule
def test_a_misspelt_knob_is_refused_and_the_known_ones_are_listed(rule):
    with pytest.raises(TypeError) as error:
        check_names(rule, ["learning_rate"])
    text = str(error.value)
    assert "'learning_rate'" in text
    assert ", ".join(parts(rule).knobs) in text


def test_a_near_miss_is_answered_with_the_name_that_was_meant():
    with pytest.raises(TypeError, match="Did you mean beta1"):
        check_names(adam, ["beta_1"])


def test_state_given_as_a_knob_is_refused_with_the_way_to_make_it_one():
    with pytest.raises(TypeError, match=r"m stands before the \*.*state, not a knob"):
        check_names(adam, ["m"])


def test_a_rule_without_knobs_says_none():
    def mine(w, g):
        return w - g

    with pytest.raises(TypeError, match="its knobs are none"):
        check_names(mine, ["lr"])


def knob_names():
    return sorted({name for rule in RULES.values() for name in parts(rule).knobs})


@pytest.mark.parametrize("name", knob_names())
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_a_knob_that_is_not_finite_is_refused_by_name_value_and_range(name, value):
    with pytest.raises(ValueError, match=f"^{name} is {value:g}, but must be ") as error:
        check_value(name, value)
    low, high, _ = limits(name)
    if np.isfinite(low):
        assert f"at least {low:g}" in str(error.value)
    assert (f"below {high:g}" in str(error.value)) == np.isfinite(high)


@pytest.mark.parametrize("name", knob_names())
@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        "0.1",
        b"0.1",
        None,
        [0.1, 0.2],
        {},
        1j,
        np.complex128(1j),
        np.array(["a"]),
        np.array([True]),
    ],
    ids=repr,
)
def test_a_knob_that_is_no_real_number_is_refused_by_name_and_value(name, value):
    with pytest.raises(TypeError, match=f"^{name} is .*real number"):
        check_value(name, value)


@pytest.mark.parametrize(
    ("name", "value", "allowed", "why"),
    [
        ("lr", -0.1, "at least 0", "a negative step climbs"),
        ("eps", -1e-8, "at least 0", "divisor zero"),
        ("weight_decay", -0.01, "at least 0", "weights grow"),
        ("beta", 1.0, "at least 0 and below 1", "never forgets"),
        ("beta1", -0.5, "at least 0 and below 1", "changes sign"),
        ("beta2", 1.5, "at least 0 and below 1", "never forgets"),
    ],
)
def test_a_number_out_of_range_is_refused_with_value_range_and_reason(name, value, allowed, why):
    with pytest.raises(ValueError, match=f"^{name} is {value:g}, but must be .*{allowed}.*{why}"):
        check_value(name, value)
    with pytest.raises(ValueError, match=f"^{name} is {value:g}, but must be "):
        check_value(name, np.array([[0.5], [value], [0.25]]))  # one bad value in a sweep is found


@pytest.mark.parametrize(
    "value", [0, 0.5, np.float32(0.5), np.float64(0.5), np.int64(0), np.array(0.5), Fraction(1, 2)]
)
def test_a_single_number_of_any_kind_becomes_a_python_float(value):
    # An np.float64 or an array would lift float32 weights to float64.
    assert type(check_value("beta", value)) is float
    assert check_value("beta", value) == float(value)


def test_the_smallest_allowed_values_are_allowed():
    assert [check_value(name, 0.0) for name in ("lr", "eps", "beta", "weight_decay")] == [0.0] * 4
    assert check_value("beta2", 1 - 1e-16) < 1


def test_a_sweep_of_knobs_keeps_its_shape():
    values = np.array([[0.1], [0.2]])
    assert check_value("lr", values) is values


def test_a_learners_own_knob_may_be_any_finite_number():
    assert check_value("twist", -3) == -3.0
    with pytest.raises(ValueError, match="twist is nan, but must be a finite number"):
        check_value("twist", np.nan)
