"""Lesson 14: what its page claims is true, its stored results come out again, its pictures draw them."""

import importlib.util

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.beyond_adam import (
    COEFFICIENTS,
    averaged,
    by_layer,
    lion,
    muon,
    on_singular_value,
    orthogonalised,
    schedule_free,
)
from optim_lessons.choosing import expected_best, paired_bootstrap
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import every_best
from optim_lessons.lab.models import softmax
from optim_lessons.lab.path import path, record
from optim_lessons.lab.races import race
from optim_lessons.lab.shipped import shipped
from optim_lessons.landscapes import quadratic
from optim_lessons.pictures import beyond_adam as picture
from optim_lessons.schedules import cosine
from optim_lessons.sgd import noisy
from optim_lessons.studies import beyond as study
from optim_lessons.studies import protocol
from optim_lessons.weight_decay import adamw

DUEL = [(by, part) for by in ("validation", "train") for part in ("train", "test")]


def test_no_best_lr_stands_at_the_end_of_its_range():
    with every_best() as heard:
        for rule in study.TAIL_RULES:
            for tail in study.TAILS:
                study.tail_best(tail, rule)
        study.word_ways()
        study.matrix_best.cache_clear()
        study.open_best.cache_clear()
        for rule in study.MATRIX_RULES:
            study.matrix_best(rule)
        for problem in study.OPEN_EPOCHS:
            for way in study.WAYS:
                study.open_best(problem, way)
    assert not [str(best) for best in heard if best.at_edge]
    assert len(heard) == 4 * 7 + 4 + 5 * 6 + 2 * 4


def test_with_each_factor_every_rule_was_tried():
    bests = [(study.tail_best(t, r)[0], study.TAIL_LRS[r]) for t in study.TAILS for r in study.TAIL_RULES]
    bests += [(best, study.MATRIX_RULES[r][2]) for r in study.MATRIX_RULES for best in study.matrix_best(r)]
    tried = [(best, lrs, picture.FACTORS) for best, lrs in bests]
    tried += [
        (study.open_best(problem, way)[0], study.OPEN_LRS, picture.END_FACTORS)
        for problem in study.OPEN_EPOCHS
        for way in study.WAYS
    ]
    for best, lrs, factors in tried:
        assert all(np.isclose(lrs, factor * best.value, rtol=1e-6).any() for factor in factors), best


# --- classes with a tail -------------------------------------------------------------------------------


def test_each_group_of_classes_has_about_a_third_of_the_examples():
    for tail in study.TAILS:
        its = study.shares(study.counts(tail))
        assert its.sum() == pytest.approx(1)
        assert (np.abs(its - 1 / 3) < 0.12).all()
    assert (np.abs(study.shares(study.results()["words"].sum(axis=0)) - 1 / 3) < 0.02).all()


def test_the_counts_of_words_are_all_that_softmax_regression_on_them_needs():
    table = np.array([[3.0, 1, 0], [2, 0, 2], [0, 1, 1]])
    X, y = [], []
    for before, row in enumerate(table):
        for word, times in enumerate(row):
            X += int(times) * [np.eye(3)[before]]
            y += int(times) * [word]
    net = softmax(np.array(X), np.array(y))
    biases = np.arange(net.n) >= 9  # the table has none: hold them at 0
    walk = path(adam, lambda w: np.where(biases, 0, net.grad(w)), np.zeros(net.n), study.STEPS, lr=0.25)
    found = np.tensordot(study.shares(table.sum(axis=0)), study.word_losses("Adam", table, [0.25]), 1)
    np.testing.assert_allclose(found[:, 0], net(walk), rtol=1e-4)


def test_a_slice_of_the_stored_tails_and_words_comes_out_again():
    for rule, k in (("gradient descent", 5), ("Adam", 4), ("Lion", 4)):
        again = study.tail_losses(1.0, rule, study.TAIL_LRS[rule][k : k + 1])[:, :31, 0]
        np.testing.assert_allclose(again, study.results()[f"tails {rule}"][4, :, :31, k], rtol=0.02)
    again = study.word_losses("Adam", study.results()["words"], [1.0])[..., 0]
    np.testing.assert_allclose(again, study.results()["words Adam"][..., 4], rtol=0.02)


def test_the_lowest_losses_of_words_are_where_adam_ends():
    low = study.lowest_word_losses(study.results()["words"])
    losses = study.results()["words Adam"][:, -1, 4]
    assert (losses > low - 1e-3).all()
    np.testing.assert_allclose(losses, low, rtol=0.01)
    assert study.word_ways()["Adam"].max() > 1.01  # a group may for a while be lower than there


def test_on_words_gradient_descent_learns_the_frequent_ones_first_and_adam_and_lion_learn_all_alike():
    ways = {rule: way[:, 10] for rule, way in study.word_ways().items()}
    for rule in ("gradient descent", "momentum"):
        assert ways[rule][0] > 2 * ways[rule][2]
    for rule in ("Lion", "Adam"):
        assert (ways[rule] > 0.83).all()
    late = {rule: way[:, -1] for rule, way in study.word_ways().items()}
    assert late["gradient descent"][2] < 0.8 < 0.9 < late["gradient descent"][0]
    assert (late["momentum"] > 0.96).all()


def test_the_longer_the_tail_the_further_gradient_descent_is_behind_adam():
    def ends(rule):
        return np.array([study.tail_best(tail, rule)[0].score for tail in study.TAILS])

    quotient = ends("gradient descent") / ends("Adam")
    assert quotient[0] < 1.15
    assert quotient[-1] > 1.6
    assert (np.diff(quotient)[1:] > 0).all()
    assert (np.abs(ends("momentum") / ends("Adam") - 1) < 0.08).all()


def test_gradient_descents_best_lr_is_a_compromise_between_frequent_and_rare_classes():
    best, losses = study.tail_best(1.0, "gradient descent")
    at_best, at_half = losses[:, -1, best.index], losses[:, -1, best.index - 1]
    assert at_half[0] < 0.6 * at_best[0]
    assert at_half[2] > 1.2 * at_best[2]
    adams = study.tail_best(1.0, "Adam")
    assert at_best[2] / adams[1][2, -1, adams[0].index] == pytest.approx(1.6, abs=0.05)


def test_the_scene_of_tails_shows_the_stored_losses():
    explorer = explore(picture.tails())
    explorer.set(tail=1.5, rule="Adam", factor=2.0)
    best, losses = study.tail_best(1.5, "Adam")
    np.testing.assert_array_equal(explorer.shown["rare"], losses[2, :, best.index + 1])


# --- a sign --------------------------------------------------------------------------------------------


def test_lions_step_is_lr_and_adams_a_part_of_it():
    net = study.duel_problem().net
    sizes = {}
    for rule, knobs in ((adam, {}), (lion, {"weight_decay": 0.0})):
        walk = path(rule, net.batch_grad(64), net.init(0, np.float32), 60, lr=1e-3, **knobs)
        steps = np.diff(walk[30:].astype(float), axis=0) / 1e-3
        sizes[rule] = np.sqrt((steps**2).mean())
    assert sizes[lion] > 0.95
    assert sizes[adam] < 0.6


# --- matrices ------------------------------------------------------------------------------------------


def test_the_gradients_know_the_axes_of_a_turned_ravine():
    ravine = quadratic(condition=100, angle=30)
    slopes = ravine.grad(path(adam, ravine.grad, ravine.start, 20, lr=0.1))
    axes = np.linalg.eigh(slopes.T @ slopes)[1]
    along = np.degrees(np.arctan2(axes[1, 0], axes[0, 0])) % 180
    assert along == pytest.approx(30, abs=3)


def test_a_turn_is_orthogonal_none_at_0_and_mixes_all_axes_at_1():
    np.testing.assert_array_equal(study.turned_by(0.0, 3), np.eye(study.SIZE))
    for turn in study.TURNS:
        Q = study.turned_by(turn, 3)
        np.testing.assert_allclose(Q @ Q.T, np.eye(study.SIZE), atol=1e-12)
    assert np.abs(study.turned_by(1.0, 3)).max() < 0.9


def test_a_slice_of_the_stored_matrices_comes_out_again():
    for rule, k in (("Adam", 13), ("Shampoo", 11), ("Muon", 9)):
        lrs = study.MATRIX_RULES[rule][2][k : k + 1]
        again = study.matrix_losses(1.0, rule, lrs)[:41:2, 0]
        np.testing.assert_allclose(again, study.results()[f"matrices {rule}"][-1, :21, k], rtol=0.05)


def test_soap_does_not_see_the_axes_and_is_adam_where_they_are_its_own():
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (4, 3))
    slopes, start = rng.standard_normal((6, 4, 3)), rng.standard_normal((4, 3))
    straight = path(study.soap, lambda w, t: slopes[t], start, 6, lr=0.1)
    turned = path(study.soap, lambda w, t: left @ slopes[t] @ right, left @ start @ right, 6, lr=0.1)
    np.testing.assert_allclose(turned, left @ straight @ right, atol=1e-8)


def test_adam_feels_the_turn_and_the_rules_for_matrices_do_not():
    ends = {rule: [best.score for best in study.matrix_best(rule)] for rule in study.MATRIX_RULES}
    assert ends["Adam"][0] < 1e-9
    assert min(ends["Adam"][2:]) > 1e-5
    for rule in ("Shampoo", "SOAP", "Muon", "momentum"):
        assert max(ends[rule]) < 12 * min(ends[rule])
    for k in range(2, len(study.TURNS)):
        axes, muons = max(ends["Shampoo"][k], ends["SOAP"][k]), ends["Muon"][k]
        assert axes < muons < ends["Adam"][k] < ends["momentum"][k]
    assert ends["Adam"][0] == min(its[0] for its in ends.values())


def test_momentum_is_lost_at_twice_its_best_lr_on_every_turn():
    for turn, best in enumerate(study.matrix_best("momentum")):
        assert (study.results()["matrices momentum"][turn][-1, best.index + 2 :] == 1).all()


def test_the_scene_of_matrices_shows_the_stored_losses():
    explorer = explore(picture.matrices())
    explorer.set(turn=0.2, factor=0.5)
    for rule in study.MATRIX_RULES:
        k = study.matrix_best(rule)[3].index - 2
        _, drawn = explorer.shown[rule]
        np.testing.assert_array_equal(drawn, study.results()[f"matrices {rule}"][3][:, k])


# --- Newton and Schulz ---------------------------------------------------------------------------------


def test_the_walk_of_the_picture_is_that_of_the_module():
    G = study.hidden_gradient()
    for steps in (0, 1, 5):
        np.testing.assert_allclose(
            study.newton_schulz(G, steps, COEFFICIENTS)[-1], orthogonalised(G, steps), rtol=1e-9, atol=1e-12
        )


def test_five_steps_bring_nearly_all_singular_values_of_a_hidden_gradient_near_1():
    s = np.linalg.svd(study.newton_schulz(study.hidden_gradient(), 5, COEFFICIENTS), compute_uv=False)
    assert s[0].min() < 0.001 * s[0].max()
    assert ((s[-1] > 0.68) & (s[-1] < 1.21)).sum() >= 29
    newtons = np.linalg.svd(
        study.newton_schulz(study.hidden_gradient(), 10, (1.5, -0.5, 0.0)), compute_uv=False
    )
    assert (newtons[10] > 0.68).sum() < 25
    assert s[-1].min() > 5 * newtons[10].min()


def test_bfloat16_moves_the_orthogonal_matrix_by_about_a_hundredth():
    exact, rounded = (
        study.newton_schulz(study.hidden_gradient(), 5, COEFFICIENTS, digits)[-1]
        for digits in ("float64", "bfloat16")
    )
    missed = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
    assert 0.003 < missed < 0.1
    s = np.linalg.svd(rounded, compute_uv=False)
    assert s.max() < 1.25


def test_the_scene_of_newton_and_schulz_follows_each_singular_value():
    explorer = explore(picture.newton_schulz())
    explorer.set(steps=3)
    values = np.linalg.svd(study.hidden_gradient(), compute_uv=False)
    values = values / np.linalg.norm(values)
    drawn = [line[-1] for line in explorer.shown["values"]]
    np.testing.assert_allclose(np.sort(drawn), np.sort(on_singular_value(values, 3)), rtol=1e-6)
    explorer.set(a=5.0, b=0.0, steps=10)
    assert "above 100" in explorer.reading


# --- Muon and AdamW ------------------------------------------------------------------------------------


def test_a_stored_trial_of_the_duel_comes_out_again():
    problem = study.duel_problem()
    entrant = study.duel_entrant("Muon").only([4])
    assert entrant.rule.__name__ == by_layer(muon, adamw, problem.net).__name__
    found = race(problem, {"Muon": entrant}, seeds=[0], progress=False, n_jobs=1)["Muon"].history
    assert found["train_loss"][-1, 0, 0] == pytest.approx(study.results()["duel Muon train"][4, 0], rel=0.1)


def test_muon_trains_faster_than_adamw_and_what_it_is_worth_on_new_digits_depends_on_the_choice():
    found = {key: (study.duel_curves("Muon", *key)[-1], study.duel_curves("AdamW", *key)[-1]) for key in DUEL}
    for by in ("validation", "train"):
        muons, adamws = found[by, "train"]
        assert (muons < adamws).all()
        assert muons.mean() < 0.11 * adamws.mean()
    _, low, high = paired_bootstrap(*found["validation", "test"])
    assert low < 0 < high
    assert (found["train", "test"][0] < found["train", "test"][1]).all()
    by_training = np.argsort(study.duel_trials("Muon", "train"))[:6]
    adamws = np.argmin(study.duel_trials("AdamW", "train"))
    validation = study.duel_trials("Muon", "validation")[by_training]
    limit = study.duel_trials("AdamW", "validation")[adamws]
    assert validation[0] < limit < validation[1:].min()


def test_by_validation_the_duel_is_level_at_every_budget_and_by_training_it_is_not():
    budgets = [1, 4, 24]
    by_validation, by_training = (
        [expected_best(study.duel_trials(rule, judge), budgets) for rule in ("AdamW", "Muon")]
        for judge in ("validation", "train")
    )
    assert (np.abs(by_validation[1] / by_validation[0] - 1) < 0.15).all()
    assert by_training[1][0] > by_training[0][0]
    assert by_training[1][1] < 0.4 * by_training[0][1]


def test_the_scene_of_the_duel_shows_the_expected_best():
    explorer = explore(picture.duel())
    explorer.set(trials=12, chosen_by="train")
    _, drawn = explorer.shown["Muon"]
    assert drawn[11] == pytest.approx(expected_best(study.duel_trials("Muon", "train"), 12))


# --- no end date ---------------------------------------------------------------------------------------


def test_the_scene_of_the_three_sequences_shows_the_walk_and_its_mean():
    explorer = explore(picture.sequences())
    explorer.set(noise=0.3, seed=2, steps=50)
    ravine = quadratic(condition=10, angle=30)
    seen = record(schedule_free, noisy(ravine.grad, 0.3, 2), ravine.start, 50, lr=0.5, beta=0.9)
    x = averaged(seen["w"], seen["dz"], seen["dx"])
    np.testing.assert_allclose(explorer.shown["loss of x"], ravine(x), rtol=1e-6)


def test_in_the_ravine_beta_helps_the_mean_early_and_late_the_plain_mean_is_as_low_as_the_cosine():
    ravine, lows = quadratic(condition=10, angle=30), {}
    for seed in range(100):
        grad = noisy(ravine.grad, 0.5, seed)
        for beta in (0.0, 0.9):
            seen = record(schedule_free, grad, ravine.start, 300, lr=0.5, beta=beta)
            x = ravine(averaged(seen["w"], seen["dz"], seen["dx"]))
            lows.setdefault((beta, 50), []).append(x[45:][:6].max())
            lows.setdefault((beta, 300), []).append(x[270:].max())
        planned = path(gradient_descent, grad, ravine.start, 300, lr=cosine(0.5, length=300))
        lows.setdefault("cosine", []).append(ravine(planned)[270:].max())
    means = {key: np.mean(its) for key, its in lows.items()}
    assert means[0.9, 50] < 0.8 * means[0.0, 50]
    assert means[0.0, 300] < 0.6 * means[0.9, 300]
    assert 0.6 < np.mean(np.array(lows[0.0, 300]) < lows[0.9, 300]) < 0.9  # mostly
    assert means["cosine"] == pytest.approx(means[0.0, 300], rel=0.15)


def test_a_slice_of_the_stored_ends_comes_out_again():
    for way in study.WAYS:
        again = study.open_losses("right labels", way, study.OPEN_LRS[11:12]).mean(axis=-1)
        np.testing.assert_allclose(again[:, 0], study.results()[f"right labels, {way}"][:, 11], rtol=0.01)


def test_with_right_labels_schedule_free_needs_no_end_date_and_loses_nothing():
    last, half = (
        {way: study.fresh_losses("right labels", way)[row] for way in study.WAYS} for row in (-1, 6)
    )
    _, _, high = paired_bootstrap(last["Schedule-Free"], last["cosine"])
    assert high < 0
    assert np.abs(last["Schedule-Free"] - last["cosine"]).max() < 0.002
    for way in ("constant", "cosine", "average"):
        assert paired_bootstrap(half["Schedule-Free"], half[way])[2] < 0


def test_with_wrong_labels_the_mean_of_the_walk_is_ahead_and_schedule_free_is_not():
    tuned = {way: study.open_best("a fifth wrong", way)[0].score for way in study.WAYS}
    assert min(tuned, key=tuned.get) == "average"
    assert tuned["Schedule-Free"] > tuned["cosine"]
    last = {way: study.fresh_losses("a fifth wrong", way)[-1] for way in study.WAYS}
    assert paired_bootstrap(last["average"], last["cosine"])[2] < 0
    _, low, high = paired_bootstrap(last["Schedule-Free"], last["cosine"])
    assert low < 0 < high


def test_the_scene_of_ends_shows_the_stored_losses():
    explorer = explore(picture.ends())
    explorer.set(problem="a fifth wrong", factor=2.0)
    best, losses = study.open_best("a fifth wrong", "cosine")
    _, drawn = explorer.shown["cosine"]
    np.testing.assert_array_equal(drawn, losses[:, best.index + 2])


# --- the race of all rules -----------------------------------------------------------------------------


def test_a_stored_trial_of_the_race_comes_out_again():
    problem = protocol.problem("tumours, scaled")
    for rule in ("Lion", "Schedule-Free Adam"):
        entrant = study.race_entrant(rule, problem).only([7])
        found = race(problem, {rule: entrant}, seeds=[0], progress=False, n_jobs=1)[rule].history
        stored = study.results()["race tuning"][0, list(study.RACE_RANGES).index(rule), 7, 0]
        assert found["validation_loss"][-1, 0, 0] == pytest.approx(stored, rel=0.02)


def test_muon_is_alone_first_on_test_on_both_networks_and_momentum_on_the_tumours():
    assert [study.race_firsts(problem) for problem in study.RACE_PROBLEMS] == [
        ["momentum"], ["Muon"], ["Muon"],
    ]  # fmt: skip
    tests = [losses.mean() for losses in study.race_losses("tumours, scaled", "test").values()]
    assert 1.28 < max(tests) / min(tests) < 1.34
    for problem in study.RACE_PROBLEMS[1:]:
        tests = {rule: losses.mean() for rule, losses in study.race_losses(problem, "test").items()}
        assert sorted(tests, key=tests.get).index("Lion") >= 6


def test_on_text_muon_leads_with_48_trials_and_not_with_4():
    losses = study.race_losses("next character", "trials")
    few, many = ({rule: expected_best(its, k) for rule, its in losses.items()} for k in (4, 48))
    assert min(many, key=many.get) == "Muon"
    assert few["Muon"] > min(few.values()) + 0.05
    few = {
        rule: expected_best(its, 4) for rule, its in study.race_losses("tumours, scaled", "trials").items()
    }
    assert set(sorted(few, key=few.get)[:2]) == {"Schedule-Free SGD", "gradient descent"}


def test_schedule_free_is_within_a_quarter_of_the_best_on_validation():
    for problem in study.RACE_PROBLEMS:
        best = {rule: its.min() for rule, its in study.race_losses(problem, "trials").items()}
        for rule in ("Schedule-Free SGD", "Schedule-Free Adam"):
            assert best[rule] < 1.25 * min(best.values())


def test_the_scene_of_the_race_names_the_first_three():
    explorer = explore(picture.race())
    explorer.set(problem="next character", trials=48)
    assert "first Muon" in explorer.reading


def test_the_script_of_the_stored_results_names_its_parts():
    spec = importlib.util.spec_from_file_location(
        "make_beyond_adam", shipped("assets") / "make_beyond_adam.py"
    )
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert set(make.PARTS) == {"tails", "words", "matrices", "duel", "ends", "race"}
