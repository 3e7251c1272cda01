"""A map whose every pixel is a run, worked out in the page, is the one that `final` makes."""

import numpy as np
import pytest
from drive import somewhere
from page_frames import assert_same_picture, made, ready

from optim_lessons.lab import page as course_page
from optim_lessons.lab.explore import explore
from optim_lessons.lab.sweep import final
from optim_lessons.landscapes import himmelblau
from optim_lessons.pictures import a_million_runs as picture
from optim_lessons.studies import maps

pytestmark = pytest.mark.browser

_LOSSES = "values => Array.from(maker.program(values).scene.known.losses, String)"
_WHERE = "values => Array.from(maker.program(values).scene.known.where)"
# Adam and RMSProp take roots and powers, whose last place may be another one in a browser; where walks swing
# from wall to wall, on the right of a map, a last place decides.
SAME = {"Adam": 0.97, "RMSProp": 0.97}


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=course_page.script())
    return page


@pytest.mark.parametrize("rule", maps.RULES)
def test_every_pixel_of_the_map_in_the_page_is_the_run_of_final(page, rule):
    first = list(maps.RULES).index(rule)
    for axes, landscape in zip(maps.PAIRS, np.roll(list(maps.GROUNDS), first), strict=True):
        one = {"rule": [rule], "landscape": [str(landscape)], "axes": [axes]}
        explorer = explore(picture.run_map(), **one)
        ready(page, explorer)
        for values in somewhere(explorer, 2):
            words = made(page, values)[0]
            got = np.array(page.evaluate(_LOSSES, list(values.values())), float)
            names = ("lr", "memory", "start", "steps")
            losses = maps.runs_on(axes, maps.RULES[rule], str(landscape), *(values[name] for name in names))
            alike = np.isclose(got, losses.ravel(), rtol=1e-9, atol=1e-12, equal_nan=True)
            assert alike.mean() >= SAME.get(rule, 1)
            if alike.all():
                assert words == explorer.live.frame(values).reading


@pytest.mark.parametrize("rule", maps.RULES)
def test_every_start_of_the_basins_in_the_page_ends_where_final_ends(page, rule):
    explorer = explore(picture.basins(), rule=[rule], lr=(1e-3, 0.02), steps=(10, 300, 200))
    ready(page, explorer)
    for values in somewhere(explorer, 3):
        made(page, values)
        knobs = maps.knobs_of(maps.RULES[rule], values["memory"])
        ends = final(maps.RULES[rule], himmelblau, maps.starts(), values["steps"], lr=values["lr"], **knobs)
        alike = maps.reached(ends).ravel() == page.evaluate(_WHERE, list(values.values()))
        assert alike.mean() >= SAME.get(rule, 1)


MAPS = {
    "a map": (picture.run_map, {"rule": ["momentum"], "landscape": ["Himmelblau"], "axes": ["lr and start"]}),
    "basins": (picture.basins, {"rule": ["Nesterov"]}),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_s_sentence_and_frame_in_the_page_are_python_s(page, name):
    scene, knobs = MAPS[name]
    explorer = explore(scene(), **knobs)
    here = ready(page, explorer)
    assert page.evaluate("values => maker.prepares(values)", list(explorer.values.values()))
    for values in somewhere(explorer, 6):
        assert_same_picture(page, explorer, values, here)


def test_where_a_page_may_have_no_workers_the_map_is_the_same(page):
    scene, knobs = MAPS["a map"]
    explorer = explore(scene(), **knobs)
    values = list(explorer.values.values())
    seen = []
    for forbid in ("", "window.Worker = undefined"):
        page.evaluate(f"() => {{ {forbid} }}")
        ready(page, explorer)
        made(page, explorer.values)
        seen.append(page.evaluate(_LOSSES, values))
        assert page.evaluate("values => maker.program(values).scene.sweep.workers.length > 0", values) == (
            not forbid
        )
    assert seen[0] == seen[1]
