"""Lesson 10: what its page claims is true, and its pictures draw what was really trained."""

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.bridge import adam_decay_without_lr
from optim_lessons.course.check import check
from optim_lessons.course.exercises.lesson_10 import GOAL_LOSS, cautious, loss_with
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets, models
from optim_lessons.lab.explore import explore
from optim_lessons.lab.path import path
from optim_lessons.lab.train import train
from optim_lessons.momentum import momentum
from optim_lessons.pictures import weight_decay as picture
from optim_lessons.studies import overfitting
from optim_lessons.studies.overfitting import DECAYS, EPOCHS, LRS, RIVALS, SHOWN, VARIANTS, results
from optim_lessons.weight_decay import adamw

FEW = overfitting.few_digits()
NAMES = list(VARIANTS)


def end_of(name):
    """Return the validation losses at the end of one variant's map, infinite where a run was lost."""
    return np.nan_to_num(results()["validation"][NAMES.index(name), -1], nan=np.inf)


# --- over-fitting -------------------------------------------------------------------------------------


def test_the_few_digits_are_training_images_and_a_fifth_of_their_labels_is_wrong():
    X, y = datasets.digits().train
    for part in range(7):
        few = overfitting.few_digits(part=part)
        here = slice(150 * part, 150 * (part + 1))
        np.testing.assert_array_equal(few.X, X[here])
        np.testing.assert_array_equal(few.right, y[here])
        assert (few.y != few.right).sum() == 30
        assert set(few.y) <= set(range(10))


def test_a_live_training_is_the_one_that_train_makes():
    net = models.mlp(FEW.X, FEW.y, sizes=(64, 32, 10))
    knobs = {
        "epochs": 30,
        "batch": 50,
        "lr": 0.003,
        "validation": overfitting.new_images(),
        "progress": False,
    }
    for variant, (rule, knob) in VARIANTS.items():
        decayed = models.mlp(FEW.X, FEW.y, sizes=(64, 32, 10), l2=0.02) if knob == "l2" else net
        own = {} if knob == "l2" else {"weight_decay": 0.02}
        run = train(rule, decayed, **knobs, **own)
        seen = overfitting.measured(FEW, overfitting.learn(FEW, 0.003, 0.02, variant))
        looks = [0, *(e for e in overfitting.LOOKS if e <= 30)]
        for name in ("train", "validation"):
            np.testing.assert_allclose(
                seen[name][: len(looks)], run.history[f"{name}_loss"][looks], rtol=1e-3
            )


def test_the_lies_are_answered_right_first_and_learned_by_heart_by_epoch_30():
    seen = overfitting.measured(FEW, overfitting.learn(FEW, 0.01))
    epochs = np.r_[0, overfitting.LOOKS]
    assert epochs[seen["validation"].argmin()] == 7
    assert 0.7 <= seen["truth"].max() <= 0.8
    assert seen["truth"][epochs == 5] > 0.6
    assert (seen["told"][epochs >= 30] == 1).all()
    assert seen["told"][epochs == 5] < 0.2
    assert seen["train"][-1] < 0.02
    assert seen["validation"][-1] > seen["validation"].min() + 0.25
    clean = overfitting.few_digits(wrong=0.0)
    honest = overfitting.measured(clean, overfitting.learn(clean, 0.01))
    assert honest["validation"][-1] < honest["validation"].min() + 0.03
    assert honest["train"][-1] < 0.01


@pytest.mark.parametrize("lr", [0.003, 0.03])
def test_a_larger_lr_gets_as_low_sooner_and_ends_higher(lr):
    losses = {x: overfitting.measured(FEW, overfitting.learn(FEW, x))["validation"] for x in (0.01, lr)}
    assert abs(losses[lr].min() - losses[0.01].min()) < 0.08
    smaller, larger = (losses[x] for x in sorted(losses))
    assert larger.argmin() < smaller.argmin()
    assert larger[-1] > smaller[-1]


# --- penalty and decay --------------------------------------------------------------------------------


def test_for_gradient_descent_a_penalty_is_a_decay_that_takes_most_where_the_loss_is_flat():
    h, rng = np.array([1.0, 0.1]), np.random.default_rng(0)
    noise = rng.standard_normal((200, 2))

    def beside(w, g, *, lr, weight_decay):
        return (1 - lr * weight_decay) * w - lr * g

    penalty = path(gradient_descent, lambda w, t: h * (w - 1) + noise[t] + 0.3 * w, np.zeros(2), 200, lr=0.1)
    decay = path(beside, lambda w, t: h * (w - 1) + noise[t], np.zeros(2), 200, lr=0.1, weight_decay=0.3)
    np.testing.assert_allclose(penalty, decay, atol=1e-13)
    still = path(beside, lambda w: h * (w - 1), np.zeros(2), 2000, lr=0.1, weight_decay=0.3)[-1]
    np.testing.assert_allclose(still, h / (h + 0.3), rtol=1e-9)
    np.testing.assert_allclose(h / (h + 0.3), [0.77, 0.25], atol=0.005)


def test_momentums_penalty_is_a_decay_beside_the_step_times_one_over_one_minus_beta():
    h = np.array([1.0, 0.1])

    def beside(w, g, m=0.0, *, lr, beta, weight_decay):
        m = beta * m + g
        return w - lr * weight_decay * w - lr * m, m

    inside = path(momentum, lambda w: h * (w - 1) + 0.3 * w, np.zeros(2), 3000, lr=0.02, beta=0.9)[-1]
    out = path(beside, lambda w: h * (w - 1), np.zeros(2), 3000, lr=0.02, beta=0.9, weight_decay=3.0)[-1]
    np.testing.assert_allclose(inside, out, rtol=1e-9)
    np.testing.assert_allclose(inside, h / (h + 0.3), rtol=1e-9)


def test_a_penalty_in_adam_decays_noisy_weights_by_lambda_over_sigma():
    t = np.arange(401)
    for size in (5.0, 10.0, 20.0):
        ws = overfitting.pulled(adam, 0.01, 0.3, (size,), steps=400)[:, 0]
        np.testing.assert_allclose(ws, np.exp(-0.01 * 0.3 / size * t), atol=0.02)


def test_adamw_decays_all_weights_alike_whatever_their_gradients():
    ws = overfitting.pulled(adamw, 0.01, 0.3, (0.0, 1.0, 10.0), steps=400)
    alike = (1 - 0.003) ** np.arange(401)
    np.testing.assert_allclose(ws, alike[:, None] * np.ones(3), atol=1e-9)


@pytest.mark.parametrize("l2", [10.0, 1e-2, 1e-5])
def test_a_weight_without_gradient_falls_to_half_in_55_steps_under_any_penalty_in_adam(l2):
    w = path(adam, lambda w: l2 * w, np.ones(1), 1000, lr=0.01)[:, 0]
    assert np.argmax(w < 0.5) == 55
    assert np.argmax(w < 0.01) < 300
    assert np.log(2) / (0.01 * 1e-5) == pytest.approx(6.93e6, rel=1e-3)


# --- half-life and rest -------------------------------------------------------------------------------


def test_half_of_a_weight_is_gone_after_ln_2_over_lr_times_decay_steps():
    for lr, decay in ((0.002, 0.05), (0.01, 0.3)):
        half = np.log(2) / (lr * decay)
        w = path(adamw, np.zeros_like, np.ones(1), int(half) + 2, lr=lr, weight_decay=decay)[:, 0]
        assert np.argmax(w < 0.5) == pytest.approx(half, rel=0.003)
    assert check("10.half_life", np.log(2) / (0.002 * 0.05))
    lost = path(adamw, np.zeros_like, np.ones(1), 900, lr=0.01, weight_decay=np.log(10) / 9)[-1, 0]
    assert lost == pytest.approx(0.1, abs=0.001)
    usual = path(adamw, np.zeros_like, np.ones(1), 900, lr=0.01, weight_decay=0.01)[-1, 0]
    assert 1 - usual == pytest.approx(0.09, abs=0.005)


@pytest.mark.parametrize(("lr", "decay"), [(0.1, 0.5), (0.01, 3.0), (0.5, 2.0)])
def test_steps_of_at_most_lr_never_leave_one_over_the_decay_and_a_steady_pull_reaches_it(lr, decay):
    g = np.random.default_rng(1).standard_normal((2000, 50)) + 0.5
    knobs = {"lr": lr, "weight_decay": decay}
    start = np.linspace(-1, 1, 50) / decay
    signs = path(adamw, lambda w, t: g[t], start, 2000, beta1=0.0, beta2=0.0, eps=0.0, **knobs)
    assert np.abs(signs).max() <= 1 / decay * (1 + 1e-12)
    steady = path(adamw, np.ones_like, np.zeros(1), 4000, **knobs)[-1, 0]
    assert steady == pytest.approx(-1 / decay, rel=1e-6)
    sizes = np.abs(np.random.default_rng(3).standard_normal((4000, 1)))  # one sign is not enough
    assert path(adamw, lambda w, t: sizes[t], np.zeros(1), 4000, **knobs)[-1, 0] > -0.9 / decay


def test_adams_own_steps_can_leave_that_bound_but_not_7_27_times_it():
    rng = np.random.default_rng(2)
    g = rng.standard_cauchy((3000, 200))
    ws = path(adamw, lambda w, t: g[t], np.zeros(200), 3000, lr=0.05, weight_decay=2.0)
    assert np.abs(ws).max() <= 7.27 / 2.0


@pytest.mark.parametrize(("lr", "decay"), [(0.01, 0.5), (0.002, 1.0), (0.01, 1.0)])
def test_noise_alone_gives_weights_of_the_root_of_lr_over_twice_the_decay(lr, decay):
    z = np.random.default_rng(3).standard_normal((4000, 300))
    ws = path(adamw, lambda w, t: z[t], np.zeros(300), 4000, lr=lr, weight_decay=decay)[2000:]
    assert np.sqrt((ws**2).mean()) == pytest.approx(np.sqrt(lr / (2 * decay)), rel=0.06)


@pytest.mark.parametrize(("lr", "decay"), [(0.01, 0.5), (0.0025, 2.0), (0.01, 0.125), (0.005, 0.25)])
def test_how_far_noise_turns_decayed_weights_depends_on_the_product_of_lr_and_decay_alone(lr, decay):
    z = np.random.default_rng(5).standard_normal((4000, 400))
    ws = path(adamw, lambda w, t: z[t], np.zeros(400), 4000, lr=lr, weight_decay=decay)[2000::20]
    size = np.sqrt((ws**2).sum(axis=1))
    cosine = (ws[1:] * ws[:-1]).sum(axis=1) / (size[1:] * size[:-1])
    kept = np.exp(-lr * decay * 20)  # in 20 steps; a turn by an angle a keeps 1 - a²/2, so a² = 2·lr·decay
    assert cosine.mean() == pytest.approx(kept, abs=0.05)
    assert lr / np.sqrt(lr / (2 * decay)) == pytest.approx(np.sqrt(2 * lr * decay))


def test_a_product_of_lr_and_decay_above_two_throws_weights_further_and_further_out():
    for rule, decay in ((adamw, 2.1 / 0.3), (adam_decay_without_lr, 2.1)):
        ws = path(rule, np.zeros_like, np.ones(1), 50, lr=0.3, weight_decay=decay)[:, 0]
        assert (np.diff(np.abs(ws)) > 0).all()
        calm = path(rule, np.zeros_like, np.ones(1), 50, lr=0.3, weight_decay=decay * 1.9 / 2.1)[:, 0]
        assert abs(calm[-1]) < 0.01


# --- the maps -----------------------------------------------------------------------------------------


def test_the_map_has_3900_trainings_of_900_steps():
    assert len(LRS) * len(DECAYS) * len(VARIANTS) * len(overfitting.SEEDS) == 3900
    assert overfitting.problem().steps == 900
    assert results()["validation"].shape == (3, len(SHOWN), 13, 20)


def test_a_slice_of_the_map_and_of_the_race_comes_out_again():
    # At these learning rates rounding moves a loss after 900 steps by less than a hundredth.
    for name, decays in (("decay · lr", DECAYS[15:17]), ("L2", DECAYS[10:11])):
        again = overfitting.pixels(name, LRS[3:5], decays)
        j = list(DECAYS).index(decays[0])
        for part in ("train", "validation"):
            stored = results()[part][NAMES.index(name), :, 3:5, j : j + len(decays)]
            np.testing.assert_allclose(again[part][SHOWN].mean(axis=-1), stored, rtol=0.01, atol=0.003)
    loss, accuracy, trial = results()["rivals"][0, RIVALS.index("Adam")]
    opened = overfitting._opened(overfitting.problem(1), overfitting.FIELD["Adam"], int(trial))
    assert opened[0] == pytest.approx(loss, abs=0.01)
    assert opened[1] == pytest.approx(accuracy, abs=0.01)


def test_the_valley_is_level_for_l2_and_adamw_and_climbs_with_lr_without_the_factor_lr():
    well = slice(2, 11)  # lr from 0.001 to 0.1
    for name in NAMES:
        best = overfitting.best_decays(name)[well]
        if name == "decay · lr":
            halves = np.log(2) / (LRS[well] * best)
            assert halves.max() < 330 < overfitting.problem().steps
            np.testing.assert_allclose(halves[[2, 6]], [102, 10.2], rtol=0.02)
        if name == "decay":
            best = best / LRS[well]
        assert best.max() / best.min() < 2.5  # of a grid whose neighbours are a factor of 2.15 apart
    tilted = overfitting.best_decays("decay")[well]
    assert tilted[-1] / tilted[0] == pytest.approx(100, rel=0.2)


def test_the_three_lowest_losses_are_a_tie():
    lowest = [end_of(name).min() for name in NAMES]
    spreads = [
        seeds[np.unravel_index(end_of(name).argmin(), (13, 20))].std(ddof=1)
        for name, seeds in zip(NAMES, results()["seeds"], strict=True)
    ]
    assert np.ptp(lowest) < min(spreads)


def test_the_upright_arm_moves_to_smaller_lr_as_the_training_gets_longer():
    at = [list(SHOWN).index(e) for e in (SHOWN[np.abs(SHOWN - e).argmin()] for e in (10, 30, 100, 300))]
    for a in range(3):
        best = [LRS[np.nanargmin(results()["validation"][a, k, :, 0])] for k in at]
        assert (np.diff(best) < 0).all()


def test_runs_are_lost_where_lr_times_decay_exceeds_two():
    lost = np.isnan(results()["validation"][:, -1])
    product = LRS[:, None] * DECAYS
    assert not lost[NAMES.index("L2")].any()
    np.testing.assert_array_equal(lost[NAMES.index("decay · lr")], product > 2)
    np.testing.assert_array_equal(lost[NAMES.index("decay")], np.broadcast_to(DECAYS > 2, lost[0].shape))


def test_no_decay_alone_brings_the_loss_to_where_it_had_been_early_on():
    early = overfitting.measured(FEW, overfitting.learn(FEW, 0.01))["validation"].min()
    assert early == pytest.approx(0.72, abs=0.005)
    assert min(end_of(name).min() for name in NAMES) > early + 0.03


def test_with_a_decay_that_fits_the_loss_stays_near_0_8_over_a_hundredfold_of_lr_and_however_long():
    losses = results()["validation"][NAMES.index("decay · lr")]
    j = int(np.abs(DECAYS - 2.15).argmin())
    assert np.abs(losses[-1, 2:11, j] - 0.8).max() < 0.06
    late = losses[SHOWN >= 50][:, 4:11, j]
    assert np.abs(late - 0.8).max() < 0.08
    free = losses[-1, 2:11, 0]
    assert free.max() > 1.4
    assert free.min() > 0.85


# --- who decays, and the rivals -----------------------------------------------------------------------


def test_free_biases_are_the_42_biases_and_nothing_else():
    net = models.mlp(FEW.X, FEW.y, sizes=overfitting.SIZES)
    biases = overfitting.biases()
    assert biases.sum() == 42
    assert net.n == 2410
    w = np.where(biases, 1.0, 2.0)
    assert all((layer[-1] == 1).all() and (layer[:-1] == 2).all() for layer in net.layers(w))
    nothing = np.zeros(net.n)
    new = overfitting.adamw_free_biases(w, nothing, lr=0.1, weight_decay=0.5)[0]
    np.testing.assert_allclose(new, np.where(biases, 1.0, 2.0 * 0.95))


def test_every_rival_has_32_trials_in_the_same_range_of_lr_on_each_set():
    for entrant in overfitting.FIELD.values():
        assert len(entrant.knobs["lr"]) == 32
        np.testing.assert_allclose([min(entrant.knobs["lr"]), max(entrant.knobs["lr"])], [3e-5, 0.3])
    assert len(overfitting.BATCHES) * len(overfitting._FEW_LRS) == 32


def test_one_choice_of_42_stands_at_the_end_of_a_range_and_the_page_names_it():
    at_edge = []
    for name in RIVALS:
        for part, choice in enumerate(overfitting.chosen(name), 1):
            knobs = dict(word.split(" ") for word in choice.split(", "))
            ranges = {"lr": (3e-5, 0.3), "weight_decay": (-1, 30), "l2": (-1, 1), "batch": (15, 151)}
            for knob, value in knobs.items():  # no decay at all and all images are limits, not ends
                if any(np.isclose(float(value), end, rtol=0.05) for end in ranges[knob]):
                    at_edge.append((name, part, choice))
    assert at_edge == [("AdamW and early stopping", 2, "lr 0.3, weight_decay 0.3")]


def gains(name, over="Adam"):
    """Return a rival's test losses minus another's, one for each set of images."""
    losses = results()["rivals"][..., 0]
    return losses[:, RIVALS.index(name)] - losses[:, RIVALS.index(over)]


def test_early_stopping_beats_a_well_chosen_lr_on_all_six_sets_and_the_others_tie():
    assert (gains("early stopping") < 0).all()
    assert (gains("AdamW and early stopping") < 0).sum() == 4
    others = np.min([gains(name) for name in RIVALS if name not in ("Adam", "early stopping")], axis=0)
    assert (gains("early stopping") < others).sum() == 5
    assert gains("AdamW and early stopping").mean() > gains("early stopping").mean() + 0.02
    for name in ("batch size", "L2 in Adam", "AdamW", "AdamW, biases free"):
        error = gains(name).std(ddof=1) / np.sqrt(6)
        assert abs(gains(name).mean()) < max(2.6 * error, 0.02)  # 2.6: p = 0.05 of six pairs
        assert gains(name).mean() > -0.01
    assert abs(gains("AdamW", over="L2 in Adam").mean()) < 0.01
    assert (gains("AdamW", over="L2 in Adam") < 0).sum() in (2, 3, 4)


def test_what_validation_chose_amounts_to_just_enough_steps():
    lrs = {name: [float(c.split()[1].strip(",")) for c in overfitting.chosen(name)] for name in RIVALS}
    assert set(lrs["Adam"]) == {0.00043, 0.00059}
    assert set(lrs["batch size"]) == {0.00042}
    assert {c.split()[-1] for c in overfitting.chosen("batch size")} == {"30", "75"}
    assert {-(-150 // batch) * EPOCHS for batch in (30, 75)} == {1500, 600}
    assert lrs["AdamW"].count(0.00042) == 4
    ratios = np.array(lrs["early stopping"]) / lrs["Adam"]
    assert ratios.min() == pytest.approx(15, abs=0.5)
    assert ratios.max() == pytest.approx(65, abs=0.5)


def test_the_thirty_lies_are_learned_with_every_batch_at_the_same_number_of_steps():
    net, sizes = models.mlp(FEW.X, FEW.y, sizes=(64, 32, 10)), []
    lied = FEW.y != FEW.right
    for batch in (10, 50, 150):
        run = train(adam, net, epochs=2 * batch, batch=batch, lr=0.01, seed=range(3), progress=False)
        assert run.t == 300
        said = net.outputs(run.w, FEW.X).argmax(axis=-1)
        assert (said == FEW.y)[..., lied].mean() > 0.98
        sizes.append(np.sqrt((run.w**2).mean()))
    assert sizes[0] < sizes[1]  # with the small batch the weights have grown less
    assert sizes[0] < sizes[2]


# --- exercises ----------------------------------------------------------------------------------------


def test_the_goal_is_reached_in_a_window_and_missed_outside():
    for decay in (0.7, 1.0, 2.0, 3.0):
        assert loss_with(decay)[1] < GOAL_LOSS - 0.02
        assert check("10.goal", decay)
    for decay, mistake in (
        (0.0, "too-weak"),
        (0.01, "too-weak"),
        (0.3, "too-weak"),
        (6.0, "too-strong"),
        (10.0, "too-strong"),
        (250.0, "breaks"),
        (-1.0, "negative"),
    ):
        verdict = check("10.goal", decay)
        assert not verdict
        assert verdict.mistake == mistake
    assert loss_with(0.3)[1] > GOAL_LOSS + 0.02
    assert loss_with(0.0)[1] == pytest.approx(1.06, abs=0.02)


def test_a_cautious_decay_helps_a_step_and_never_works_against_one():
    g = np.random.default_rng(4).standard_normal((300, 4))
    ws = path(cautious, lambda w, t: g[t], np.ones(4), 300, lr=0.1, weight_decay=0.5)
    before, moves = ws[:-1], np.diff(ws, axis=0)
    larger = moves * before > 0
    assert 0.2 < larger.mean() < 0.8
    np.testing.assert_allclose(np.abs(moves[larger]), 0.1)
    np.testing.assert_allclose(np.abs(moves[~larger]), 0.1 + 0.1 * 0.5 * np.abs(before[~larger]))
    steady = path(cautious, np.ones_like, np.zeros(1), 4000, lr=0.1, weight_decay=0.5)[-1, 0]
    assert steady == pytest.approx(-400)  # AdamW rests at -2
    resting = path(cautious, np.zeros_like, np.ones(1), 100, lr=0.1, weight_decay=0.5)
    assert (resting == resting[0]).all()


# --- the pictures -------------------------------------------------------------------------------------


def test_the_live_training_shows_what_was_measured():
    explorer = explore(picture.by_heart())
    explorer.set(images=120, wrong=0.1, lr=0.02)
    few = overfitting.few_digits(120, 0.1)
    seen = overfitting.measured(few, overfitting.learn(few, 0.02))
    for name in ("train", "validation", "told", "truth", "accuracy"):
        np.testing.assert_array_equal(explorer.shown[name][1], seen[name])
    explorer = explore(picture.decayed())
    explorer.set(weight_decay=float(DECAYS[16]), variant="decay · lr", lr=0.02)
    seen = overfitting.measured(FEW, overfitting.learn(FEW, 0.02, DECAYS[16]))
    np.testing.assert_array_equal(explorer.shown["validation"][1], seen["validation"])


def test_a_training_that_is_best_at_its_first_look_is_told_so_in_english():
    explorer = explore(picture.decayed())
    explorer.set(lr=0.1, weight_decay=0.0)
    losses = overfitting.measured(FEW, overfitting.learn(FEW, 0.1, 0.0))["validation"]
    assert overfitting.LOOKS[losses.argmin() - 1] == 1
    assert "after 1 epoch." in explorer.reading


def test_the_pulls_show_the_mean_of_what_the_rules_do():
    explorer = explore(picture.pulls())
    explorer.set(lr=0.02, weight_decay=0.2, large=4.0)
    knobs = {name: explorer.values[name] for name in ("lr", "weight_decay")}
    for name, rule in (("Adam", adam), ("AdamW", adamw)):
        ws = overfitting.pulled(rule, sizes=(0.0, 1.0, explorer.values["large"]), **knobs)
        for label, w in zip(picture.PULLED_STYLES, ws.T, strict=True):
            np.testing.assert_array_equal(explorer.shown[f"{name}, {label}"], w)


def test_the_maps_show_the_stored_losses_and_the_chosen_pixels_curves():
    explorer = explore(picture.maps())
    epochs = picture.CHOICES[20]
    explorer.set(epochs=epochs, variant="decay", lr=float(LRS[5]), decay=float(DECAYS[8]))
    k = list(SHOWN).index(epochs)
    for a in range(3):
        drawn = np.ma.filled(explorer.shown[f"map {a}"], np.nan).T
        np.testing.assert_array_equal(drawn, np.minimum(results()["validation"][a, k], picture.TOP))
    for name in ("train", "validation"):
        epochs, losses = explorer.shown[name]
        np.testing.assert_array_equal(losses, results()[name][2, :, 5, 8])
        assert epochs[-1] == EPOCHS
