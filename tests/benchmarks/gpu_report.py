"""Check and measure everything on a machine with an NVIDIA card, in one call of about five minutes.

    python tests/benchmarks/gpu_report.py [gpu.json]

Runs `pytest -m gpu`, then times Adam: ours, plain CuPy and torch, beside the card's own copy speed, on one
large tensor, on 146 tensors shaped like a ResNet-50's, with and without CUDA graphs, and over all sizes.
Needs CuPy and pytest; torch where it is installed. A part that fails says why, and the others go on.
"""

import json
import statistics
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from optim_lessons.adam import adam  # noqa: E402
from optim_lessons.lab.fused import fused, gpu  # noqa: E402
from optim_lessons.lab.tape.kernel import launch  # noqa: E402
from optim_lessons.lab.tape.trace import StandIn, Tape  # noqa: E402

LARGE = 100_000_000
SIZES = [10**k for k in range(1, 9)]
BYTES = 28  # per float32 weight and step: read w, g, m, v; write w, m, v
# Like a ResNet-50: 16 blocks of 3 convolutions, each with a normalisation, and a classifier: 146 tensors.
WIDTHS = [(64, 256)] * 3 + [(128, 512)] * 4 + [(256, 1024)] * 6 + [(512, 2048)] * 3
SHAPES = [
    shape
    for inner, outer in WIDTHS
    for convolution, width in [
        ((inner, outer, 1, 1), inner),
        ((inner, inner, 3, 3), inner),
        ((outer, inner, 1, 1), outer),
    ]
    for shape in (convolution, (width,), (width,))
] + [(1000, 2048), (1000,)]
report = {"steps": []}


def main(path):
    """Run all parts and write what they measured."""
    available, name = gpu()
    if not available:
        sys.exit(f"no GPU to measure: {name}")
    print(f"card: {name}")
    report["gpu"] = name
    parts = [
        check,
        versions,
        copy_speed,
        accuracy,
        overhead,
        one_large_tensor,
        resnet,
        all_sizes,
        sweep,
        crossover,
    ]
    for part in parts:
        print(f"\n== {part.__name__.replace('_', ' ')}", flush=True)
        try:
            part()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            report.setdefault("failed", []).append(part.__name__)
        _free()
        Path(path).write_text(json.dumps(report, indent=1))
    print(f"\nwrote {path}; failed parts: {report.get('failed', 'none')}")


def check():
    """Run the tests that need a card."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", str(ROOT / "tests")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    print(done.stdout[-4000:], done.stderr[-1000:])
    report["tests"] = done.stdout.strip().splitlines()[-1:]


def versions():
    """Name the libraries."""
    import cupy

    found = {"python": sys.version.split()[0], "numpy": np.__version__, "cupy": cupy.__version__}
    if torch := _torch():
        found["torch"] = torch.__version__
    print(report.setdefault("versions", found))


def copy_speed():
    """Measure what the card can copy: the measure of all that follows."""
    import cupy

    a = cupy.ones(LARGE, cupy.float32)
    b = cupy.empty_like(a)
    seconds = _on_card({"copy": lambda: cupy.copyto(b, a)})["copy"]
    report["copy_gb_s"] = 2 * a.nbytes / seconds / 1e9
    print(f"copy: {report['copy_gb_s']:.0f} GB/s, read and written")


def accuracy():
    """Walk 50 float32 steps and compare with the rule in float64, beside NumPy's own float32."""
    import cupy

    gradients = np.random.default_rng(0).standard_normal((50, 100_000))
    exact = _walk(adam, np.ones(100_000), gradients)
    numpy_s = _walk(adam, np.ones(100_000, np.float32), gradients.astype(np.float32))
    ours = _walk(fused(adam), cupy.ones(100_000, np.float32), cupy.asarray(gradients, np.float32))
    for name, x, y, z in zip("wmv", exact, numpy_s, ours, strict=False):
        errors = [float(np.abs(a - x).max() / np.abs(x).max()) for a in (y, cupy.asnumpy(z))]
        report[f"error_{name}"] = dict(zip(("numpy", "ours"), errors, strict=True))
        print(f"{name}: largest error against float64, NumPy {errors[0]:.1e}, ours {errors[1]:.1e}")


def overhead():
    """Time a call of 1,000 weights on the host alone: the card is done long before."""
    import cupy

    step = _stepper(fused(adam), cupy, 1000)
    calls = {"fused": step, "plain CuPy": _stepper(adam, cupy, 1000)}
    if torch := _torch():
        calls["torch fused"] = _torch_step(torch, [(1000,)], fused=True)
    for name, call in calls.items():
        for _ in range(50):
            call()
        rounds = []
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(100):
                call()
            rounds.append((time.perf_counter() - start) / 100)
            cupy.cuda.Device().synchronize()
        report.setdefault("overhead_us", {})[name] = 1e6 * min(rounds)
        print(f"{name}: {1e6 * min(rounds):.1f} µs a call")


def one_large_tensor():
    """Time Adam on 100 million weights."""
    import cupy

    steps = {"fused": _stepper(fused(adam), cupy, LARGE), "plain CuPy": _stepper(adam, cupy, LARGE)}
    if torch := _torch():
        steps["torch fused"] = _torch_step(torch, [(LARGE,)], fused=True)
        steps["torch foreach"] = _torch_step(torch, [(LARGE,)], foreach=True)
        steps |= _compiled(torch, [(LARGE,)])
    seconds = _on_card(steps)
    copy = report.get("copy_gb_s", float("nan"))
    for name, value in seconds.items():
        speed = BYTES * LARGE / value / 1e9
        report.setdefault("large", {})[name] = {"seconds": value, "gb_s": speed, "of_copy": speed / copy}
        print(f"{name}: {1e3 * value:.3f} ms, {speed:.0f} GB/s, {speed / copy:.0%} of copy")


def resnet():
    """Time Adam on 146 tensors: as torch's users hold them, flattened, and ours, with and without graphs."""
    import cupy

    size = sum(int(np.prod(shape)) for shape in SHAPES)
    print(f"{len(SHAPES)} tensors, {size:,} weights")
    steps = {"fused, flat": _stepper(fused(adam), cupy, size), "fused, flat, graph": _graph(cupy, size)}
    if torch := _torch():
        steps["torch default"] = _torch_step(torch, SHAPES)
        steps["torch fused"] = _torch_step(torch, SHAPES, fused=True)
        steps["torch fused, flat"] = _torch_step(torch, [(size,)], fused=True)
        steps["torch fused, graph"] = _torch_graph(torch, SHAPES)
        steps["torch fused, flat, graph"] = _torch_graph(torch, [(size,)])
        steps |= _compiled(torch, SHAPES)
    for name, seconds in _on_card(steps).items():
        report.setdefault("resnet_seconds", {})[name] = seconds
        print(f"{name}: {1e6 * seconds:.0f} µs")


def all_sizes():
    """Time a step, waited for, over all sizes: where the card overtakes the processor."""
    import cupy

    for size in SIZES:
        steps = {"GPU plain": _stepper(adam, cupy, size), "GPU fused": _stepper(fused(adam), cupy, size)}
        if torch := _torch():
            steps["GPU torch fused"] = _torch_step(torch, [(size,)], fused=True)
        if size <= 10**7:
            steps["plain"] = _stepper(adam, np, size)
        for who, step in steps.items():
            wait = (lambda: None) if who == "plain" else cupy.cuda.Device().synchronize
            seconds = _waited_for(step, wait)
            report["steps"].append({"who": who, "size": size, "dtype": "float32", "seconds": seconds})
            print(f"{size:>11,} {who}: {1e6 * seconds:.1f} µs")
        _free()


def sweep():
    """Time a million runs of 200 Adam steps on Rosenbrock: the rule fused alone, and all in one kernel."""
    import cupy

    from optim_lessons.lab.sweep import final
    from optim_lessons.landscapes import rosenbrock

    lr = cupy.geomspace(1e-3, 1, 1000, dtype=cupy.float32)[:, None, None]
    beta1 = cupy.linspace(0, 0.99, 1000, dtype=cupy.float32)[None, :, None]
    for name, rule in {"plain CuPy": adam, "rule fused": fused(adam)}.items():

        def run(rule=rule):
            w = cupy.broadcast_to(cupy.asarray(rosenbrock.start, cupy.float32), (1000, 1000, 2))
            state = ()
            for _ in range(200):
                w, *state = rule(w, rosenbrock.grad(w), *state, lr=lr, beta1=beta1)

        seconds = _waited_for(run, cupy.cuda.Device().synchronize, rounds=3)
        report.setdefault("sweep_seconds", {})[name] = seconds
        print(f"{name}: {1e3 * seconds:.0f} ms")
    w0 = cupy.asarray(rosenbrock.start, cupy.float32)
    for name, knobs in {
        "one kernel": {"lr": lr, "beta1": beta1},
        "one kernel, beta1 for all": {"lr": cupy.broadcast_to(lr, (1000, 1000, 1)).copy()},
    }.items():
        seconds = _waited_for(
            lambda knobs=knobs: final(adam, rosenbrock, w0, 200, **knobs),
            cupy.cuda.Device().synchronize,
            rounds=3,
        )
        report["sweep_seconds"][name] = seconds
        print(f"{name}: {1e3 * seconds:.0f} ms")


def crossover():
    """Find the number of runs from which on a sweep of 200 steps is faster on the card than here."""
    from optim_lessons.studies import sweep_times

    cpu, card = "final: one sweep, the end kept", "final on the GPU"
    sizes = [10**k for k in range(6)]
    times = {way: [sweep_times.seconds(way, n) for n in sizes] for way in (cpu, card)}
    report["crossover"] = {
        "sizes": sizes,
        **times,
        "from": sweep_times.crossover(sizes, times[cpu], times[card]),
    }
    print(report["crossover"])


# ---- how things are timed -------------------------------------------------------------------------------


def _on_card(steps, rounds=7, each=10):
    """Return name → seconds of a step on the card, the median of rounds in which each has its turn.

    Every library runs on the default stream here, so CuPy's events time them all.
    """
    import cupy

    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    seconds = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(5):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            cupy.cuda.Device().synchronize()
            start.record()
            for _ in range(each):
                step()
            end.record()
            end.synchronize()
            seconds[name].append(cupy.cuda.get_elapsed_time(start, end) / 1e3 / each)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _waited_for(step, wait, rounds=20):
    for _ in range(3):
        step()
    wait()
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        wait()
        best = min(best, time.perf_counter() - start)
    return best


def _free():
    import gc

    import cupy

    gc.collect()
    cupy.get_default_memory_pool().free_all_blocks()
    if torch := _torch():
        torch.cuda.empty_cache()


# ---- what is timed --------------------------------------------------------------------------------------


def _walk(rule, w, gradients):
    state = ()
    for g in gradients:
        w, *state = rule(w, g, *state)
    return w, *state


def _stepper(rule, xp, size):
    w, g = xp.ones(size, np.float32), xp.linspace(-1, 1, size, dtype=np.float32)
    state = []

    def step():
        nonlocal w, state
        w, *state = rule(w, g, *state, lr=1e-3)

    return step


def _graph(cupy, size):
    """Return a step that replays the fused kernel from a CUDA graph.

    The step count is an array on the card, so that 1 - beta**t moves on with each replay, and the kernel
    writes in place, since a graph's addresses are fixed. Its small arrays have a memory pool of their own.
    """
    w, m, v = (cupy.zeros(size, np.float32) for _ in range(3))
    g = cupy.linspace(-1, 1, size, dtype=np.float32)
    t = cupy.zeros(1, dtype=np.int64)
    pool = cupy.cuda.MemoryPool()
    stream = cupy.cuda.Stream(non_blocking=True)

    def once():
        tape = Tape(w.shape, w.dtype)
        new = adam(*(tape.array(x) for x in (w, g, m, v)), t, lr=1e-3)
        launch(tape, tuple(x.index for x in new if type(x) is StandIn), "adam", out=(w, m, v))
        cupy.add(t, 1, out=t)

    cupy.cuda.Device().synchronize()
    with cupy.cuda.using_allocator(pool.malloc), stream:
        for _ in range(3):
            once()
        stream.synchronize()
        stream.begin_capture()
        once()
        graph = stream.end_capture()
    expected = _walk(fused(adam), cupy.zeros(size, np.float32), [g] * 3)[0]
    difference = float(abs(w - expected).max())
    print(f"the graph's kernel strays from the fused step by {difference:.1e} after 3 steps")

    def step(keep=(pool, w, m, v, g, t)):
        graph.launch()  # on the current stream

    return step


def _torch():
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def _torch_adam(torch, shapes, **options):
    weights = [torch.nn.Parameter(torch.ones(shape, device="cuda")) for shape in shapes]
    for w in weights:
        w.grad = torch.randn_like(w)
    return torch.optim.Adam(weights, **({"lr": 1e-3} | options))


def _torch_step(torch, shapes, **options):
    return _torch_adam(torch, shapes, **options).step


def _torch_graph(torch, shapes):
    optimizer = _torch_adam(torch, shapes, fused=True, capturable=True)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()

    def step(keep=optimizer):
        graph.replay()

    return step


def _compiled(torch, shapes):
    """Return torch.compile of Adam's step, or nothing and the reason if it does not compile."""
    optimizer = _torch_adam(torch, shapes, lr=torch.tensor(1e-3, device="cuda"), capturable=True)

    @torch.compile
    def step():
        optimizer.step()

    try:
        start = time.perf_counter()
        for _ in range(3):
            step()
        torch.cuda.synchronize()
        print(f"torch.compile took {time.perf_counter() - start:.0f} s")
    except Exception as error:
        print(f"torch.compile failed: {type(error).__name__}: {str(error)[:500]}")
        return {}
    return {"torch.compile": step}


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "gpu.json")
