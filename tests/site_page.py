"""The course's site, built and looked at: a server for it, and a reader in front of one page."""

import contextlib
import functools
import http.server
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from lab_page import LabPage

_AXE = {"resultTypes": ["violations"], "preload": False}  # else it gets style sheets anew: a disk refuses
# A page's faults that axe leaves open: it takes an empty sentence for a picture that only decorates, say.
_FAULTS = """() => {
  const all = (what) => [...document.querySelectorAll(what)], faults = [];
  for (const image of all("article img")) {
    if (image.alt.length < 20) faults.push(`no sentence: ${image.src}`);
  }
  const levels = all("article :is(h1, h2, h3, h4, h5, h6)").map((heading) => Number(heading.tagName[1]));
  levels.forEach((level, i) => {
    if (level > (levels[i - 1] ?? 0) + 1) faults.push(`heading ${i} is of level ${level}`);
  });
  for (const table of all("article table")) {
    if (!table.querySelector("th")) faults.push(`no headers: ${table.textContent.slice(0, 40)}`);
  }
  for (const formula of all(".ol-math")) {
    const set = formula.querySelector(".katex") && !formula.querySelector(".katex-error");
    if (!set) faults.push(`not set: ${formula.textContent}`);
  }
  const wide = document.documentElement.scrollWidth, screen = document.documentElement.clientWidth;
  if (wide > screen) faults.push(`${wide} pixels wide on a screen of ${screen}`);
  return faults;
}"""
NEEDED = ("furo", "myst_nb", "sphinx")


def require_extra():
    """Skip a test where the extra `site` is not installed (in CI, a skipped browser test fails)."""
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        pytest.skip(f'{missing[0]} is not here: pip install -e ".[site]"')


@functools.cache
def katex():
    """Return npm's package of KaTeX from the reader's cache, or get it; skip where that does not work."""
    from optim_lessons.site.command import default_cache
    from optim_lessons.site.formulas import PACKAGE, get_package
    from optim_lessons.site.recordings import NotBuilt

    package = default_cache() / PACKAGE
    try:
        if not package.is_file():
            get_package(package)
    except NotBuilt as error:
        pytest.skip(str(error))
    return package


def site(folder, *options, cache, before=()):
    """Run `optim-lessons site`; return what ended.  before: words before the command."""
    command = [sys.executable, "-m", "optim_lessons.course.cli", "site", str(folder), "--cache", str(cache)]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    environment.pop("MPLBACKEND", None)
    return subprocess.run(
        [*before, *command, *map(str, options)],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder, under="some/place"):
    """Serve a folder under a path of its own; yield the address that stands before its files' names."""

    class Handler(_Quiet):
        def translate_path(self, path):
            return super().translate_path(path.removeprefix(f"/{under}"))

        def send_head(self):
            if self.path.startswith(f"/{under}/"):
                return super().send_head()
            self.send_error(404)

    make = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{under}/"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def addresses(how, folder):
    """Yield the address of a folder: over "http", or from a disk ("file")."""
    if how == "file":
        yield Path(folder).as_uri() + "/"
    else:
        with served(folder) as address:
            yield address


class SitePage(LabPage):
    """A page of the site in a browser; whatever is not of the site is blocked, and noted in `strangers`."""

    def __init__(self, browser, address, **context):
        self.context = browser.new_context(**context)
        page = self.context.new_page()
        super().__init__(page, lambda name: address + name)
        self.root = address
        page.route("**/*", self._let_through)
        page.on(
            "response", lambda r: self.complaints.append(f"{r.status}: {r.url}") if r.status >= 400 else None
        )
        page.on("requestfailed", lambda r: self.complaints.append(f"failed: {r.url}"))

    def _note(self, request):
        """Note nothing here: `_let_through` does."""

    def _let_through(self, route):
        url = route.request.url
        if url.startswith((self.root, "data:", "blob:")):
            route.continue_()
        else:
            self.strangers.append(url)
            route.abort()

    def open(self, name):
        """Open one of the site's pages, wait until it is set, and begin to watch."""
        self.page.goto(self.address(name))
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('.ol-math')].some(m => !m.children.length)"
        )
        self.watch()

    def faults(self):
        """Return what keeps this page from some of its readers, in words.

        Pictures without a sentence, headings out of order, tables without headers, formulas not set, what
        axe finds, and what is wider than the screen.
        """
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        found = [
            f"{one['id']}: {node['target']}"
            for one in axe.run(self.page, options=_AXE).response["violations"]
            for node in one["nodes"]
        ]
        return found + self.page.evaluate(_FAULTS)

    def figures(self):
        """Return the live figures, in order."""
        return self.page.locator(".ol-figure").all()

    def wake(self, figure):
        """Go to a figure, wait until it is live, and return its explorer."""
        figure.scroll_into_view_if_needed()
        explorer = figure.locator(".optim-lessons-explorer")
        self.page.wait_for_function("f => f.classList.contains('ol-live')", arg=figure.element_handle())
        return explorer

    def to_and_fro(self, explorer, control):
        """Move a control and move it back; return the picture and its sentence before, away, and after."""
        forth, back = self.keys(control)
        seen = []
        for key in (None, forth, back):
            if key:
                control.focus()
                self.page.keyboard.press(key)
            picture = self.picture(explorer)
            seen.append((picture, explorer.locator(".ol-sentence").inner_text()))
        return seen

    def stuck(self, figure):
        """Move all controls of a figure and move them back; return what did not follow, in words."""
        explorer = self.wake(figure)
        found, sentences = [], set()
        for control in self.controls(explorer):
            name = f"{figure.get_attribute('id')}, {control.get_attribute('data-knob')}"
            before, away, after = self.to_and_fro(explorer, control)
            sentences |= {before[1], away[1]}
            if before[0] == away[0]:
                found.append(f"{name}: the picture stays")
            if after != before:
                found.append(f"{name}: picture or sentence do not come back")
        return found if len(sentences) > 1 else [*found, f"{figure.get_attribute('id')}: one sentence"]

    def close(self):
        """Close the page."""
        self.context.close()
