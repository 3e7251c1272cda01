"""Lesson 15: what its page claims is true, its stored results come out again, its pictures draw them."""

import importlib.util

import numpy as np
import pytest
from strict_array import StrictArray

from optim_lessons import scale
from optim_lessons.adam import adam
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_15 import (
    HAPPENINGS,
    REACHED,
    accumulated,
    four_trainings,
    loss_within,
)
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.explore import explore
from optim_lessons.lab.fair import every_best
from optim_lessons.lab.path import path
from optim_lessons.lab.shipped import shipped
from optim_lessons.pictures import scale as picture
from optim_lessons.studies import scaling as study


def power(rule, style):
    """Return the power of the best lr over the widths."""
    return study.power_of(study.WIDTHS, study.best_lrs(rule, style))


# --- the module ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("put", [np.asarray, StrictArray])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_of_the_module_runs_on_any_array_and_keeps_its_dtype(put, dtype):
    def back(x):
        return x.get() if hasattr(x, "get") else np.asarray(x)

    x = np.random.default_rng(0).standard_normal((3, 128)).astype(dtype)
    u = np.random.default_rng(1).random((3, 128)).astype(dtype)
    for f, args in (
        (scale.bfloat16, (x,)),
        (scale.bfloat16, (x, u)),
        (lambda x: scale.dequantised(*scale.quantised(x)), (x,)),
        (scale.factored, (x**2,)),
        (scale.is_spike, (x**2,)),
    ):
        there, here = f(*map(put, args)), f(*args)
        assert type(there) is type(put(x)) or f is scale.is_spike
        np.testing.assert_array_equal(back(there), here)
        assert here.dtype == (bool if f is scale.is_spike else dtype)


def test_bfloat16_keeps_8_binary_digits_and_is_the_top_half_of_float32():
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32) * 10.0 ** np.arange(-20, 20, 0.04)
    x = x.astype(np.float32)
    kept = scale.bfloat16(x)
    assert not (kept.view(np.uint32) & 0xFFFF).any()
    assert (np.abs(kept - x) <= np.abs(x) / 256).all()
    np.testing.assert_array_equal(scale.bfloat16(kept), kept)
    np.testing.assert_array_equal(scale.bfloat16(kept, 0.999), kept)  # what fits is never moved by chance
    np.testing.assert_array_equal(scale.bfloat16(np.array([0.0, 1.0, 1.002, 1.0078125, -3.0])),
                                  [0.0, 1.0, 1.0, 1.0078125, -3.0])  # fmt: skip


def test_rounding_by_chance_is_right_on_average_and_to_the_nearest_is_not():
    u = np.random.default_rng(0).random(100_000)
    for x in (1.002, -0.3337, 5e-9):
        by_chance = scale.bfloat16(np.full(100_000, x), u)
        assert set(np.unique(by_chance).round(12)).__len__() == 2 or abs(x) < 1e-8
        assert by_chance.mean() == pytest.approx(x, rel=1e-4)
    assert scale.bfloat16(np.array(1.002)) == 1.0


def test_no_average_with_a_memory_of_1000_steps_falls_in_bfloat16_to_the_nearest():
    v = scale.bfloat16(np.geomspace(1e-12, 10, 999))
    np.testing.assert_array_equal(scale.bfloat16(0.999 * v), v)
    np.testing.assert_array_equal(scale.bfloat16(0.9981 * v), v)
    assert (scale.bfloat16(0.996 * v) < v).all()  # 1/256 below: more than half a step of any number


def test_eight_bits_are_off_by_half_a_level_of_their_own_block_at_most():
    x = np.random.default_rng(0).standard_normal((2, 256)) * np.repeat([1.0, 1e-6, 30, 0], 64)
    codes, scales = scale.quantised(x)
    assert codes.dtype == np.int8
    assert codes.shape == (2, 4, 64)
    assert np.abs(codes).max() == 127
    np.testing.assert_array_equal(scales[..., 0], np.abs(x).reshape(2, 4, 64).max(axis=-1))
    again = scale.dequantised(codes, scales)
    assert (np.abs(again - x).reshape(2, 4, 64) <= scales / 127 / 2 * (1 + 1e-9)).all()
    np.testing.assert_array_equal(again[:, 192:], 0)


def test_the_guess_from_margins_is_exact_for_rank_one_has_the_right_margins_and_keeps_zero():
    rng = np.random.default_rng(0)
    one = rng.random((5, 1)) * rng.random((1, 7))
    np.testing.assert_allclose(scale.factored(one), one, rtol=1e-12)
    v = rng.random((3, 5, 7))
    for axis in (-1, -2):
        np.testing.assert_allclose(scale.factored(v).sum(axis=axis), v.sum(axis=axis), rtol=1e-12)
    assert not scale.factored(np.zeros((4, 6))).any()


def test_the_noise_scale_is_that_of_gradients_whose_noise_is_known():
    rng = np.random.default_rng(0)
    G = np.full(50, 0.2)  # ‖G‖² = 2
    mean = {}
    for batch in (4, 64):
        g = G + 3.0 * rng.standard_normal((20_000, 50)) / np.sqrt(batch)  # tr Σ = 450
        mean[batch] = (g**2).sum(axis=1).mean()
    assert scale.noise_scale(4, mean[4], 64, mean[64]) == pytest.approx(225, rel=0.05)
    assert scale.noise_scale(10, 2 + 45, 90, 2 + 5) == pytest.approx(225)


def test_a_spike_is_told_from_a_usual_gradient():
    assert scale.is_spike(np.array([1.0, 2.0, 1.0, 6.0]))
    assert not scale.is_spike(np.array([1.0, 2.0, 1.0, 4.0]))
    assert not scale.is_spike(np.array([1.0, 2.0, 1.0, 6.0]), factor=10)
    np.testing.assert_array_equal(
        scale.is_spike(np.array([[1.0, 1.0], [1.0, 1.0], [9.0, 1.0]])), [True, False]
    )


# --- widths --------------------------------------------------------------------------------------------


SAID = {"SGD": (-0.5, 0.5, 1), "Adam": (0, 1, 1), "Muon": (0, 0, 0.5)}


@pytest.mark.parametrize("rule", SAID)
def test_the_first_steps_effect_grows_by_the_powers_that_are_derived_and_not_under_mup(rule):
    for style, said in (("standard", SAID[rule]), ("muP", (0, 0, 0))):
        y = study.changes(rule, style)[1:]
        found = [study.power_of(study.WIDTHS[1:], layer) for layer in y.T]
        np.testing.assert_allclose(found, said, atol=0.26)
        assert (np.array(found) < np.array(said) + 0.06).all()


@pytest.mark.parametrize("rule", SAID)
def test_mups_factors_undo_the_powers_of_its_own_start(rule):
    # Under muP's start the error comes back smaller by another root of n, in all layers but the last.
    back = {"SGD": 0.5, "Adam": 0, "Muon": 0}[rule]
    for layer, grown in zip(study.LAYERS, SAID[rule], strict=True):
        late = 0 if layer == "last" else back
        assert scale.POWERS[rule.lower()][layer] == -(grown - late)
        assert scale.mup_factor(rule.lower(), layer, 8) == pytest.approx(
            8.0 ** scale.POWERS[rule.lower()][layer]
        )


def test_at_the_base_width_both_styles_are_the_same_training():
    for rule in study.LRS:
        stored = study.results()[f"width {rule}"]
        np.testing.assert_array_equal(stored[0, 0], stored[1, 0])


def test_a_slice_of_every_stored_width_comes_out_again():
    for rule, k in (("SGD", 7), ("Adam", 8), ("Muon", 7)):
        for style in study.STYLES:
            again = study.width_losses(rule, style, 64, study.LRS[rule][k : k + 2]).mean(axis=-1)
            stored = study.results()[f"width {rule}"][study.STYLES.index(style), 1, k : k + 2]
            np.testing.assert_allclose(again, stored, rtol=0.02)


def test_no_best_lr_of_a_width_a_batch_or_an_end_stands_at_the_end_of_its_range():
    with every_best() as heard:
        for rule in study.LRS:
            for style in study.STYLES:
                study.best_lrs(rule, style)
        for rule in study.BATCH_LRS:
            for goal in study.GOALS:
                study.best_steps(rule, goal)
        for kind, share in (("constant", None), ("averaged", None), ("cosine", None),
                            *(("decay", share) for share in study.SHARES)):  # fmt: skip
            for row in study.last_losses(kind, share):
                study.best_lr(row, study.PEAKS)
        for _, _, row in study.generalised():
            study.best_lr(row.mean(axis=-1), study.CLAIM_LRS)
    assert not [str(best) for best in heard if best.at_edge]


def test_the_best_lr_falls_with_the_width_in_the_standard_style_and_moves_little_under_mup():
    assert power("Adam", "standard") < -0.65
    assert -0.5 < power("SGD", "standard") < -0.35
    for rule in study.LRS:
        assert abs(power(rule, "muP")) < 0.2
        assert power(rule, "muP") > power(rule, "standard")
    best = [study.best_lr(row, study.LRS["Adam"]).value for row in study.width_results("Adam", "muP")]
    assert len(set(best)) == 1
    narrow, wide = (study.width_results("Adam", "standard")[k] for k in (0, -1))
    assert wide[study.best_lr(narrow, study.LRS["Adam"]).index] > 2.5 * wide.min()


def test_for_sgd_mup_carries_the_lr_but_not_a_lower_loss():
    standard, mup = (np.nanmin(study.width_results("SGD", style), axis=1) for style in study.STYLES)
    assert (mup[-2:] > 1.1 * standard[-2:]).all()
    for rule in ("Adam", "Muon"):
        standard, mup = (np.nanmin(study.width_results(rule, style), axis=1) for style in study.STYLES)
        assert (mup[-2:] < 1.05 * standard[-2:]).all()


def test_with_each_factor_every_rule_was_tried():
    factors = np.array(picture.widths().ranges["factor"])
    for rule, lrs in study.LRS.items():
        narrow = study.best_lr(study.width_results(rule, "standard")[0], lrs).value
        assert all(np.isclose(lrs, narrow * factor, rtol=1e-6).any() for factor in factors)


def test_the_scene_of_widths_shows_the_stored_losses():
    explorer = explore(picture.widths())
    explorer.set(rule="Muon", style="muP")
    rows = study.width_results("Muon", "muP")
    for width, row in zip(study.WIDTHS, rows, strict=True):
        _, drawn = explorer.shown[f"width {width}"]
        np.testing.assert_allclose(drawn, np.minimum(np.nan_to_num(row, nan=picture.HIGH), picture.HIGH))


# --- batches -------------------------------------------------------------------------------------------


def test_a_slice_of_the_stored_batches_comes_out_again():
    for rule, k in (("SGD", 14), ("Adam", 13)):
        again = study.steps_to_goals(rule, 64, study.BATCH_LRS[rule][k : k + 2]).mean(axis=-1)
        stored = study.results()[f"batch {rule}"][study.BATCHES.index(64), :, k : k + 2]
        np.testing.assert_allclose(again, stored, rtol=0.05)


@pytest.mark.parametrize(("rule", "off"), [("SGD", 1 / 6), ("Adam", 0.4)])
def test_steps_follow_the_formula(rule, off):
    for goal, critical in zip(study.GOALS, ((90, 110), (160, 170)), strict=True):
        steps, _ = study.best_steps(rule, goal)
        least, found = study.critical_batch(study.BATCHES, steps)
        fitted = least * (1 + found / np.array(study.BATCHES))
        assert (np.abs(steps / fitted - 1) < off).all()
        assert critical[0] < found < critical[1]


def test_the_best_lr_grows_nearly_like_the_batch_for_sgd_less_for_adam_and_hardly_beyond_the_critical_batch():
    sizes = np.array(study.BATCHES)
    for rule, (low, high) in {"SGD": (0.85, 0.95), "Adam": (0.65, 0.8)}.items():
        for goal in study.GOALS:
            best = np.array(study.best_steps(rule, goal)[1])
            assert low < study.power_of(sizes[sizes <= 64], best[sizes <= 64]) < high
            assert study.power_of(sizes[sizes >= 128], best[sizes >= 128]) < 0.3
    small, large = (study.batch_results("SGD", 0.1)[k] for k in (study.BATCHES.index(64), -1))
    small, large = (study.best_lr(row, study.BATCH_LRS["SGD"]).value for row in (small, large))
    assert 16 * small == pytest.approx(45, abs=0.5)
    assert 16 * small / large == pytest.approx(8)


def test_the_noise_scale_grows_as_the_training_gets_somewhere():
    net = study.small_network()
    for seed in range(3):
        w, grad, found = net.init(seed), net.batch_grad(64, seed), []
        for t in range(21):
            if t in (0, 5, 20):
                short, long = (study.squared_lengths(w, batch, seed=seed) for batch in (16, 256))
                found.append(scale.noise_scale(16, short, 256, long))
            w = w - 1.0 * grad(w, t)
        assert found[1] > 4 * found[0]
        assert found[2] > 2 * found[1]


def test_large_batches_are_worse_at_equal_epochs_and_level_at_equal_steps():
    best = [row.mean(axis=-1).min() for _, _, row in study.generalised()]
    assert best[1] > best[0] + 0.02
    assert abs(best[3] - best[2]) < 0.005


def race():
    """Return kind → the best last losses at each end."""
    kinds = {"constant": ("constant",), "averaged": ("averaged",), "cosine": ("cosine",)}
    kinds |= {share: ("decay", share) for share in study.SHARES}
    return {
        name: np.array([study.best_lr(row, study.PEAKS).score for row in study.last_losses(*kind)])
        for name, kind in kinds.items()
    }


def test_from_step_400_on_a_decay_is_as_good_as_a_cosine_and_the_constant_lr_is_last():
    best = race()
    late = {name: its[2:] for name, its in best.items()}
    assert (np.abs(late[0.2] - late["cosine"]) < 0.002).all()
    assert (np.abs(late[0.4] - late["cosine"]) < 0.001).all()
    assert all((late["constant"] > its).all() for name, its in late.items() if name != "constant")
    half = (late["constant"] - late["averaged"]) / (late["constant"] - late["cosine"])
    np.testing.assert_allclose(half, 0.5, atol=0.08)
    assert best["cosine"][0] == max(its[0] for its in best.values())
    assert best["constant"][0] == min(its[0] for its in best.values())
    assert sum(study.ENDS) == 3100
    assert 1280 + sum(round(0.2 * end) for end in study.ENDS) == 1900
    peaks = [
        np.mean([study.best_lr(row, study.PEAKS).value for row in study.last_losses(*kind)[2:]])
        for kind in (("cosine",), ("decay", 0.2))
    ]
    assert peaks[0] / peaks[1] == pytest.approx(3, abs=0.3)


def test_one_lr_for_all_ends_costs_the_fork_something_at_short_ends_only():
    fork, cosine = np.array(study.last_losses("decay", 0.2)), np.array(study.last_losses("cosine"))
    one = fork[:, np.abs(study.PEAKS - 0.011).argmin()]
    np.testing.assert_allclose(1000 * (one - fork.min(axis=1)), [10, 5, 0, 0, 0], atol=0.3)
    assert (one[:2] < cosine[:2].min(axis=1) - 0.01).all()
    best = [study.best_lr(study.last_losses(kind)[-1], study.PEAKS).value for kind in ("cosine", "constant")]
    assert best[0] / best[1] == pytest.approx(11, abs=0.5)


def test_the_gradient_of_a_batch_is_the_mean_of_its_parts_up_to_rounding():
    net = study.small_network()
    w = net.init(1)
    parts = [net.grad(w, net.X[k : k + 16], net.y[k : k + 16]) for k in range(0, 64, 16)]
    whole = net.grad(w, net.X[:64], net.y[:64])
    np.testing.assert_allclose(accumulated(np.array(parts), [16] * 4), whole, rtol=1e-12, atol=1e-15)
    parts = [net.grad(w, net.X[a:b], net.y[a:b]) for a, b in ((0, 50), (50, 64))]
    np.testing.assert_allclose(accumulated(np.array(parts), [50, 14]), whole, rtol=1e-12, atol=1e-15)
    assert np.abs(np.mean(parts, axis=0) - whole).max() > 0.1 * np.abs(whole).max()


def test_the_scene_of_batches_shows_the_stored_steps():
    explorer = explore(picture.batches())
    explorer.set(rule="Adam", goal=0.2, batch=128)
    steps, _ = study.best_steps("Adam", 0.2)
    np.testing.assert_allclose(explorer.shown["steps"], steps)
    np.testing.assert_allclose(explorer.shown["examples"], steps * study.BATCHES)
    assert f"Batch 128: {steps[6]:.0f} steps" in explorer.reading


# --- time ----------------------------------------------------------------------------------------------


def test_a_decay_that_forks_from_the_constant_run_is_the_whole_schedule_run_at_once():
    peaks, seeds = study.PEAKS[5:7], range(2)
    _, _, points = study.timed(study.warm_up(study.constant(1.0), study.WARM), 80, peaks, seeds, keep=(80,))
    schedule = study.stable(1.0, 100, 0.2)
    forked = study.timed(schedule, 100, peaks, seeds, began=(80, points[80]))[0]
    whole = study.timed(schedule, 100, peaks, seeds)[0]
    np.testing.assert_array_equal(forked, whole[8:])


def test_a_slice_of_the_stored_ends_comes_out_again():
    k = slice(5, 7)
    cosine = study.timed(study.one_cosine(1.0, 100), 100, study.PEAKS[k])[0]
    np.testing.assert_allclose(cosine, study.results()["cosine"][0, :11, k], rtol=0.01)
    whole = study.timed(study.stable(1.0, 100, 0.2), 100, study.PEAKS[k])[0]
    np.testing.assert_allclose(whole[8:], study.results()["decay"][0, 2, 8:11, k], rtol=0.01)
    np.testing.assert_allclose(whole[:9], study.results()["constant"][:9, k], rtol=0.01)


def test_the_scene_of_ends_shows_the_stored_losses():
    explorer = explore(picture.ends())
    explorer.set(end=800, share=0.1, peak=float(study.PEAKS[6]))
    _, drawn = explorer.shown["decay"]
    stored = study.results()["decay"][3, 1, 2:81, 6]
    np.testing.assert_allclose(drawn, np.where(stored <= picture.TOP, stored, np.nan))


# --- spikes and memory ---------------------------------------------------------------------------------


def test_adams_step_after_a_growth_is_what_its_averages_say():
    for beta1, beta2, growth in ((0.9, 0.999, 100), (0.8, 0.99, 50)):
        said = ((1 - beta1) * growth + beta1) / np.sqrt((1 - beta2) * growth**2 + beta2)
        assert study.steps_after(growth, beta1, beta2)[5] == pytest.approx(said, rel=1e-6)
    np.testing.assert_allclose(study.steps_after(100)[:5], 1, rtol=1e-6)
    longest = [study.steps_after(100, beta2=beta2)[5:].max() for beta2 in (0.999, 0.99, 0.95)]
    np.testing.assert_allclose(longest, [6.57, 2.14, 1.10], atol=0.01)


def test_a_long_walk_of_adam_has_the_same_spike():
    g = np.where(np.arange(9060) < 9000, 1.0, 100.0)
    ws = path(adam, lambda w, t: np.full(1, g[t]), np.zeros(1), len(g), lr=1.0)[:, 0]
    np.testing.assert_allclose(-np.diff(ws)[8995:], study.steps_after(100), rtol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_batch_ruins_sgd_and_both_cures_help_both_rules(seed):
    ends = {
        (r, c): study.bad_batch(r, c, seed)
        for r in ("sgd", "adam")
        for c in ("never comes", "none", "clip 1", "skip")
    }
    for rule in ("sgd", "adam"):
        assert ends[rule, "none"][-1] > 2 * ends[rule, "never comes"][-1]
        for cure in ("clip 1", "skip"):
            assert ends[rule, cure][-1] < 1.2 * ends[rule, "never comes"][-1]
    assert ends["sgd", "none"][101:].max() > 2.5  # worse than guessing


def test_what_fewer_digits_cost_is_what_the_page_says():
    loss = {name: study.stored_training(name) for name in study.STORES}
    cost = {name: (its / loss["float32"] - 1).mean() for name, its in loss.items()}
    assert 0.01 < cost["m and v in bfloat16, to the nearest"] < 0.04
    for name in ("m and v in bfloat16, by chance", "weights in bfloat16, by chance"):
        assert abs(cost[name]) < 0.01
    assert cost["weights in bfloat16, to the nearest"] > 0.5
    assert 0 < cost["m and √v in 8 bits"] < 0.2
    assert abs(cost["v factored"]) < 0.06
    assert loss["m and v in 8 bits"].min() > 100
    mixed = study.STORES["m and √v in 8 bits"](None)[2]  # √v in 8 bits, m as it is
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(study.STORES, "only √v", lambda chance: (lambda w: w, lambda m: m, mixed))
        alone = study.stored_training("only √v")
    assert alone.min() > 2 * loss["m and √v in 8 bits"].max()


def test_the_bytes_of_a_weight_add_up():
    assert study.BYTES["Adam, mixed precision"] == study.BYTES["Adam, float32"] == 16
    assert study.BYTES["Lion or Muon, float32"] == 12
    assert study.BYTES["  m and v in 8 bits"] == pytest.approx(10.125)


def test_the_scenes_of_spikes_and_of_rounding_show_what_is_computed():
    explorer = explore(picture.spikes())
    explorer.set(beta2=0.95, clip="10", lasts=False)
    _, drawn = explorer.shown["its"]
    np.testing.assert_allclose(drawn, study.steps_after(explorer.values["growth"], 0.9, 0.95, False, 10.0))
    explorer = explore(picture.rounding())
    explorer.set(beta2=0.99)
    np.testing.assert_allclose(explorer.shown["by chance"][1], study.falling(0.99)["by chance"][::10])


def test_to_the_nearest_v_falls_to_its_end_below_0_996_and_sticks_half_way_in_between():
    for beta2 in (0.95, 0.98, 0.99, 0.995, 0.996):
        assert study.falling(beta2)["nearest"][-1] < 1e-4
    assert study.falling(0.997)["nearest"][-1] == pytest.approx(0.65, abs=0.005)
    assert study.falling(0.998)["nearest"][-1] == pytest.approx(0.98, abs=0.005)


def test_by_chance_v_falls_as_it_should_and_to_the_nearest_it_does_not_fall():
    rows = study.falling(0.999)
    assert (rows["nearest"] == 1).all()
    assert rows["by chance"][1000] == pytest.approx(rows["exact"][1000], rel=0.03)


# --- exercises -----------------------------------------------------------------------------------------


def test_the_budget_is_kept_by_batches_near_40_and_each_other_way_is_named():
    for batch, lr in ((40, 1.0), (40, 1.5), (40, 2.0), (36, 1.5)):
        assert loss_within(batch, lr) < REACHED
        assert check("15.budget", (batch, lr))
    for pair, mistake in (
        ((64, 2.0), "too-many-examples"),
        ((8, 0.3), "batch-too-small"),
        ((40, 0.1), "lr-too-small"),
        ((32, 1.0), "lr-too-small"),
        ((28, 1.2), "lr-too-small"),
        ((24, 1.2), "batch-too-small"),
        ((40, 30.0), "lr-too-large"),
        ((40, -1.0), "not-positive"),
        ((0, 1.0), "no-batch"),
        ((40.5, 1.0), "no-batch"),
    ):
        assert check("15.budget", pair).mistake == mistake, pair
    assert "the loss is 0.101" in check("15.budget", (32, 1.0)).text
    for batch in (24, 27):
        assert min(loss_within(batch, float(lr)) for lr in np.arange(0.8, 3, 0.2)) > REACHED


def test_the_four_trainings_show_what_happens_in_them():
    runs = four_trainings()
    before = {letter: (loss[:50], length[:50]) for letter, (loss, length) in runs.items()}
    for letter in HAPPENINGS:
        np.testing.assert_allclose(before[letter][0], before["A"][0])
    (loss, length), after = runs["A"], slice(51, None)
    assert length[50] > 4 * np.delete(length, 50).max()
    assert loss[51] > 3 * loss[50]
    assert np.median(runs["D"][1][after]) < 0.5 * np.median(runs["D"][1][:50])
    assert np.median(runs["B"][1][after]) > 0.5 * np.median(runs["B"][1][30:50])
    assert runs["C"][0][after].mean() > 2 * runs["C"][0][50]
    assert np.abs(np.diff(runs["B"][0][-15:])).max() < 0.2 * np.abs(np.diff(runs["B"][0][30:50])).max()


def test_plain_descent_on_the_whole_gradient_has_the_power_of_the_unseen_rule():
    # lr·g/‖g‖ with g = d hᵀ, h of n entries near 1: each of n outputs changes by lr.
    rng = np.random.default_rng(0)
    for n in (64, 1024):
        h, d = np.sign(rng.standard_normal(n)), rng.standard_normal(n)
        g = np.outer(h, d)
        change = h @ (gradient_descent(0 * g, g / np.sqrt((g * g).sum()), lr=0.1))
        assert np.sqrt((change**2).mean()) == pytest.approx(0.1)


def test_the_script_of_the_stored_results_names_its_parts():
    spec = importlib.util.spec_from_file_location("make_scale", shipped("assets") / "make_scale.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert set(make.PARTS) == {"widths", "batches", "times", "claim"}


def test_the_powers_that_are_no_answer_to_the_unseen_rule_are_what_their_mistakes_forget():
    n, lr = 256, 0.01
    h, d = np.ones((1, n)), np.random.default_rng(0).standard_normal((1, n))
    g = h.T @ d
    change = h @ (lr * g / np.linalg.norm(g))
    assert np.sqrt((change**2).mean()) == pytest.approx(lr)  # "c": each output changes by lr
    assert np.linalg.norm(change) == pytest.approx(lr * n**0.5)  # not spread over the outputs: lr ∝ 1/√n
    assert "each output gets only its part" in check("15.unseen_rule", "b").text
    short = h / np.linalg.norm(h) @ (lr * g / np.linalg.norm(g))
    assert np.sqrt((short**2).mean()) == pytest.approx(lr / n**0.5)  # with h of length 1: lr ∝ √n
    assert "took h for a vector of length 1" in check("15.unseen_rule", "d").text


def test_an_open_pair_is_told_its_two_parts_in_order():
    assert "as `batch_and_lr = batch, lr`" in check("15.budget", ...).text
    assert "as `batch_and_lr = batch, lr`" in check("15.budget", 40).text
