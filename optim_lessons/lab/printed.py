"""Pictures that a page works out by itself: the formulas, and how what moves is drawn.

A scene that can do without Python says so by its `formulas`. What a page needs then is a program: the
formulas as JavaScript (lab/tape/javascript.py), a first frame with its book (lab/frames.py), and the look of
each artist that moves, by the name (gid) that the scene gave it. page/printed.js makes frames of it.

So it is for walks, races, and maps whose every pixel is a run of a rule on a landscape. All else is recorded,
or asked of a kernel: trainings, data, a rule that looks at its values, and deep zooms on an edge, where the
last digit decides.
"""

import contextlib
import io

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from optim_lessons.lab.canvas import FINE, box_on_page, on_page
from optim_lessons.lab.frames import PATH, pack_frames
from optim_lessons.lab.knobs import limits
from optim_lessons.lab.live import measure
from optim_lessons.lab.tape.trace import CannotTrace

NUMBERS = "0123456789.+-e "  # the letters of numbers
MOST_STOPS = 1000  # of a knob that an axis follows


def programs(live, controls, settings):
    """Return programs of a live figure in one piece, as bytes; None where the pictures must be recorded.

    controls: knob → Control.  settings: lists of all knobs' values, one for each program; a program holds for
    its own values of the still knobs, and any values of the others.
    """
    if live.scene.formulas is None:
        return None
    try:
        with live.apart():
            specs, frames = zip(*[_program(live, controls, values) for values in settings], strict=True)
            return _packed(live.book.news(), specs, frames, knobs=list(controls))
    except CannotTrace:
        return None


def _program(live, controls, values):
    """Return what is said of a program, and the first frame."""
    still = {name: values[name] for name in live.scene.still}
    with contextlib.redirect_stdout(io.StringIO()):  # a rule that prints would print its stand-ins
        formulas = live.scene.formulas(controls, **still)
        if formulas != live.scene.formulas(controls, **still):
            raise CannotTrace("it does something else each time")
    frame = live.frame(values)
    artists = {one.get_gid(): one for one in live.figure.findobj(Artist.get_gid)}
    words = ["nan", "inf", *controls, *formulas.get("words", ())]
    spec = formulas | {
        "still": still,
        "kinds": {name: one.kind for name, one in controls.items()},
        "size": on_page(live.figure),
        "axes": [_axes(axes) for axes in live.figure.axes],
        "looks": {name: _look(live, one, words, controls) for name, one in artists.items()},
        "slow": [one.get_gid() or live.calls([one]).tolist() for one in live.slow],
        "quick": [one.get_gid() or live.calls([one]).tolist() for one in live.quick],
    }
    return spec, frame


def _packed(news, specs, frames, **header):
    for spec in specs:
        for look in spec["looks"].values():
            if "image" in look:  # the page paints it
                news["images"][look["image"]] = b""
    return pack_frames(news, [frame.numbers for frame in frames], programs=specs, **header)


def allowed(names):
    """Return the limits of knobs that have some: name → [low, high], of which high itself is too much."""
    known = {name: limits(name)[:2] for name in names}
    return {
        name: [low if np.isfinite(low) else None, high if np.isfinite(high) else None]
        for name, (low, high) in known.items()
        if np.isfinite(low) or np.isfinite(high)
    }


def _axes(axes):
    return {
        "box": box_on_page(axes),
        "x": measure(axes.get_xlim(), axes.get_xscale()),
        "y": measure(axes.get_ylim(), axes.get_yscale()),
    }


def _look(live, artist, words, controls):
    """Return how an artist is drawn, wherever and whatever it is to show."""
    number = live.figure.axes.index(artist.axes)
    if isinstance(artist, Line2D):
        return {"axes": number, **_line(live, artist)}
    if isinstance(artist, Text):
        return {"axes": number, **_text(live, artist, words)}
    if isinstance(artist, AxesImage):
        calls = live.calls([artist]).tolist()
        return {
            "axes": number,
            "style": calls[1],
            "image": calls[2],
            "place": calls[3:5],
            "pixels": calls[5:7],
        }
    if isinstance(artist, Rectangle):
        return {"axes": number, **_bar(live, artist)}
    if isinstance(artist, Axis):
        return {"axes": number, **_axis(live, artist, controls)}
    raise TypeError(f"the page cannot draw a {type(artist).__name__} by itself")


def _line(live, line):
    """Return a line's style, and its markers' style and shape; None where it has none."""
    data, visible = line.get_data(orig=True), line.get_visible()
    (x0, x1), (y0, y1) = line.axes.get_xlim(), line.axes.get_ylim()
    line.set_data([x0, x1], [y0, y1])
    line.set_visible(True)
    calls = live.calls([line]).tolist()
    line.set_data(*data)
    line.set_visible(visible)
    drawn = bool(calls) and calls[0] == PATH
    marks = calls[3 + 2 + 2 * calls[3] :] if drawn else calls
    return {"line": calls[1] if drawn else None, "marks": marks[1:3] if marks else None}


def _bar(live, bar):
    """Return the style of a bar that begins at 0, and its corners where it is 1 wide."""
    width = bar.get_width()
    bar.set_width(1)
    _, style, _, corners, flags, *places = live.calls([bar]).tolist()
    bar.set_width(width)
    return {"style": style, "flags": flags, "x": places[:corners], "y": places[corners:]}


def _text(live, text, words):
    """Return a text's style and place, and the looks of its words."""
    said = text.get_text()
    text.set_text("0")
    _, style, _, y, angle, _, _, _, _, size = live.calls([text]).tolist()
    text.set_text(said)
    anchor = text.get_transform().transform(text.get_position())[0]
    align = {"left": 0, "center": 0.5, "right": 1}[text.get_horizontalalignment()]
    known = _words(live, text.get_fontproperties(), words)
    return {
        "style": style,
        "x": float(anchor) / FINE,
        "y": y,
        "angle": angle,
        "align": align,
        "size": size,
        "words": known,
    }


def _words(live, prop, words=()):
    """Return the looks of some words, and of the letters of numbers: text → what `Recorder.word` says."""
    return {text: live.word(prop, text) for text in [*NUMBERS, *words]}


def _axis(live, axis, controls):
    """Return how an axis from 0 to a knob's value is drawn; the knob has the axis's name (its gid)."""
    calls = live.calls([axis]).tolist()
    mark, tick = calls[1:3], axis.get_major_ticks()[0].label1
    _, style, _, y, angle, _, _, _, _, size = calls[6:16]
    tail, at = [], 0
    while at < len(calls):  # the axis's own label stands last
        tail, at = (calls[at:], at + 6 + 4 * calls[at + 5]) if calls[at] == 3 else (tail, at + 6)
    known = _words(live, tick.get_fontproperties())
    return {
        "mark": mark, "height": calls[5], "style": style, "y": y, "size": size, "angle": angle, "align": 0.5,
        "words": known,
        "tail": tail if axis.get_label_text() else [],
        "ticks": _ticks(axis, controls[axis.get_gid()].stops),
    }  # fmt: skip


def _ticks(axis, ends):
    """Return the ticks of an axis from 0 to a number: rows [from this number on, distance, digits]."""
    if len(ends) > MOST_STOPS:
        raise CannotTrace(f"there are {len(ends)} ends of an axis")
    rows = []
    for end in ends:
        places = axis.get_major_locator().tick_values(0, end)
        places = places[(places >= 0) & (places <= end * (1 + 1e-9))]
        labels = axis.get_major_formatter().format_ticks(places)
        digits = len(labels[1].partition(".")[2])
        step = float(places[1])
        if labels != [f"{k * step:.{digits}f}" for k in range(len(places))]:
            raise CannotTrace(f"ticks of another kind: {labels}")
        if not rows or rows[-1][1:] != [step, digits]:
            rows.append([end, step, digits])
    return rows
