"""Races are fair, and the same on one core, on two, on a cluster, and when they go on after an interrupt."""

import math
import os
import signal
import threading
import time

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import races
from optim_lessons.lab.datasets import digits
from optim_lessons.lab.models import softmax
from optim_lessons.lab.path import grid
from optim_lessons.lab.races import Entrant, Problem, race, run
from optim_lessons.lab.train import train
from optim_lessons.momentum import momentum
from optim_lessons.schedules import cosine

DATA = digits()
SMALL = Problem("small", softmax(*DATA.train), DATA.validation, DATA.test, epochs=2, batch=64)
LRS = np.geomspace(1e-3, 1, 5)
FIELD = {
    "descent": Entrant(gradient_descent, {"lr": LRS}),
    "momentum": Entrant(momentum, {"lr": LRS, "beta": 0.5}),
    "Adam": Entrant(adam, {"lr": LRS, "eps": np.geomspace(1e-8, 1, 5)}),
}
SEEDS = [3, 4, 5]


def same(a, b):
    """Assert that two races gave the same numbers, bit by bit."""
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].history.keys() == b[name].history.keys()
        for key, values in a[name].history.items():
            np.testing.assert_array_equal(values, b[name].history[key], err_msg=f"{name}: {key}")


@pytest.fixture(scope="module")
def serial():
    return race(SMALL, FIELD, seeds=SEEDS, n_jobs=1, progress=False)


@pytest.fixture
def four_jobs_per_rule(monkeypatch):
    monkeypatch.setattr(races, "RUNS_PER_JOB", 6)


def test_a_race_measures_every_trial_with_every_seed_after_every_epoch(serial):
    assert serial.keys() == FIELD.keys()
    for result in serial.values():
        assert set(result.history) == {
            "train_loss",
            "train_accuracy",
            "validation_loss",
            "validation_accuracy",
        }
        assert result.history["validation_loss"].shape == (3, 5, 3)
        assert not result.lost.any()


def test_each_run_of_a_race_is_the_training_of_its_own_knobs_and_seed(serial):
    for name, knobs in {"momentum": {"beta": 0.5}, "Adam": {"eps": FIELD["Adam"].knobs["eps"][2]}}.items():
        alone = train(
            FIELD[name].rule, SMALL.net, epochs=2, batch=64, seed=4, validation=DATA.validation,
            lr=LRS[2], progress=False, **knobs,
        )  # fmt: skip
        for key in ("train_loss", "validation_loss"):
            # Knobs on axes are float32, as the weights are; one number alone stays a double.
            np.testing.assert_allclose(serial[name].history[key][:, 2, 1], alone.history[key], rtol=2e-5)


def test_every_entrant_starts_from_the_same_weights(serial):
    first = [result.history["train_loss"][0] for result in serial.values()]
    for other in first:
        np.testing.assert_array_equal(other, first[0])
    assert len(np.unique(first[0][0])) == len(SEEDS)


@pytest.mark.usefixtures("four_jobs_per_rule")
def test_two_processes_give_what_one_gives(serial):
    same(race(SMALL, FIELD, seeds=SEEDS, n_jobs=2, progress=False), serial)


def test_a_schedule_spans_the_whole_run():
    scheduled = race(SMALL, {"a": Entrant(adam, {"lr": LRS}, cosine)}, seeds=[3], n_jobs=1, progress=False)
    lr = cosine(grid(lr=LRS)["lr"].astype(np.float32), length=SMALL.steps)
    trained = train(
        adam, SMALL.net, epochs=2, batch=64, seed=3, validation=DATA.validation, lr=lr, progress=False
    )
    np.testing.assert_array_equal(
        scheduled["a"].history["train_loss"][:, :, 0], trained.history["train_loss"]
    )
    assert SMALL.steps == 2 * math.ceil(len(DATA.train.X) / 64) == trained.t


def test_the_models_penalty_is_a_knob_like_the_others():
    result = race(SMALL, {"a": Entrant(adam, {"lr": 0.01, "l2": [0.0, 10.0]})}, seeds=[3], progress=False)[
        "a"
    ]
    free, held = result.history["train_loss"][-1, :, 0]
    assert held > free
    assert (
        free
        == race(SMALL, {"a": Entrant(adam, {"lr": 0.01})}, seeds=[3], progress=False)["a"].history[
            "train_loss"
        ][-1, 0, 0]
    )


def test_a_rule_that_diverges_on_every_trial_is_lost_alone_and_the_race_goes_on():
    def explodes(w, g, *, lr=1.0):
        return w * np.inf

    wild = Entrant(explodes, {"lr": LRS})
    result = race(SMALL, {"wild": wild, "Adam": FIELD["Adam"]}, seeds=[3], n_jobs=1, progress=False)
    assert result["wild"].lost.all()
    assert result["wild"].history["validation_loss"].shape == (3, 5, 1)
    assert np.isnan(result["wild"].history["validation_loss"][1:]).all()
    assert not result["Adam"].lost.any()


def test_a_test_part_is_measured_only_when_it_is_asked_for():
    history = race(SMALL, {"a": Entrant(adam, {"lr": 0.01})}, seeds=[3], part="test", progress=False)[
        "a"
    ].history
    assert {"test_loss", "test_accuracy"} <= set(history)
    assert not any(key.startswith("validation") for key in history)


@pytest.mark.usefixtures("four_jobs_per_rule")
def test_a_race_that_was_interrupted_goes_on_where_it_was(serial, tmp_path, monkeypatch):
    monkeypatch.setattr(races, "train", _stops_after(4))
    with pytest.raises(KeyboardInterrupt):
        race(SMALL, FIELD, seeds=SEEDS, n_jobs=1, store=tmp_path, progress=False)
    monkeypatch.setattr(races, "train", _stops_after(5))  # nine jobs in all: five are left
    same(race(SMALL, FIELD, seeds=SEEDS, n_jobs=1, store=tmp_path, progress=False), serial)
    monkeypatch.setattr(races, "train", _stops_after(0))  # nothing is left to train
    same(race(SMALL, FIELD, seeds=SEEDS, n_jobs=1, store=tmp_path, progress=False), serial)


def _stops_after(jobs):
    left = [jobs]

    def counted(*args, **options):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return train(*args, **options)

    return counted


def test_a_training_that_was_interrupted_is_no_result(monkeypatch):
    def interrupted(*args, **options):
        return train(*args, **options | {"epochs": 1})

    monkeypatch.setattr(races, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(SMALL, FIELD["Adam"], [3], "validation")


def test_a_store_does_not_take_one_rule_for_another_of_the_same_name(tmp_path):
    def make(factor):
        def my_rule(w, g, *, lr=0.1):
            return w - factor * lr * g

        return my_rule

    ends = [
        race(SMALL, {"mine": Entrant(make(f), {"lr": 0.1})}, seeds=[3], store=tmp_path, progress=False)
        for f in (1.0, 0.5, 1.0)
    ]
    losses = [float(result["mine"].history["train_loss"][-1, 0, 0]) for result in ends]
    assert losses[0] == losses[2] != losses[1]


def test_a_store_notices_that_a_function_the_rule_calls_has_changed():
    def rules(inner):
        return lambda w, g, *, lr=0.1: w - lr * inner(g)

    codes = [races._code(rules(inner)) for inner in (lambda g: g, lambda g: g, lambda g: 2 * g, np.sign)]
    assert codes[0] == codes[1]
    assert codes[0] != codes[2] != codes[3] != codes[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: race(SMALL, {}, seeds=[1]), "0 entrants"),
        (lambda: race(SMALL, FIELD, seeds=[]), "0 seeds"),
        (lambda: race(SMALL, FIELD, seeds=[1], part="train"), "part is 'train'"),
        (lambda: Entrant(adam, {"lr": []}), "lr"),
        (lambda: Entrant(adam, {}), "list of values"),
        (lambda: Entrant(adam, {"lr": [0.1, 0.2], "eps": [1, 2, 3]}), "one value of each knob"),
        (lambda: Entrant(adam, {"lr": [[0.1]]}), "list of values"),
    ],
)
def test_a_race_that_makes_no_sense_is_refused_before_it_starts(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_knob_that_the_rule_does_not_have_is_refused():
    with pytest.raises(TypeError, match="no knob 'beta'"):
        Entrant(adam, {"lr": 0.1, "beta": 0.9})


@pytest.fixture(scope="module")
def two_workers():
    distributed = pytest.importorskip("dask.distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.usefixtures("four_jobs_per_rule")
def test_a_dask_cluster_gives_what_one_process_gives(serial, two_workers):
    from optim_lessons.lab.cluster import cluster

    with cluster(two_workers):
        same(race(SMALL, FIELD, seeds=SEEDS, progress=False), serial)


def slow_descent(w, g, *, lr=0.1):
    time.sleep(0.005)
    return w - lr * g


def test_a_worker_that_is_killed_midway_costs_nothing_but_time(two_workers, monkeypatch):
    from optim_lessons.lab.cluster import cluster

    monkeypatch.setattr(races, "RUNS_PER_JOB", 1)
    field = {"slow": Entrant(slow_descent, {"lr": LRS})}
    expected = race(SMALL, field, seeds=[3, 4], n_jobs=1, progress=False)
    with cluster(two_workers):
        victim = next(iter(two_workers.workers.values())).pid
        kill = threading.Timer(0.4, os.kill, (victim, signal.SIGKILL))
        kill.start()
        same(race(SMALL, field, seeds=[3, 4], progress=False), expected)
        assert kill.finished.is_set(), "the race was over before the worker was killed"
        kill.join()


def test_a_cluster_that_cannot_be_reached_is_said_clearly_and_left_only_if_asked():
    pytest.importorskip("dask.distributed")
    from optim_lessons.lab.cluster import cluster

    nobody = "tcp://localhost:9"
    with (
        pytest.raises(ConnectionError, match=f"no Dask scheduler answers at {nobody}"),
        cluster(nobody, seconds=0.5),
    ):
        pytest.fail("there is no cluster to send anything to")
    with pytest.warns(UserWarning, match="The races run on this machine"):
        assert _falls_back(cluster(nobody, seconds=0.5, fall_back=True))


def _falls_back(context):
    with context as client:
        assert client is None
        field = {"Adam": FIELD["Adam"]}
        return not race(SMALL, field, seeds=[3], n_jobs=1, progress=False)["Adam"].lost.any()
