"""What a declared picture draws is what its function shows, for any values of the knobs."""

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.lab.explore import explore
from optim_lessons.lab.panels import (
    KNOBS,
    Axis,
    Panel,
    Shown,
    dots,
    from_above,
    image,
    knob,
    level,
    line,
    log,
    many,
    note,
    picture,
    step,
    upright,
    walk,
)
from optim_lessons.lab.plots import height_bands
from optim_lessons.landscapes import quadratic

PLACE = 0.1, 0.1, 0.8, 0.8


def drawn(panels, show, **knobs):
    """Return an explorer of a picture, and the artists of its first panel."""
    explorer = explore(picture(panels, show, **knobs))
    return explorer, explorer.figure.axes[0]


def test_a_line_takes_heights_pairs_or_both_sides_apart():
    heights = np.array([1.0, 3.0, 2.0])
    for data in (heights, np.stack([np.arange(3), heights], axis=-1), (np.arange(3), heights)):
        panel = Panel(PLACE, step(3), ("w", 0, 4), its=line(adam))
        _, axes = drawn([panel], lambda lr, data=data: Shown("lr", its=data), lr=0.1)
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.stack([np.arange(3), heights], axis=-1))


def test_a_mark_that_is_not_named_is_hidden_and_comes_back():
    panel = Panel(PLACE, step(3), ("w", 0, 4), its=line("red"), at=level("red"))
    show = lambda on: Shown("on", its=np.ones(3), at=2.0) if on else Shown("off", at=None)  # noqa: E731
    explorer, axes = drawn([panel], show, on=knob(True))
    for on in (True, False, True):
        explorer.set(on=on)
        assert [one.get_visible() for one in axes.lines] == [on, on]
    assert list(axes.lines[1].get_ydata()) == [2, 2]


def test_on_a_log_axis_what_is_too_small_stands_at_the_foot_above_the_lowest_loss():
    panel = Panel(PLACE, step(3), log("loss", 1e-3, 1), its=line("red", above=2.0))
    _, axes = drawn([panel], lambda lr: Shown("", its=np.array([2.5, 2.0, 1e99])), lr=0.1)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 1e-3, 1e3])


def test_no_number_is_too_large_to_be_drawn_and_what_is_none_is_a_gap():
    panel = Panel(PLACE, step(4), ("w", -1, 1), its=line("red"), cut=line("red", within=(-2, 2)))
    data = np.array([0.0, 1e300, -np.inf, np.nan])
    _, axes = drawn([panel], lambda lr: Shown("", its=data, cut=data), lr=0.1)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0, 1e3, -1e3, np.nan])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [0, 2, -2, np.nan])
    assert data[1] == 1e300


def test_drawing_changes_nothing_of_what_is_shown():
    pairs = np.array([[0.0, 1e300], [1.0, 5.0]])
    panel = Panel(PLACE, step(4), log("loss", 1, 10), its=line("red", above=3.0), far=dots("red"))
    drawn([panel], lambda lr: Shown("", its=pairs, far=pairs), lr=0.1)
    np.testing.assert_array_equal(pairs, [[0.0, 1e300], [1.0, 5.0]])


def test_a_walk_ends_with_its_first_point_outside():
    land = quadratic(condition=3.0)
    ws = np.array([[0.0, 0.0], [1.0, 1.0], [99.0, 0.0], [0.0, 0.0]])
    _, axes = drawn([from_above(PLACE, land, its=walk(adam))], lambda lr: Shown("", its=ws), lr=0.1)
    np.testing.assert_array_equal(axes.lines[-1].get_xydata(), ws[:3])


def test_a_ground_is_drawn_anew_for_another_landscape_only(monkeypatch):
    lands, calls = {c: quadratic(condition=c) for c in (2.0, 50.0)}, []
    monkeypatch.setattr(
        "optim_lessons.lab.panels.height_bands", lambda land: calls.append(land) or height_bands(land)
    )
    panel = from_above(PLACE, lands[2.0], moving=True)
    explorer, axes = drawn(
        [panel], lambda c, lr: Shown("", ground=lands[c]), c=knob(2.0, [2.0, 50.0]), lr=0.1
    )
    for c, lr in ((2.0, 0.2), (50.0, 0.2), (50.0, 0.3)):
        explorer.set(c=c, lr=lr)
        np.testing.assert_array_equal(axes.images[0].get_array(), height_bands(lands[c]))
    assert calls == [lands[50.0]]  # the first one stands there from the start


def test_ends_titles_and_labels_follow_the_knobs_and_what_is_shown():
    panel = Panel(PLACE, Axis("{unit}s", 0, "steps"), ("w", "low", 1), "lr {lr:.3g}   worst {worst:.2f}")
    other = Panel(PLACE, step(1), ("w", 0, 1), KNOBS)
    show = lambda lr, steps: Shown("", worst=lr / 3, unit="step" if steps > 10 else "epoch", low=-lr)  # noqa: E731
    explorer, axes = drawn([panel, other], show, lr=0.1, steps=knob(5, 1, 20))
    assert (axes.get_xlim(), axes.get_ylim(), axes.get_xlabel()) == ((0, 5), (-0.1, 1), "epochs")
    explorer.set(steps=20, lr=1.0)
    assert (axes.get_xlim(), axes.get_ylim(), axes.get_xlabel()) == ((0, 20), (-1, 1), "steps")
    assert axes.get_title("left") == "lr 1   worst 0.33"
    assert explorer.figure.axes[1].get_title("left") == "lr 1   steps 20"


def test_many_marks_texts_and_images_show_their_data():
    panel = Panel(
        PLACE, step(2), ("w", 0, 1), rows=many(line(c) for c in ("red", "blue")), now=upright("red")
    )
    panel.add(name=note(None, None, None), map=image((0, 1, 0, 1)), still=note(0, 0, "here"))
    data = {"rows": np.array([[0.0, 1.0], [1.0, 0.0]]), "now": 2, "name": (1, 0.5, "there")}
    pixels = np.arange(6.0).reshape(2, 3)
    _, axes = drawn([panel], lambda lr: Shown("", map=pixels, **data), lr=0.1)
    np.testing.assert_array_equal([one.get_ydata() for one in axes.lines[:2]], data["rows"])
    assert list(axes.lines[2].get_xdata()) == [2, 2]
    assert [(*t.get_position(), t.get_text()) for t in axes.texts] == [(1, 0.5, "there"), (0, 0, "here")]
    np.testing.assert_array_equal(axes.images[0].get_array(), pixels)


def test_a_still_knob_builds_the_picture_anew_and_show_gets_all_knobs():
    panels = lambda kind: [Panel(PLACE, step(2), ("w", 0, 1), kind, its=line("red"))]  # noqa: E731
    show = lambda kind, lr: Shown(f"{kind} {lr:g}", its=np.ones(2))  # noqa: E731
    explorer = explore(picture(panels, show, kind=knob("a", ["a", "b"], still=True), lr=0.1))
    explorer.set(kind="b", lr=0.2)
    assert explorer.figure.axes[0].get_title("left") == "b"
    assert explorer.reading == explorer.shown.reading == "b 0.2"


def test_a_knob_says_its_range_its_choices_and_its_scale_in_one_place():
    show = lambda **knobs: Shown("")  # noqa: E731
    knobs = {
        "size": knob(1.0, 0.01, 10.0, log=True),
        "part": knob(0.5, 0.0, 1.0),
        "count": knob(1, [1, 3, 10]),
    }
    controls = explore(picture([], show, **knobs)).controls
    assert (controls["size"].stops[0], controls["size"].stops[-1]) == (0.01, 10.0)
    assert 0.02 in controls["size"].stops
    assert np.ptp(np.diff(controls["part"].stops)) == pytest.approx(0)
    assert controls["count"].stops == (1, 3, 10)
    with pytest.raises(ValueError, match="count is 0: choose one of 1, 3, 10"):
        explore(picture([], show, **knobs)).set(count=0)


def test_two_marks_of_a_panel_cannot_have_one_name():
    with pytest.raises(ValueError, match="there is a mark 'its' already"):
        Panel(PLACE, its=line("red")).add(its=line("blue"))
