"""A JupyterLab that the course's own command has started, and the browser to look at it with."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

BROWSERS = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
]
GET_A_BROWSER = (
    "no Chromium found. Debian, Ubuntu: apt install chromium; macOS: brew install --cask chromium; "
    "Windows: winget install Google.Chrome"
)


def find_browser():
    """Return the path of a Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class LabServer(NamedTuple):
    """A running JupyterLab: the address it printed (a lesson, with the token) and its working copy."""

    url: str
    folder: Path

    def address(self, page):
        """Return the address of a page, such as "lab/tree/01_x.ipynb" or "api/status", with the token."""
        root, _, token = self.url.partition("?")
        return f"{root[: root.index('/', len('http://')) + 1]}{page}?{token}"

    @property
    def port(self):
        """The port at which it listens, as text."""
        return self.url.partition("://")[2].partition("/")[0].partition(":")[2]

    def said(self):
        """Return what the command has printed so far."""
        return _log(self.folder).read_text(encoding="utf-8")

    def ask(self, page, data=None):
        """Send a request to the server and return the response; with data, a POST."""
        return urllib.request.urlopen(self.address(page), data=data, timeout=30)

    def end_kernels(self):
        """Shut down every kernel that runs, as closing their notebooks does not."""
        with self.ask("api/kernels") as answer:
            kernels = json.load(answer)
        for kernel in kernels:
            request = urllib.request.Request(self.address(f"api/kernels/{kernel['id']}"), method="DELETE")
            urllib.request.urlopen(request, timeout=30).close()


def free_port():
    """Return a port that is free now, so that servers started at the same moment do not race for one."""
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return str(any_port.getsockname()[1])


@contextlib.contextmanager
def running_lab(command, folder, environment, cwd=None):
    """Run a command that serves folder, yield its LabServer, then shut it down, its kernels too."""
    with open(_log(folder), "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=cwd)
    try:
        server = LabServer(_printed_address(process, _log(folder)), folder)
        yield server
        server.ask("api/shutdown", data=b"{}").close()
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running_course():
    """Start the course on a new working copy, away from the user's settings; yield its LabServer."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "course"
        command = [sys.executable, "-m", "optim_lessons.course.cli", "--no-browser", "--folder", str(folder)]
        with running_lab(
            [*command, "--port", free_port()], folder, private_environment(Path(home))
        ) as server:
            yield server


def private_environment(home):
    """Return an environment in which Jupyter and IPython find no settings of the user's."""
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    folders = {name: str(home / name.lower()) for name in names}
    return os.environ | folders | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def _log(folder):
    return folder.with_name(f"{folder.name} log.txt")


def _printed_address(process, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        running = process.poll() is None
        text = log.read_text(encoding="utf-8")
        if "Control-C" in text:
            return next(word for word in text.split() if word.startswith("http"))
        if not running:
            break
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start. It said:\n{text}")
