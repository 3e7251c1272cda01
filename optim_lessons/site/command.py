"""The command `optim-lessons site`: the whole course as a static site, live without a kernel or a network."""

import argparse
import re
import sys
from importlib.util import find_spec

from optim_lessons.course.copies.workbook import find_lesson, lessons, named_path

STOPS = 60
_ABOUT = """\
Write the course as a static site: every lesson a page, every picture live, without a kernel and without a
network. It works from any web server, and from a disk by a double click on index.html. A second run redoes
what changed."""
_NEEDED = {"sphinx": "Sphinx", "myst_nb": "myst-nb", "furo": "Furo"}


def main(argv):
    """Build the site; return 0, 1 if a part of it cannot be made, 2 for a wrong request."""
    request = _parser().parse_args(argv)
    missing = [words for module, words in _NEEDED.items() if not find_spec(module)]
    if missing:
        return _refuse(f'{missing[0]} is not installed. Type: pip install "optim_lessons[site]"')
    from optim_lessons.site.build import build
    from optim_lessons.site.recordings import NotBuilt

    try:
        folder = named_path(request.folder).absolute()
        cache = named_path(request.cache).absolute() if request.cache else default_cache()
        wanted = [find_lesson(word) for word in request.lesson] if request.lesson else lessons()
        build(folder, sorted(set(wanted)), request.stops, request.repository, cache, request.katex)
    except LookupError as error:
        return _refuse(error)
    except NotBuilt as error:
        _refuse(error)
        return 1
    except OSError as error:
        return _refuse(f"cannot write {error.filename or request.folder!r}: {error.strerror or error}")
    print(f"The site: {folder / 'index.html'}")
    return 0


def _refuse(reason):
    print(f"optim-lessons site: {reason}", file=sys.stderr)
    return 2


def _parser():
    parser = argparse.ArgumentParser(
        prog="optim-lessons site", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", metavar="FOLDER", help="where the site goes: a new folder, or one made before"
    )
    parser.add_argument(
        "--stops",
        type=_stops,
        default=STOPS,
        metavar="N",
        help=f"recorded of each control, at most (default: {STOPS})",
    )
    parser.add_argument(
        "--repository",
        type=_repository,
        metavar="OWNER/NAME",
        help="on GitHub, for links to Binder, Colab and the source",
    )
    parser.add_argument(
        "--lesson",
        action="append",
        metavar="LESSON",
        help="only this one, and page 00 (may be given several times)",
    )
    parser.add_argument(
        "--cache", metavar="PLACE", help="where recordings are kept (default: your cache folder)"
    )
    parser.add_argument(
        "--katex", metavar="FILE", help="npm's package of KaTeX, where there is no network to get it"
    )
    return parser


def _stops(text):
    if not text.isdecimal() or not 3 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of stops: give a whole number from 3 to 1000"
        )
    return int(text)


def _repository(text):
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no repository: write OWNER/NAME, as on GitHub")
    return text


def default_cache():
    """Return where recordings, Sphinx's own files and npm's package are kept."""
    from platformdirs import user_cache_path  # Jupyter brings it

    return user_cache_path("optim_lessons") / "site"
