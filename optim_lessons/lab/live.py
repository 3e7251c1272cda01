"""A figure that redraws only what moves, and a picture widget that follows a stream of changes.

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

import asyncio
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import ipywidgets
import numpy as np
from matplotlib.axis import Axis
from matplotlib.image import AxesImage

from optim_lessons.lab.plots import canvas_image, canvas_png, look, new_figure

_PAUSE = 0.005  # seconds in which newer values may arrive before a picture is drawn


@dataclass(frozen=True)
class Scene:
    """A picture with knobs.

    build: build(figure, **still) draws what stands still and returns move(**moving), which sets the
    animated artists and returns a sentence.  still, moving: knob → default; a change of a still knob
    builds the picture anew, a change of a moving one only moves it.  ranges: knob → (low, high), where
    the usual one does not fit.  size: inches.
    """

    build: Callable
    moving: dict
    still: dict = field(default_factory=dict)
    ranges: dict = field(default_factory=dict)
    size: tuple = (9.6, 4.0)


class LiveFigure:
    """A scene on its figure. The background is kept; a redraw restores it and draws what moves."""

    def __init__(self, scene):
        self.scene = scene
        self.figure = new_figure(scene.size)
        self._built_for = None

    def draw(self, values):
        """Draw the scene for a dict of all knobs; return the reading."""
        still = {name: values[name] for name in self.scene.still}
        with np.errstate(all="ignore"):
            if still != self._built_for:
                self._build(still)
            reading = self._move(**{name: values[name] for name in self.scene.moving})
            self._draw_moving()
        return reading

    def _draw_moving(self):
        canvas = self.figure.canvas
        if self._ground is None or any(artist.stale for artist in self._slow):
            canvas.restore_region(self._background)
            _draw(self._slow)
            self._ground = canvas.copy_from_bbox(self.figure.bbox)
        else:
            canvas.restore_region(self._ground)
        _draw(self._quick)

    def _build(self, still):
        self._built_for = None  # if building fails, the next draw builds again
        self.figure.clear()
        with look():
            self._move = self.scene.build(self.figure, **still)
            self.figure.canvas.draw()
        self._background = self.figure.canvas.copy_from_bbox(self.figure.bbox)
        moving = self.figure.findobj(lambda artist: artist.get_animated() and artist.axes is not None)
        moving.sort(key=lambda artist: artist.get_zorder())
        # Landscapes and axes are slow to draw and seldom change: they are a second background.
        self._slow = [artist for artist in moving if isinstance(artist, AxesImage | Axis)]
        self._quick = [artist for artist in moving if artist not in self._slow]
        self._ground = None
        self._built_for = still

    def jpeg(self):
        """Return what was drawn last, encoded quickly."""
        file = io.BytesIO()
        canvas_image(self.figure.canvas).save(file, "JPEG", quality=90, subsampling=0)
        return file.getvalue()

    def png(self):
        """Return what was drawn last as a small PNG."""
        return canvas_png(self.figure.canvas)


def _draw(artists):
    for artist in artists:
        artist.axes.draw_artist(artist)


class LivePicture(ipywidgets.Image):
    """A live figure as a widget. `show` takes the newest values and draws them soon, once.

    on_drawn: called with the reading after each picture.  on_error: called with the exception when a
    picture could not be drawn; the last good one stays.
    """

    def __init__(self, scene, on_drawn, on_error):
        self.live = LiveFigure(scene)
        width = f"{self.live.figure.bbox.width:g}px"
        super().__init__(format="jpeg", layout=ipywidgets.Layout(width="100%", max_width=width))
        self._on_drawn, self._on_error = on_drawn, on_error
        self._newest = None
        self._timer = None
        self._lock = threading.RLock()  # a notebook may deliver slider moves in a second thread

    def draw(self, values):
        """Draw these values at once and return the reading; what the scene raises is raised."""
        reading = self.live.draw(values)
        self.value = self.live.jpeg()
        return reading

    def show(self, values):
        """Draw these values after a short pause, unless newer ones arrive before; without a loop, at once."""
        self._newest = values
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._timer is None:
            self._timer = loop.call_later(_PAUSE, self.flush)

    def flush(self):
        """Draw the newest values now, if they are not drawn yet."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            values, self._newest = self._newest, None
            if values is None:
                return
            try:
                reading = self.draw(values)
            except Exception as error:  # whatever the learner's function raises is shown beside the sliders
                self._on_error(error)
            else:
                self._on_drawn(reading)
