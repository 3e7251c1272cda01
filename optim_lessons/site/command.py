"""The command `optim-lessons site`: the whole course as a static site, live without a kernel or a network."""

import argparse
import re
from importlib.util import find_spec

from optim_lessons.course.arguments import add_lessons, whole
from optim_lessons.course.copies.workbook import lessons, named_path
from optim_lessons.course.refused import Refused

ABOUT = """\
Write the course as a static site: every lesson a page, every picture live, without a kernel and without a
network. It works from any web server, and from a disk by a double click on index.html. A second run redoes
what changed."""
STOPS = 60
_NEEDED = {"sphinx": "Sphinx", "myst_nb": "myst-nb", "furo": "Furo"}


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument(
        "folder",
        type=named_path,
        metavar="FOLDER",
        help="where the site goes: a new folder, or one made before",
    )
    parser.add_argument(
        "--stops",
        type=whole(3, 1000),
        default=STOPS,
        metavar="N",
        help=f"values recorded of each slider, at most (default: {STOPS})",
    )
    parser.add_argument(
        "--repository",
        type=_repository,
        metavar="OWNER/NAME",
        help="on GitHub, for links to Binder, Colab and the source",
    )
    add_lessons(parser, "only this one, or these: 0,1,4, and page 00 (default: all)")
    parser.add_argument(
        "--cache",
        type=named_path,
        metavar="PLACE",
        help="where recordings are kept (default: your cache folder)",
    )
    parser.add_argument(
        "--katex",
        type=named_path,
        metavar="FILE",
        help="npm's package of KaTeX, where there is no network to get it",
    )


def run(arguments):
    """Build the site, and say where it is."""
    missing = [words for module, words in _NEEDED.items() if not find_spec(module)]
    if missing:
        raise Refused(f'{missing[0]} is not installed. Type: pip install "optim_lessons[site]"')
    from optim_lessons.site.build import build

    folder = arguments.folder.absolute()
    cache = arguments.cache.absolute() if arguments.cache else default_cache()
    wanted = sorted(set(arguments.lesson or lessons()))
    try:
        build(folder, wanted, arguments.stops, arguments.repository, cache, arguments.katex)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = str(error.filename or arguments.folder)
        raise Refused(f"cannot write {place!r}: {error.strerror or error}") from error
    print(f"The site: {folder / 'index.html'}")
    return 0


def _repository(text):
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no repository: write OWNER/NAME, as on GitHub")
    return text


def default_cache():
    """Return where recordings, Sphinx's own files and npm's package are kept."""
    from platformdirs import user_cache_path  # Jupyter brings it

    return user_cache_path("optim_lessons") / "site"
