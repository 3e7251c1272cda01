"""A scene is a picture with knobs; a live figure draws it for any values of them, as a frame or as a still.

A scene says how to build the picture and how to move it::

    def build(figure, *, condition):          # the still part: axes, background, labels
        line = figure.subplots().plot([], [], animated=True)[0]
        def move(*, lr):                      # the moving part; returns the reading in words
            line.set_data(...)
            return f"lr {lr:g}: ..."
        return move

    Scene(build, still={"condition": 10.0}, moving={"lr": 0.1})

Whatever is to move is made with animated=True.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from matplotlib.axis import Axis
from matplotlib.image import AxesImage

from optim_lessons.lab.canvas import box_on_page
from optim_lessons.lab.frames import Book, Recorder
from optim_lessons.lab.plots import figure_png, look, new_figure


class Handle(NamedTuple):
    """A place in the picture that a hand can move: two knobs are its coordinates.

    axes: the number of the axes in the figure.  x, y: knobs, or None where it moves along one axis only.
    logs: whether the axes show the decimal logarithms of the knobs.
    """

    axes: int
    x: str | None
    y: str | None
    logs: bool = False


@dataclass(frozen=True)
class Scene:
    """A picture with knobs.

    build: build(figure, **still) draws what stands still and returns move(**moving), which sets the
    animated artists and returns a sentence.  still, moving: knob → default; a change of a still knob
    builds the picture anew, a change of a moving one only moves it.  ranges: knob → (low, high), where
    the usual one does not fit.  size: inches.  handles: Handles, places in the picture that a hand can
    move; or a function of all values that returns them, where they depend on a still knob.
    play: the knob that the play button moves from its start to its value; None: steps, if there is one.
    formulas: formulas(controls, **still) returns what a page needs to work the picture out by itself (see
    lab/printed.py), or raises CannotTrace; controls: knob → Control.  logs: the knobs whose sliders are
    logarithmic.  show: a function of all knobs that returns the sentence and the data behind the picture.
    """

    build: Callable
    moving: dict
    still: dict = field(default_factory=dict)
    ranges: dict = field(default_factory=dict)
    size: tuple = (9.6, 4.0)
    handles: tuple | Callable = ()
    play: str | None = None
    formulas: Callable | None = None
    logs: frozenset = frozenset()
    show: Callable | None = None


class Frame(NamedTuple):
    """What a picture shows for some values: its reading in words, and its numbers (see lab/frames.py)."""

    reading: str
    numbers: np.ndarray


class LiveFigure:
    """A scene on its figure.

    book: what its frames refer to; `restart` begins a new one.  slow, quick: the artists that move, those
    that seldom change (landscapes and axes) and the others, in the order in which they are drawn.
    """

    def __init__(self, scene):
        self.scene = scene
        self.figure = new_figure(scene.size)
        self._built_for = None
        self.restart()

    def restart(self):
        """Begin a new book: the next frame needs nothing that was recorded before."""
        self.book = Book()
        self._recorder = Recorder(self.figure, self.book)
        self._ground = self._under = None

    @contextlib.contextmanager
    def apart(self):
        """Give the frames that are made inside a book of their own."""
        kept, built = (self.book, self._recorder, self._ground), self._built_for
        self.book = Book()
        self._recorder = self._recorder.into(self.book)
        self._ground = self._under = None
        try:
            yield
        finally:
            self.book, self._recorder, self._ground = kept
            self._under = None
            if self._built_for != built:
                self._ground = None

    def draw(self, values):
        """Set the figure to a dict of all knobs; return the reading."""
        still = {name: values[name] for name in self.scene.still}
        with np.errstate(all="ignore"):
            if still != self._built_for:
                self._build(still)
            return self._move(**{name: values[name] for name in self.scene.moving})

    def frame(self, values):
        """Return the Frame of a dict of all knobs."""
        reading = self.draw(values)
        with np.errstate(all="ignore"):
            if self._ground is None:
                with look():
                    self._ground = self._recorder.layer([self.figure])
            if self._under is None or any(artist.stale for artist in self.slow):
                self._under = self._recorder.layer(self.slow)
                for artist in self.slow:
                    artist.stale = False
            numbers = self._recorder.record(self.quick)
        places = self._places(values)
        below = [self._ground, self._under, self.book.note("places", repr(places), lambda: places)]
        return Frame(reading, np.concatenate([np.array(below, np.int16), numbers]))

    def calls(self, artists):
        """Return what some artists write down now, as an int16 array."""
        with np.errstate(all="ignore"):
            return self._recorder.record(artists)

    def word(self, prop, text):
        """Return a text's letters and its widths: as `Recorder.word`."""
        return self._recorder.word(prop, text)

    def png(self):
        """Return what was drawn last as a small PNG, with two pixels for each of the picture's."""
        with look(), np.errstate(all="ignore"):
            try:
                return figure_png(self.figure, self.slow + self.quick)
            finally:
                self._under = None

    def _build(self, still):
        self._built_for = None  # if building fails, the next draw builds again
        self.figure.clear()
        with look():
            self._move = self.scene.build(self.figure, **still)
        moving = self.figure.findobj(lambda artist: artist.get_animated() and artist.axes is not None)
        moving.sort(key=lambda artist: artist.get_zorder())
        # What seldom changes is a layer of its own.
        self.slow = [artist for artist in moving if isinstance(artist, AxesImage | Axis)]
        self.quick = [artist for artist in moving if artist not in self.slow]
        self._ground = self._under = None
        self._built_for = still

    def _places(self, values):
        """Return where the handles' axes stand: box in pixels from the upper left corner, limits, scales."""
        places = []
        handles = self.scene.handles
        for number, x, y, logs in handles(values) if callable(handles) else handles:
            axes = self.figure.axes[number]
            places.append(
                {
                    "knobs": [x, y],
                    "box": box_on_page(axes),
                    "x": measure(axes.get_xlim(), axes.get_xscale(), logs),
                    "y": measure(axes.get_ylim(), axes.get_yscale(), logs),
                }
            )
        return places


def measure(limits, scale, logs=False):
    """Return an axis's ends and its scale, of the knob that it shows."""
    low, high = map(float, limits)
    return [10**low, 10**high, "log"] if logs else [low, high, scale]
