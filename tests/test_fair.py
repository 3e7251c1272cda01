"""Fair numbers: no best value at an end unseen, no arrival by a lucky instant, no walk off the map."""

import numpy as np
import pytest

from optim_lessons.lab.fair import best_of, every_best, last_tenth, settled, stays_below, stays_inside

LRS = np.array([0.1, 0.2, 0.4, 0.8])


def test_a_best_value_inside_its_range_is_told_plainly():
    best = best_of([3.0, 1.0, 2.0, np.nan], lr=LRS)
    assert (best.value, best.index, best.score, best.at_edge) == (0.2, 1, 1.0, False)
    assert str(best) == "lr 0.2"


@pytest.mark.parametrize(
    ("scores", "edge", "words"),
    [
        ([1, 2, 3, 4], "lowest", "lr 0.1, the lowest of 4 tried"),
        ([4, 3, 2, 1], "highest", "lr 0.8, the highest of 4 tried"),
        ([3, 1, 1, 1], "highest", "lr 0.2, and as good up to the highest of 4 tried"),
    ],
)
def test_a_best_value_at_an_end_says_at_which(scores, edge, words):
    best = best_of(scores, lr=LRS)
    assert best.at_edge
    assert best.edges == {"lr": edge}
    assert str(best) == words


def test_beyond_the_last_value_that_did_not_diverge_there_is_no_better_one():
    assert not best_of([3.0, 2.0, 1.0, np.inf], lr=LRS).at_edge
    assert not best_of([3.0, 2.0, 1.0, np.nan], lr=LRS).at_edge


def test_zero_and_a_named_limit_are_ends_of_what_exists_and_no_edge():
    assert not best_of([1, 2], weight_decay=[0, 0.1]).at_edge
    assert best_of([1, 2], batch=[1, 64]).at_edge
    assert not best_of([1, 2], batch=[1, 64], limits={"batch": (1, 1077)}).at_edge
    assert not best_of([2, 1], batch=[1, 1077], limits={"batch": (1, 1077)}).at_edge
    assert best_of([2, 1], batch=[1, 64], limits={"batch": (1, 1077)}).at_edge


def test_of_several_knobs_each_has_its_own_ends():
    scores = np.ones((4, 3)) + np.abs(np.arange(4) - 2)[:, None] + np.arange(3)
    best = best_of(scores, lr=LRS, beta=[0.5, 0.7, 0.9])
    assert best.knobs == {"lr": 0.4, "beta": 0.5}
    assert (best.index, scores[best.index]) == ((2, 0), 1)
    assert best.edges == {"beta": "lowest"}
    assert str(best) == "lr 0.4; beta 0.5, the lowest of 3 tried"


def test_a_range_without_a_finite_score_or_that_does_not_rise_has_no_best():
    with pytest.raises(ValueError, match="none of the 4 scores is finite"):
        best_of(np.full(4, np.nan), lr=LRS)
    with pytest.raises(ValueError, match="the values of a range rise"):
        best_of([1, 2, 3, 4], lr=LRS[::-1])
    with pytest.raises(ValueError, match=r"shape \(3,\): one axis for each knob, 4 for lr"):
        best_of([1, 2, 3], lr=LRS)


def test_an_audit_hears_every_choice_made_while_it_listens():
    best_of([1, 2], lr=[1, 2])
    with every_best() as heard:
        best_of([2, 1, 3], lr=[1, 2, 3])
        best_of([1, 2], lr=[1, 2])
    best_of([1, 2], lr=[1, 2])
    assert [best.at_edge for best in heard] == [False, True]


def test_a_run_that_dips_below_a_level_has_not_arrived_before_it_stays_there():
    dips = [4, 0.5, 3, 0.5, 0.4, 0.3]
    assert stays_below(dips, 1) == 3
    assert stays_below(dips, 0.1) == np.inf
    assert stays_below([0.0, 0.0], 1) == 0
    runs = np.array([dips, [4, 0.5, 3, 0.5, 0.4, 3], [4, 0.5, 0.4, 0.3, np.nan, np.nan], [0.1] * 6]).T
    assert stays_below(runs, 1).tolist() == [3, np.inf, np.inf, 0]


def test_an_oscillating_run_is_judged_by_the_worst_of_its_last_tenth():
    swing = np.abs(np.cos(np.arange(101) * np.pi / 2))  # 0 at each odd step
    assert swing[99] < 1e-12
    assert settled(swing) == 1
    assert len(last_tenth(swing)) == 10
    assert len(last_tenth([1, 2, 3])) == 1
    assert np.isnan(settled(np.array([[1.0, 1], [np.nan, 1]])[:, 0]))


def test_a_walk_that_comes_back_has_left_the_map_all_the_same():
    box = (0, 1), (0, 2)
    stays, returns, lost = [[0, 0], [1, 2]], [[2, 0], [0.5, 1]], [[0, 0], [np.nan, 1]]
    ws = np.stack([stays, returns, lost], axis=1)
    assert stays_inside(ws, box).tolist() == [True, False, False]
