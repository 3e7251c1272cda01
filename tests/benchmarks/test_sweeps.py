"""How many training runs a second: sweeps of 200 Adam steps on Rosenbrock, kept whole or to the end only."""

import importlib.util

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.lab.fused import gpu
from optim_lessons.lab.path import grid, path
from optim_lessons.lab.sweep import final
from optim_lessons.landscapes import rosenbrock
from optim_lessons.pictures.a_million_runs import coloured
from optim_lessons.studies.maps import losses_of

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


@pytest.mark.parametrize("side", [100, 1000])
def test_a_sweep_to_its_end(benchmark, side):
    info(benchmark, "final, to the end only", side**2)
    w0 = rosenbrock.start.astype(np.float32)
    knobs = grid(lr=np.geomspace(1e-3, 1, side), beta1=np.linspace(0, 0.99, side))
    result = benchmark.pedantic(final, (adam, rosenbrock, w0, STEPS), knobs, rounds=5, warmup_rounds=1)
    assert result.shape == (side, side, 2)


def test_a_map_of_ten_thousand_runs_with_its_colours(benchmark):
    info(benchmark, "final, its losses and its colours", 10_000)
    w0 = rosenbrock.start.astype(np.float32)
    knobs = grid(lr=LRS, beta1=BETAS)
    result = benchmark(lambda: coloured(losses_of(adam, rosenbrock, w0, STEPS, **knobs)))
    assert result.shape == (100, 100, 3)


@pytest.mark.gpu
@pytest.mark.parametrize("side", [100, 1000])
def test_a_sweep_to_its_end_on_a_card(benchmark, side):
    if not gpu()[0]:
        pytest.skip(gpu()[1])
    import cupy

    info(benchmark, "final on the GPU", side**2)
    w0 = cupy.asarray(rosenbrock.start, cupy.float32)
    knobs = grid(lr=cupy.geomspace(1e-3, 1, side), beta1=cupy.linspace(0, 0.99, side))

    def run():
        result = final(adam, rosenbrock, w0, STEPS, **knobs)
        cupy.cuda.Device().synchronize()
        return result

    assert benchmark(run).shape == (side, side, 2)


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
