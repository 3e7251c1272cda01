"""Puts the site together: recordings, sources, Sphinx, and the folder that the reader asked for."""

import hashlib
import io
import json
import re
import shutil
from pathlib import Path

from tqdm import tqdm

from optim_lessons import __version__
from optim_lessons.course.refused import Refused
from optim_lessons.site import pages
from optim_lessons.site.formulas import put_katex
from optim_lessons.site.recordings import NotBuilt, recordings

MARK = ".optim-lessons-site"  # lists what was made, so that nothing else is ever removed


def build(folder, wanted, stops, repository, cache, katex=None):
    """Build the site of some lessons in a folder.

    stops: of each control.  repository: "owner/name" or None.  cache: where recordings and Sphinx's own files
    are kept.  katex: npm's package, if somebody has it.
    Raises Refused if the folder holds something else, NotBuilt if a part cannot be made.
    """
    require_own(folder)
    wanted = sorted({"00_start_here", *wanted})
    work = cache / "work" / hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    sources, extra = work / "sources", work / "extra"
    shutil.rmtree(extra, ignore_errors=True)
    put_katex(sources / "_static/katex", cache, katex)
    recorded = recordings(wanted, stops, cache)
    about = [pages.about_lesson(lesson) for lesson in wanted]
    for lesson in wanted:
        pages.write_lesson(lesson, recorded[lesson], sources, repository, wanted)
    pages.write_start(about, recorded["00_start_here"], sources, repository)
    pages.write_static(sources)
    pages.write_extra(wanted, extra)
    _remove_others(sources, wanted)
    _run_sphinx(sources, work, about, extra, repository)
    _deliver(work / "html", folder)


def require_own(folder):
    """Raise Refused unless a folder is new, empty or a site that this command has made."""
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / MARK).is_file():
            raise Refused(f"{str(folder)!r} holds something else: name a new folder. Nothing was changed")
    elif folder.exists():
        raise Refused(f"{str(folder)!r} is a file: name a folder. Nothing was changed")


def _remove_others(sources, wanted):
    """Remove the sources of lessons that an earlier build was asked for."""
    for path in sources.glob("*.ipynb"):
        if path.stem not in wanted:
            path.unlink()


def _run_sphinx(sources, work, about, extra, repository):
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError

    warnings = io.StringIO()
    try:
        app = Sphinx(
            sources,
            None,
            work / "html",
            work / "doctrees",
            "html",
            confoverrides=settings(about, extra, repository),
            status=None,
            warning=warnings,
        )
        with tqdm(desc="pages", unit=" pages", total=len(app.project.discover())) as bar:

            def count(*_):  # what is returned here would be taken for a template
                bar.update()

            app.connect("html-page-context", count)
            app.build()
    except SphinxError as error:
        raise NotBuilt(f"the pages could not be made: {error}") from None
    said = re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue()).strip()
    if said:
        shutil.rmtree(work / "doctrees", ignore_errors=True)  # else a second try would not say it again
        raise NotBuilt(f"the pages have faults:\n{said}")


def settings(about, extra, repository):
    """Return Sphinx's settings."""
    title = "Optim Lessons"
    address = "https://{}.github.io/{}/".format(*repository.split("/")) if repository else ""
    described = {lesson.name: (lesson.title, lesson.about) for lesson in about}
    return {
        "project": title,
        "html_title": title,
        "html_short_title": title,
        "release": __version__,
        "language": "en",
        "extensions": ["myst_nb", "optim_lessons.site.sphinx_part"],
        "nb_execution_mode": "off",
        "nb_merge_streams": True,
        "myst_enable_extensions": ["dollarmath", "amsmath"],
        "myst_heading_anchors": 3,
        "myst_update_mathjax": False,
        "html_math_renderer": "for_katex",
        "html_theme": "furo",
        "templates_path": [str(pages.HERE / "templates")],
        "html_static_path": ["_static"],
        "html_favicon": "_static/favicon.svg",
        "html_extra_path": [str(extra)],
        "html_css_files": ["katex/katex.min.css", "site.css"],
        "html_js_files": [
            ("katex/katex.min.js", {"defer": "defer"}),
            ("loader.js", {"defer": "defer"}),
        ],
        "html_copy_source": False,
        "html_show_sourcelink": False,
        "html_show_search_summary": False,  # it fetches pages, which a page from a disk cannot
        "html_show_copyright": False,
        "html_permalinks": False,
        "html_use_index": False,
        "lesson_about": described | {"index": (title, pages.ABOUT)},
        "site_address": address,
    }


def _deliver(made, folder):
    """Copy what is new or has changed, and remove what an earlier build had made and this one has not."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / MARK
    before = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else []
    names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    names = [name for name in names if name not in (".buildinfo", "objects.inv")]
    mark.write_text(json.dumps(sorted({*names, *before})), encoding="utf-8")  # a build that is cut short
    for name in names:
        data, path = (made / name).read_bytes(), folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
    for name in set(before) - set(names):
        (folder / Path(name)).unlink(missing_ok=True)
    mark.write_text(json.dumps(names), encoding="utf-8")
