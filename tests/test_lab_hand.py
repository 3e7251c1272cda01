"""A hand on an explorer in JupyterLab and Notebook 7: mouse, keys, touch and ear, and what may go wrong."""

import contextlib
import json
import re
import time
from itertools import pairwise

import nbformat
import pytest
from lab_page import LabPage, leave_out_the_rest

pytestmark = pytest.mark.browser

VALLEY = """\
from optim_lessons.adam import adam
from optim_lessons.lab.explore import explore
from optim_lessons.landscapes import rosenbrock
valley = explore(adam, rosenbrock, lr=0.05, steps=20)
valley"""
AGAIN = "valley"
LESSON = "01_gradient_descent.ipynb"
FRAGILE = """\
from optim_lessons.lab.live import Scene
def build(figure):
    line = figure.subplots().plot([], [], animated=True)[0]
    def move(*, x, words):
        if x > 1:
            raise ValueError(f"x is {x:g}, which is too large")
        line.set_data([0, x], [0, 1])
        return f"x is {x:g}. " + "This sentence is long. " * words
    return move
explore(Scene(build, {"x": 0.5, "words": 1}), x=(0.0, 2.0), words=(1, 40))"""
ENDLESS = """\
while globals().get("ran_before"):
    pass
ran_before = True"""
STUCK = """\
import ctypes
ctypes.PyDLL(None).sleep(globals().get("seconds", 0))  # nothing else runs in this kernel meanwhile
seconds = 12"""
MEMORY = """\
from pathlib import Path
from comm import get_comm_manager
import gc; gc.collect()
rss = int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
print("comms", len(get_comm_manager().comms), "memory", rss)"""
# Counts what the page says to the kernel.
_LISTEN = """() => {
  window.said = 0;
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) { window.said++; return send.call(this, data); };
}"""
VALLEY_CELL, AGAIN_CELL, FRAGILE_CELL, ENDLESS_CELL, STUCK_CELL = range(5)


def notebook(*sources):
    """Return a notebook with these cells."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


@contextlib.contextmanager
def opened(browser, server, name, *sources):
    """Write a notebook, open it in JupyterLab, run it all, and yield its LabPage."""
    nbformat.write(notebook(*sources), server.folder / name)
    lab = LabPage(browser.new_page(viewport={"width": 1400, "height": 1000}), server.address)
    lab.open(name)
    lab.run_all()
    yield lab
    lab.page.close()


@pytest.fixture(scope="module")
def lab_of_all(browser, lab_server):
    """Open JupyterLab once for all tests."""
    with opened(browser, lab_server, "hand.ipynb", VALLEY, AGAIN, FRAGILE, ENDLESS, STUCK) as lab:
        yield lab


@pytest.fixture
def lab(lab_of_all):
    """Return JupyterLab with every knob at its default; the page has complained of nothing at the end."""
    lab_of_all.page.locator(".ol-home").evaluate_all("all => all.forEach(one => one.click())")
    settled(lab_of_all)
    lab_of_all.complaints.clear()
    yield lab_of_all
    assert lab_of_all.complaints == []
    assert lab_of_all.strangers == []


@pytest.fixture
def valley(lab):
    return in_sight(lab, VALLEY_CELL)


@pytest.fixture
def fragile(lab):
    return in_sight(lab, FRAGILE_CELL)


def in_sight(lab, cell):
    explorer = lab.page.locator(".jp-CodeCell").nth(cell).locator(".optim-lessons-explorer")
    explorer.locator(".ol-controls").scroll_into_view_if_needed()
    return explorer


def settled(lab):
    """Wait until every picture is that of its controls, and the kernel is told."""
    lab.page.wait_for_timeout(250)
    lab.page.wait_for_function("() => !document.querySelector('.optim-lessons-explorer[aria-busy]')")
    lab.page.wait_for_timeout(50)


def knob(explorer, name):
    return explorer.locator(f'[data-knob="{name}"]')


def box(explorer, name):
    return explorer.locator(f'[data-value="{name}"]')


def type_value(explorer, name, text):
    box(explorer, name).fill(text)
    box(explorer, name).press("Enter")


_SHOWS = "([root, at, value]) => JSON.parse(root.dataset.shown ?? '[]')[at] === value"


def wait_for(explorer, **values):
    """Wait until the picture of these values is shown; the control, and its words, say the same."""
    names = explorer.locator("[data-knob]").evaluate_all("all => all.map(one => one.dataset.knob)")
    for name, value in values.items():
        root = explorer.element_handle()
        explorer.page.wait_for_function(_SHOWS, arg=[root, names.index(name), value], timeout=10_000)
        assert knob(explorer, name).get_attribute("aria-valuetext") == f"{value:.4g}"


def shown(explorer, name):
    """Return the value of a knob that the picture shows."""
    names = explorer.locator("[data-knob]").evaluate_all("all => all.map(one => one.dataset.knob)")
    return json.loads(explorer.get_attribute("data-shown"))[names.index(name)]


def sentence(explorer):
    return explorer.locator("[role=status]").text_content()


def problem(explorer):
    return explorer.locator("[role=alert]").text_content()


# --- by keyboard --------------------------------------------------------------------------------------


def test_any_number_in_the_range_can_be_typed(lab, valley):
    before, words = lab.picture(valley), sentence(valley)
    for text, value in (("0.0512", 0.0512), ("0,07", 0.07), ("1e-3", 0.001), ("10", 10.0)):
        type_value(valley, "lr", text)
        wait_for(valley, lr=value)
        assert box(valley, "lr").input_value() == f"{value:.4g}"
        assert problem(valley) == ""
        assert lab.picture(valley) != before
        assert sentence(valley) != words


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lr", "100", "lr: 100 is outside 0.0001 to 10."),
        ("lr", "-0.1", "lr: -0.1 is outside 0.0001 to 10."),
        ("lr", "quick", "lr: “quick” is no number. Type one from 0.0001 to 10."),
        ("lr", "nan", "lr: “nan” is no number. Type one from 0.0001 to 10."),
        ("lr", "", "lr: “” is no number. Type one from 0.0001 to 10."),
        ("steps", "2.5", "steps: 2.5 is no whole number. Type one from 1 to 300."),
    ],
)
def test_what_cannot_be_typed_leaves_the_value_and_says_what_can(lab, valley, name, text, said):
    before = lab.picture(valley), shown(valley, name), box(valley, name).input_value()
    type_value(valley, name, text)
    assert problem(valley) == said
    assert valley.locator("[role=alert]").is_visible()
    assert box(valley, name).get_attribute("aria-invalid") == "true"
    assert (lab.picture(valley), shown(valley, name), box(valley, name).input_value()) == before
    type_value(valley, "lr", "0.06")
    wait_for(valley, lr=0.06)
    assert problem(valley) == ""
    assert box(valley, name).get_attribute("aria-invalid") != "true" or name != "lr"


def test_a_value_that_code_has_set_is_in_the_box_although_a_hand_has_just_typed_there(lab, valley):
    type_value(valley, "lr", "0.06")
    wait_for(valley, lr=0.06)
    knob(valley, "lr").evaluate("one => { one.value -= 1; one.dispatchEvent(new Event('input')); }")
    wait_for(valley, lr=0.058)
    assert box(valley, "lr").input_value() == "0.058"
    box(valley, "lr").blur()
    settled(lab)
    assert shown(valley, "lr") == 0.058


def test_escape_forgets_what_was_typed(lab, valley):
    box(valley, "lr").fill("0.5")
    box(valley, "lr").press("Escape")
    box(valley, "beta1").focus()
    settled(lab)
    assert shown(valley, "lr") == 0.05
    assert box(valley, "lr").input_value() == "0.05"


def test_a_double_click_and_the_small_button_lead_back_to_the_default(lab, valley):
    before = lab.picture(valley)
    home = valley.get_by_role("button", name="lr: back to 0.05")
    assert home.count() == 0 or not home.is_visible()
    for back in (lambda: knob(valley, "lr").dblclick(position={"x": 30, "y": 8}), lambda: home.click()):
        type_value(valley, "lr", "1")
        wait_for(valley, lr=1.0)
        back()
        wait_for(valley, lr=0.05)
        settled(lab)
        assert lab.picture(valley) == before


def test_every_key_of_a_slider_works_and_the_notebook_keeps_still(lab, valley):
    slider = knob(valley, "steps")
    slider.focus()
    scrolled = lab.page.evaluate("() => document.activeElement.getBoundingClientRect().y")
    for key, value in (
        ("End", 300),
        ("ArrowLeft", 299),
        ("ArrowDown", 298),
        ("Home", 1),
        ("ArrowRight", 2),
        ("ArrowUp", 3),
    ):
        slider.press(key)
        wait_for(valley, steps=value)
    slider.press("PageUp")
    lab.page.wait_for_timeout(100)
    assert 10 <= shown(valley, "steps") <= 100
    slider.press("PageDown")
    wait_for(valley, steps=3)
    assert slider.evaluate("one => document.activeElement === one")
    assert lab.page.evaluate("() => document.activeElement.getBoundingClientRect().y") == scrolled


# --- for the ear --------------------------------------------------------------------------------------


def test_the_sentence_is_spoken_when_the_hand_rests_and_not_before(lab, valley):
    live = valley.locator("[role=status]")
    settled(lab)
    lab.page.wait_for_timeout(600)
    assert live.get_attribute("aria-live") == "polite"
    for _ in range(8):
        knob(valley, "lr").press("ArrowRight")
        assert live.get_attribute("aria-live") == "off"
        lab.page.wait_for_timeout(30)
    lab.page.wait_for_timeout(900)
    assert live.get_attribute("aria-live") == "polite"


def test_picture_and_controls_say_in_words_what_they_show(lab, valley):
    picture = valley.get_by_role("img")
    for lr in (0.05, 0.1):
        type_value(valley, "lr", f"{lr}")
        wait_for(valley, lr=lr)
        assert picture.get_attribute("aria-label") == sentence(valley)
        assert sentence(valley).startswith("Adam")
    for name in ("lr", "beta1", "beta2", "eps", "start x", "start y", "steps"):
        assert valley.get_by_role("slider", name=name, exact=True).count() == 1, name
        assert valley.get_by_role("textbox", name=f"{name}, type a value", exact=True).count() == 1, name


def test_axe_finds_nothing_to_complain_of(lab, valley):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(lab.page, context=".optim-lessons-explorer")
    assert found.response["violations"] == []
    assert len(found.response["passes"]) > 10


# --- by mouse and by touch ----------------------------------------------------------------------------


def test_nothing_moves_under_the_mouse_when_a_sentence_grows(lab, fragile):
    slider = knob(fragile, "words")
    slider.scroll_into_view_if_needed()
    before, height = slider.bounding_box(), fragile.bounding_box()["height"]
    lab.drag(slider, "right")
    lab.page.wait_for_timeout(100)
    slider.press("End")
    wait_for(fragile, words=40)
    tall = fragile.bounding_box()["height"]
    assert tall > height + 10
    assert slider.bounding_box() == before
    slider.press("Home")
    wait_for(fragile, words=1)
    assert fragile.bounding_box()["height"] == tall, "what is below jumps back"


def test_play_moves_the_steps_from_their_start_to_their_value_and_stops_there(lab, valley):
    type_value(valley, "steps", "60")
    wait_for(valley, steps=60)
    settled(lab)
    before = lab.picture(valley)
    lab.record()
    seen = plays(lab, valley, 100)
    valley.get_by_role("button", name="play steps").wait_for(timeout=20_000)
    wait_for(valley, steps=60)
    steps = seen()
    assert steps[0] == 1
    assert steps == sorted(steps)
    assert len(steps) > 30
    assert lab.picture(valley) == before


_NOTE = """root => {
  root.seen = [];
  const names = [...root.querySelectorAll("[data-knob]")].map(one => one.dataset.knob);
  const at = names.indexOf("steps");
  root.noting?.disconnect();
  root.noting = new MutationObserver(() => root.seen.push(JSON.parse(root.dataset.shown)[at]));
  root.noting.observe(root, { attributeFilter: ["data-shown"] });
}"""


def plays(lab, explorer, milliseconds):
    """Press play; return a function that tells which steps were shown since."""
    explorer.evaluate(_NOTE)
    explorer.get_by_role("button", name="play steps").click()
    lab.page.wait_for_timeout(milliseconds)
    return lambda: explorer.evaluate("root => root.seen")


def test_play_pauses_where_it_is_and_goes_on(lab, valley):
    type_value(valley, "steps", "100")
    wait_for(valley, steps=100)
    seen = plays(lab, valley, 1000)
    valley.get_by_role("button", name="pause steps").click()
    settled(lab)
    paused = shown(valley, "steps")
    assert 1 < paused < 100
    lab.page.wait_for_timeout(300)
    assert shown(valley, "steps") == paused
    valley.get_by_role("button", name="play steps").click()
    wait_for(valley, steps=100)
    assert seen() == sorted(seen())


def test_a_hand_on_a_control_ends_the_play(lab, valley):
    type_value(valley, "steps", "100")
    wait_for(valley, steps=100)
    plays(lab, valley, 500)
    knob(valley, "lr").press("ArrowRight")
    valley.get_by_role("button", name="play steps").wait_for()
    settled(lab)
    stands = shown(valley, "steps")
    assert stands < 100
    lab.page.wait_for_timeout(300)
    assert shown(valley, "steps") == stands


def test_for_who_wishes_less_motion_play_shows_a_picture_a_second(lab, valley):
    type_value(valley, "steps", "100")
    wait_for(valley, steps=100)
    lab.page.emulate_media(reduced_motion="reduce")
    seen = plays(lab, valley, 2500)
    assert 1 <= len(seen()) <= 3
    valley.get_by_role("button", name="pause steps").click()
    lab.page.emulate_media(reduced_motion="no-preference")


def middle(locator):
    area = locator.bounding_box()
    return area["x"] + area["width"] / 2, area["y"] + area["height"] / 2


def test_the_start_is_dragged_in_the_picture_and_follows_the_pointer(lab, valley):
    ground, handle = valley.locator(".ol-ground"), valley.locator(".ol-handle")
    ground.scroll_into_view_if_needed()
    area = ground.bounding_box()
    words = sentence(valley)
    assert ground.evaluate("one => getComputedStyle(one).cursor") == "crosshair"
    for part_x, part_y in ((0.25, 0.25), (0.5, 0.75)):
        x, y = area["x"] + part_x * area["width"], area["y"] + part_y * area["height"]
        lab.page.mouse.move(*middle(handle))
        lab.page.mouse.down()
        lab.page.mouse.move(x, y, steps=8)
        lab.page.mouse.up()
        settled(lab)
        assert middle(handle) == pytest.approx((x, y), abs=1.5)
        place = shown(valley, "start_x"), shown(valley, "start_y")
        assert place == pytest.approx((-2 + 4 * part_x, 3 - 4 * part_y), abs=0.02)
    assert sentence(valley) != words


def test_while_the_start_of_a_walk_is_dragged_nothing_is_said_to_the_kernel(lab, valley):
    area = valley.locator(".ol-ground").bounding_box()
    settled(lab)
    lab.page.wait_for_timeout(500)  # what was told after the last move has been told
    lab.page.evaluate(_LISTEN)
    lab.record()
    lab.page.mouse.move(area["x"] + 40, area["y"] + 40)
    lab.page.mouse.down()
    for i in range(30):
        lab.page.mouse.move(area["x"] + 40 + 5 * i, area["y"] + 40 + 3 * i)
        lab.page.wait_for_timeout(20)
    said, (moves, pictures) = lab.page.evaluate("() => window.said"), lab.record()
    lab.page.mouse.up()
    settled(lab)
    rests = sum(after - before > 100 for before, after in pairwise(moves))
    assert said <= rests  # a machine that stops for a while rests the hand
    assert len(pictures) > 10
    lab.page.wait_for_function("() => window.said > 0")  # the values, once the hand rests


def test_the_start_is_put_where_the_picture_is_pressed_and_moved_by_arrow_keys(lab, valley):
    ground, handle = valley.locator(".ol-ground"), valley.locator(".ol-handle")
    ground.scroll_into_view_if_needed()
    ground.click(position={"x": 60, "y": 60})
    settled(lab)
    x, y = shown(valley, "start_x"), shown(valley, "start_y")
    assert (x, y) != (-1.5, 2.0)
    assert handle.evaluate("one => document.activeElement === one")
    handle.press("ArrowRight")
    handle.press("ArrowDown")
    settled(lab)
    assert x < shown(valley, "start_x") < x + 0.2
    assert y - 0.2 < shown(valley, "start_y") < y
    assert f"start x {shown(valley, 'start_x'):.4g}" in handle.get_attribute("aria-label")


def test_a_finger_drags_the_start_and_scrolls_the_page_beside_it(lab, valley):
    ground, handle = valley.locator(".ol-ground"), valley.locator(".ol-handle")
    ground.scroll_into_view_if_needed()
    screen = lab.page.context.new_cdp_session(lab.page)
    screen.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    area = ground.bounding_box()
    end = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    try:
        swipe(screen, middle(handle), end)
        settled(lab)
        assert middle(handle) == pytest.approx(end, abs=1.5)
        assert (shown(valley, "start_x"), shown(valley, "start_y")) == pytest.approx((0, 1), abs=0.02)
        beside = area["x"] + 30, area["y"] + 0.8 * area["height"]
        swipe(screen, beside, (beside[0], beside[1] - 5))
        settled(lab)
        assert (shown(valley, "start_x"), shown(valley, "start_y")) == pytest.approx((0, 1), abs=0.02)
    finally:
        screen.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


def swipe(screen, start, end):
    """Put a finger down, move it, and lift it."""
    for part in range(6):
        x, y = (a + (b - a) * part / 5 for a, b in zip(start, end, strict=True))
        kind = "touchMove" if part else "touchStart"
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    screen.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


# --- several views, a page that is loaded again, a dark page ------------------------------------------


def test_two_views_of_one_explorer_show_the_same(lab, valley):
    other = lab.page.locator(".jp-CodeCell").nth(AGAIN_CELL).locator(".optim-lessons-explorer")
    for moved in (valley, other):
        knob(moved, "lr").press("ArrowRight")
        settled(lab)
        assert lab.picture(valley) == lab.picture(other)
        assert sentence(valley) == sentence(other)
        assert shown(valley, "lr") == shown(other, "lr") > 0.05
        assert knob(valley, "lr").input_value() == knob(other, "lr").input_value()


def test_a_page_that_is_loaded_again_shows_the_whole_picture_and_its_values(lab, valley):
    type_value(valley, "steps", "137")  # other numbers along the axis
    wait_for(valley, steps=137)
    type_value(valley, "lr", "0.0123")
    wait_for(valley, lr=0.0123)
    settled(lab)
    before = lab.picture(valley), sentence(valley)
    lab.page.click('.lm-MenuBar-itemLabel:text-is("File")')
    lab.page.click('.lm-Menu-itemLabel:text-is("Save Notebook")')
    lab.page.wait_for_timeout(1000)
    lab.page.reload()
    again = in_sight(lab, VALLEY_CELL)
    again.locator("canvas").wait_for(timeout=60_000)
    wait_for(again, lr=0.0123)
    assert (lab.picture(again), sentence(again)) == before
    knob(again, "lr").press("ArrowRight")
    settled(lab)
    assert lab.picture(again) != before[0]
    lab.watch()


_SEEN = """one => {
  let ground = one;
  while (ground && getComputedStyle(ground).backgroundColor.endsWith(", 0)")) ground = ground.parentElement;
  return [getComputedStyle(one).color, getComputedStyle(ground).backgroundColor];
}"""
_CORNER = "one => [...one.getContext('2d').getImageData(2, 2, 1, 1).data]"


def choose_theme(page, name):
    page.click('.lm-MenuBar-itemLabel:text-is("Settings")')
    page.hover('.lm-Menu-itemLabel:text-is("Theme")')
    page.click(f'.lm-Menu-itemLabel:text-is("{name}")')
    page.wait_for_selector(f'body[data-jp-theme-name="{name}"]', state="attached")
    page.wait_for_timeout(300)


def test_pictures_and_words_suit_a_dark_theme_chosen_while_the_page_is_open(lab, valley, fragile):
    light = lab.picture(valley)
    choose_theme(lab.page, "JupyterLab Dark")
    try:
        assert sum(valley.locator("canvas").evaluate(_CORNER)[:3]) < 120
        type_value(fragile, "x", "1.5")
        fragile.locator("[role=alert]:visible").wait_for()
        for place in (".ol-label", ".ol-sentence", ".ol-problem", ".ol-value", ".ol-play", ".ol-home"):
            for one in fragile.locator(place).all() + valley.locator(place).all():
                colours = one.evaluate(_SEEN)
                assert contrast(*colours) >= 4.5, (place, colours)
        type_value(fragile, "x", "0.5")
    finally:
        choose_theme(lab.page, "JupyterLab Light")
    assert lab.picture(valley) == light


def contrast(one, other):
    """Return the contrast of two colours, rgb(...) (WCAG 2, 1 to 21)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour):
    channels = [int(digits) / 255 for digits in re.findall(r"\d+", colour)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in channels]
    return sum(part * x for part, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# --- what may go wrong --------------------------------------------------------------------------------


def test_a_value_that_cannot_be_drawn_is_told_and_the_last_picture_stays_until_a_good_one(lab, fragile):
    before = lab.picture(fragile), sentence(fragile)
    type_value(fragile, "x", "1.5")
    fragile.locator("[role=alert]:visible").wait_for()
    assert "ValueError: x is 1.5, which is too large" in problem(fragile)
    assert "the picture shows the last one that could" in problem(fragile)
    assert (lab.picture(fragile), sentence(fragile)) == before
    type_value(fragile, "x", "0.75")
    wait_for(fragile, x=0.75)
    assert problem(fragile) == ""
    assert sentence(fragile).startswith("x is 0.75.")


def test_while_a_cell_runs_without_end_the_picture_follows(lab, valley):
    run(lab, ENDLESS_CELL)
    try:
        for lr in (0.0777, 0.0888):
            type_value(valley, "lr", f"{lr}")
            wait_for(valley, lr=lr)
    finally:
        lab.page.click('.lm-MenuBar-itemLabel:text-is("Kernel")')
        lab.page.click('.lm-Menu-itemLabel:text-is("Interrupt Kernel")')
        lab.wait_idle()


def test_while_the_kernel_is_stuck_a_walk_follows_the_hand_all_the_same(lab, valley):
    run(lab, STUCK_CELL)
    for lr in (0.0777, 0.0888):
        type_value(valley, "lr", f"{lr}")
        wait_for(valley, lr=lr)
        assert valley.get_attribute("aria-busy") is None
    lab.wait_idle()


def test_while_the_kernel_is_stuck_the_page_plays_what_it_has_and_says_what_it_waits_for(lab, fragile):
    for words in (2, 3, 4):
        type_value(fragile, "words", f"{words}")
        wait_for(fragile, words=words)
    settled(lab)
    run(lab, STUCK_CELL)
    for words in (3, 2):
        type_value(fragile, "words", f"{words}")
        wait_for(fragile, words=words)
    known = lab.picture(fragile), sentence(fragile)
    type_value(fragile, "x", "0.7777")
    lab.page.wait_for_timeout(400)
    assert fragile.get_attribute("aria-busy") == "true"
    fragile.locator("[role=alert]:visible").wait_for(timeout=6000)
    assert "waits for the kernel" in problem(fragile)
    assert (lab.picture(fragile, now=True), sentence(fragile)) == known
    wait_for(fragile, x=0.7777, words=2)
    assert fragile.get_attribute("aria-busy") is None
    assert problem(fragile) == ""


def run(lab, cell):
    """Run a cell by the keyboard and wait until it has begun."""
    lab.page.locator(".jp-CodeCell .cm-content").nth(cell).click()
    lab.page.keyboard.press("Control+Enter")
    lab.page.wait_for_timeout(150)


# --- moved by code ------------------------------------------------------------------------------------

STORM = "for i in range(300):\n    valley.set(lr=(i + 1) / 100)"
_COUNT_PICTURES = """() => { window.painted = 0;
  window.addEventListener("optim-lessons-painted", () => { window.painted += 1; }); }"""


def test_a_storm_of_values_that_code_sets_ends_on_the_last_and_not_each_is_drawn(browser, lab_server):
    with opened(browser, lab_server, "storm.ipynb", VALLEY, "1") as lab:
        (valley,) = lab.explorers()
        lab.picture(valley)
        lab.page.evaluate(_COUNT_PICTURES)
        lab.page.locator(".jp-CodeCell .cm-content").nth(1).click()
        lab.page.keyboard.press("Control+A")
        lab.page.keyboard.insert_text(STORM)
        run_cell(lab, 1)
        wait_for(valley, lr=3.0)
        assert 0 < lab.page.evaluate("window.painted") < 150
        assert lab.complaints == []


# --- runs again ---------------------------------------------------------------------------------------

RUNS = [6, pytest.param(60, marks=pytest.mark.slow)]
KEPT = "kept = explore(adam, rosenbrock, lr=0.05)\nkept"


def run_cell(lab, cell):
    run(lab, cell)
    lab.wait_idle()


def what_is_kept(lab):
    """Return how many comms the kernel has, its MB, and how many letters and canvases the page has."""
    run_cell(lab, 1)
    said = lab.page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output").inner_text().split()
    return int(said[1]), float(said[3]), *letters_and_canvases(lab.page)


def letters_and_canvases(page):
    """Return how many letters and canvases the page has, once it has let go of the views before this one.

    Lab drops them when it is idle: what was counted is counted again until it has stood for a second.
    """
    counts, since = None, time.monotonic()
    while time.monotonic() < since + 1:
        now = [alive(page, kind) for kind in ("Path2D", "HTMLCanvasElement")]
        if now != counts:
            counts, since = now, time.monotonic()
        page.wait_for_timeout(200)
    return counts


def alive(page, kind):
    """Return how many things of a kind the page's memory holds after a collection of garbage."""
    memory = page.context.new_cdp_session(page)
    prototype = memory.send("Runtime.evaluate", {"expression": f"{kind}.prototype"})["result"]["objectId"]
    found = memory.send("Runtime.queryObjects", {"prototypeObjectId": prototype})["objects"]["objectId"]
    count = {"functionDeclaration": "function() { return this.length; }", "returnByValue": True}
    number = memory.send("Runtime.callFunctionOn", count | {"objectId": found})["result"]["value"]
    memory.detach()
    return number


@pytest.mark.parametrize("runs", RUNS)
def test_many_runs_of_a_cell_leave_comms_views_and_memory_as_the_second_run_did(browser, lab_server, runs):
    setup = VALLEY.rpartition("\n")[0].rpartition("\n")[0]
    with opened(browser, lab_server, "again.ipynb", f"{setup}\n{KEPT}", MEMORY) as lab:
        run_cell(lab, 0)
        comms, memory, letters, canvases = what_is_kept(lab)
        for _ in range(runs - 2):
            run_cell(lab, 0)
        after = what_is_kept(lab)
        assert len(lab.explorers()) == 1
        assert after[0] == comms
        assert after[1] < memory + 20
        assert after[2] <= letters
        assert after[3] <= canvases
        assert lab.complaints == []


# --- Notebook 7 ---------------------------------------------------------------------------------------


def test_in_notebook_7_sliders_move_the_picture(browser, lab_server):
    pytest.importorskip("notebook")
    nbformat.write(notebook(VALLEY), lab_server.folder / "seven.ipynb")
    lab = LabPage(browser.new_page(viewport={"width": 1200, "height": 900}), lab_server.address)
    lab.page.goto(lab_server.address("notebooks/seven.ipynb"))
    lab.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    lab.page.wait_for_timeout(1000)
    lab.complaints.clear()  # of Notebook itself, before anything has run
    lab.page.locator(".jp-CodeCell .cm-content").click()
    lab.page.keyboard.press("Control+Enter")
    explorer = lab.page.locator(".optim-lessons-explorer")
    explorer.locator("canvas").wait_for(timeout=60_000)
    lab.watch()
    wait_for(explorer, lr=0.05)
    before, words = lab.picture(explorer), sentence(explorer)
    knob(explorer, "lr").press("ArrowRight")
    wait_for(explorer, lr=0.052)
    assert lab.picture(explorer) != before
    assert sentence(explorer) != words
    lab.drag(knob(explorer, "steps"), "right")
    assert lab.picture(explorer) != before
    knob(explorer, "steps").press("Home")
    wait_for(explorer, steps=1)
    type_value(explorer, "lr", "0.05")
    type_value(explorer, "steps", "20")
    wait_for(explorer, lr=0.05, steps=20)
    assert (lab.picture(explorer), sentence(explorer)) == (before, words)
    assert lab.complaints == []
    assert lab.strangers == []
    lab.page.close()


def test_in_notebook_7_every_picture_of_lesson_01_follows_its_first_slider_and_comes_back(
    browser, lab_server
):
    pytest.importorskip("notebook")
    leave_out_the_rest(lab_server.folder / LESSON)
    lab = LabPage(browser.new_page(viewport={"width": 1200, "height": 900}), lab_server.address)
    lab.page.goto(lab_server.address(f"notebooks/{LESSON}"))
    idle = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
    lab.page.wait_for_selector(idle, timeout=60_000)
    lab.page.wait_for_timeout(1000)
    lab.complaints.clear()  # of Notebook itself, before anything has run
    lab.page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    lab.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    lab.page.wait_for_timeout(1000)
    lab.page.wait_for_selector(idle, timeout=180_000)
    lab.page.wait_for_timeout(1000)
    lab.watch()
    explorers = lab.explorers()
    assert len(explorers) == 6
    for explorer in explorers:
        explorer.scroll_into_view_if_needed()
        before, words = lab.picture(explorer), sentence(explorer)
        slider = explorer.locator("input[type=range]").first
        forth, back = lab.keys(slider)
        slider.press(forth)
        assert lab.picture(explorer) != before
        slider.press(back)
        assert (lab.picture(explorer), sentence(explorer)) == (before, words)
    assert lab.complaints == []
    lab.page.close()
