"""Choosing is as its formulas say: draws, choices, times, intervals, the best of k, the width of a region."""

import itertools

import numpy as np
import pytest

from optim_lessons.choosing import (
    best_and_ties,
    best_quantile,
    choose,
    counted,
    draw,
    expected_best,
    good_width,
    paired_bootstrap,
    time_to_target,
    winner_shares,
)

RNG = np.random.default_rng(0)


def test_trials_are_uniform_in_the_logarithm_and_betas_in_that_of_their_distance_from_one():
    knobs = draw({"lr": (1e-4, 10.0), "beta2": (0.9, 0.999)}, trials=20_000)
    for values, low, high in ((knobs["lr"], 1e-4, 10.0), (1 - knobs["beta2"], 1e-3, 0.1)):
        assert low <= values.min() < values.max() <= high
        share, _ = np.histogram(np.log(values), bins=5, range=np.log([low, high]))
        np.testing.assert_allclose(share / len(values), 0.2, atol=0.012)  # four standard errors


def test_the_same_seed_gives_every_rule_the_same_values_of_a_knob():
    alone = draw({"lr": (1e-4, 10.0)}, 7, seed=3)
    together = draw({"beta": (0.5, 0.99), "lr": (1e-4, 10.0)}, 7, seed=3)
    np.testing.assert_array_equal(alone["lr"], together["lr"])
    assert not np.array_equal(alone["lr"], draw({"lr": (1e-4, 10.0)}, 7, seed=4)["lr"])


@pytest.mark.parametrize(
    ("ranges", "trials", "message"),
    [
        ({"lr": (1e-4, 1.0)}, 0, "trials is 0: with a budget of nothing"),
        ({"lr": (1.0, 1e-4)}, 5, "lr runs from 1 to 0.0001"),
        ({"lr": (0.0, 1.0)}, 5, "lr runs from 0 to 1"),
        ({"beta": (0.5, 1.0)}, 5, "beta runs from 0.5 to 1"),
        ({"beta": (0.99, 0.5)}, 5, "beta runs from 0.99 to 0.5"),
        ({"lr": (float("nan"), 1.0)}, 5, "lr runs from nan"),
    ],
)
def test_a_budget_of_zero_and_a_range_the_wrong_way_round_are_refused(ranges, trials, message):
    with pytest.raises(ValueError, match=message):
        draw(ranges, trials)


def test_a_trial_that_lost_a_run_is_not_chosen_and_where_all_did_nobody_is():
    assert choose([[0.1, np.nan], [0.5, 0.7], [0.3, 0.2]]) == 2
    assert choose([[0.1, np.inf], [0.5, 0.7]]) == 1
    assert choose([[np.nan, 1.0], [np.inf, 1.0]]) is None


def test_a_lost_run_counts_as_its_start_and_so_does_one_that_ends_above_it():
    np.testing.assert_array_equal(counted([0.5, 3.0, np.nan, np.inf], 2.0), [0.5, 2.0, 2.0, 2.0])


def test_the_time_to_a_target_is_the_first_row_at_it_or_infinity():
    losses = np.array([[3.0, 3.0, 3.0], [2.0, 1.0, np.nan], [2.5, 4.0, np.nan]])
    np.testing.assert_array_equal(time_to_target(losses, 2.0), [1, 1, np.inf])
    np.testing.assert_array_equal(time_to_target(losses, 3.0), [0, 0, 0])


def test_the_interval_takes_what_both_rules_share_out_before_it_looks():
    luck = 10 * RNG.standard_normal(10)
    a, b = luck + 0.3 + 0.1 * RNG.standard_normal(10), luck
    mean, low, high = paired_bootstrap(a, b)
    assert low < mean < high
    assert 0.1 < low < high < 0.5
    assert paired_bootstrap(b, a)[0] == -mean
    assert np.ptp(a) > 10  # their bands overlap nearly everywhere


def test_with_ten_seeds_a_95_per_cent_interval_holds_the_truth_in_about_90_per_cent():
    # Said in the lesson: percentile intervals of ten numbers are a little short.
    rng = np.random.default_rng(1)
    holds = []
    for _ in range(1500):
        _, low, high = paired_bootstrap(rng.standard_normal(10) + 1, np.zeros(10), draws=800)
        holds.append(low <= 1 <= high)
    assert 0.875 < np.mean(holds) < 0.93


def test_ties_are_the_names_whose_interval_against_the_best_holds_0():
    seeds = np.linspace(0, 1, 10)
    wave = 0.2 * np.cos(7 * np.arange(10))
    losses = {"far": seeds + 1, "best": seeds, "near": seeds + 0.01 + wave, "just behind": seeds + 1e-6}
    assert best_and_ties(losses) == ["best", "near"]


def test_the_expected_best_of_k_is_the_mean_over_all_ways_to_draw_k_trials():
    losses = np.array([0.7, 0.2, 0.9, 0.4, 0.4])
    for k in (1, 2, 3):
        ways = [min(way) for way in itertools.product(losses, repeat=k)]
        assert expected_best(losses, k) == pytest.approx(np.mean(ways), rel=1e-12)
        for q in (0.1, 0.5, 0.9):
            assert best_quantile(losses, k, q) == np.quantile(ways, q, method="inverted_cdf")
    np.testing.assert_allclose(expected_best(losses, np.array([1, 1000])), [losses.mean(), 0.2], rtol=1e-12)


def test_redrawn_trials_are_won_in_the_shares_that_all_draws_give():
    losses = {"a": np.array([0.1, 0.9, 0.9]), "b": np.array([0.5, 0.5, 0.5])}
    # "a" wins where its good trial is among the k: 1 − (2/3)ᵏ.
    for k in (1, 2, 5):
        assert winner_shares(losses, k, draws=20_000)["a"] == pytest.approx(1 - (2 / 3) ** k, abs=0.015)
    assert sum(winner_shares(losses, 2).values()) == pytest.approx(1)


def test_the_width_is_the_stretch_of_decades_around_the_best_where_the_loss_is_within_the_factor():
    lrs = np.geomspace(1e-4, 10, 501)
    for steep in (0.5, 2.0):
        losses = 0.3 * np.exp(steep * np.log10(lrs / 0.1) ** 2)
        assert good_width(lrs, losses, 1.1) == pytest.approx(2 * np.sqrt(np.log(1.1) / steep), abs=0.002)
    assert good_width(lrs, np.ones(501)) == pytest.approx(5)
    two = np.where(np.abs(np.log10(lrs)) < 0.5, 1.0, 9.0)
    two[:50] = 1.05  # another good stretch far away
    assert good_width(lrs, two, 1.1) == pytest.approx(1.0, abs=0.02)
    assert good_width(lrs[:3], [1.0, 2.0, 3.0], 1.0) == 0
