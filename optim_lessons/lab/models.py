"""Losses of real models as functions of one flat vector, with their gradients.

    net = mlp(X, y, sizes=(64, 32, 10))
    path(gradient_descent, net.grad, net.init(0), 100, lr=0.1)             # all examples in each step
    path(gradient_descent, net.batch_grad(32), net.init(0), 100, lr=0.1)   # 32 of them, drawn from (seed, t)

The last axis of w holds all the weights of a model; the axes before it are models trained side by side.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from optim_lessons.lab.knobs import check_value
from optim_lessons.lab.nudges import nudged


def mlp(
    X: np.ndarray,
    y: np.ndarray,
    *,
    sizes: Sequence[int],
    activation: str = "tanh",
    loss: str = "cross_entropy",
    l2: Any = 0.0,
) -> "Model":
    """Return a multi-layer perceptron on data: layers of weighted sums with an activation between them.

    X: inputs, shape (examples, sizes[0]).  y: class labels (whole numbers), or the numbers to predict.
    sizes: inputs, hidden units..., outputs.  activation: "tanh" or "relu".
    loss: "cross_entropy" (softmax) or "squared" (½ of the squared error), the mean over the examples.
    l2: adds ½·l2·‖w‖² to the loss, all weights and biases alike.
    Raises TypeError or ValueError, with the reason, if these do not fit together.
    """
    return Model(X, y, sizes, activation, loss, l2)


def linear(X: np.ndarray, y: np.ndarray, *, l2: Any = 0.0) -> "Model":
    """Return linear regression: ½ of the mean squared error. Its curvature is that of XᵀX / examples."""
    _check_inputs(X)
    y = _array(y)
    outputs = y.shape[1] if y.ndim == 2 else 1
    return Model(X, y, (X.shape[1], outputs), "tanh", "squared", l2)


def softmax(X: np.ndarray, y: np.ndarray, *, l2: Any = 0.0) -> "Model":
    """Return softmax regression, a network without a hidden layer; for two classes, logistic regression.

    y: class labels 0, 1, ...; the largest one says how many classes there are.
    """
    _check_inputs(X)
    y = _array(y)
    classes = int(y.max(initial=0)) + 1 if y.dtype.kind in "iu" else 1
    return Model(X, y, (X.shape[1], classes), "tanh", "cross_entropy", l2)


# Each activation and its slope, the latter from the activation's own value h.
ACTIVATIONS = {
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (lambda z: np.maximum(z, 0), lambda h: h > 0),
}


def _squared(out, target):
    return 0.5 * ((out - target) ** 2).sum(axis=-1).mean(axis=-1)


def _squared_slope(out, target):
    return out - target


def _cross_entropy(out, target):
    z, target = _classes_first(out), target.swapaxes(-1, -2)
    return (np.log(np.exp(z).sum(axis=-2)) - (z * target).sum(axis=-2)).mean(axis=-1)


def _cross_entropy_slope(out, target):
    e = np.exp(_classes_first(out))
    return (e / e.sum(axis=-2, keepdims=True)).swapaxes(-1, -2) - target


def _classes_first(out):
    """Return the outputs with each example's largest at 0, so that exp cannot overflow."""
    z = out.swapaxes(-1, -2).copy()  # sums over a short last axis are slow
    return z - z.max(axis=-2, keepdims=True)


# Each loss, the mean over the examples, and its slope in the outputs, times the number of examples.
LOSSES = {
    "cross_entropy": (_cross_entropy, _cross_entropy_slope),
    "squared": (_squared, _squared_slope),
}


@dataclass(frozen=True, eq=False)
class Model:
    """A network on its data: net(w) is the loss, net.grad(w) its gradient, net.init(seed) a start.

    w: shape (..., n); losses have shape (...). Both work in w's dtype and on w's kind of array.
    Other data than the model's own can be given: net(w, X, y), net.accuracy(w, X, y).
    """

    X: np.ndarray
    y: np.ndarray
    sizes: Sequence[int]
    activation: str = "tanh"
    loss: str = "cross_entropy"
    l2: float = 0.0
    _copies: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        """Refuse what does not fit together, and take a copy of the rest."""
        _check_name("activation", self.activation, ACTIVATIONS)
        _check_name("loss", self.loss, LOSSES)
        _check_l2(self.l2)
        object.__setattr__(self, "sizes", _check_sizes(self.sizes))
        check_data(self, self.X, self.y)
        for name in ("X", "y"):
            object.__setattr__(self, name, _array(getattr(self, name)).copy())

    @property
    def n(self) -> int:
        """The number of weights and biases."""
        return sum((a + 1) * b for a, b in pairwise(self.sizes))

    @property
    def classifies(self) -> bool:
        """True if y holds class labels, False if it holds numbers to predict."""
        return self.y.dtype.kind in "iu"

    def init(self, seed: Any = 0, dtype: DTypeLike = float) -> np.ndarray:
        """Return random weights from a seed: He's for relu, Glorot's for tanh, biases 0.

        seed: a whole number, or several: range(5) gives 5 starts, shape (5, n); grid(seed=...) an axis.
        """
        seeds = as_seeds(seed)
        starts = [self._start(np.random.default_rng(int(s))) for s in seeds.reshape(-1)]
        return np.array(starts, dtype=dtype).reshape(*seeds.shape, self.n)

    def _start(self, rng):
        parts = []
        for a, b in pairwise(self.sizes):
            variance = 2 / a if self.activation == "relu" else 2 / (a + b)
            parts += [math.sqrt(variance) * rng.standard_normal(a * b), np.zeros(b)]
        return np.concatenate(parts)

    def layers(self, w: np.ndarray) -> list[np.ndarray]:
        """Return each layer's weights as views of w, shape (..., inputs + 1, outputs); last row: bias."""
        if w.shape[-1:] != (self.n,):
            parts = " + ".join(f"({a} + 1)·{b}" for a, b in pairwise(self.sizes))
            raise ValueError(f"w has shape {w.shape}, but its last axis must be {self.n} = {parts}")
        layers, start = [], 0
        for a, b in pairwise(self.sizes):
            end = start + (a + 1) * b
            layers.append(w[..., start:end].reshape(*w.shape[:-1], a + 1, b))
            start = end
        return layers

    def __call__(self, w, X=None, y=None):
        """Return the loss at w, the penalty included: on all examples, or on others."""
        loss = self._each_run(LOSSES[self.loss][0], w, X, y)
        return loss + 0.5 * (self._l2(w) * w * w).sum(axis=-1) if self._penalised else loss

    def grad(self, w: np.ndarray, X: np.ndarray | None = None, y: np.ndarray | None = None) -> np.ndarray:
        """Return the gradient of the loss at w, in the shape of w: on all examples, or on others."""
        target, X = self._target(w, X, y), self._inputs(w, X)
        return self._grad(w, X, target)

    def _grad(self, w, X, target):
        layers = self.layers(w)
        *hs, out = self._forward(layers, X)
        slope = ACTIVATIONS[self.activation][1]
        d = LOSSES[self.loss][1](out, target) / X.shape[-2]
        g, end = np.empty_like(w), self.n
        for W, h in zip(reversed(layers), reversed(hs), strict=True):
            start = end - W.shape[-2] * W.shape[-1]
            g[..., start:end] = (h.swapaxes(-1, -2) @ d).reshape(*w.shape[:-1], end - start)
            if start:
                d = (d @ W[..., :-1, :].swapaxes(-1, -2)) * slope(h[..., :-1])
            end = start
        return g + self._l2(w) * w if self._penalised else g

    def batch_grad(self, size: int, seed: Any = 0) -> Callable[[np.ndarray, int], np.ndarray]:
        """Return the gradient on minibatches as a function of (w, t): `size` examples, drawn from (seed, t).

        An epoch is one pass over a fresh shuffle, without replacement; its last batch takes what is left.
        seed: a whole number, or one for each run, as for `init`.
        """
        examples, seeds = len(self.X), as_seeds(seed)
        if not _is_whole(size) or not 1 <= size <= examples:
            raise ValueError(
                f"the batch size is {size!r}: take 1 to {examples} examples, as many as there are"
            )
        per_epoch = math.ceil(examples / size)
        shuffled = {}

        def grad(w, t):
            if seeds.ndim and not _broadcasts(seeds.shape, w.shape[:-1]):
                raise ValueError(f"there are seeds of shape {seeds.shape} for runs of shape {w.shape[:-1]}")
            epoch, batch = divmod(t, per_epoch)
            if epoch not in shuffled:
                shuffled.clear()
                # Not (seed, epoch): that would deal epoch 0 the very numbers that init drew from the seed.
                orders = [np.random.default_rng((int(s), epoch + 1)) for s in seeds.reshape(-1)]
                orders = np.array([rng.permutation(examples) for rng in orders])
                shuffled[epoch] = orders.reshape(*seeds.shape, examples)
            rows = np.asarray(shuffled[epoch][..., batch * size : (batch + 1) * size], like=w)
            X, target = (np.take(a, rows, axis=0) for a in self._data(w))
            return self._grad(w, X, target)

        return grad

    def outputs(self, w: np.ndarray, X: np.ndarray | None = None) -> np.ndarray:
        """Return what the network says of each example, shape (..., examples, outputs)."""
        return self._forward(self.layers(w), self._inputs(w, X))[-1]

    def hidden(self, w, X=None):
        """Return what each hidden layer hands on, one array of shape (..., examples, units) per layer."""
        return [h[..., :-1] for h in self._forward(self.layers(w), self._inputs(w, X))[1:-1]]

    def accuracy(self, w: np.ndarray, X: np.ndarray | None = None, y: np.ndarray | None = None) -> Any:
        """Return the share of examples whose largest output is their class, shape (...)."""
        if not self.classifies:
            raise TypeError("the model predicts numbers, not classes: look at its loss, it has no accuracy")
        return self.measure(w, X, y)[1]

    def measure(
        self, w: np.ndarray, X: np.ndarray | None = None, y: np.ndarray | None = None
    ) -> tuple[Any, Any]:
        """Return the loss without the penalty, and the accuracy (None if y holds numbers to predict)."""
        if not self.classifies:
            return self._each_run(LOSSES[self.loss][0], w, X, y), None
        return tuple(self._each_run(self._loss_and_accuracy, w, X, y))

    def _loss_and_accuracy(self, out, target):
        right = out.argmax(axis=-1) == target.argmax(axis=-1)
        return np.stack([LOSSES[self.loss][0](out, target), right.mean(axis=-1).astype(out.dtype)])

    def _each_run(self, f, w, X, y):
        """Return f(outputs, targets) of each run, shape (..., *runs)."""
        target, X = self._target(w, X, y), self._inputs(w, X)
        if w.ndim == 1:
            return f(self._forward(self.layers(w), X)[-1], target)
        # A few runs at a time: a quarter of a million numbers stay in the cache, and long paths in memory.
        few = max(1, 2**18 // (len(X) * max(self.sizes)))
        runs = w.reshape(math.prod(w.shape[:-1]), w.shape[-1])
        pieces = [runs[i : i + few] for i in range(0, max(1, len(runs)), few)]
        results = [f(self._forward(self.layers(piece), X)[-1], target) for piece in pieces]
        results = np.concatenate(results, axis=-1)
        return results.reshape(*results.shape[:-1], *w.shape[:-1])

    def _forward(self, layers, X):
        """Return what enters each layer, and what leaves the last."""
        activate = ACTIVATIONS[self.activation][0]
        hs = [X, nudged(X @ layers[0])]
        for W in layers[1:]:
            hs[-1] = _with_one(activate(hs[-1]))
            hs.append(nudged(hs[-1] @ W))
        return hs

    def _inputs(self, w, X):
        return self._data(w)[0] if X is None else _with_one(np.asarray(X, dtype=w.dtype, like=w))

    def _target(self, w, X, y):
        if (X is None) != (y is None):
            raise TypeError("X and y come together: give both, or neither for the model's own data")
        if y is None:
            return self._data(w)[1]
        y = _array(y)
        check_data(self, X, y)
        if (y.dtype.kind == "f") is self.classifies:
            raise TypeError(f"y holds {y.dtype} numbers, the y of the model {self.y.dtype} numbers")
        return self._as_target(w, y)

    def _data(self, w):
        """Return the model's inputs and targets as w's kind of array, made once for each kind and dtype."""
        kind = type(w), w.dtype
        if kind not in self._copies:
            self._copies[kind] = self._inputs(w, self.X), self._as_target(w, self.y)
        return self._copies[kind]

    def _as_target(self, w, y):
        if self.classifies:
            y = np.asarray(y, like=w)[:, None] == np.arange(self.sizes[-1], like=w)
        elif y.ndim == 1:
            y = y[:, None]
        return np.asarray(y, dtype=w.dtype, like=w)

    @property
    def _penalised(self):
        return np.ndim(self.l2) > 0 or self.l2 > 0

    def _l2(self, w):
        return np.asarray(self.l2, dtype=w.dtype, like=w) if np.ndim(self.l2) else self.l2


def _array(x):
    return x if hasattr(x, "ndim") else np.asarray(x)


def _with_one(h):
    """Return h and an input that is always 1: a bias is the weight on it."""
    return np.concatenate([h, np.ones_like(h[..., :1])], axis=-1)


def _broadcasts(shape, to):
    """Say whether an array of one shape can be stretched to another."""
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(a in (1, b) for a, b in pairs)


def as_seeds(seed):
    """Return seeds as an array of whole numbers: shape () for one, (k,) for a list, (...) for a grid axis."""
    seeds = np.asarray(seed)
    if seeds.dtype.kind not in "iuf" or not seeds.size or ((seeds != np.floor(seeds)) | (seeds < 0)).any():
        raise ValueError(f"seed is {seed!r}: a seed is a whole number from 0 on, or a list of them")
    if seeds.ndim > 1 and seeds.shape[-1] != 1:
        raise ValueError(f"seed has shape {seeds.shape}: give a list of seeds, or **grid(seed=...)")
    return (seeds[..., 0] if seeds.ndim > 1 else seeds).astype(int)


def _check_name(what, name, known):
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"{what} is {name!r}: the known ones are {', '.join(known)}")


def _check_l2(l2):
    if np.any(check_value("l2", l2) < 0):
        raise ValueError(f"l2 is {l2}: a negative penalty makes the weights grow")
    if np.ndim(l2) and l2.shape[-1] != 1:
        raise ValueError(f"l2 has shape {l2.shape}: for an axis of runs, write **grid(l2=...)")


def _check_sizes(sizes):
    listed = tuple(sizes) if isinstance(sizes, tuple | list) else ()
    if len(listed) < 2 or not all(_is_whole(size) and size > 0 for size in listed):
        raise ValueError(f"sizes is {sizes}: inputs, hidden units..., outputs, such as (64, 32, 10)")
    return listed


def _is_whole(x):
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _check_inputs(X):
    if not hasattr(X, "ndim") or X.ndim != 2 or 0 in X.shape:
        what = f"has shape {X.shape}" if hasattr(X, "ndim") else f"is a {type(X).__name__}"
        raise ValueError(f"X {what}: inputs are an array of shape (examples, features)")
    if X.dtype.kind != "f":
        raise TypeError(f"X holds {X.dtype} numbers: inputs are real numbers, write X.astype(float)")
    if not np.isfinite(X).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(X))[0])
        raise ValueError(
            f"X[{row}, {column}] is {float(X[row, column])}: one such number spoils every weight"
        )


def check_data(net, X, y):
    """Raise TypeError or ValueError if X and y are no data for the network."""
    _check_inputs(X)
    y = _array(y)
    inputs, outputs = net.sizes[0], net.sizes[-1]
    if X.shape[1] != inputs:
        raise ValueError(f"X has {X.shape[1]} features, but sizes {net.sizes} begins with {inputs}")
    if y.ndim == 0 or len(y) != len(X):
        raise ValueError(f"X has {len(X)} examples, y has shape {y.shape}: there is one y for each example")
    if y.dtype.kind in "iu":
        if y.ndim != 1 or y.min() < 0 or y.max() >= outputs:
            wrong = f"has shape {y.shape}" if y.ndim != 1 else f"runs from {y.min()} to {y.max()}"
            raise ValueError(
                f"y {wrong}: class labels are 0 to {outputs - 1}, as sizes {net.sizes} ends with {outputs}; "
                "whole numbers that are no labels are written y.astype(float)"
            )
        return
    if y.dtype.kind != "f" or net.loss == "cross_entropy":
        raise TypeError(f"y holds {y.dtype} numbers: class labels are whole numbers, write y.astype(int)")
    if y.ndim > 2 or (y.shape[1] if y.ndim == 2 else 1) != outputs:
        raise ValueError(f"y has shape {y.shape}, but sizes {net.sizes} ends with {outputs}")
    if not np.isfinite(y).all():
        raise ValueError(
            f"y holds NaN or infinity, first at example {int(np.argwhere(~np.isfinite(y))[0][0])}"
        )
