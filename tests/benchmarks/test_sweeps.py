"""How many training runs a second: 10,000 runs of 200 Adam steps on Rosenbrock, as one sweep."""

import importlib.util

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.path import grid, path
from optim_lessons.landscapes import rosenbrock

LRS, BETAS, STEPS = np.geomspace(1e-3, 1, 100), np.linspace(0, 0.99, 100), 200


def info(benchmark, who, runs):
    benchmark.group = f"runs of {STEPS} Adam steps on Rosenbrock, float32"
    benchmark.extra_info.update(kind="sweep", who=who, runs=runs, steps=STEPS)


def test_ten_thousand_runs_as_one_sweep(benchmark):
    info(benchmark, "one sweep", 10_000)
    w0 = rosenbrock.start.astype(np.float32)
    knobs = grid(lr=LRS, beta1=BETAS)
    result = benchmark(path, adam, rosenbrock.grad, w0, STEPS, **knobs)
    assert result.shape == (STEPS + 1, 100, 100, 2)


def test_one_run(benchmark):
    info(benchmark, "one run after another", 1)
    w0 = rosenbrock.start.astype(np.float32)
    result = benchmark(path, adam, rosenbrock.grad, w0, STEPS, lr=0.02)
    assert result.shape == (STEPS + 1, 2)


if importlib.util.find_spec("optax"):

    def test_ten_thousand_runs_by_a_compiled_vmap_of_optax(benchmark):
        import jax
        import jax.numpy as jnp
        import optax

        info(benchmark, "optax, vmap of a compiled scan", 10_000)

        def run(lr, beta1):
            optimizer = optax.adam(lr, b1=beta1)

            def step(carry, _):
                w, state = carry
                x, y = w
                g = jnp.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
                updates, state = optimizer.update(g, state)
                w = optax.apply_updates(w, updates)
                return (w, state), w

            w0 = jnp.asarray(rosenbrock.start, jnp.float32)
            return jax.lax.scan(step, (w0, optimizer.init(w0)), length=STEPS)[1]

        sweep = jax.jit(jax.vmap(jax.vmap(run, (None, 0)), (0, None)))
        lrs, betas = jnp.asarray(LRS, jnp.float32), jnp.asarray(BETAS, jnp.float32)
        sweep(lrs, betas).block_until_ready()
        result = benchmark(lambda: sweep(lrs, betas).block_until_ready())
        assert result.shape == (100, 100, STEPS, 2)
