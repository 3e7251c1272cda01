"""What the workers get, and in which order."""

import re

# The longest come first, so that no worker is left alone with them at the end.
LONGEST_FIRST = (
    "test_browser.py",
    "test_notebooks.py",
    "test_nudges.py",
    "test_whole_site.py",
    "test_lab_hand.py",
    "test_isolation.py",
    "test_grade.py",
    "test_site.py",
    "test_explore.py",
    "test_cli.py",
    "test_publish.py",
    "test_summary.py",
    "test_grade_folder.py",
    "test_check_command.py",
    "test_races.py",
)


def piece_of_work(nodeid):
    """Return the name of what one worker runs in one go: a file, so that what its tests share is made once.

    Notebooks share nothing: each run is a piece, and nudged each notebook. Two workers share the lessons in
    the browser.
    """
    file = nodeid.partition("::")[0]
    if file.endswith("test_notebooks.py"):
        return nodeid
    if file.endswith("test_nudges.py"):
        lesson = re.search(r"\[(\d\d_\w+)\]", nodeid)
        return f"{file}, {lesson[1]}" if lesson else nodeid
    if file.endswith("test_browser.py"):
        lesson = re.search(r"\[(\d\d)_", nodeid)
        return f"{file}, {int(lesson[1]) % 2 if lesson else 0}"
    return file
