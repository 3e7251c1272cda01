"""What training costs: digits, 64-32-10, Adam at 0.01, batches of 32, 10 epochs; one run, 64 at once, peers.

Each figure includes what a user gets: ours measures loss and accuracy on the training part in each epoch.
"""

import importlib.util
import warnings

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.lab import datasets
from optim_lessons.lab.models import mlp
from optim_lessons.lab.train import train

DATA = datasets.digits()
NET = mlp(*DATA.train, sizes=(64, 32, 10), activation="relu")
OPTIONS = {"epochs": 10, "batch": 32, "lr": 0.01, "progress": False}
RUNS = 64


def info(benchmark, who, runs=1):
    benchmark.group = "trainings of 340 steps on digits"
    benchmark.extra_info.update(kind="sweep", who=who, runs=runs, steps=340)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_training(benchmark, dtype):
    info(benchmark, f"one network on digits, {np.dtype(dtype)}")
    run = benchmark(train, adam, NET, dtype=dtype, **OPTIONS)
    assert NET.accuracy(run.w, *DATA.test) >= 0.97


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_64_trainings_at_once(benchmark, dtype):
    info(benchmark, f"64 networks on digits at once, {np.dtype(dtype)}", RUNS)
    runs = benchmark(train, adam, NET, dtype=dtype, seed=range(RUNS), **OPTIONS)
    assert runs.w.shape[0] == RUNS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_64_trainings_one_after_another(benchmark, dtype):
    info(benchmark, f"64 networks on digits one after another, {np.dtype(dtype)}", RUNS)

    def one_after_another():
        return [train(adam, NET, dtype=dtype, seed=seed, **OPTIONS) for seed in range(RUNS)]

    assert len(benchmark(one_after_another)) == RUNS


@pytest.mark.parametrize("runs", [None, RUNS])
def test_gradient_of_one_batch(benchmark, runs):
    benchmark.group = "gradient on a batch of 32 digits, float32"
    seed = 0 if runs is None else range(runs)
    grad, w = NET.batch_grad(32, seed), NET.init(seed, np.float32)
    assert benchmark(grad, w, 0).shape == w.shape


def test_one_training_by_scikit_learn(benchmark):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    info(benchmark, "one network on digits by scikit-learn, float64")

    def fit():
        peer = MLPClassifier(
            (32,), activation="relu", alpha=0, batch_size=32, learning_rate_init=0.01, max_iter=10
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # ten epochs are the task
            return peer.fit(*DATA.train)

    assert benchmark(fit).score(*DATA.test) > 0.9


if importlib.util.find_spec("torch"):

    def test_one_training_by_torch(benchmark):
        import torch

        info(benchmark, "one network on digits by torch, float32")
        X = torch.tensor(DATA.train.X, dtype=torch.float32)
        y = torch.tensor(DATA.train.y)

        def fit():
            net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
            optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
            for _ in range(10):
                for rows in torch.randperm(len(X)).split(32):
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
                    optimizer.step()
            return net

        net = benchmark(fit)
        test = torch.tensor(DATA.test.X, dtype=torch.float32)
        assert np.mean(net(test).argmax(1).numpy() == DATA.test.y) > 0.9
