"""A person opens each lesson in JupyterLab, runs it, moves every slider, and drags one of each picture."""

import nbformat
import pytest
from lab_page import CHROMIUM_ARGUMENTS, LabPage

from optim_lessons.lab.shipped import shipped

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted(path.name for path in shipped("notebooks").glob("*.ipynb"))
START = "00_start_here.ipynb"


@pytest.fixture(scope="module")
def browser(chromium):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


def readings_of(notebook):
    """Return the readings of a notebook's explorers, as they are stored in it."""
    cells = nbformat.read(shipped("notebooks") / notebook, as_version=4).cells
    shown = [
        cell.outputs[-1].data for cell in cells if cell.cell_type == "code" and "explore(" in cell.source
    ]
    return [data["text/plain"] for data in shown]


@pytest.fixture(params=NOTEBOOKS)
def lesson(browser, lab_server, request):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    lab = LabPage(page, lab_server.address)
    lab.open(request.param)
    lab.run_all()
    lab.expected = readings_of(request.param)
    yield lab
    page.close()


def test_every_slider_of_a_lesson_moves_its_picture_and_the_last_picture_shows_the_last_value(lesson):
    explorers = lesson.explorers()
    readings = [explorer.locator("[role=status]").text_content() for explorer in explorers]
    assert readings == lesson.expected, "the page has moved a slider by itself"
    for explorer in explorers:
        explorer.scroll_into_view_if_needed()
        handles = explorer.locator(".noUi-handle").all()
        assert handles
        for handle in handles:
            _by_key(lesson, explorer, handle)
        _by_mouse(lesson, explorer, handles[0])
    assert lesson.complaints == []
    assert lesson.strangers == []


def _by_key(lesson, explorer, handle):
    before = lesson.picture(explorer)
    for _ in range(2):
        lesson.press(handle, "ArrowLeft" if _at_the_end(handle) else "ArrowRight")
        after = lesson.picture(explorer)
        assert after != before, f"{_name(handle)}: a key left the picture as it was"
        before = after


def _by_mouse(lesson, explorer, handle):
    back = "ArrowRight" if _at_the_end(handle) else "ArrowLeft"
    forth = "ArrowRight" if back == "ArrowLeft" else "ArrowLeft"
    before = lesson.picture(explorer)
    assert lesson.drag(handle, 40 if back == "ArrowLeft" else -40) >= 1, _name(handle)
    dragged = lesson.picture(explorer)
    assert dragged != before
    if _at_the_end(handle):
        back, forth = "ArrowLeft", "ArrowRight"
    lesson.press(handle, back)
    lesson.press(handle, forth)
    assert lesson.picture(explorer) == dragged, f"{_name(handle)}: the drag ended on another value's picture"


def _at_the_end(handle):
    now, end = (float(handle.get_attribute(f"aria-value{name}")) for name in ("now", "max"))
    return now >= end - 1e-9


def _name(handle):
    return handle.evaluate("h => h.closest('.widget-inline-hbox, .jupyter-widgets').innerText")


def test_running_the_cell_again_leaves_one_explorer_and_one_picture_per_key(browser, lab_server):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    lab = LabPage(page, lab_server.address)
    lab.open(START)
    for _ in range(5):
        lab.run_all()
    explorers = lab.explorers()
    assert len(explorers) == len(readings_of(START))
    handle = explorers[0].locator(".noUi-handle").first
    handle.focus()
    lab.record()
    page.keyboard.press("ArrowRight")
    lab.rest(500)
    assert len(lab.record()[1]) == 1
    here = float(handle.get_attribute("aria-valuenow"))
    lab.press(handle, "PageUp")
    assert float(handle.get_attribute("aria-valuenow")) == here + 5
    assert lab.complaints == []
    page.close()
