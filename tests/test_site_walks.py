"""Walks, races and maps of runs on the site: every knob is free, and the page says what Python says."""

import json

import pytest
from drive import somewhere
from site_page import SitePage, addresses

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.explore import explore
from optim_lessons.landscapes import quadratic
from optim_lessons.pictures.a_million_runs import run_map
from optim_lessons.pictures.start_here import race
from optim_lessons.site import pages
from optim_lessons.site.record import record

pytestmark = pytest.mark.browser

NAMES = ["walk", "race", "map"]


@pytest.fixture(scope="module")
def python():
    walk = explore(gradient_descent, quadratic, lr=(0.05, 3, 1.6), condition=30.0)
    few = {"rule": ["momentum", "Nesterov"], "landscape": ["Himmelblau"], "axes": ["lr and memory"]}
    start = explore(race(), landscape=["Beale", "saddle"])
    return {"walk": walk, "race": start, "map": explore(run_map(), **few)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, python):
    """Return a folder with a page for each explorer, as the site has them, but without its furniture."""
    folder = tmp_path_factory.mktemp("a page")
    pages.write_static(folder)
    for name, explorer in python.items():
        recording = folder / f"{name}.bin"
        recording.write_bytes(record(explorer, stops=3))
        pages.write_recording(recording, name, folder)
        figure = pages.figure(name, recording, {"alt": "A picture."})
        (folder / f"{name}.html").write_text(
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title>"
            f"<link rel=stylesheet href=_static/site.css><body>{figure}"
            "<script src=_static/loader.js></script>",
            encoding="utf-8",
        )
        (folder / f"_static/stills/{name}.png").parent.mkdir(exist_ok=True)
        (folder / f"_static/stills/{name}.png").write_bytes(explorer.live.png())
    return folder


@pytest.fixture(params=["http", "file"])
def reader(request, folder, browser):
    with addresses(request.param, folder) as address:
        reader = SitePage(browser, address)
        yield reader
        reader.close()


def move(explorer, name, value):
    if isinstance(value, bool):
        explorer.locator(f"[data-knob={name}]").set_checked(value)
    elif isinstance(value, str):
        explorer.locator(f"[data-knob={name}]").select_option(value)
    else:
        number = explorer.locator(f"[data-value={name}]")
        number.fill(repr(value))
        number.press("Enter")


@pytest.mark.parametrize("name", NAMES)
def test_any_values_of_all_knobs_are_shown_with_pythons_sentence(name, reader, python):
    python = python[name]
    reader.open(f"{name}.html")
    explorer = reader.wake(reader.figures()[0])
    pictures = {reader.picture(explorer)}
    for values in somewhere(python, 4):
        for knob, value in values.items():
            move(explorer, knob, value)
        pictures.add(reader.picture(explorer))
        shown = json.loads(explorer.get_attribute("data-shown"))
        assert dict(zip(values, shown, strict=True)) == values
        assert explorer.locator(".ol-sentence").inner_text() == python.live.frame(values).reading
    assert len(pictures) == 5
    assert (reader.complaints, reader.strangers) == ([], [])


def test_a_hand_on_the_picture_moves_a_walk_s_start_and_nothing_else(reader, python):
    python = python["walk"]
    reader.open("walk.html")
    explorer = reader.wake(reader.figures()[0])
    ground = explorer.locator(".ol-ground").bounding_box()
    mouse = reader.page.mouse
    mouse.move(ground["x"] + 0.3 * ground["width"], ground["y"] + 0.3 * ground["height"])
    mouse.down()
    mouse.move(ground["x"] + 0.8 * ground["width"], ground["y"] + 0.7 * ground["height"], steps=5)
    mouse.up()
    shown = dict(zip(python.values, json.loads(explorer.get_attribute("data-shown")), strict=True))
    assert {knob for knob, value in shown.items() if value != python.values[knob]} == {"start_x", "start_y"}
    assert explorer.locator(".ol-sentence").inner_text() == python.live.frame(shown).reading
