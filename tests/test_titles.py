"""No title of a picture is cut off or runs into another, whatever its sliders say."""

import importlib
import inspect
import itertools
import pkgutil

import pytest

from optim_lessons import pictures

MODULES = [module.name for module in pkgutil.iter_modules(pictures.__path__, pictures.__name__ + ".")]


def scenes(module):
    """Yield each picture with sliders that can be made from nothing: its name and its scene."""
    from optim_lessons.lab.live import Scene

    for name, make in vars(importlib.import_module(module)).items():
        own = inspect.isfunction(make) and make.__module__ == module and not name.startswith("_")
        if own and not inspect.signature(make).parameters and isinstance(scene := make(), Scene):
            yield name, scene


def longest(stops):
    """Return the stop that a picture needs most letters for."""
    return max(stops, key=lambda stop: len(stop if isinstance(stop, str) else f"{stop:.3g}"))


def boxes(figure):
    """Return the titles and the names of the axes, each with its place in pixels."""
    texts = [
        text
        for ax in figure.axes
        for text in (ax.title, ax._left_title, ax._right_title, ax.xaxis.label, ax.yaxis.label)
        if text.get_text().strip() and text.get_visible()
    ]
    return [(text.get_text(), text.get_window_extent(figure.canvas.get_renderer())) for text in texts]


def faults(figure):
    """Return what is cut off by the figure's edge, and what runs into something else."""
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in boxes(figure):
        if box.x0 < -1 or box.x1 > width + 1 or box.y0 < -1 or box.y1 > height + 1:
            yield f"{text!r} is cut off"
    for (text, a), (other, b) in itertools.combinations(boxes(figure), 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1:
            yield f"{text!r} runs into {other!r}"


@pytest.mark.parametrize("module", MODULES, ids=lambda name: name.rpartition(".")[2])
def test_the_titles_of_pictures_fit_at_their_longest(module):
    from optim_lessons.lab.explore import explore

    found = {}
    for name, scene in scenes(module):
        explorer = explore(scene)
        knobs = {knob: longest(one.stops) for knob, one in explorer.controls.items() if one.kind != "switch"}
        explorer.set(**knobs)
        if bad := list(faults(explorer.figure)):
            found[name] = bad
    assert found == {}


def made_of_data():
    """Return scenes of lessons 09 to 12 that are made from a network, from results or from knobs."""
    from optim_lessons.lab import datasets, models
    from optim_lessons.pictures import choosing, debugging, schedules
    from optim_lessons.studies import guide, protocol
    from optim_lessons.studies.broken import ADAM

    raw, table = datasets.digits(scaled=False).train, protocol.results()
    return {
        "digits": schedules.digits(models.softmax(*datasets.digits().train, l2=0.01), 0.2144),
        "first steps": schedules.first_steps(models.mlp(*raw, sizes=(64, 32, 10), activation="relu")),
        "budget": choosing.budget(table),
        "widths": choosing.widths(table, protocol.SWEEP),
        "two rules": choosing.two_rules(table, guide.target),
        "inputs": debugging.panel("inputs", "init", "activation"),
        "rule": debugging.panel("decay", "corrected", "lr", **ADAM),
        "fault": debugging.panel("fault", "rule", "lr"),
    }


def test_the_titles_of_pictures_that_are_made_of_data_fit_at_their_longest():
    from optim_lessons.lab.explore import explore

    found = {}
    for name, scene in made_of_data().items():
        explorer = explore(scene)
        explorer.set(
            **{k: longest(one.stops) for k, one in explorer.controls.items() if one.kind != "switch"}
        )
        explorer.figure.canvas.draw()
        found[name] = list(faults(explorer.figure))
    assert not any(found.values()), found
