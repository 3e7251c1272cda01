"""Models: their gradients against differences, many runs against one, batches, kinds of arrays, bad input."""

import itertools

import numpy as np
import pytest
from strict_array import StrictArray

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent, sharpness
from optim_lessons.lab import datasets
from optim_lessons.lab.fused import gpu
from optim_lessons.lab.models import ACTIVATIONS, LOSSES, linear, mlp, softmax
from optim_lessons.lab.path import grid, path
from optim_lessons.landscapes import hessian, numerical_gradient

rng = np.random.default_rng(1)
X = rng.standard_normal((40, 5))
LABELS = rng.integers(0, 3, 40)
NUMBERS = rng.standard_normal(40)
PAIRS = rng.standard_normal((40, 2))


def small_mlp(activation="tanh", loss="cross_entropy", l2=0.0, hidden=(6, 4)):
    return mlp(X, LABELS, sizes=(5, *hidden, 3), activation=activation, loss=loss, l2=l2)


MODELS = {
    f"{activation}, {loss}, l2 {l2}": small_mlp(activation, loss, l2)
    for activation, loss, l2 in itertools.product(ACTIVATIONS, LOSSES, [0.0, 0.3])
} | {
    "linear": linear(X, NUMBERS),
    "linear, two outputs, l2 0.3": linear(X, PAIRS, l2=0.3),
    "softmax": softmax(X, LABELS),
    "softmax, l2 0.3": softmax(X, LABELS, l2=0.3),
    "mlp that predicts numbers": mlp(X, NUMBERS, sizes=(5, 6, 1), loss="squared"),
}
every_model = pytest.mark.parametrize("net", MODELS.values(), ids=MODELS)


def somewhere(net, *runs):
    """Weights with biases that are not 0."""
    return np.random.default_rng(2).standard_normal((*runs, net.n))


# --- the gradient ------------------------------------------------------------------------------------


@every_model
def test_the_gradient_is_the_slope_of_the_loss(net):
    w = somewhere(net)
    # Central differences with h = 1e-5: their own error is about 1e-10 times the third derivative.
    np.testing.assert_allclose(net.grad(w), numerical_gradient(net, w), rtol=1e-6, atol=1e-8)


@every_model
def test_the_gradient_on_other_data_is_the_slope_of_the_loss_there(net):
    w, rows = somewhere(net), [7, 3, 21]
    X, y = net.X[rows], net.y[rows]
    slope = numerical_gradient(lambda w: net(w, X, y), w)
    np.testing.assert_allclose(net.grad(w, X, y), slope, rtol=1e-6, atol=1e-8)


@every_model
def test_many_runs_at_once_equal_the_single_runs(net):
    w = somewhere(net, 3, 4)
    losses, gradients = net(w), net.grad(w)
    assert losses.shape == (3, 4)
    assert gradients.shape == w.shape
    for run in np.ndindex(3, 4):
        np.testing.assert_allclose(losses[run], net(w[run]), rtol=1e-12)
        np.testing.assert_allclose(gradients[run], net.grad(w[run]), rtol=1e-12, atol=1e-12)


@every_model
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_is_in_the_dtype_of_the_weights(net, dtype):
    w = net.init(0, dtype)
    assert w.dtype == net(w).dtype == net.grad(w).dtype == net.batch_grad(8)(w, 0).dtype == dtype
    assert net.outputs(w).dtype == dtype
    np.testing.assert_allclose(net.grad(w), net.grad(w.astype(float)), rtol=1e-3, atol=1e-5)


@every_model
def test_nothing_is_written_to_the_weights(net):
    w = somewhere(net)
    w.flags.writeable = False
    net(w), net.grad(w), net.batch_grad(8)(w, 0), net.measure(w)
    np.testing.assert_array_equal(w, somewhere(net))


# --- the loss against others -------------------------------------------------------------------------


def test_the_squared_loss_is_half_of_the_mean_squared_length_of_the_error():
    net = linear(X, PAIRS)
    w = somewhere(net)
    W = w.reshape(6, 2)
    error = X @ W[:-1] + W[-1] - PAIRS
    assert net(w) == pytest.approx(0.5 * np.mean(np.sum(error**2, axis=1)), rel=1e-13)


def test_the_cross_entropy_is_scikit_learns_log_loss():
    from sklearn.metrics import log_loss

    net = small_mlp()
    w = somewhere(net)
    p = np.exp(net.outputs(w))
    assert net(w) == pytest.approx(log_loss(LABELS, p / p.sum(axis=1, keepdims=True)), rel=1e-12)


def test_a_network_says_what_scikit_learns_says_with_the_same_weights():
    from sklearn.neural_network import MLPClassifier

    net = small_mlp("relu")
    w = somewhere(net)
    peer = MLPClassifier((6, 4), activation="relu", max_iter=1, solver="adam", random_state=0)
    peer.partial_fit(X, LABELS, classes=range(3))
    peer.coefs_ = [W[:-1] for W in net.layers(w)]
    peer.intercepts_ = [W[-1] for W in net.layers(w)]
    p = np.exp(net.outputs(w))
    np.testing.assert_allclose(p / p.sum(axis=1, keepdims=True), peer.predict_proba(X), rtol=1e-12)
    assert net.accuracy(w) == peer.score(X, LABELS)


def test_the_curvature_of_linear_regression_is_that_of_the_data():
    net = linear(X, NUMBERS)
    with_bias = np.column_stack([X, np.ones(40)])
    # A second difference of a quadratic is exact but for rounding, 1e-16 / 1e-5.
    np.testing.assert_allclose(
        hessian(net.grad, somewhere(net)), with_bias.T @ with_bias / 40, rtol=1e-8, atol=1e-9
    )


def test_a_long_path_is_measured_in_pieces_and_gives_the_single_numbers():
    X, y = datasets.digits().test
    net = softmax(X, y, l2=0.1)
    w = somewhere(net, 30, 3)  # 90 runs of 360 · 64 numbers: several pieces, the last one shorter
    loss, accuracy = net.measure(w)
    for run in [(0, 0), (12, 1), (29, 2)]:
        assert net(w)[run] == pytest.approx(net(w[run]), rel=1e-12)
        assert loss[run] == pytest.approx(net.measure(w[run])[0], rel=1e-12)
        assert accuracy[run] == net.accuracy(w[run])
    assert net(w[:0]).shape == (0, 3)


def test_least_squares_are_where_the_gradient_of_linear_regression_ends():
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), NUMBERS, rcond=None)[0]
    np.testing.assert_allclose(linear(X, NUMBERS).grad(solution), 0, atol=1e-14)


def test_outputs_of_1000_overflow_nothing():
    net = softmax(X, LABELS)
    w = 1000 * somewhere(net)
    assert np.isfinite(net(w))
    assert np.isfinite(net.grad(w)).all()


def test_the_penalty_adds_half_of_l2_times_the_squared_length():
    plain, penalised = small_mlp(), small_mlp(l2=0.3)
    w = somewhere(plain)
    assert penalised(w) - plain(w) == pytest.approx(0.15 * w @ w, rel=1e-12)
    np.testing.assert_allclose(penalised.grad(w) - plain.grad(w), 0.3 * w, rtol=1e-12, atol=1e-14)
    assert penalised.measure(w) == plain.measure(w)  # the history shows losses without it


def test_l2_can_be_an_axis_of_runs():
    net = small_mlp(**grid(l2=[0.0, 0.1, 1.0]))
    w = somewhere(net, 3)
    for run, l2 in enumerate([0.0, 0.1, 1.0]):
        single = small_mlp(l2=l2)
        np.testing.assert_allclose(net(w)[run], single(w[run]), rtol=1e-12)
        np.testing.assert_allclose(net.grad(w)[run], single.grad(w[run]), rtol=1e-12, atol=1e-14)


# --- the start ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2 / 64), ("tanh", 2 / (64 + 200))])
def test_the_start_is_hes_for_relu_and_glorots_for_tanh(activation, variance):
    net = mlp(np.ones((3, 64)), np.arange(3), sizes=(64, 200, 3), activation=activation)
    first, last = net.layers(net.init(0))
    assert first.shape == (65, 200)
    assert first[:-1].var() == pytest.approx(variance, rel=0.05)  # 4 standard errors of 12,800 draws
    assert not first[-1].any()
    assert not last[-1].any()


def test_a_list_or_an_axis_of_seeds_gives_the_starts_of_the_single_seeds():
    net = small_mlp()
    singles = [net.init(seed) for seed in (3, 4, 5)]
    np.testing.assert_array_equal(net.init([3, 4, 5]), singles)
    np.testing.assert_array_equal(net.init(range(3, 6)), singles)
    np.testing.assert_array_equal(net.init(**grid(seed=[3, 4, 5])), singles)
    assert net.init(grid(seed=[3, 4], lr=[0.1])["seed"]).shape == (2, 1, net.n)
    assert (singles[0] != singles[1]).any()


def test_layers_are_views_of_the_vector():
    net = small_mlp()
    w = somewhere(net, 7)
    for W in net.layers(w):
        assert np.shares_memory(W, w)
    assert [W.shape for W in net.layers(w)] == [(7, 6, 6), (7, 7, 4), (7, 5, 3)]


# --- minibatches -------------------------------------------------------------------------------------


def batches_seen(size, seed, steps):
    """The rows in each batch, read off the gradient of a model whose gradient is the mean of its inputs."""
    net = linear(np.eye(10), np.ones(10))
    grad = net.batch_grad(size, seed)
    return [np.flatnonzero(grad(np.zeros(net.n), t)[:-1]).tolist() for t in range(steps)]


@pytest.mark.parametrize("size", [1, 3, 5, 10])
def test_an_epoch_takes_every_example_once_and_the_next_one_in_another_order(size):
    per_epoch = -(-10 // size)
    batches = batches_seen(size, 0, 2 * per_epoch)
    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        assert sorted(row for batch in epoch for row in batch) == list(range(10))
        assert [len(batch) for batch in epoch[:-1]] == [size] * (per_epoch - 1)
    assert size == 10 or batches[:per_epoch] != batches[per_epoch:]


def test_a_batch_depends_on_seed_and_step_alone():
    first = batches_seen(3, 7, 9)
    net = linear(np.eye(10), np.ones(10))
    for t in (8, 0, 5):  # in any order, from a fresh start
        g = net.batch_grad(3, 7)(np.zeros(net.n), t)
        assert np.flatnonzero(g[:-1]).tolist() == first[t]
    assert batches_seen(3, 8, 9) != first


@every_model
def test_the_gradient_of_a_batch_is_the_gradient_on_its_examples(net):
    grad = net.batch_grad(7, seed=3)
    order = np.random.default_rng((3, 1)).permutation(40)  # seed 3, first epoch
    w = somewhere(net)
    for t in range(6):
        rows = order[7 * t : 7 * t + 7]
        np.testing.assert_allclose(grad(w, t), net.grad(w, net.X[rows], net.y[rows]), rtol=1e-12, atol=1e-13)


@every_model
def test_the_batches_of_an_epoch_average_to_the_gradient_on_all_examples(net):
    grad, w = net.batch_grad(8, seed=5), somewhere(net)
    mean = sum(grad(w, t) for t in range(5)) / 5
    np.testing.assert_allclose(mean, net.grad(w), rtol=1e-10, atol=1e-13)


@every_model
def test_runs_with_seeds_of_their_own_equal_the_single_runs(net):
    w = somewhere(net, 3, 2)
    seeds = grid(seed=[4, 5, 6], lr=[0.1, 0.2])["seed"]  # an axis of its own, shared along the other
    g = net.batch_grad(7, seeds)(w, 3)
    for i, j in np.ndindex(3, 2):
        single = net.batch_grad(7, 4 + i)(w[i, j], 3)
        np.testing.assert_allclose(g[i, j], single, rtol=1e-12, atol=1e-12)


def test_a_model_walks_a_path_on_all_examples_and_on_batches():
    net = small_mlp()
    full = path(gradient_descent, net.grad, net.init(range(2)), 50, lr=0.5)
    batches = path(adam, net.batch_grad(8), net.init(0), 50, lr=0.05)
    assert full.shape == (51, 2, net.n)
    assert (np.diff(net(full), axis=0) < 0).all()
    assert net(batches[-1]) < 0.8 * net(batches[0])


# --- a fact that the first lesson shows --------------------------------------------------------------


def test_on_a_network_the_sharpness_settles_at_two_over_lr_and_the_loss_goes_on_falling():
    X, y = datasets.digits().train
    net = mlp(X[:500], y[:500], sizes=(64, 32, 10), activation="tanh", loss="squared")
    walk = path(gradient_descent, net.grad, 0.4 * net.init(0), 3000, **grid(lr=[0.4, 0.2]))
    loss = net(walk)
    start, late = sharpness(net.grad, walk[0]), sharpness(net.grad, walk[[2000, 2500, 3000]])
    assert (start < 5).all()
    # The limits are 5 and 10. At the edge it goes to and fro by a few per cent.
    np.testing.assert_allclose(late[:, 0], 5, rtol=0.05)
    assert (np.diff(late[:, 1]) > 0).all()
    assert 8 < late[-1, 1] < 10
    rises = (np.diff(loss, axis=0) > 0).sum(axis=0)
    assert rises[0] > 500  # it does not fall in each step ...
    assert loss[3000, 0] < 0.7 * loss[1000, 0]  # ... but it falls
    assert rises[1] == 0


# --- any array ---------------------------------------------------------------------------------------


def to_cupy(x):
    return __import__("cupy").asarray(x)


@pytest.fixture(params=[StrictArray, pytest.param(to_cupy, marks=pytest.mark.gpu)])
def put(request):
    """Yield a function that puts NumPy numbers on a GPU, or on a stand-in for one."""
    ready, why_not = gpu()
    if request.param is to_cupy and not ready:
        pytest.skip(why_not)
    return request.param


@every_model
def test_a_model_works_on_any_array_and_gives_the_same_numbers(net, put):
    w = somewhere(net, 2)
    there = put(w)
    rows = slice(3, 9)
    for ours, theirs in [
        (net(w), net(there)),
        (net.grad(w), net.grad(there)),
        (net.batch_grad(7)(w, 2), net.batch_grad(7)(there, 2)),
        (net.batch_grad(7, [1, 2])(w, 2), net.batch_grad(7, [1, 2])(there, 2)),
        (net(w, net.X[rows], net.y[rows]), net(there, net.X[rows], net.y[rows])),
        (net.measure(w)[0], net.measure(there)[0]),
        (net.outputs(w), net.outputs(there)),
    ]:
        assert type(theirs) is type(there)
        np.testing.assert_allclose(theirs.get(), ours, rtol=1e-12, atol=1e-12)


def test_an_axis_of_penalties_works_on_any_array(put):
    net = small_mlp(**grid(l2=[0.0, 0.1]))
    w = somewhere(net, 2)
    np.testing.assert_allclose(net(put(w)).get(), net(w), rtol=1e-12)
    np.testing.assert_allclose(net.grad(put(w)).get(), net.grad(w), rtol=1e-12, atol=1e-12)


# --- bad input ---------------------------------------------------------------------------------------


def with_nan(a):
    a = a.astype(float)
    a[3] = np.nan
    return a


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: mlp(X, LABELS, sizes=(5, 6, 3), activation="gelu"), ValueError, "'gelu': .* tanh, relu"),
        (
            lambda: mlp(X, LABELS, sizes=(5, 6, 3), activation=np.tanh),
            ValueError,
            "known ones are tanh, relu",
        ),
        (
            lambda: mlp(X, LABELS, sizes=(5, 6, 3), loss="hinge"),
            ValueError,
            "'hinge': .* cross_entropy, squared",
        ),
        (
            lambda: mlp(X, LABELS, sizes=(4, 6, 3)),
            ValueError,
            r"5 features, but sizes \(4, 6, 3\) begins with 4",
        ),
        (lambda: mlp(X, LABELS, sizes=(5,)), ValueError, r"sizes is \(5,\)"),
        (lambda: mlp(X, LABELS, sizes=(5, 0, 3)), ValueError, r"sizes is \(5, 0, 3\)"),
        (lambda: mlp(X, LABELS, sizes=(5, 2.5, 3)), ValueError, r"sizes is \(5, 2.5, 3\)"),
        (lambda: mlp(X, LABELS, sizes=7), ValueError, "sizes is 7"),
        (lambda: mlp(X, LABELS, sizes=(5, 6, 2)), ValueError, "y runs from 0 to 2: class labels are 0 to 1"),
        (lambda: mlp(X, LABELS - 1, sizes=(5, 6, 3)), ValueError, "y runs from -1 to 1"),
        (lambda: softmax(X, LABELS - 1), ValueError, "y runs from -1 to 1"),
        (lambda: softmax(X, NUMBERS), TypeError, r"y holds float64 .* write y.astype\(int\)"),
        (lambda: softmax(X, LABELS > 0), TypeError, r"y holds bool .* write y.astype\(int\)"),
        (lambda: linear(X, LABELS), ValueError, r"written y.astype\(float\)"),
        (lambda: linear(X, NUMBERS[:-1]), ValueError, r"X has 40 examples, y has shape \(39,\)"),
        (lambda: linear(X, 1.0), ValueError, r"X has 40 examples, y has shape \(\)"),
        (lambda: softmax(X, LABELS[:0]), ValueError, r"y has shape \(0,\)"),
        (lambda: softmax(X, LABELS[:, None]), ValueError, r"y has shape \(40, 1\)"),
        (lambda: mlp(X, PAIRS, sizes=(5, 3), loss="squared"), ValueError, r"y has shape \(40, 2\), but .* 3"),
        (lambda: linear(X, with_nan(NUMBERS)), ValueError, "y holds NaN or infinity, first at example 3"),
        (lambda: linear(with_nan(X), NUMBERS), ValueError, r"X\[3, 0\] is nan"),
        (lambda: linear(X * np.inf, NUMBERS), ValueError, r"X\[0, 0\] is -?inf"),
        (lambda: linear(X.astype(int), NUMBERS), TypeError, r"X holds int64 .* write X.astype\(float\)"),
        (lambda: linear(X + 1j, NUMBERS), TypeError, "X holds complex128"),
        (lambda: linear(X[0], NUMBERS), ValueError, r"X has shape \(5,\): .* \(examples, features\)"),
        (lambda: linear(X[:0], NUMBERS[:0]), ValueError, r"X has shape \(0, 5\)"),
        (lambda: linear(X.tolist(), NUMBERS), ValueError, "X is a list"),
        (lambda: softmax(X.tolist(), LABELS), ValueError, "X is a list"),
        (lambda: linear(X, NUMBERS, l2=-0.1), ValueError, "l2 is -0.1: a negative penalty"),
        (lambda: linear(X, NUMBERS, l2="much"), TypeError, "l2 is 'much'"),
        (lambda: linear(X, NUMBERS, l2=np.nan), ValueError, "l2 is nan"),
        (lambda: linear(X, NUMBERS, l2=np.array([0.1, 0.2])), ValueError, r"l2 has shape \(2,\)"),
    ],
)
def test_data_and_options_that_do_not_fit_are_refused_with_the_value(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize(
    ("use", "error", "says"),
    [
        (lambda net, w: net(w[:-1]), ValueError, r"w has shape \(78,\), .* 79 = \(5 \+ 1\)·6 \+"),
        (lambda net, w: net.grad(w[:, None]), ValueError, r"w has shape \(79, 1\)"),
        (lambda net, w: net(w, X), TypeError, "X and y come together"),
        (lambda net, w: net.grad(w, y=LABELS), TypeError, "X and y come together"),
        (lambda net, w: net(w, X[:, :4], LABELS), ValueError, "X has 4 features"),
        (lambda net, w: net(w, X, LABELS + 1), ValueError, "y runs from 1 to 3"),
        (lambda net, w: net(w, X, NUMBERS), TypeError, "y holds float64"),
        (lambda net, w: net.batch_grad(0), ValueError, "batch size is 0: take 1 to 40"),
        (lambda net, w: net.batch_grad(41), ValueError, "batch size is 41: take 1 to 40"),
        (lambda net, w: net.batch_grad(8.0), ValueError, "batch size is 8.0"),
        (lambda net, w: net.batch_grad(True), ValueError, "batch size is True"),
        (lambda net, w: net.init(-1), ValueError, "seed is -1"),
        (lambda net, w: net.init(0.5), ValueError, "seed is 0.5"),
        (lambda net, w: net.init("a"), ValueError, "seed is 'a'"),
        (lambda net, w: net.init([]), ValueError, r"seed is \[\]"),
        (lambda net, w: net.init(np.zeros((2, 2))), ValueError, r"seed has shape \(2, 2\)"),
        (
            lambda net, w: net.batch_grad(8, [1, 2])(w, 0),
            ValueError,
            r"seeds of shape \(2,\) for runs of shape \(\)",
        ),
    ],
)
def test_a_call_that_does_not_fit_is_refused_with_the_value(use, error, says):
    net = small_mlp()
    with pytest.raises(error, match=says):
        use(net, net.init(0))


def test_labels_for_a_model_that_predicts_numbers_are_refused():
    net = linear(X, PAIRS)
    with pytest.raises(TypeError, match="y holds int64 numbers, the y of the model float64"):
        net(net.init(0), X, LABELS % 2)


def test_a_model_that_predicts_numbers_has_no_accuracy_and_says_so():
    net = linear(X, NUMBERS)
    with pytest.raises(TypeError, match="it has no accuracy"):
        net.accuracy(net.init(0))
    assert net.measure(net.init(0))[1] is None


def test_changing_the_data_later_changes_nothing():
    inputs, numbers = X.copy(), NUMBERS.copy()
    net = linear(inputs, numbers)
    w = somewhere(net)
    before = net(w)
    inputs[:], numbers[:] = 0, 0
    assert net(w) == before
    assert net(w.astype(np.float32)) == pytest.approx(before, rel=1e-5)


def test_lists_of_labels_are_taken():
    np.testing.assert_array_equal(
        softmax(X, LABELS.tolist()).grad(np.ones(18)), softmax(X, LABELS).grad(np.ones(18))
    )
