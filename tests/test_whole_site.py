"""The whole site: built where there is no network, within its budgets, whole for readers on every screen."""

import gzip

import pytest
from offline import can_be_cut_off, without_network
from site_page import SitePage, addresses, katex, require_extra, site

from optim_lessons.course.copies.workbook import pristine
from optim_lessons.course.notebook import sources
from optim_lessons.lab.shipped import shipped

pytestmark = [pytest.mark.slow, pytest.mark.browser]

LESSONS = sorted(path.stem for path in shipped("notebooks").glob("*.ipynb"))
PAGES = ["index", *LESSONS, "search"]
SITE, PAGE = 40_000_000, 400_000  # bytes of the site, and of a page before its first figure is needed


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder of the whole site, built without a network, with few stops of each control."""
    require_extra()
    if not can_be_cut_off():
        pytest.skip("this system cannot take the network from a command")
    folder, cache = tmp_path_factory.mktemp("site") / "course", tmp_path_factory.mktemp("cache")
    done = site(folder, "--stops", "5", "--katex", katex(), cache=cache, before=without_network([]))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_picture_of_every_lesson_moves_and_moves_back_without_a_kernel(lesson, built, browser):
    with addresses("http", built) as address:
        reader = SitePage(browser, address, viewport={"width": 1300, "height": 800})
        reader.open(f"{lesson}.html")
        figures = reader.figures()
        assert [fault for figure in figures for fault in reader.stuck(figure)] == []
        assert len(figures) == sum(source.count("explore(") for source in sources(pristine(lesson)))
        assert (reader.complaints, reader.strangers) == ([], [])
        reader.close()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_serves_all_readers_on_a_dark_phone_from_a_folder(page, built, browser):
    screen = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True}
    reader = SitePage(browser, f"{built.as_uri()}/", **screen)
    reader.open(f"{page}.html")
    for figure in reader.figures():
        reader.wake(figure)
    assert reader.faults() == []
    assert (reader.complaints, reader.strangers) == ([], [])
    reader.close()


def test_the_site_and_each_page_before_its_first_figure_keep_within_their_budgets(built, browser):
    assert sum(path.stat().st_size for path in built.rglob("*") if path.is_file()) <= SITE
    for lesson in LESSONS:
        sent = gzip.compress((built / f"{lesson}.html").read_bytes())
        assert len(sent) + _needed_at_once(built, lesson, browser) <= PAGE, lesson


def _needed_at_once(folder, lesson, browser):
    """Return the bytes, zipped, of the scripts and styles that a page asks for at once."""
    asked = set()
    with addresses("http", folder) as address:
        reader = SitePage(browser, address)
        reader.page.on("request", lambda request: asked.add(request.url.partition("?")[0]))
        reader.page.goto(f"{address}{lesson}.html")
        reader.close()
    files = [folder / url.removeprefix(address) for url in asked if url.startswith(address)]
    return sum(
        len(gzip.compress(path.read_bytes())) for path in files if path.suffix in (".css", ".js", ".json")
    )
