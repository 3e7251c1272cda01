"""The course works where there is no network. Every notebook's run is one too: see test_notebooks.py."""

import subprocess
import sys
from pathlib import Path

import pytest
from offline import can_be_cut_off, without_network

TESTS = Path(__file__).parent
pytestmark = pytest.mark.skipif(not can_be_cut_off(), reason="this system cannot cut a program off")

LOOK_AROUND = """
import socket
print([name for _, name in socket.if_nameindex()])
for address in ("192.0.2.1", "2001:db8::1"):  # addresses for documentation: nobody has them
    try:
        socket.create_connection((address, 80), timeout=5)
    except OSError as error:
        print(error.strerror)
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
    print("loopback works")
"""


def test_where_the_offline_tests_run_there_is_loopback_and_no_other_network():
    command = without_network([sys.executable, "-c", LOOK_AROUND])
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "['lo']"
    assert said[1:3] == ["Network is unreachable"] * 2
    assert said[3] == "loopback works"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(
    "what",
    [
        "test_browser.py::test_every_control_of_a_lesson_moves_its_picture_and_moves_it_back_and_has_a_name"
        "[06_adagrad.ipynb]",
        "test_cli.py::test_the_server_opens_the_start_with_a_token_and_the_working_copy_is_whole",
        "test_check_command.py::test_the_command_prints_a_line_for_each_answer_and_a_count",
        "test_grade.py::test_a_class_becomes_a_table_a_page_and_feedback",
    ],
    ids=["sliders", "start", "check", "grade"],
)
def test_the_course_starts_moves_checks_and_grades_offline(what, chromium):
    command = without_network([sys.executable, "-m", "pytest", "-q", "-n", "0", what])
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
