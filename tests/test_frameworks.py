"""A rule of the course, put into a PyTorch training loop, trains as PyTorch's own optimizer of that name."""

import copy
import io
import json
import sys

import numpy as np
import pytest

from optim_lessons import bridge
from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import torch_optimizer
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import datasets
from optim_lessons.lab.path import path
from optim_lessons.lab.shipped import shipped
from optim_lessons.landscapes import rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop
from optim_lessons.weight_decay import adamw

torch = pytest.importorskip("torch")
torch.set_num_threads(1)
pytestmark = pytest.mark.slow

# The same arithmetic in another order, 60 steps through a network: its gradients carry a rounding along.
SAME = {"rtol": 1e-9, "atol": 1e-11}

PAIRS = {
    "gradient_descent": (gradient_descent, {}, torch.optim.SGD, {}),
    "momentum": (momentum, {"beta": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (nesterov, {"beta": 0.9}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (adagrad, {}, torch.optim.Adagrad, {}),
    "rmsprop": (rmsprop, {}, torch.optim.RMSprop, {}),
    "adam": (adam, {"beta1": 0.8}, torch.optim.Adam, {"betas": (0.8, 0.999)}),
    "amsgrad": (amsgrad, {}, torch.optim.Adam, {"amsgrad": True}),
    "adamw": (adamw, {"weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
}
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


def network(kind=torch.float64):
    torch.manual_seed(0)
    layers = torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    return torch.nn.Sequential(*layers).to(kind)


def examples(kind=torch.float64):
    generator = torch.Generator().manual_seed(1)
    X = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    return X.to(kind), torch.randint(0, 3, (40,), generator=generator)


def descend(model, optimizer, steps=30, after=lambda loss: None):
    """Train as a PyTorch program does, on eight examples at a time; return the last loss."""
    X, y = examples(next(model.parameters()).dtype)
    for t in range(steps):
        rows = slice(8 * t % 40, 8 * t % 40 + 8)
        loss = torch.nn.functional.cross_entropy(model(X[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after(loss)
    return loss.item()


def weights(model):
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().float().numpy().astype(float)


def exact(model):
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()


@every_pair
def test_a_rule_trains_a_network_as_pytorchs_optimizer_of_that_name(pair):
    rule, knobs, peer, options = pair
    ours, theirs = network(), network()
    descend(ours, torch_optimizer(rule)(ours.parameters(), lr=0.02, **knobs), 60)
    descend(theirs, peer(theirs.parameters(), lr=0.02, **options), 60)
    np.testing.assert_allclose(exact(ours), exact(theirs), **SAME)
    assert np.abs(exact(ours) - exact(network())).max() > 0.01


def test_options_that_are_not_given_are_the_rules_defaults():
    ours, theirs = network(), network()
    descend(ours, torch_optimizer(adam)(ours.parameters()))
    descend(theirs, torch.optim.Adam(theirs.parameters()))
    np.testing.assert_allclose(exact(ours), exact(theirs), **SAME)


def test_it_walks_where_path_walks():
    point = torch.nn.Parameter(torch.tensor(rosenbrock.start))
    optimizer = torch_optimizer(adam)([point], lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        x, y = point
        ((1 - x) ** 2 + 100 * (y - x * x) ** 2).backward()
        optimizer.step()
    ours = path(adam, rosenbrock.grad, rosenbrock.start, 50, lr=0.1)
    np.testing.assert_allclose(point.detach().numpy(), ours[-1], rtol=1e-7)


SCHEDULERS = {
    "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 7, gamma=0.3),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 30),
    "one cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=31, cycle_momentum=False),
    "warm-up, then linear": lambda o: torch.optim.lr_scheduler.SequentialLR(
        o,
        [
            torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 10),
            torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, 20),
        ],
        milestones=[10],
    ),
}


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_pytorchs_schedulers_change_lr(make):
    ends, rates = [], []
    for kind in (torch_optimizer(adam), torch.optim.Adam):
        model = network()
        optimizer = kind(model.parameters(), lr=0.05)
        scheduler, seen = make(optimizer), []

        def after(loss, scheduler=scheduler, seen=seen):
            scheduler.step()
            seen.append(scheduler.get_last_lr()[0])

        descend(model, optimizer, 30, after)
        ends.append(exact(model))
        rates.append(seen)
    assert rates[0] == rates[1]
    assert len(set(rates[0])) > 3
    np.testing.assert_allclose(*ends, **SAME)


def test_a_scheduler_that_watches_the_loss_works():
    model = network()
    optimizer = torch_optimizer(momentum)(model.parameters(), lr=3.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2)
    descend(model, optimizer, 30, lambda loss: scheduler.step(loss.item()))
    assert optimizer.param_groups[0]["lr"] < 3.0


def test_parameter_groups_have_knobs_of_their_own():
    ends = []
    for kind, names in ((torch_optimizer(adam), ("beta1",)), (torch.optim.Adam, ("betas",))):
        model = network()
        first, _, last = model
        groups = [{"params": first.parameters(), "lr": 0.1}, {"params": last.parameters()}]
        groups[1][names[0]] = 0.5 if names == ("beta1",) else (0.5, 0.999)
        descend(model, kind(groups, lr=0.01))
        ends.append(exact(model))
    np.testing.assert_allclose(*ends, **SAME)


def test_a_group_can_be_added_on_the_way():
    ends = []
    for kind in (torch_optimizer(adam), torch.optim.Adam):
        model = network()
        optimizer = kind(model[0].parameters(), lr=0.01)
        descend(model, optimizer, 10)
        optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.1})
        descend(model, optimizer, 10)
        ends.append(exact(model))
    np.testing.assert_allclose(*ends, **SAME)


@every_pair
def test_the_state_can_be_saved_to_a_file_and_training_goes_on_as_if_it_had_not_stopped(pair):
    rule, knobs, *_ = pair
    whole, model = network(), network()
    through = torch_optimizer(rule)(whole.parameters(), lr=0.02, **knobs)
    descend(whole, through, 20)
    descend(whole, through, 20)
    first = torch_optimizer(rule)(model.parameters(), lr=0.02, **knobs)
    descend(model, first, 20)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": first.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = network()
    again.load_state_dict(saved["model"])
    second = torch_optimizer(rule)(again.parameters(), lr=0.5)  # the saved lr takes the place of this one
    second.load_state_dict(saved["optimizer"])
    descend(again, second, 20)
    np.testing.assert_array_equal(exact(again), exact(whole))


def test_the_saved_state_has_the_names_of_the_rule_and_the_shapes_of_the_parameters():
    model = network()
    optimizer = torch_optimizer(adam)(model.parameters())
    descend(model, optimizer, 3)
    for parameter in model.parameters():
        state = optimizer.state[parameter]
        assert list(state) == ["m", "v", "t"]
        assert state["m"].shape == parameter.shape
        assert state["t"] == 3


def test_a_state_that_was_handed_out_does_not_change_with_the_next_step():
    model = network()
    optimizer = torch_optimizer(adam)(model.parameters())
    descend(model, optimizer, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    held = optimizer.state_dict()["state"][0]["m"]
    before = held.clone()
    descend(model, optimizer, 3)
    assert torch.equal(held, before)
    assert torch.equal(saved["state"][0]["m"], before)


def test_a_parameter_without_gradient_stays_and_has_no_state():
    model = network()
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    before = exact(model)
    optimizer = torch_optimizer(adam)(model.parameters(), lr=0.1)
    descend(model, optimizer, 5)
    frozen = sum(p.numel() for p in model[0].parameters())
    np.testing.assert_array_equal(exact(model)[:frozen], before[:frozen])
    assert np.abs(exact(model) - before)[frozen:].min() > 0
    assert len(optimizer.state) == 2


def test_a_closure_is_called_with_gradients_on_and_its_loss_comes_back():
    model = network()
    optimizer = torch_optimizer(momentum)(model.parameters(), lr=0.1)
    X, y = examples()

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(X), y)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(20)]
    assert losses[-1] < losses[0]
    assert optimizer.step() is None


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_parameters_keep_their_kind_of_number(kind):
    model = network(kind)
    X, y = examples(kind)
    start = torch.nn.functional.cross_entropy(model(X), y).item()
    descend(model, torch_optimizer(adam)(model.parameters(), lr=0.02), 40)
    assert {p.dtype for p in model.parameters()} == {kind}
    assert torch.nn.functional.cross_entropy(model(X), y).item() < 0.9 * start
    if kind is torch.float32:
        other = network(kind)
        descend(other, torch.optim.Adam(other.parameters(), lr=0.02), 40)
        np.testing.assert_allclose(weights(model), weights(other), atol=1e-4)


def my_restarted(w, g, m=0.0, t=0, *, lr=0.01):
    """A rule that PyTorch has not: it forgets its velocity where that points uphill."""
    uphill = np.sum(g * m, axis=-1, keepdims=True) < 0
    m, t = np.where(uphill, 0.0, m), np.where(uphill, 0, t)
    m = t / (t + 3) * m + g
    return w - lr * m, m, t + 1


def test_a_learners_rule_that_pytorch_does_not_have_trains_a_network_and_can_be_saved():
    model = network()
    optimizer = torch_optimizer(my_restarted)(model.parameters(), lr=0.1)
    first = descend(model, optimizer, 1)
    assert descend(model, optimizer, 60) < 0.9 * first
    other = torch_optimizer(my_restarted)(model.parameters(), lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    state = other.state[next(iter(model.parameters()))]
    assert state["t"].shape == (1,)
    descend(model, other, 3)
    assert repr(optimizer).startswith("my_restarted")


def test_a_rule_that_writes_into_what_it_was_given_is_refused_and_changes_nothing():
    def rude(w, g, m=0.0, *, lr=0.01):
        g += m
        w -= lr * g
        return w, g

    point = torch.nn.Parameter(torch.ones(3))
    point.grad = torch.ones(3)
    optimizer = torch_optimizer(rude)([point], lr=0.1)
    with pytest.raises(ValueError, match="rude writes into an array that it was given"):
        optimizer.step()
    assert point.grad.tolist() == [1, 1, 1]
    assert point.tolist() == [1, 1, 1]


def test_lesson_08_shows_what_its_pytorch_program_prints_and_says_how_to_get_pytorch_where_it_is_not(
    monkeypatch, capsys
):
    cells = {
        cell["id"]: cell for cell in json.loads((shipped("notebooks") / "08_adam.ipynb").read_text())["cells"]
    }
    names = {"bridge": bridge, "adam": adam, "data": datasets.digits()}
    for name in ("torch-loop", "torch-run"):
        exec("".join(cells[name]["source"]), names)
    assert capsys.readouterr().out == "".join(cells["torch-run"]["outputs"][0]["text"])
    monkeypatch.setitem(sys.modules, "torch", None)
    exec("".join(cells["torch-run"]["source"]), names)
    assert "pip install torch" in capsys.readouterr().out
    with pytest.raises(ImportError):
        torch_optimizer(adam)


def test_what_is_not_a_rule_or_a_knob_is_told_so():
    model = network()

    def open_rule(w, g, *, lr=0.01): ...

    with pytest.raises(TypeError, match="no knob 'momentum'; its knobs are lr, beta"):
        torch_optimizer(momentum)(model.parameters(), momentum=0.9)
    with pytest.raises(TypeError, match="no knob 'betas'"):
        torch_optimizer(adam)([{"params": model.parameters(), "betas": (0.9, 0.999)}])
    with pytest.raises(ValueError, match="a negative step climbs"):
        torch_optimizer(adam)(model.parameters(), lr=-0.1)
    with pytest.raises(TypeError, match="a scheduler"):
        torch_optimizer(adam)(model.parameters(), lr=lambda t: 0.1)
    with pytest.raises(TypeError, match="takes the weights w and the gradient g"):
        torch_optimizer(lambda w: w)
    with pytest.raises(NotImplementedError, match="not written yet"):
        descend(model, torch_optimizer(open_rule)(model.parameters()))
