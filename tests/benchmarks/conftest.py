"""What a table of speeds must say about the machine and the libraries it was measured with."""

import importlib.metadata
import os

from optim_lessons.lab.fused import gpu

LIBRARIES = ["numpy", "numba", "torch", "jax", "optax", "cupy-cuda12x", "cupy-cuda13x"]


def pytest_benchmark_update_machine_info(config, machine_info):
    """Add the libraries' versions, the cores and the card to what pytest-benchmark writes."""
    versions = {}
    available, card = gpu()
    for name in LIBRARIES:
        if name.startswith("cupy") and not available:
            continue
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine_info.update(libraries=versions, cores=cores, gpu=card)
