"""The command `optim-lessons`: opens JupyterLab on a copy of the course that is the learner's own.

The commands that have a word of their own, such as `optim-lessons check`, each stand in a module.
"""

import argparse
import errno
import os
import secrets
import sys
from importlib import import_module
from pathlib import Path

from optim_lessons import __version__
from optim_lessons.course.copies import workbook
from optim_lessons.course.copies.upgrade import update
from optim_lessons.course.copies.upgrade_words import in_words
from optim_lessons.course.kernels import prepare_environment

_ABOUT = """\
Open the course in JupyterLab, on a working copy that is yours to write in.
What you have changed in it is never overwritten: a newer edition of a lesson is put beside yours."""
_COMMANDS = """\
optim-lessons check --help    check the answers in your copy
optim-lessons reset --help    put a fresh copy of a lesson beside yours
optim-lessons summary --help  write all rules on one page, to print
optim-lessons site --help     write the course as a site, live in any browser
for teachers:
optim-lessons guide --help    the guide, with a page for each lesson
optim-lessons grade --help    grade a class
optim-lessons hub --help      try the course with several people
optim-lessons nbgrader --help write a course for nbgrader"""
# First words that no lesson's name is, and the modules they run.
_MODULES = {
    "check": "optim_lessons.course.check_command",
    "reset": "optim_lessons.course.reset_command",
    "grade": "optim_lessons.teaching.grade",
    "guide": "optim_lessons.teaching.guide_command",
    "summary": "optim_lessons.teaching.summary",
    "site": "optim_lessons.site.command",
    "hub": "optim_lessons.teaching.hub.command",
    "nbgrader": "optim_lessons.teaching.nbgrader_course",
}


def main(argv=None):
    """Run the command and return its exit status: 2 if something about the request does not work."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a folder's name may not fit the terminal's encoding
    argv = sys.argv[1:] if argv is None else argv
    try:
        try:
            if argv and argv[0] in _MODULES:
                return import_module(_MODULES[argv[0]]).main(argv[1:])
            return _open(argv)
        finally:
            sys.stdout.flush()  # that a reader has gone is seen here, not when Python ends
    except BrokenPipeError:  # whoever read along, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be written
        return 141  # as the shell counts an end by a broken pipe
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _refuse("the disk is full, or what reads this can take no more")


def _open(argv):
    request = _parser().parse_args(argv)
    try:
        lesson = workbook.find_lesson(request.lesson)
        folder = workbook.named_path(request.folder or workbook.default_folder()).absolute()
    except LookupError as error:
        return _refuse(error)
    try:
        report = update(folder)
    except OSError as error:
        return _refuse(workbook.not_written(folder, error))
    new, renewed = len(report.copied), len(report.replaced)
    counts = [f"{new} new", *([f"{renewed} replaced"] if renewed else [])]
    counts.append(f"{len(workbook.lessons()) - new - renewed} kept")
    print("\n".join([f"Your copy of the course: {folder} ({', '.join(counts)})", *in_words(report, folder)]))
    try:
        return _serve(folder, lesson, request.port, request.browser)
    except KeyboardInterrupt:  # before the server was there to take it
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="optim-lessons",
        description=_ABOUT,
        epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "lesson", nargs="?", metavar="LESSON", help="its number or name: 1, 01, gradient_descent (default: 0)"
    )
    parser.add_argument(
        "--folder",
        metavar="F",
        help="the working copy (default: course/ in a clone, else ./optim-lessons-course)",
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address, open no browser"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8888,
        metavar="N",
        help="default: 8888, or the next free one",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _port(text):
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a port is a whole number from 1 to 65535")
    return int(text)


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
            return _refuse(
                f"JupyterLab keeps its own files in {place!r} and cannot write there: {error.strerror}.\n"
                f"Name a folder that you may write to in the environment variable {variable}, then try again."
            )
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


def _refuse(reason):
    print(f"optim-lessons: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
