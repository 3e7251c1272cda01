"""What the kernels that run the notebooks find in their environment."""

import os

_ENVIRONMENT = {
    # With kernels of the same name about, the one beside this interpreter is the one that has the course.
    "JUPYTER_PREFER_ENV_PATH": "1",
    # The matrices of the lessons are small: threads cost more than they save, much more on a busy machine.
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def prepare_environment():
    """Set what kernels started by this process should find; what the user has set already stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
