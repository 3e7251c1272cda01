import errno
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from lab_page import CHROMIUM_ARGUMENTS
from running_lab import free_port, running_lab

from optim_lessons import __version__
from optim_lessons.course import open_command
from optim_lessons.course.cli import COMMANDS, command_module, main
from optim_lessons.course.copies import workbook
from optim_lessons.lab.shipped import shipped

NOTEBOOK = str(shipped("notebooks") / "04_momentum.ipynb")
COMMAND = [sys.executable, "-m", "optim_lessons.course.cli"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Put a course of two small files in the place of the shipped one and keep JupyterLab from starting."""
    (tmp_path / "notebooks").mkdir()
    for name in ["00_start_here", "01_gradient_descent"]:
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text('{"cells": []}')
    monkeypatch.setattr(workbook, "shipped", tmp_path.joinpath)
    monkeypatch.setattr(open_command, "_serve", lambda *request: print("served:", request[1]) or 0)
    return tmp_path


@pytest.mark.parametrize(
    "wanted",
    ["1", "01", "gradient_descent", "01_gradient_descent", "01_gradient_descent.ipynb", "Gradient-descent"],
)
def test_a_lesson_is_found_by_its_number_and_by_its_name(course, wanted):
    assert workbook.find_lesson(wanted) == "01_gradient_descent"


def test_without_a_lesson_the_course_opens_at_its_start(course, capsys):
    assert main(["--folder", str(course / "copy")]) == 0
    said = capsys.readouterr().out
    assert "served: 00_start_here" in said
    assert f"{course / 'copy'} (2 new, 0 kept)" in said


@pytest.mark.parametrize("wanted", ["7", "adm", "1_gradient_descent", "-1", ""])
def test_an_unknown_lesson_is_answered_with_the_list_of_lessons_and_nothing_is_copied(course, wanted, capsys):
    assert main(["--folder", str(course / "copy"), "--", wanted]) == 2
    error = capsys.readouterr().err
    assert f"there is no lesson {wanted!r}" in error
    assert "\n  00_start_here\n  01_gradient_descent" in error
    assert not (course / "copy").exists()


def test_an_installation_without_lessons_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workbook, "shipped", tmp_path.joinpath)
    assert main([]) == 2
    assert "install the package again" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("moment", ["mkdir", "probe"])
def test_a_folder_that_cannot_be_written_to_is_named_with_the_reason_and_the_way_out(
    course, monkeypatch, capsys, number, moment
):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    if moment == "mkdir":
        monkeypatch.setattr(Path, "mkdir", refuse)
    else:
        monkeypatch.setattr(workbook.tempfile, "TemporaryFile", refuse)
    assert main(["--folder", str(course / "copy")]) == 2
    error = capsys.readouterr().err
    assert str(course / "copy") in error
    assert os.strerror(number) in error
    assert "optim-lessons --folder FOLDER" in error


def test_a_folder_whose_name_is_a_file_is_refused(course, capsys):
    (course / "copy").write_text("a file")
    assert main(["--folder", str(course / "copy")]) == 2
    assert "File exists" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"])
def test_a_home_that_cannot_be_written_to_is_answered_with_the_way_out(
    tmp_path, monkeypatch, capsys, jupyter_environment, variable
):
    file = tmp_path / "a file, not a folder"
    file.write_text("")
    for name, value in jupyter_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(variable, str(file / "jupyter"))
    assert main(["--folder", str(tmp_path / "copy")]) == 2
    error = capsys.readouterr().err
    assert f"{str(file / 'jupyter')!r} and cannot write there" in error
    assert f"in the environment variable {variable}" in error


@pytest.mark.parametrize("port", ["0", "65536", "-3", "http"])
def test_a_port_that_is_none_is_refused(course, port, capsys):
    assert main([f"--port={port}"]) == 2
    assert f"--port: '{port}' is no whole number from 1 to 65535" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__


def test_the_server_opens_the_start_with_a_token_and_the_working_copy_is_whole(lab_server):
    assert urlsplit(lab_server.url).path == "/lab/tree/00_start_here.ipynb"
    with urllib.request.urlopen(lab_server.url, timeout=30) as page:
        assert page.status == 200
    files = {entry["name"] for entry in json.load(lab_server.ask("api/contents"))["content"]}
    assert {f"{name}.ipynb" for name in workbook.lessons()} <= files
    assert (lab_server.folder / "00_start_here.ipynb").is_file()


def test_without_the_token_the_server_answers_nothing(lab_server):
    page = lab_server.address("api/contents").partition("?")[0]
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(page, timeout=30)
    refused.value.close()


def test_the_server_listens_on_this_machine_only(lab_server):
    port = urlsplit(lab_server.url).port
    assert urlsplit(lab_server.url).hostname == "127.0.0.1"
    with socket.socket() as free:
        # Taking the port on another address of this machine works only if the server has not taken them all.
        free.bind(("127.0.0.2" if sys.platform == "linux" else socket.gethostname(), port))


def test_as_root_the_command_says_which_flag_it_passes_and_else_it_does_not(lab_server):
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    assert ("--allow-root" in lab_server.said()) == is_root


def test_a_taken_port_an_odd_folder_and_settings_of_the_users_change_nothing(tmp_path, jupyter_environment):
    settings = tmp_path / "settings"
    settings.mkdir()
    open_to_all = {"IdentityProvider": {"token": ""}, "ServerApp": {"ip": "0.0.0.0", "port_retries": 50}}
    (settings / "jupyter_server_config.json").write_text(json.dumps(open_to_all))
    folder = tmp_path / "Übung für Zoë"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [*COMMAND, "1", "--no-browser", "--folder", str(folder), "--port", str(port)]
        environment = jupyter_environment | {"JUPYTER_CONFIG_DIR": str(settings)}
        with running_lab(command, folder, environment) as server:
            url = urlsplit(server.url)
            assert url.hostname == "127.0.0.1"
            assert url.port != port
            assert url.path == "/lab/tree/01_gradient_descent.ipynb"
            assert len(url.query) > len("token=") + 30
            page = server.address("api/contents/01_gradient_descent.ipynb").partition("?")[0]
            with pytest.raises(urllib.error.HTTPError, match="403") as refused:
                urllib.request.urlopen(page, timeout=30)
            refused.value.close()
            assert server.ask("api/contents/01_gradient_descent.ipynb").status == 200
    assert (folder / "01_gradient_descent.ipynb").is_file()


def test_the_browser_is_sent_to_the_start_with_the_token(tmp_path, jupyter_environment):
    note = tmp_path / "note.txt"
    script = tmp_path / "browser.py"
    script.write_text(f"import sys; open({str(note)!r}, 'w').write(sys.argv[1])")
    browser = f'"{Path(sys.executable).as_posix()}" "{script.as_posix()}" %s'
    folder = tmp_path / "copy"
    command = [*COMMAND, "--folder", str(folder), "--port", free_port()]
    with running_lab(command, folder, jupyter_environment | {"BROWSER": browser}) as server:
        deadline = time.monotonic() + 20
        while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        opened = note.read_text()
        assert opened.startswith("file:")  # a page that redirects: no list of processes shows the token
        assert server.url in Path(url2pathname(urlsplit(opened).path)).read_text()


@pytest.mark.browser
def test_the_first_page_shows_the_start_and_asks_no_questions(chromium, lab_server):
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page()
        requests = []
        page.on("request", lambda request: requests.append(urlsplit(request.url)))
        page.goto(lab_server.url)
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        page.wait_for_timeout(3000)  # the question about news, where it is asked, comes within a second
        assert page.locator(".jp-toast-message, .Toastify__toast, .jp-Dialog").all_inner_texts() == []
        assert "00_start" in page.title()  # a long name is cut
        assert {request.hostname for request in requests} <= {"127.0.0.1", None}
        assert not {"/lab/api/news", "/lab/api/update"} & {request.path for request in requests}
        browser.close()


class Arguments:
    """Stands for a parser, and notes what a command takes."""

    def __init__(self, name):
        self.all = []
        command_module(name).add_arguments(self)

    def add_argument(self, name, **about):
        self.all.append((name, about))


PATHS = {"F", "FOLDER", "FILE", "PLACE", "NOTEBOOK"}
FILES_AND_FOLDERS = [
    ([name, argument] if argument.startswith("-") else [name], about)
    for name in ["", *COMMANDS]
    for argument, about in Arguments(name).all
    if about.get("metavar") in PATHS
]


def test_every_argument_that_takes_a_value_is_called_by_what_it_is_and_explained():
    for name in ["", *COMMANDS]:
        assert command_module(name).ABOUT.endswith(".")
        for argument, about in Arguments(name).all:
            assert about.get("help") or argument == "--version", (name, argument)
            assert {"metavar", "choices", "action"} & about.keys(), (name, argument)


@pytest.mark.parametrize(("words", "about"), FILES_AND_FOLDERS, ids=lambda words: " ".join(words))
def test_a_place_of_a_user_who_is_not_there_is_refused_in_one_sentence(words, about, capsys):
    assert about["type"] is workbook.named_path
    assert main([*filter(None, words), "~nosuchuser/x.html"]) == 2
    error = capsys.readouterr().err
    assert "'~nosuchuser/x.html' begins with a user's folder, and there is no user 'nosuchuser'" in error
    assert error.count("\n") == 1


def test_check_takes_a_notebooks_path_and_refuses_that_of_a_user_who_is_not_there(capsys):
    assert main(["check", "~nosuchuser/01_gradient_descent.ipynb"]) == 2
    assert "there is no user 'nosuchuser'" in capsys.readouterr().err


def test_a_folder_whose_own_name_begins_with_a_tilde_is_that_folder(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    assert main(["--folder", "./~tilde"]) == 0
    assert (course / "~tilde" / "00_start_here.ipynb").exists()
    assert main(["reset", "1", "--folder", "./~tilde"]) == 0
    assert main(["summary", "--out", "./~tilde.pdf"]) == 0
    assert (course / "~tilde.pdf").exists()
    (course / "~class").mkdir()
    assert main(["grade", "./~class"]) == 2
    assert "there is no notebook" in capsys.readouterr().err
    assert main(["check", "--folder", "./~class"]) == 2
    assert "there is no lesson in '~class'" in capsys.readouterr().err


def test_a_tilde_alone_is_the_users_own_folder(course, monkeypatch):
    monkeypatch.setenv("HOME", str(course / "home"))
    monkeypatch.setenv("USERPROFILE", str(course / "home"))
    assert main(["--folder", "~/copy"]) == 0
    assert (course / "home" / "copy" / "00_start_here.ipynb").exists()


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_what_a_command_does_not_take_is_refused_with_the_way_to_what_it_takes(name, capsys):
    assert main([*filter(None, [name]), "--no-such-option"]) == 2
    said, called = capsys.readouterr().err, f"optim-lessons {name}".strip()
    assert said.startswith(f"{called}: ")
    assert said.endswith(f"\nWhat it takes: {called} --help\n")


needs_a_pipe = pytest.mark.skipif(os.name == "nt", reason="a pipe without a reader is another error there")


@pytest.fixture
def reader_who_is_gone():
    """Yield a stream whose reader is gone before anything is written, as head may be."""
    here, there = os.pipe()
    os.close(here)
    with os.fdopen(there, "w") as stream:
        yield stream


@needs_a_pipe
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_a_reader_who_has_seen_enough_ends_a_command_quietly(name, reader_who_is_gone, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", reader_who_is_gone)
    assert main([*filter(None, [name]), "--help"]) == 141
    assert capsys.readouterr().err == ""


@needs_a_pipe
@pytest.mark.parametrize(
    "words", [["guide"], ["guide", "4"], ["audit", NOTEBOOK], ["summary", "--out", "sheet.pdf"]], ids=" ".join
)
def test_so_it_does_while_the_command_works(words, reader_who_is_gone, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", reader_who_is_gone)
    assert main(words) == 141
    assert capsys.readouterr().err == ""


@needs_a_pipe
@pytest.mark.parametrize("words", [["guide", "4"], ["--help"]], ids=" ".join)
def test_python_itself_ends_quietly_too(words, reader_who_is_gone):
    command = [*COMMAND, *words]
    ended = subprocess.run(command, stdout=reader_who_is_gone, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode in ((141,) if "guide" in words else (0, 141))  # argparse may swallow it before
