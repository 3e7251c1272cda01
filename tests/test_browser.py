"""A person opens each lesson in JupyterLab, makes its pictures, moves every slider, and drags one of each."""

import contextlib

import nbformat
import pytest
from lab_page import LabPage, leave_out_the_rest

from optim_lessons.lab.shipped import shipped

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted(path.name for path in shipped("notebooks").glob("*.ipynb"))
START = "00_start_here.ipynb"
WIDE = {"width": 1600, "height": 1000}  # room for every picture: a late scroll bar leaves it as large
WHOLE = "14_beyond_adam.ipynb"  # of the others, what leads to no picture is left to test_notebooks.py


def readings_of(notebook):
    """Return the readings of a notebook's explorers, as they are stored in it."""
    cells = nbformat.read(shipped("notebooks") / notebook, as_version=4).cells
    shown = [
        cell.outputs[-1].data for cell in cells if cell.cell_type == "code" and "explore(" in cell.source
    ]
    return [data["text/plain"] for data in shown]


@pytest.fixture(scope="module")
def lab(browser, lab_server):
    """Open JupyterLab once for all lessons."""
    lab = LabPage(browser.new_page(viewport=WIDE), lab_server.address)
    lab.open(START)
    lab.close()
    yield lab
    lab.page.close()


@contextlib.contextmanager
def opened(lab, server, notebook):
    """Open a notebook from the side bar; close it again, and end its kernel."""
    lab.complaints.clear()
    if notebook != WHOLE:
        leave_out_the_rest(server.folder / notebook)
    lab.choose(notebook)
    yield
    lab.close()
    server.end_kernels()


@pytest.fixture(params=NOTEBOOKS)
def lesson(lab, lab_server, request):
    with opened(lab, lab_server, request.param):
        assert not lab.page.locator(".jp-mod-dirty").count(), "what was only opened is marked as changed"
        lab.run_all()
        lab.expected = readings_of(request.param)
        yield lab


def test_every_control_of_a_lesson_moves_its_picture_and_moves_it_back_and_has_a_name(lesson):
    explorers = [explorer.element_handle() for explorer in lesson.explorers()]
    readings = [_reading(explorer) for explorer in explorers]
    assert readings == lesson.expected, "the page has moved a slider by itself"
    for explorer in explorers:
        explorer.scroll_into_view_if_needed()
        controls = explorer.query_selector_all("[data-knob]")
        assert controls
        for control in controls:
            _by_key(lesson, explorer, control)
        _by_mouse(lesson, explorer)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert axe.Axe().run(lesson.page, context=".optim-lessons-explorer").response["violations"] == []
    assert lesson.complaints == []
    assert lesson.strangers == []


def _reading(explorer):
    return explorer.query_selector("[role=status]").text_content()


def _by_key(lesson, explorer, control):
    name = control.get_attribute("data-knob")
    before = lesson.picture(explorer)
    reading = _reading(explorer)
    forth, back = lesson.keys(control)
    control.focus()
    lesson.page.keyboard.press(forth)
    assert lesson.picture(explorer) != before, f"{name}: a key left the picture as it was"
    lesson.page.keyboard.press(back)
    assert lesson.picture(explorer) == before, f"{name}: back at its place, the picture is another one"
    assert _reading(explorer) == reading


def _by_mouse(lesson, explorer):
    slider = explorer.query_selector("input[type=range]")
    if not slider:
        return
    before = lesson.picture(explorer)
    lesson.drag(slider, "left" if lesson.keys(slider)[0] == "ArrowLeft" else "right")
    dragged = lesson.picture(explorer)
    assert dragged != before
    forth, back = lesson.keys(slider)
    slider.press(forth)
    slider.press(back)
    assert lesson.picture(explorer) == dragged, "the drag ended on another value's picture"


def test_running_the_cell_again_leaves_one_explorer_and_one_picture_per_key(lab, lab_server):
    with opened(lab, lab_server, START):
        for _ in range(2):
            lab.run_all()
        explorers = lab.explorers()
        assert len(explorers) == len(readings_of(START))
        slider = explorers[0].locator("input[type=range]").first
        slider.focus()
        lab.record()
        lab.page.keyboard.press("ArrowRight")
        lab.rest(500)
        assert len(lab.record()[1]) == 1
        here = float(slider.input_value())
        slider.press("PageUp")
        assert float(slider.input_value()) > here + 1
        assert lab.complaints == []
