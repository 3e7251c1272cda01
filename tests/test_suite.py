"""The suite itself: what it hands to its workers, and in which order."""

from pathlib import Path

from workload import LONGEST_FIRST, piece_of_work

TESTS = Path(__file__).parent


def test_the_files_that_come_first_are_there():
    assert [name for name in LONGEST_FIRST if not (TESTS / name).is_file()] == []


def test_a_worker_takes_a_whole_file_or_half_of_the_browsers_or_one_run_of_a_notebook():
    def pieces(*names):
        return len({piece_of_work(f"tests/{name}") for name in names})

    assert pieces("test_adam.py::test_a", "test_adam.py::test_b[08_adam]") == 1
    assert pieces("test_notebooks.py::test_a[08_adam]", "test_notebooks.py::test_a[07_rmsprop]") == 2
    assert pieces("test_nudges.py::test_a[08_adam]", "test_nudges.py::test_b[08_adam]") == 1
    assert pieces("test_nudges.py::test_a[08_adam]", "test_nudges.py::test_a[07_rmsprop]") == 2
    lessons = [f"test_browser.py::test_a[{number:02d}_lesson.ipynb]" for number in range(14)]
    assert pieces(*lessons, "test_browser.py::test_b") == 2
