"""Two people on the demo hub, at the same time, as their browsers would: by HTTP, cookies and websockets."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from running_lab import free_port

from optim_lessons.course.cli import main
from optim_lessons.course.copies import workbook
from optim_lessons.course.refused import Refused
from optim_lessons.teaching.alone import alone
from optim_lessons.teaching.hub import command, somebody

pytestmark = pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
LESSON = "01_gradient_descent.ipynb"
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


# What needs no hub


@pytest.fixture
def without_starting(monkeypatch):
    """Let the command come to the point where it starts JupyterHub, whether that is installed or not."""
    monkeypatch.setattr(command, "find_spec", lambda name: SimpleNamespace(origin=__file__))
    monkeypatch.setattr(command.shutil, "which", lambda name, path=None: name)
    monkeypatch.setattr(command, "_run", lambda folder, ports, *rest: print(folder, ports) or 0)


def test_the_configuration_is_where_the_command_says_and_says_how_to_start_it(capsys):
    assert main(["hub", "--config"]) == 0
    text = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")
    assert "optim-lessons hub --get-proxy" in text
    assert 'jupyterhub -f "$(optim-lessons hub --config)"' in text


def test_without_jupyterhub_the_command_says_what_to_type(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert main(["hub", "--folder", str(tmp_path / "hub")]) == 2
    assert 'pip install "optim_lessons[hub]"' in capsys.readouterr().err


def test_without_the_proxy_the_command_says_what_to_type(tmp_path, without_starting, monkeypatch, capsys):
    monkeypatch.setattr(command.shutil, "which", lambda name, path=None: None)
    assert main(["hub", "--folder", str(tmp_path / "hub")]) == 2
    assert "optim-lessons hub --get-proxy" in capsys.readouterr().err


@contextlib.contextmanager
def listening_with_free_neighbours(beside):
    """Listen on a port that is so far above a hub's, the other ports of which are free; yield it."""
    while True:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = other.getsockname()[1]
            if all(is_free(taken - beside + place) for place in (0, 1, 81) if place != beside):
                yield taken
                return


def is_free(port):
    with socket.socket() as one, contextlib.suppress(OSError):
        one.bind(("127.0.0.1", port))
        return True
    return False


@pytest.mark.parametrize("beside", [0, 1, 81])
def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path, without_starting, capsys, beside):
    with listening_with_free_neighbours(beside) as taken:
        assert main(["hub", "--folder", str(tmp_path / "hub"), "--port", str(taken - beside)]) == 2
    error = capsys.readouterr().err
    assert f"the port {taken} cannot be had" in error
    assert "optim-lessons hub --port 9000" in error


@pytest.mark.parametrize("port", ["0", "65455", "-3", "http"])
def test_a_port_that_leaves_no_room_for_the_others_is_refused(port, capsys):
    assert main(["hub", f"--port={port}"]) == 2
    assert f"--port: '{port}' is no whole number from 1 to 65454" in capsys.readouterr().err


def test_a_folder_serves_one_hub_at_a_time_and_the_other_is_told_how_to_end_it(
    tmp_path, without_starting, capsys
):
    pytest.importorskip("fcntl")
    with alone(tmp_path / "lock", ""):
        assert main(["hub", "--folder", str(tmp_path)]) == 2
    assert "a hub runs already" in (error := capsys.readouterr().err)
    assert f"kill {os.getpid()}" in error


def test_a_proxy_that_a_killed_hub_left_is_named_with_the_way_to_end_it(tmp_path, without_starting, capsys):
    command = [sys.executable, "-c", "import time; time.sleep(60)", "configurable-http-proxy"]
    proxy = subprocess.Popen(command)
    try:
        (tmp_path / "proxy.pid").write_text(str(proxy.pid))
        assert main(["hub", "--folder", str(tmp_path), "--port", free_port()]) == 2
        said = capsys.readouterr().err
        assert f"its proxy is left (process {proxy.pid})" in said
        assert f"kill {proxy.pid}" in said
    finally:
        proxy.kill()
        proxy.wait()
    assert main(["hub", "--folder", str(tmp_path), "--port", free_port()]) == 0


def test_root_is_told_whose_the_learners_code_is(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for why, said in (
        ("", "a user of its own"),
        ("others cannot read it", "AS ROOT, for others cannot read it"),
    ):
        monkeypatch.setattr(command.somebody, "why_not", lambda folder, why=why: why)
        assert said in command._whose(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "runs as you" in command._whose(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files to others")
def test_each_learners_home_is_the_learners_own_and_stays_so(tmp_path):
    homes = [tmp_path / "learners" / name for name in ("ada", "bo", "ada")]
    one, two, again = map(somebody.own_user, homes)
    assert one == again != two
    assert {home.stat().st_mode & 0o777 for home in homes} == {0o700}


def test_others_on_the_machine_cannot_look_into_the_hubs_folder(tmp_path, without_starting):
    assert main(["hub", "--folder", str(tmp_path / "hub"), "--port", free_port()]) == 0
    assert (tmp_path / "hub").stat().st_mode & 0o077 == 0


# A hub that runs


@pytest.fixture(scope="module")
def proxy(request):
    """Return a folder with the program configurable-http-proxy in it, which is fetched once if need be."""
    missing = None if find_spec("jupyterhub") else "JupyterHub is not installed: pip install -e .[hub]"
    if not missing and (found := shutil.which("configurable-http-proxy")):
        return Path(found).parent
    if not missing:
        import fcntl

        cache = Path(request.config.cache.mkdir("hub"))
        place = cache / "proxy/node_modules/.bin"
        with open(cache / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be fetching it
            try:
                if not (place / "configurable-http-proxy").exists():
                    command.get_proxy(cache)
                return place
            except Refused as error:
                missing = str(error)
    if os.environ.get("CI"):
        pytest.fail(f"in CI the hub must run: {missing}")
    pytest.skip(missing)


class Hub:
    """A running hub: its folder, its address, and the password it printed."""

    def __init__(self, folder, proxy):
        self.folder = folder
        self.port = int(free_port())
        path = os.pathsep.join([str(proxy), os.environ["PATH"]])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "optim_lessons.course.cli", "hub", "--port", str(self.port)],
            cwd=folder.parent,
            env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        while "Control-C" not in said and (line := self.process.stdout.readline()):
            said += line
        assert "Control-C" in said, said + self.log()
        self.address = re.search(r"http://127.0.0.1:\d+", said)[0]
        self.password = re.search(r"password (\w+)", said)[1]

    def log(self):
        """Return what the hub and the learners' servers have said."""
        log = self.folder / "hub.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def end(self, number):
        """Send a signal to the command, twice as the impatient do, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            time.sleep(0.3)
            self.process.send_signal(number)
            self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture(scope="module")
def hub(tmp_path_factory, proxy):
    """Yield a Hub in a folder of its own; at its end no process of it may be left."""
    place = tmp_path_factory.mktemp("Zoë's class")
    if not somebody.why_not(Path("/tmp/optim-lessons-hub")):  # where learners' own users can get to
        place = Path(tempfile.mkdtemp(prefix="Zoë's class ", dir="/tmp"))
        place.chmod(0o755)
    hub = Hub(place / "optim-lessons-hub", proxy)
    yield hub
    status = hub.end(signal.SIGINT)
    assert left(hub.folder) == []
    assert status == 0


def left(folder):
    """Return the processes whose current folder is a hub's, or a learner's in it."""
    psutil = pytest.importorskip("psutil")
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(folder):
                found.append(process.cmdline())
        except (psutil.Error, OSError):
            continue
    return found


class Learner:
    """A learner's browser: cookies, the login form, and the Lab behind it."""

    def __init__(self, hub, name):
        import requests

        self.hub, self.name = hub, name
        self.session = requests.Session()
        self.session.trust_env = False  # this machine only: no proxy of the user's

    def login(self, password=None, typed=None):
        """Fill in the login form, wait for the Lab; return its page and the seconds it took."""
        begun = time.monotonic()
        form = self.session.get(f"{self.hub.address}/hub/login")
        token = re.search(r'name="_xsrf"\s+value="([^"]*)"', form.text)[1]
        page = self.session.post(
            f"{self.hub.address}/hub/login",
            params={"next": ""},
            data={"username": typed or self.name, "password": password or self.hub.password, "_xsrf": token},
        )
        while "/hub/spawn-pending/" in page.url or page.status_code == 503:
            assert time.monotonic() < begun + 120, self.hub.log()
            time.sleep(0.2)
            page = self.session.get(self.at("lab/tree/00_start_here.ipynb"))
        return page, time.monotonic() - begun

    def at(self, page):
        """Return the address of a page of the learner's own server."""
        return f"{self.hub.address}/user/{quote(self.name)}/{page}"

    def ask(self, method, page, **more):
        """Send a request to the learner's server, as the Lab's page does."""
        headers = {"X-XSRFToken": self.token()}
        answer = self.session.request(method, self.at(page), headers=headers, timeout=60, **more)
        answer.raise_for_status()
        return answer

    def token(self):
        """Return the token of the learner's own server, which goes with every request that changes a file."""
        own = f"/user/{quote(self.name)}"
        tokens = [c.value for c in self.session.cookies if c.name == "_xsrf" and own in c.path]
        return tokens[-1]

    def lessons(self):
        """Return the names of the files that the Lab shows."""
        return {entry["name"] for entry in self.ask("GET", "api/contents").json()["content"]}

    def stop(self):
        """Stop the learner's own server, as the button in the hub's control panel does, and log out."""
        form = self.session.get(f"{self.hub.address}/hub/home")
        token = re.search(r'"?xsrf_token"?: ?"([^"]*)"', form.text)[1]
        page = f"{self.hub.address}/hub/api/users/{quote(self.name)}/server"
        headers = {"X-XSRFToken": token, "Referer": f"{self.hub.address}/hub/home"}
        answer = self.session.delete(page, headers=headers, timeout=60)
        answer.raise_for_status()
        while answer.status_code != 204:
            time.sleep(0.2)
            answer = self.session.delete(page, headers=headers, timeout=60)
        self.session.get(f"{self.hub.address}/hub/logout")

    def compute(self, code):
        """Run code in a new kernel of the learner's and return what it printed."""
        from websocket import create_connection

        kernel = self.ask("POST", "api/kernels", json={"name": "python3"}).json()["id"]
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.session.cookies if "/hub/" not in c.path)
        address = self.at(f"api/kernels/{kernel}/channels").replace("http", "ws", 1)
        socket = create_connection(
            f"{address}?session_id={uuid.uuid4().hex}&_xsrf={self.token()}",
            cookie=cookies,
            origin=self.hub.address,
            timeout=60,
        )
        message = {
            "header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
            | {"username": self.name, "session": uuid.uuid4().hex},
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "content": {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
            | {"allow_stdin": False, "stop_on_error": True},
        }
        socket.send(json.dumps(message))
        said = ""
        while True:
            reply = json.loads(socket.recv())
            if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if reply["msg_type"] == "stream":
                said += reply["content"]["text"]
            assert reply["msg_type"] != "error", reply["content"]
            if reply["content"].get("execution_state") == "idle":
                socket.close()
                return said


@pytest.mark.slow
def test_two_learners_log_in_at_once_and_each_has_a_lab_a_kernel_and_files_of_their_own(hub, capsys):
    learners = [Learner(hub, "ada"), Learner(hub, "zoë")]
    with ThreadPoolExecutor() as pool:
        pages = list(pool.map(Learner.login, learners))
    with capsys.disabled():
        print("\nseconds from login to Lab, two at once:", *(f"{seconds:.1f}" for _, seconds in pages))
    ada, zoe = learners
    for learner, (page, _) in zip(learners, pages, strict=True):
        assert page.status_code == 200
        assert page.url.partition("?")[0] == learner.at("lab/tree/00_start_here.ipynb")
        settings = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page.text, re.S)[1])
        assert settings["hubUser"] == learner.name
        assert "@jupyterlab/apputils-extension:announcements" in settings["disabledExtensions"]
        assert settings["extensionManager"]["can_install"] is False
        assert {f"{name}.ipynb" for name in workbook.lessons()} <= learner.lessons()
        assert (hub.folder / "learners" / learner.name / LESSON).is_file()

    pristine = zoe.ask("GET", f"api/contents/{LESSON}").json()["content"]
    ada.ask("PUT", f"api/contents/{LESSON}", json={"type": "notebook", "content": EMPTY})
    assert zoe.ask("GET", f"api/contents/{LESSON}").json()["content"] == pristine
    assert ada.session.get(zoe.at("api/contents")).status_code == 403

    program = "import os, optim_lessons; print(6 * 7, os.getcwd(), os.environ['OPENBLAS_NUM_THREADS'])"
    assert zoe.compute(program).split("\n")[0] == f"42 {hub.folder / 'learners/zoë'} 1"

    ada.stop()
    again = Learner(hub, "ada")
    page, _ = again.login(typed="Ada")  # the hub writes names in small letters
    assert page.url.partition("?")[0] == again.at("lab/tree/00_start_here.ipynb")
    assert again.ask("GET", f"api/contents/{LESSON}").json()["content"]["cells"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "password"), [("eve", "12345678"), ("..", None), ("a/b", None), (".ssh", None), ("x" * 33, None)]
)
def test_a_wrong_password_and_a_name_that_is_no_folder_are_refused(hub, name, password):
    page, _ = Learner(hub, name).login(password)
    assert page.status_code == 403
    assert "Invalid username or password" in page.text
    assert not (hub.folder / "learners" / name).exists() or name == ".."


@pytest.mark.slow
def test_the_hub_listens_on_this_machine_only_and_keeps_its_state_in_its_folder(hub):
    for port in (hub.port, hub.port + 1, hub.port + 81):
        with socket.socket() as elsewhere:
            # Taking the port on another address of this machine works only if the hub has not taken them all.
            elsewhere.bind(("127.0.0.2" if sys.platform == "linux" else socket.gethostname(), port))
    assert {path.name for path in hub.folder.parent.iterdir()} == {hub.folder.name}
    assert {"hub.sqlite", "cookie_secret", "hub.pid", "proxy.pid", "hub.log"} <= set(os.listdir(hub.folder))


@pytest.mark.slow
def test_a_closed_window_ends_the_hub_the_servers_and_the_kernels(tmp_path, proxy):
    hub = Hub(tmp_path / "optim-lessons-hub", proxy)
    try:
        learner = Learner(hub, "ada")
        learner.login()
        assert learner.compute("print(1)") == "1\n"
        assert len(left(hub.folder)) == 4  # hub, proxy, server, kernel
    finally:
        status = hub.end(signal.SIGHUP)
    assert status == 0
    assert left(hub.folder) == []


# Right where each of these is refused; run in one learner's kernel, with the other's home in it.
PRIES = """import os, glob, signal
def refused(action):
    try:
        action()
    except (OSError, PermissionError):
        return True
home, hub, server = {home!r}, {hub!r}, {server}
tried = dict(
    notebook=lambda: open(home + "/01_gradient_descent.ipynb").read(),
    write=lambda: open(home + "/01_gradient_descent.ipynb", "a"),
    list=lambda: os.listdir(home),
    keys=lambda: os.listdir(home + "/.local/share/jupyter/runtime"),
    password=lambda: open(hub + "/password.txt").read(),
    cookie=lambda: open(hub + "/cookie_secret").read(),
    tokens=lambda: open(hub + "/hub.sqlite", "rb").read(),
    log=lambda: open(hub + "/hub.log").read(),
    names=lambda: os.listdir(hub + "/learners"),
    course=lambda: open(__import__("optim_lessons").__file__, "a"),
    kill=lambda: os.kill(server, signal.SIGTERM),
    token=lambda: open("/proc/%d/environ" % server).read(),
)
print([name for name, action in tried.items() if not refused(action)])
"""


@pytest.mark.slow
def test_one_learner_reaches_nothing_of_another_by_the_hub_and_as_users_of_their_own_nothing_at_all(hub):
    psutil = pytest.importorskip("psutil")
    ada, bo = Learner(hub, "pry"), Learner(hub, "victim")
    for learner in (ada, bo):
        learner.login()
    kernel = bo.ask("POST", "api/kernels", json={"name": "python3"}).json()["id"]
    for page in ("lab", "api/contents", f"api/contents/{LESSON}", "api/kernels", f"api/kernels/{kernel}",
                 "api/terminals", f"files/{LESSON}", "api/sessions"):  # fmt: skip
        assert ada.session.get(bo.at(page)).status_code in (403, 404), page
    for name in ("victim", "pry"):
        answer = ada.session.get(f"{hub.address}/hub/api/users/{name}/tokens")
        assert answer.status_code in (403, 404) if name == "victim" else True
    assert ada.session.get(f"{hub.address}/hub/api/users").status_code == 403
    assert ada.session.get(f"{hub.address}/hub/admin").status_code == 403
    server = next(
        p.pid for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(hub.folder / "learners/victim")
    )
    code = PRIES.format(home=str(hub.folder / "learners/victim"), hub=str(hub.folder), server=server)
    reached = json.loads(
        ada.compute(code.replace("os.kill(server, signal.SIGTERM)", "os.kill(server, 0)")).replace("'", '"')
    )
    if why := somebody.why_not(hub.folder):
        pytest.skip(f"all are one user here, {why}: the demo says so; reached: {reached}")
    assert reached == []


def section(number, *, without=()):
    """Return the lines of a section of what a class needs, as they stand in the configuration, to be run."""
    text = command.CONFIG.read_text(encoding="utf-8")
    part = re.split(rf"(?m)^# {number}\. ", text)[1]
    part = re.split(r"(?m)^# \d\. ", part)[0]
    lines = [line[5:] for line in part.splitlines() if line.startswith("#    ")]
    return "\n".join(line for line in lines if not any(word in line for word in without))


@pytest.mark.slow
def test_the_lines_for_a_real_class_start_a_hub_with_encryption_and_a_list_of_learners(tmp_path, proxy):
    """Not run: containers, the school's login and the culler of whole servers, for want of what they need."""
    requests = pytest.importorskip("requests")
    if not shutil.which("openssl"):
        pytest.skip("makes a certificate with openssl")
    pem, key, port = tmp_path / "hub.pem", tmp_path / "hub.key", int(free_port())
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(make, check=True, capture_output=True)
    lines = "\n".join(
        [
            command.CONFIG.read_text(encoding="utf-8"),
            section(1),
            section(2, without=["authenticator_class"]),
            "c.Authenticator.allow_all = False",
            section(6).partition("and for whole servers")[0],
            f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{port + 1}'",
            f"c.JupyterHub.hub_port = {port + 81}",
        ]
    )
    lines = lines.replace("https://:443", f"https://127.0.0.1:{port}")
    lines = lines.replace("/etc/ssl/hub.pem", str(pem)).replace("/etc/ssl/hub.key", str(key))
    (tmp_path / "class.py").write_text(lines, encoding="utf-8")
    folder, address = tmp_path / "hub", f"https://127.0.0.1:{port}"
    path = os.pathsep.join([str(proxy), command.search_path(folder)])
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(tmp_path / "class.py")],
            cwd=tmp_path,
            env=os.environ | {"PATH": path, "OPTIM_LESSONS_HUB": str(folder)},
            stdout=log,
            stderr=log,
        )
    try:
        said = SimpleNamespace(
            address=address, folder=folder, log=lambda: (tmp_path / "log").read_text(errors="replace")
        )
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{address}/hub/health", verify=str(pem), timeout=5).ok:
                    break
            assert process.poll() is None, said.log()
            assert time.monotonic() < deadline, said.log()
            time.sleep(0.2)
        said.password = (folder / "password.txt").read_text().strip()
        for name, status in (("ada", 200), ("eve", 403)):
            learner = Learner(said, name)
            learner.session.verify = str(pem)
            assert learner.login()[0].status_code == status, said.log()
            if name == "ada":
                assert "https" in learner.at("")
                assert LESSON in learner.lessons()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/hub/login", timeout=5)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert left(folder) == []


@pytest.mark.slow
def test_after_a_hub_was_killed_the_next_start_names_its_proxy_and_starts_once_that_is_ended(tmp_path, proxy):
    psutil = pytest.importorskip("psutil")
    hub = Hub(tmp_path / "optim-lessons-hub", proxy)
    number = int((hub.folder / "proxy.pid").read_text())
    try:
        os.kill(int((hub.folder / "hub.pid").read_text()), signal.SIGKILL)
        hub.process.kill()
        hub.process.communicate()
        command_line = [sys.executable, "-m", "optim_lessons.course.cli", "hub", "--port", str(hub.port)]
        path = os.pathsep.join([str(proxy), os.environ["PATH"]])
        again = subprocess.run(
            command_line,
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 2
        assert f"its proxy is left (process {number})" in again.stderr
    finally:
        psutil.Process(number).terminate()
    psutil.wait_procs([psutil.Process(number)] if psutil.pid_exists(number) else [], timeout=10)
    second = Hub(tmp_path / "optim-lessons-hub", proxy)
    assert second.end(signal.SIGINT) == 0
    assert left(hub.folder) == []
