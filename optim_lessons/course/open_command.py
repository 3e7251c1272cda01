"""The command `optim-lessons`: opens JupyterLab on a copy of the course that is the learner's own."""

import os
import secrets
from pathlib import Path

from optim_lessons import __version__
from optim_lessons.course.arguments import LESSON, add_folder, whole
from optim_lessons.course.copies import workbook
from optim_lessons.course.copies.upgrade import update
from optim_lessons.course.copies.upgrade_words import in_words
from optim_lessons.course.kernels import prepare_environment
from optim_lessons.course.refused import Refused

ABOUT = """\
Open the course in JupyterLab, on a working copy that is yours to write in.
What you have changed in it is never overwritten: a newer edition of a lesson
is put beside yours."""


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument(
        "lesson",
        nargs="?",
        type=workbook.find_lesson,
        default="0",
        metavar="LESSON",
        help=f"{LESSON} (default: 0)",
    )
    add_folder(parser)
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address, open no browser"
    )
    parser.add_argument(
        "--port", type=whole(1, 65535), default=8888, metavar="N", help="default: 8888, or the next free one"
    )
    parser.add_argument("--version", action="version", version=__version__)


def run(arguments):
    """Make or renew the working copy, and serve it until it is ended."""
    folder = arguments.folder.absolute()
    try:
        report = update(folder)
    except OSError as error:
        raise Refused(workbook.not_written(folder, error)) from error
    new, renewed = len(report.copied), len(report.replaced)
    counts = [f"{new} new", *([f"{renewed} replaced"] if renewed else [])]
    counts.append(f"{len(workbook.lessons()) - new - renewed} kept")
    print("\n".join([f"Your copy of the course: {folder} ({', '.join(counts)})", *in_words(report, folder)]))
    return _serve(folder, arguments.lesson, arguments.port, arguments.browser)


def _serve(folder, lesson, port, browser):
    prepare_environment()
    # The course's wishes for JupyterLab, below the user's own: room for the lessons' names in the side bar.
    places = [os.environ.get("JUPYTER_CONFIG_PATH", ""), str(Path(__file__).with_name("jupyter"))]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, places))
    from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir, jupyter_runtime_dir

    for variable, place in {
        "JUPYTER_CONFIG_DIR": jupyter_config_dir(),
        "JUPYTER_DATA_DIR": jupyter_data_dir(),
        "JUPYTER_RUNTIME_DIR": jupyter_runtime_dir(),
    }.items():
        try:
            workbook.make_writable_folder(Path(place))
        except OSError as error:
            raise Refused(
                f"JupyterLab keeps its own files in {place!r} and cannot write there: {error.strerror}.\n"
                f"Name a folder that you may write to in the environment variable {variable}, then try again."
            ) from error
    from jupyterlab.labapp import LabApp  # half a second that a wrong lesson's name need not wait for

    page = f"lab/tree/{lesson}.ipynb"
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={browser}",
        f"--ServerApp.root_dir={folder}",
        # Given here, so that no setting of the user's switches the token off.
        f"--IdentityProvider.token={secrets.token_hex(24)}",
        f"--LabApp.default_url=/{page}",
        "--LabApp.extension_manager=readonly",  # the other one asks the network what it could install
        "--log-level=WARN",
        "--LabApp.log_level=WARN",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("You are root: JupyterLab gets --allow-root, which it asks for before it runs as root.")
        arguments.append("--allow-root")
    server = LabApp.initialize_server(argv=arguments)
    server.web_app.settings["page_config_hook"] = without_news

    def announce():
        address = f"{server.connection_url}{page}?token={server.identity_provider.token}"
        print(f"The course is open at {address}\nControl-C in this window ends it.", flush=True)

    server.io_loop.add_callback(announce)  # after the server's own first callback, which takes the port
    server.start()
    return 0


def without_news(handler, page):
    """Switch off JupyterLab's question about news, and its look for updates, without touching settings."""
    off = [*page.get("disabledExtensions", []), "@jupyterlab/apputils-extension:announcements"]
    return page | {"disabledExtensions": off}
