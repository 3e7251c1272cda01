"""Races on more than one machine: a Dask cluster behind the same call. Dask's one door (extra "cluster").

with cluster("tcp://10.0.0.1:8786"):
    results = race(problem, entrants, seeds=range(10))
"""

import contextlib
import warnings

import joblib


@contextlib.contextmanager
def cluster(address, *, seconds=10, fall_back=False):
    """Send every race inside the with block to a Dask cluster; yield its client, or None after falling back.

    address: of the scheduler, such as "tcp://10.0.0.1:8786", or a dask.distributed cluster.  seconds: how
    long to try.  fall_back: run on this machine, with a warning, if the cluster cannot be reached.
    Dask gives the jobs of a worker that dies to another. Raises ConnectionError if nobody answers,
    ModuleNotFoundError if Dask is not installed.
    """
    client, problem = _client(address, seconds)
    if problem is not None:
        if not fall_back:
            raise problem
        warnings.warn(f"{problem} The races run on this machine.", stacklevel=3)
        yield None
        return
    with client, joblib.parallel_config(backend="dask"):
        yield client


def _client(address, seconds):
    """Return a client and None, or None and why there is none."""
    try:
        from dask.distributed import Client
    except ModuleNotFoundError as error:
        text = f'Dask is not installed ({error}): pip install "optim_lessons[cluster]".'
        return None, ModuleNotFoundError(text, name=error.name)
    try:
        return Client(address, timeout=seconds, set_as_default=True), None
    except (OSError, ValueError) as error:
        text = f"no Dask scheduler answers at {address} within {seconds} s ({error}): is it running?"
        return None, ConnectionError(text)
