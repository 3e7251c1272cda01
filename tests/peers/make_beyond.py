"""Ask PyTorch and optax for the walks of the rules beyond Adam and keep them: beyond.npz.

    pip install -e ".[peers]" && python tests/peers/make_beyond.py

The gradients are a fixed table, so that no walk feeds back on itself. PyTorch's Muon computes Newton and
Schulz's steps in bfloat16; "torch, exact" is PyTorch's own code with that one cast taken out.
"""

import json
import os
from pathlib import Path
from unittest import mock

os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax.numpy as jnp
import numpy as np
import optax
import torch

STEPS, KEPT = 60, (1, 2, 5, 20, 60)
SHAPES = (6, 4), (4, 6), (5, 5)


def table(shape):
    """Return the start and the gradients: ill-conditioned, with a mean, and once silent."""
    rng = np.random.default_rng([14, *shape])
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in shape)
    sizes = np.geomspace(1, 1e-3, min(shape))
    core = rng.standard_normal((STEPS, *shape)) + 0.5
    core[:, : len(sizes), : len(sizes)] *= sizes
    gradients = left @ core @ right
    gradients[30:33] = 0
    return rng.standard_normal(shape), gradients


def of_torch(exact, w, gradients, **options):
    w = torch.nn.Parameter(torch.tensor(w))
    optimizer = torch.optim.Muon([w], **options)
    cast = mock.patch.object(torch.Tensor, "bfloat16", lambda x: x.clone()) if exact else mock.patch.dict({})
    with cast:
        for g in gradients:
            w.grad = torch.tensor(g)
            optimizer.step()
            yield w.detach().numpy().copy()


def of_optax(make, w, gradients, seen=lambda state, w: w):
    w = jnp.asarray(w)
    state = make.init(w)
    for g in gradients:
        change, state = make.update(jnp.asarray(g), state, w)
        w = optax.apply_updates(w, change)
        yield np.asarray(w), np.asarray(seen(state, w))


def cases(shape):
    """Yield (rule, peer, knobs, walk): the walk yields w, or w and x, after each step."""
    w, g = table(shape)
    for lr, beta, decay in ((0.02, 0.95, 0.1), (0.1, 0.0, 0.0), (0.0, 0.9, 0.1)):
        knobs = {"lr": lr, "beta": beta, "weight_decay": decay}
        options = {"lr": lr, "momentum": beta, "weight_decay": decay}
        yield "muon", "torch, exact", knobs, of_torch(True, w, g, **options)
        yield "muon", "torch", knobs, of_torch(False, w, g, **options)
        peer = optax.contrib.muon(lr, beta=beta, weight_decay=decay)
        walk = of_optax(peer, w.T, g.swapaxes(-1, -2))
        yield "muon_corrected", "optax", knobs, (x.T for x, _ in walk)
    for lr, beta1, beta2, decay in ((0.01, 0.9, 0.99, 0.001), (0.1, 0.5, 0.9, 0.3), (0.0, 0.9, 0.99, 0.1)):
        knobs = {"lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": decay}
        peer = optax.lion(lr, b1=beta1, b2=beta2, weight_decay=decay)
        yield "lion", "optax", knobs, (x for x, _ in of_optax(peer, w, g))
    x_of = optax.contrib.schedule_free_eval_params
    for lr, beta in ((0.5, 0.9), (0.1, 0.5), (2.0, 0.98)):
        peer = optax.contrib.schedule_free(optax.sgd(lr), lr, b1=beta)
        yield "schedule_free", "optax", {"lr": lr, "beta": beta}, of_optax(peer, w, g, x_of)
    for lr, beta1, beta2, eps, decay in ((0.0025, 0.9, 0.999, 1e-8, 0.0), (0.1, 0.5, 0.9, 0.1, 0.3)):
        knobs = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": decay}
        peer = optax.contrib.schedule_free_adamw(lr, b1=beta1, b2=beta2, eps=eps, weight_decay=decay)
        yield "schedule_free_adam", "optax", knobs, of_optax(peer, w, g, x_of)


def main():
    """Write beyond.npz beside this file."""
    arrays, index = {}, []
    for shape in SHAPES:
        name = "x".join(map(str, shape))
        arrays[f"start {name}"], arrays[f"gradients {name}"] = table(shape)
        for rule, peer, knobs, walk in cases(shape):
            points = list(walk)
            arrays[f"w{len(index)}"] = np.array([points[t - 1] for t in KEPT])
            index.append({"rule": rule, "peer": peer, "shape": name, "knobs": knobs})
            print(index[-1])
    versions = {"torch": torch.__version__, "optax": optax.__version__}
    arrays["index"] = np.array(json.dumps({"versions": versions, "kept": KEPT, "cases": index}))
    np.savez_compressed(Path(__file__).with_name("beyond.npz"), **arrays)


if __name__ == "__main__":
    main()
