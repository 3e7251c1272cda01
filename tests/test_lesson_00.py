"""Page 00: the race is fair, and what the page says of it is so."""

import functools
import re

import numpy as np
import pytest

from optim_lessons import landscapes
from optim_lessons.adam import adam
from optim_lessons.course.check import check
from optim_lessons.lab import scenes
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import every_best
from optim_lessons.lab.path import path
from optim_lessons.pictures import failures, start_here
from optim_lessons.rmsprop import rmsprop


@functools.cache
def race():
    return explore(start_here.race())


def winner(reading):
    return re.search("best first: (.*?)( below)? [0-9]", reading)[1]


@pytest.mark.parametrize("ground", start_here.GROUNDS)
def test_every_lr_of_the_race_lies_inside_the_range_it_was_found_in(ground):
    with every_best() as heard:
        explore(start_here.race(), landscape=[ground])
    assert len(heard) == len(start_here.RULES)
    assert not [str(best) for best in heard if best.at_edge]


@pytest.mark.parametrize("ground", start_here.GROUNDS)
def test_at_its_own_lr_no_rule_leaves_the_map_not_even_with_the_noise_that_its_lr_was_found_with(ground):
    race().set(landscape=ground, lr_scale=1.0, noise=0.05, noise_for_all=False, steps=100)
    for seed in range(scenes.TUNING_SEEDS):
        race().set(seed=seed)
        assert "Left the map" not in race().reading, (seed, race().reading)


def test_the_place_of_momentum_is_not_that_of_a_lucky_step():
    """It swings: at one lr its loss is 1.7e-4 after 98 steps, 2.7e-7 after 100 and 1.1e-4 after 102."""
    race().set(landscape="ravine", lr_scale=1.0, noise=0.05, noise_for_all=False, seed=0)
    heights = []
    for steps in range(96, 106):
        race().set(steps=steps)
        heights.append(float(race().reading.split("momentum ")[1].split(",")[0]))
    assert max(heights) < 3 * min(heights)


def test_no_rule_wins_everywhere_and_too_much_lr_turns_a_winner_into_a_loser():
    first = set()
    for ground in ("ravine", "Rosenbrock's valley", "plateau with a ravine"):
        race().set(landscape=ground, lr_scale=1.0, noise=0.05, noise_for_all=False, seed=0, steps=100)
        first.add(winner(race().reading))
    assert first == {"Nesterov", "momentum", "AdaGrad"}
    race().set(landscape="ravine", lr_scale=2.0)
    assert "Nesterov" in race().reading.split("Left the map: ")[1]


# --- the gallery: what the page says and no picture prints ------------------------------------------------


def told(scene, **knobs):
    explorer = explore(scene)
    explorer.set(**knobs)
    return explorer.reading


@pytest.mark.parametrize("lr", [0.05, 0.02])
def test_adam_goes_to_the_wrong_end_without_beta1_and_to_the_right_one_with_its_usual_beta1(lr):
    def end(beta1):
        knobs = {"lr": lr, "beta1": beta1, "beta2": 0.1, "project": lambda w: np.clip(w, -1, 1)}
        return path(adam, landscapes.reddi, np.zeros(1), 1000, **knobs)[-1, 0]

    assert end(0.0) == pytest.approx(1, abs=0.06)
    assert end(0.9) == pytest.approx(-1, abs=0.06)
    assert check("00.wrong_end", "c")


def test_one_per_cent_decides_whether_descent_comes_down():
    assert "diverges" in told(failures.too_large_lr(), lr=2.02)
    assert "comes down" in told(failures.too_large_lr(), lr=1.98)


@pytest.mark.parametrize("lr", [3.85, 3.9, 4.0])
def test_past_its_limit_momentum_is_lost_within_a_dozen_steps(lr):
    reading = told(failures.too_large_lr_for_momentum(), lr=lr)
    assert int(reading.rsplit("step ", 1)[1].rstrip(".")) <= 12


def test_with_lr_a_tenth_or_less_the_cycling_ball_arrives():
    scene = failures.cycling()
    for lr in scene.ranges["lr"]:
        assert ("arrives" in told(scene, lr=lr)) == (lr <= 0.1)


def test_after_100_steps_rmsprop_has_nearly_its_old_pace_and_a_twentieth_of_it_after_ten():
    def grad(w, t):
        return np.full_like(w, -100 if t == 0 else -1)

    pace = np.diff(path(rmsprop, grad, np.zeros(1), 300, lr=0.1, beta=0.9)[:, 0]) / 0.1
    assert pace[100] == pytest.approx(0.99, abs=0.005)
    assert pace[10] < 0.06


def test_from_two_units_nearer_descent_arrives_and_adam_arrives_from_everywhere():
    def ends(start_x):
        reading = told(failures.lost_on_a_plateau(), start_x=start_x)
        return [float(text.rstrip(".").split(" ")[-1]) for text in reading.split(": ")[1].split(",")]

    for start_x in np.linspace(-12, -3, 19):
        assert ends(start_x)[0] < 1e-6
    assert ends(-11.5)[1] == pytest.approx(0.75)
    assert ends(-9.5)[1] < 1e-4


def test_the_steepest_slope_on_the_map_of_the_ravine_is_about_three():
    corners = np.stack(np.meshgrid(*failures.RAVINE.box), axis=-1)
    assert np.linalg.norm(failures.RAVINE.grad(corners), axis=-1).max() == pytest.approx(3, abs=0.02)


def test_at_its_best_lr_adam_wins_on_none_of_the_seven_landscapes():
    for ground in start_here.GROUNDS:
        race().set(landscape=ground, lr_scale=1.0, noise=0.05, noise_for_all=False, seed=0, steps=100)
        assert winner(race().reading) != "Adam", ground
    race().set(landscape="ravine", lr_scale=2.0)
    assert winner(race().reading) == "Adam"


def test_the_ridge_of_the_saddle_has_no_slope_to_either_side():
    ridge = np.stack([np.linspace(-2, 2, 41), np.zeros(41)], axis=-1)
    assert (landscapes.saddle().grad(ridge)[:, 1] == 0).all()
    assert "still sits on the saddle" in told(failures.stuck_on_a_saddle(), noise=0.0)
