"""Walk PyTorch, optax, Keras and MLX down the problems and keep where they were: goldens.npz.

    pip install -e ".[peers]" && python tests/peers/make_goldens.py

Beside each point stands how far the peer itself moves when each gradient is changed by one unit in the last
place: ten more runs, with all gradients one unit up, all one down, and eight times up or down by chance.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import mlx.core as mx
import mlx.optimizers
import numpy as np
import optax
import problems
import torch

keras.config.set_floatx("float64")
mx.set_default_device(mx.cpu)
DISTURBED = 10
CHAOS = 1e-9  # where one unit in the last place grows to this, the walk has no digits left to compare
RAW_LR = {"sequence": 0.1, "rosenbrock": 1e-4, "softmax": 0.1}  # rules whose step grows with the gradient
SCALED_LR = {"sequence": 0.1, "rosenbrock": 0.005, "softmax": 0.1}
BINARY_LR = {"sequence": 2**-3, "rosenbrock": 2**-8, "softmax": 2**-3}  # MLX keeps lr in float32


# Each peer: (problem's name, what to call it with, lr of t) → a function from (w, g, t) to the new w.


def torch_peer(make, **options):
    def begin(w, lr):
        parameter = torch.nn.Parameter(torch.tensor(w))
        optimizer = getattr(torch.optim, make)([parameter], lr=lr(0), foreach=False, **options)

        def step(g, t):
            optimizer.param_groups[0]["lr"] = lr(t)
            parameter.grad = torch.tensor(g)
            optimizer.step()
            return parameter.detach().numpy().copy()

        return step

    return begin


def optax_peer(make, **options):
    def begin(w, lr):
        # A schedule counts its own steps in int32, so that lr enters as a table.
        table = jnp.asarray([lr(t) for t in range(501)])
        rule = make(lambda count: table[count], **options)
        update = jax.jit(rule.update)
        box = [jnp.asarray(w), rule.init(jnp.asarray(w))]

        def step(g, t):
            change, box[1] = update(jnp.asarray(g), box[1], box[0])
            box[0] = optax.apply_updates(box[0], change)
            return np.asarray(box[0])

        return step

    return begin


def keras_peer(make, **options):
    def begin(w, lr):
        variable = keras.Variable(w, dtype="float64")
        optimizer = getattr(keras.optimizers, make)(learning_rate=lr(0), **options)
        optimizer.build([variable])

        def step(g, t):
            optimizer.learning_rate = lr(t)
            optimizer.apply([jnp.asarray(g)], [variable])
            return np.asarray(variable.value)

        return step

    return begin


def mlx_peer(make, **options):
    def begin(w, lr):
        optimizer = getattr(mlx.optimizers, make)(learning_rate=lr(0), **options)
        box = [{"w": mx.array(w, dtype=mx.float64)}]

        def step(g, t):
            optimizer.learning_rate = lr(t)
            box[0] = optimizer.apply_gradients({"w": mx.array(g, dtype=mx.float64)}, box[0])
            return np.array(box[0]["w"])

        return step

    return begin


def damped(lr, decay):
    return optax.chain(optax.ema(decay, debias=False), optax.scale_by_learning_rate(lr))


def decay_without_lr(lr, weight_decay):
    return optax.chain(
        optax.scale_by_adam(), optax.scale_by_learning_rate(lr), optax.add_decayed_weights(-weight_decay)
    )


def cases():
    """Yield (rule, peer's name, peer, base lr per problem, factor on it, knobs, halve_every)."""
    raw, scaled = RAW_LR, SCALED_LR
    for factor, halve in ((1, 0), (0, 0), (10, 0), (1, 40)):
        yield "gradient_descent", "torch", torch_peer("SGD"), raw, factor, {}, halve
    yield "gradient_descent", "optax", optax_peer(optax.sgd), raw, 10, {}, 0

    for factor, beta, halve in (
        (1, 0.9, 0),
        (1, 0.0, 0),
        (0, 0.9, 0),
        (10, 0.5, 0),
        (1, 0.99, 0),
        (1, 0.9, 40),
    ):
        knobs = {"beta": beta}
        yield "momentum", "torch", torch_peer("SGD", momentum=beta), raw, factor, knobs, halve
        if beta:
            peer = torch_peer("SGD", momentum=beta, nesterov=True)
            yield "nesterov", "torch", peer, raw, factor, knobs, halve
    for factor, beta, halve in ((1, 0.9, 0), (1, 0.0, 0), (10, 0.5, 0), (1, 0.9, 40)):
        knobs = {"beta": beta}
        yield "momentum", "optax", optax_peer(optax.sgd, momentum=beta), raw, factor, knobs, halve
        peer = optax_peer(optax.sgd, momentum=beta, nesterov=True)
        yield "nesterov", "optax", peer, raw, factor, knobs, halve
        yield (
            "momentum_damped",
            "optax",
            optax_peer(damped, decay=beta),
            raw,
            factor,
            knobs | {"dampening": beta},
            halve,
        )
        if beta:
            peer = keras_peer("SGD", momentum=beta)
            yield "momentum_lr_inside", "keras", peer, raw, factor, knobs, halve
            peer = keras_peer("SGD", momentum=beta, nesterov=True)
            yield "nesterov_lr_inside", "keras", peer, raw, factor, knobs, halve
    peer = torch_peer("SGD", momentum=0.9, dampening=0.4)
    yield "momentum_damped", "torch", peer, raw, 1, {"beta": 0.9, "dampening": 0.4}, 0

    for factor, eps, halve in ((1, 1e-10, 0), (1, 0.1, 0), (0, 1e-10, 0), (10, 1e-10, 0), (1, 1e-10, 40)):
        yield "adagrad", "torch", torch_peer("Adagrad", eps=eps), scaled, factor, {"eps": eps}, halve
    for eps in (1e-7, 0.1):
        yield "adagrad_started", "optax", optax_peer(optax.adagrad, eps=eps), scaled, 1, {"eps": eps}, 0
        yield "adagrad_started", "keras", keras_peer("Adagrad", epsilon=eps), scaled, 1, {"eps": eps}, 0
        peer = keras_peer("Adagrad", epsilon=eps, initial_accumulator_value=0.0)
        yield "adagrad_eps_inside", "keras", peer, scaled, 1, {"eps": eps}, 0

    settings = (
        (1, 0.99, 1e-8, 0),
        (1, 0.0, 1e-8, 0),
        (1, 0.9, 0.1, 0),
        (0, 0.99, 1e-8, 0),
        (10, 0.9, 1e-3, 0),
    )
    for factor, beta, eps, halve in (*settings, (1, 0.99, 1e-8, 40)):
        knobs = {"beta": beta, "eps": eps}
        yield "rmsprop", "torch", torch_peer("RMSprop", alpha=beta, eps=eps), scaled, factor, knobs, halve
    for factor, beta, eps, halve in ((1, 0.9, 1e-8, 0), (1, 0.9, 0.1, 0), (10, 0.5, 1e-3, 0)):
        knobs = {"beta": beta, "eps": eps}
        peer = optax_peer(optax.rmsprop, decay=beta, eps=eps, eps_in_sqrt=False)
        yield "rmsprop", "optax", peer, scaled, factor, knobs, halve
        peer = optax_peer(optax.rmsprop, decay=beta, eps=eps)
        yield "rmsprop_eps_inside", "optax", peer, scaled, factor, knobs, halve
        peer = keras_peer("RMSprop", rho=beta, epsilon=eps)
        yield "rmsprop_eps_inside", "keras", peer, scaled, factor, knobs, halve

    settings = (
        (1, 0.9, 0.999, 1e-8, 0),
        (1, 0.0, 0.999, 1e-8, 0),
        (1, 0.9, 0.0, 1e-8, 0),
        (1, 0.7, 0.8, 0.1, 0),
        (0, 0.9, 0.999, 1e-8, 0),
        (10, 0.9, 0.999, 1e-8, 0),
        (1, 0.9, 0.999, 1e-8, 40),
    )
    for i, (factor, beta1, beta2, eps, halve) in enumerate(settings):
        knobs = {"beta1": beta1, "beta2": beta2, "eps": eps}
        peer = torch_peer("Adam", betas=(beta1, beta2), eps=eps)
        yield "adam", "torch", peer, scaled, factor, knobs, halve
        peer = torch_peer("Adam", betas=(beta1, beta2), eps=eps, amsgrad=True)
        yield "amsgrad", "torch", peer, scaled, factor, knobs, halve
        if i in (0, 3, 6):
            peer = optax_peer(optax.adam, b1=beta1, b2=beta2, eps=eps)
            yield "adam", "optax", peer, scaled, factor, knobs, halve
            peer = optax_peer(optax.amsgrad, b1=beta1, b2=beta2, eps=eps)
            yield "amsgrad_of_corrected", "optax", peer, scaled, factor, knobs, halve
            peer = keras_peer("Adam", beta_1=beta1, beta_2=beta2, epsilon=eps)
            yield "adam_eps_hat", "keras", peer, scaled, factor, knobs, halve
    for eps in (1e-8, 0.1):
        peer = mlx_peer("Adam", betas=[0.75, 0.875], eps=eps)
        knobs = {"beta1": 0.75, "beta2": 0.875, "eps": eps}
        yield "adam_uncorrected", "mlx", peer, BINARY_LR, 1, knobs, 0
    peer = optax_peer(decay_without_lr, weight_decay=1e-3)
    yield "adam_decay_without_lr", "optax", peer, scaled, 1, {"weight_decay": 1e-3}, 0
    peer = torch_peer("AdamW", weight_decay=0.1)
    yield "adam_decay_without_lr", "torch", peer, scaled, 1, {"weight_decay": ["lr times", 0.1]}, 0

    settings = (
        (1, 0.9, 0.999, 1e-8, 0.01, 0),
        (1, 0.7, 0.8, 0.1, 0.3, 0),
        (1, 0.0, 0.999, 1e-8, 0.1, 40),
        (1, 0.9, 0.5, 1e-8, 0.1, 0),
        (0, 0.9, 0.999, 1e-8, 0.1, 0),
        (10, 0.9, 0.999, 1e-8, 0.0, 0),
    )
    for factor, beta1, beta2, eps, decay, halve in settings:
        knobs = {"beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": decay}
        peer = torch_peer("AdamW", betas=(beta1, beta2), eps=eps, weight_decay=decay)
        yield "adamw", "torch", peer, scaled, factor, knobs, halve
        peer = optax_peer(optax.adamw, b1=beta1, b2=beta2, eps=eps, weight_decay=decay)
        yield "adamw", "optax", peer, scaled, factor, knobs, halve


def walk(peer, problem, data, lr, halve_every):
    """Return the points kept, and how far the disturbed runs were from them: shapes (kept, n)."""
    rng = np.random.default_rng(7)
    w = np.tile(problems.start(problem, data), (1 + DISTURBED, 1))
    grad = problems.gradient(problem, data)
    step = peer(w, lambda t: float(problems.lr_at(lr, t, halve_every)))
    points, moved = [], []
    for t in range(problems.STEPS[problem]):
        g = np.array(grad(w, t))
        way = rng.choice([-np.inf, np.inf], g.shape)
        way[1], way[2] = np.inf, -np.inf
        disturbed = np.where(g == 0, g, np.nextafter(g, way))
        w = step(np.concatenate([g[:1], disturbed[1:]]), t)
        if t + 1 in problems.KEPT[problem]:
            points.append(w[0])
            moved.append(np.abs(w[1:] - w[0]).max(axis=0))
            if moved[-1].max() > CHAOS * max(1, np.abs(w[0]).max()):
                return np.array(points[:-1]), np.array(moved[:-1])
    return np.array(points), np.array(moved)


def main():
    """Write goldens.npz beside this file."""
    data = problems.data()
    arrays, index = dict(data), []
    for rule, name, peer, lrs, factor, knobs, halve in cases():
        for problem in problems.STEPS:
            lr = factor * lrs[problem]
            ready = {k: lr * v[1] if isinstance(v, list) else v for k, v in knobs.items()}
            case = {"rule": rule, "peer": name, "problem": problem, "knobs": {"lr": lr} | ready}
            case["halve_every"] = halve
            points, moved = walk(peer, problem, data, lr, halve)
            arrays[f"w{len(index)}"], arrays[f"moved{len(index)}"] = points, moved.astype(np.float32)
            index.append(case)
            print(
                rule,
                name,
                problem,
                factor,
                knobs,
                halve,
                f"moved {moved.max():.1e} of {np.abs(points).max():.1e}, {len(points)} points",
            )
    versions = {"torch": torch.__version__, "optax": optax.__version__, "keras": keras.__version__}
    versions["mlx"] = mx.__version__
    text = json.dumps({"versions": versions, "cases": index})
    np.savez_compressed(Path(__file__).with_name("goldens.npz"), index=np.array(text), **arrays)


if __name__ == "__main__":
    main()
