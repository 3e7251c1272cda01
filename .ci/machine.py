"""Print on what machine the tests run: another processor, another BLAS, other last digits."""

import os
import platform
from pathlib import Path


def processor():
    """Return the name of the processor's model."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part"))]
    return names[0] if names else platform.processor() or platform.machine()


def main():
    """Print a line for each thing that numbers, times and skipped tests may depend on."""
    print(f"processor: {processor()} ({os.cpu_count()} cores, {platform.machine()})")
    print(f"system:    {platform.platform()}, Python {platform.python_version()}")
    import numpy as np
    import scipy.linalg
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] == "blas":
            kernel = library.get("architecture", "unknown kernel")
            print(f"BLAS:      {library['internal_api']} {library['version']}, {kernel}, {library['prefix']}")
    print(f"libraries: NumPy {np.__version__}, SciPy {scipy.__version__}")
    from optim_lessons.course.sandbox.box import why_not_isolated

    print(f"isolation: {why_not_isolated() or 'namespaces'}")


if __name__ == "__main__":
    main()
