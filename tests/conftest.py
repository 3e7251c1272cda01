"""What the tests share. Nothing heavier than pytest is imported here: GPU machines have little more."""

import contextlib
import ctypes
import gc
import os
import sys

import pytest
from running_lab import GET_A_BROWSER, find_browser, private_environment, running_course
from workload import LONGEST_FIRST, piece_of_work

CI = bool(os.environ.get("CI"))

# As `optim-lessons` does for its kernels: here before NumPy is loaded, and for every process the tests start.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# jsonschema, which nbformat loads, compiles a grammar of addresses for a second. Nothing here checks one.
sys.modules.setdefault("rfc3987_syntax", None)

# Without this, each worker and each program that a test starts compiles the same files anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Let a benchmark run once, as a test, unless it is asked to measure (--benchmark-enable or -only)."""
    if config.pluginmanager.hasplugin("benchmark") and not config.option.benchmark_only:
        config.option.benchmark_disable = True


def pytest_collection_modifyitems(items):
    """Sort the longest files to the front; within a file all stays as it is written."""
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out pieces of work in their order, each worker the next one as soon as it is free."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return piece_of_work(nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Start one worker more than there are cores, as browsers and servers make a test wait.

    Measure without neighbours: benchmarks that are asked for run alone.
    """
    if config.option.benchmark_only:
        return 0
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Turn a skipped browser test into a failure in CI: there, a missing browser is a broken machine."""
    report = yield
    if CI and report.skipped and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but in CI every browser test must run: {report.longrepr[-1]}"
    return report


def pytest_collection_finish():
    """Let no later collection of garbage go through what thousands of tests were collected with."""
    gc.collect()
    gc.freeze()


GROWN = 20_000_000  # bytes after which garbage is collected: figures refer to themselves in circles
_size = 0  # bytes, after it was last collected


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    """Close a test's widgets: ipywidgets keeps every open one, with its figure, for ever."""
    global _size
    widgets = sys.modules.get("ipywidgets")
    if widgets:
        widgets.Widget.close_all()
    if _memory_now() > _size + GROWN:
        gc.collect()
        _give_back_what_is_free()
        _size = _memory_now()


def _give_back_what_is_free():
    """Let the C library return its free memory to the system: half of a worker's was free."""
    with contextlib.suppress(OSError, AttributeError):  # it is glibc's own
        ctypes.CDLL(None).malloc_trim(0)


def _memory_now():
    """Return how large this process is, in bytes, where the system says so in a file; else 0."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


LARGEST_WORKER = 700  # MB, in CI: elsewhere fewer workers may do more each, and PyTorch takes 200 of them
MEMORY = pytest.StashKey[dict]()


def _largest_memory():
    """Return how large this process, and the largest that it started and saw end, ever were, in MB."""
    import resource  # which Windows does not have

    unit = 1 if sys.platform == "darwin" else 1024
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [peak * unit / 1e6 for peak in peaks]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Note what a worker has said of its memory; one that died has not."""
    peaks = getattr(node, "workeroutput", {}).get("memory")
    if peaks:
        node.config.stash.setdefault(MEMORY, {})[node.gateway.id] = peaks


def pytest_sessionfinish(session):
    """Fail in CI where a process that ran tests grew too large, for what stays of each test adds up."""
    if os.name == "nt":
        return
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["memory"] = _largest_memory()
        return
    memory = config.stash.setdefault(MEMORY, {})
    if not memory:  # without workers
        memory["the tests"] = _largest_memory()
    if CI and session.exitstatus == 0 and max(own for own, _ in memory.values()) > LARGEST_WORKER:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Print how large each worker and the largest process that it has started became."""
    memory = config.stash.get(MEMORY, {})
    for worker, (own, others) in sorted(memory.items()):
        terminalreporter.write_line(
            f"memory of {worker}: {own:.0f} MB, of the largest process that it started: {others:.0f} MB",
            red=own > LARGEST_WORKER,
        )


@pytest.fixture
def cupy():
    """Return CuPy, where there is a card that it can use."""
    from optim_lessons.lab.fused import gpu

    available, reason = gpu()
    return sys.modules["cupy"] if available else pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """Return the path of a Chromium or Chrome."""
    return find_browser() or pytest.skip(GET_A_BROWSER)


@pytest.fixture(scope="module")
def browser(chromium):
    """Yield a running Chromium, one for each test file."""
    from lab_page import CHROMIUM_ARGUMENTS

    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyter_environment(tmp_path_factory):
    """Return an environment in which Jupyter and IPython find no settings of the user's."""
    return private_environment(tmp_path_factory.mktemp("jupyter"))


@pytest.fixture(scope="module")
def lab_server():
    """Yield a LabServer on a fresh working copy, one for each test file."""
    with running_course() as server:
        yield server
