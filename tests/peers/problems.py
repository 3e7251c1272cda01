"""The three problems the peers walked: gradients in plain NumPy, the same for every library."""

import numpy as np

STEPS = {"sequence": 200, "rosenbrock": 500, "softmax": 100}
KEPT = {
    "sequence": [1, 2, 3, 5, 10, 50, 101, 200],
    "rosenbrock": [1, 2, 3, 10, 101, 500],
    "softmax": [1, 2, 10, 100],
}


def start(name, data):
    """Return the point from which a problem is walked."""
    return {"sequence": np.zeros(3), "rosenbrock": np.array([-1.2, 1.0]), "softmax": data["softmax_start"]}[
        name
    ]


def gradient(name, data):
    """Return a problem's gradient as a function of (w, t), with leading axes."""
    return {
        "sequence": lambda w, t: np.broadcast_to(data["sequence"][t], w.shape),
        "rosenbrock": _rosenbrock,
        "softmax": lambda w, t: _softmax(w, data["softmax_x"], data["softmax_y"]),
    }[name]


def _rosenbrock(w, t):
    x, y = w[..., 0], w[..., 1]
    rise = y - x * x
    return np.stack([-2 * (1 - x) - 400 * x * rise, 200 * rise], axis=-1)


def _softmax(w, x, y):
    """Return the gradient of the mean cross-entropy of a linear classifier; y is one-hot."""
    weights = w.reshape(*w.shape[:-1], x.shape[1], y.shape[1])
    scores = (x[:, :, None] * weights[..., None, :, :]).sum(axis=-2)
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    return (x[:, :, None] * (p - y)[..., :, None, :]).mean(axis=-3).reshape(w.shape)


def lr_at(lr, t, halve_every):
    """Return the learning rate of step t: constant, or halved every so many steps."""
    return lr * 0.5 ** (t // halve_every) if halve_every else lr


def data():
    """Return the fixed inputs: gradients of very different sizes, some zero; thirty points to classify."""
    rng = np.random.default_rng(20)
    sequence = rng.standard_normal((200, 3)) * [100.0, 1.0, 1e-4] + [30.0, -0.3, 0.0]
    sequence[20:25] = 0.0  # silence, and then the largest gradient of all
    sequence[25] = [1e4, -100.0, 0.01]
    sequence[::7, 2] = 0.0
    x = np.concatenate([rng.standard_normal((30, 2)), np.ones((30, 1))], axis=1)
    y = np.eye(3)[np.argmax(x @ rng.standard_normal((3, 3)) + 0.5 * rng.standard_normal((30, 3)), axis=1)]
    return {
        "sequence": sequence,
        "softmax_x": x,
        "softmax_y": y,
        "softmax_start": 0.1 * rng.standard_normal(9),
    }
