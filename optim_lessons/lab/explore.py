"""Sliders joined to live pictures: one line in a notebook.

explore(adam, rosenbrock)                        # a slider for every knob of the rule, and the start
explore(gradient_descent, quadratic)             # ... and for every knob of the landscape
explore(adam, rosenbrock, lr=0.05, beta1=(0.5, 0.9))
explore(scene)                                   # any picture with knobs

The page paints by itself (lab/page/). Of a walk it gets the formulas (lab/printed.py) and needs no more. Else
it asks for the frames that it lacks, and when a reader takes a slider, this side works ahead and sends the
frames of that slider's stops before they are asked for.
"""

import asyncio
import gc
import threading
import time

import anywidget
import traitlets
from IPython import get_ipython

from optim_lessons.lab import page
from optim_lessons.lab.canvas import FINE, on_page
from optim_lessons.lab.controls import control
from optim_lessons.lab.frames import pack_frames
from optim_lessons.lab.live import LiveFigure, Scene
from optim_lessons.lab.plots import DPI, light_card, shown
from optim_lessons.lab.printed import programs
from optim_lessons.lab.scenes import walk

SLICE = 0.02  # seconds of work between two looks at what else there is to do
AHEAD = 0.6  # seconds of processor time for the frames of one slider, each time it is taken
PAUSE = 0.002  # seconds between two slices
NEAR = 9  # stops that are made first, around the one where the hand is
BOOK = 12_000_000  # bytes of frames on the page, about; then a new book begins


def explore(what, landscape=None, /, **knobs):
    """Return controls beside a live picture.

    what: a rule, with a landscape (or a function that returns one, whose keyword defaults become sliders
    too); or a Scene.  knobs: for any slider a new default (lr=0.1), a range (lr=(0.01, 1)), a range and
    default (lr=(0.01, 1, 0.1)) or a list of choices. Raises TypeError for a knob that is not there.
    """
    scene = what if isinstance(what, Scene) else walk(what, landscape)
    return Explorer(scene, knobs)


class Explorer(anywidget.AnyWidget):
    """A live picture, its reading in words, and a control for each of its knobs.

    controls: knob → Control.  values: knob → value.  reading: the sentence beside the picture.
    problem: what kept the newest values from being drawn, or "".  set(lr=0.1): move sliders from code.
    live: the LiveFigure behind it.
    """

    _esm = traitlets.Unicode(page.widget()).tag(sync=True)
    _css = traitlets.Unicode(page.style()).tag(sync=True)
    _sheet = traitlets.Dict().tag(sync=True)  # what does not change: controls, size, play, light
    _values = traitlets.List().tag(sync=True)  # in the order of the controls
    _start = traitlets.Bytes().tag(sync=True)  # the first frame, for a page that meets this explorer

    def __init__(self, scene, knobs):
        defaults = scene.still | scene.moving
        _check_known(knobs, defaults)
        self.scene = scene
        self.controls = {
            name: _control(name, default, scene.ranges.get(name), knobs.get(name), name in scene.logs)
            for name, default in defaults.items()
        }
        self.problem = ""
        self._lock = threading.RLock()  # a notebook may deliver what the page says in a second thread
        self.live = LiveFigure(scene)
        self._epoch, self._sent, self._counts, self._bytes = 0, set(), None, 0
        self._plan, self._spent, self._grab, self._working = [], 0.0, None, False
        self._drawn, self._programs = None, {}
        values = [one.default for one in self.controls.values()]
        frame = self.live.frame(self._named(values))  # what fails at the start is the caller's to see
        self._reading, self._drawn = frame.reading, values
        super().__init__(_values=values, _sheet=self.sheet, _start=self._packed([values], [frame]))
        self.on_msg(self._asked)
        _close_earlier_ones(self)

    @property
    def sheet(self):
        """What the page is to know beside the frames: the controls, the picture's size, what is played."""
        figure, scene = self.live.figure, self.scene
        play = scene.play or ("steps" if "steps" in self.controls else None)
        return {
            "knobs": [one.spec() for one in self.controls.values()],
            "size": on_page(figure),
            "scale": figure.dpi / (FINE * DPI),
            "play": play,
            "light": light_card(),
            "program": scene.formulas is not None,  # whether one follows, or the word that there is none
        }

    # For the notebook's code.

    @property
    def values(self):
        """The sliders' values: knob → value."""
        return self._named(self._values)

    @property
    def reading(self):
        """What the picture of these values says in words."""
        self.flush()
        return self._reading

    @property
    def shown(self):
        """What the picture of these values shows: a sentence, and the data of each mark by its name."""
        return self.scene.show(**self.values)

    @property
    def figure(self):
        """The Matplotlib figure behind the picture, set to the values."""
        self.flush()
        return self.live.figure

    def frame(self):
        """Return the Frame of the values: the reading, and the numbers that the page paints."""
        with self._lock:
            self._drawn = self._values
            return self.live.frame(self.values)

    def set(self, **values):
        """Move sliders and their picture: all of them, or none.

        Raises TypeError for a knob that is not there or a value of another kind, ValueError for one that is
        not allowed.
        """
        if self.live is None:
            raise RuntimeError("this picture is closed, since its cell has run again: use the new one")
        _check_known(values, self.controls)
        accepted = {name: self.controls[name].accept(value) for name, value in values.items()}
        with self._lock:
            wish = list((self.values | accepted).values())
            if self._programs.get(self._still(wish)) is None:  # else the page draws it by itself
                self._show(wish)
            self._values = wish

    def flush(self):
        """Draw what the page has moved since the last drawing, now."""
        with self._lock:
            if self.live is not None and self._drawn != self._values:
                self._show(self._values)

    def close_all(self):
        """Take the explorer off every page and free its memory."""
        with self._lock:
            self._plan, self._programs, self.live, self._start = [], {}, None, b""
        self.layout.close()
        self.close()

    @traitlets.validate("_values")
    def _validate_values(self, proposal):
        if len(proposal.value) != len(self.controls):
            raise traitlets.TraitError(f"there are {len(self.controls)} knobs, not {len(proposal.value)}")
        return self._accepted(proposal.value)

    def _accepted(self, values):
        return [one.accept(value) for one, value in zip(self.controls.values(), values, strict=True)]

    def _named(self, values):
        return dict(zip(self.controls, values, strict=True))

    # Between here and the page.

    def _asked(self, _, content, buffers):
        """Answer the page: it begins ("hello"), needs a frame ("frame"), or holds a slider ("ahead")."""
        with self._lock:
            if self.live is None:
                return
            if content["ask"] == "hello":
                self._programs = {}
                if content["epoch"] != self._epoch or len(self._sent) > 1:
                    self._restart()
                    self._show(self._values)
                self._send_program(self._values)
            elif content["ask"] == "frame":
                values = self._accepted(content["values"])
                if self._lacks_program(values):
                    self.send({"tell": "program follows"})
                self._show(values, content["id"])
                self._send_program(values)
            elif content["ask"] == "ahead":
                self._look_ahead(
                    self._accepted(content["values"]), content["knob"], content["grab"], content["from"]
                )

    def _show(self, values, asked=None):
        """Send the frame of these values, or say why there is none."""
        self._drawn = list(values)
        try:
            frame = self.live.frame(self._named(values))
        except Exception as error:  # whatever the learner's function raises is shown beside the sliders
            self.problem = f"{type(error).__name__}: {error}"
            self.send({"tell": "failed", "values": values, "id": asked, "message": self.problem})
        else:
            self._reading, self.problem = frame.reading, ""
            self._send_frames([values], [frame], asked)

    def _send_frames(self, keys, frames, asked=None):
        if self.comm is None:
            return
        if self._bytes > BOOK:
            self._restart()
            frames = [self.live.frame(self._named(values)) for values in keys]
        self.send({"tell": "frames", "id": asked}, [self._packed(keys, frames)])

    def _lacks_program(self, values):
        return self.scene.formulas is not None and self._still(values) not in self._programs

    def _still(self, values):
        values = self._named(values)
        return tuple(values[name] for name in self.scene.still)

    def _send_program(self, values):
        """Send what the page needs to work out pictures by itself, once for each setting of still knobs.

        From then on it draws by its own hand, the picture that stands there too.
        """
        if not self._lacks_program(values) or self.comm is None:
            return
        made = programs(self.live, self.controls, [self._named(values)])
        self._programs[self._still(values)] = made
        if made is None:
            self.send({"tell": "no program"})
        else:
            self.send({"tell": "program"}, [made])

    def _packed(self, keys, frames):
        """Return frames, with what the page's book lacks for them, as bytes."""
        book = self.live.book
        data = pack_frames(
            book.news(self._counts),
            [frame.numbers for frame in frames],
            epoch=self._epoch,
            keys=keys,
            words=[frame.reading for frame in frames],
        )
        self._counts = book.counts()
        self._bytes += len(data)
        self._sent.update(map(tuple, keys))
        return data

    def _restart(self):
        """Begin a new book; the page forgets what it had when it sees the new epoch."""
        self.live.restart()
        self._epoch += 1
        self._sent, self._counts, self._bytes = set(), None, 0

    def _look_ahead(self, values, knob, grab, start):
        """Plan the frames of a slider's stops that the page lacks, soonest wanted first."""
        if knob in self.scene.still:  # each stop is a picture built anew
            return
        place = list(self.controls).index(knob)
        stops = self.controls[knob].stops
        wanted = ([*values[:place], stops[i], *values[place + 1 :]] for i in outward(len(stops), start))
        self._plan = [wish for wish in wanted if tuple(wish) not in self._sent]
        if grab != self._grab:
            self._grab, self._spent = grab, 0.0
        if not self._working:
            self._working = self._work_soon()
            if not self._working:  # there is no loop: this slice is all
                self._work()

    def _work_soon(self):
        """Have a slice of work done soon; return whether a loop runs that will."""
        try:
            asyncio.get_running_loop().call_later(PAUSE, self._work)
        except RuntimeError:
            return False
        return True

    def _work(self):
        """Make frames ahead of the hand for one slice of time, then give way to whatever else there is."""
        with self._lock:
            self._working = False
            if not self._plan or self._spent > AHEAD or self.comm is None:
                self._plan = []
                return
            if not _cells.running:
                self._one_slice()
            self._working = self._work_soon()
            if not self._working:
                self._plan = []

    def _one_slice(self):
        begun, clock = time.thread_time(), time.perf_counter()
        keys, frames = [], []
        while self._plan and time.perf_counter() - clock < SLICE:
            values = self._plan.pop(0)
            if tuple(values) in self._sent:
                continue
            try:
                frames.append(self.live.frame(self._named(values)))
            except Exception:  # the page asks for it when it is wanted, and is then told why
                continue
            keys.append(values)
            self._drawn = values
        if frames:
            self._send_frames(keys, frames)
        self._spent += time.thread_time() - begun

    def _repr_mimebundle_(self, **kwargs):
        self.flush()
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = dict(data or {}) | {"image/png": self.live.png(), "text/plain": self.reading}
        return data, metadata | {"image/png": shown(self.figure, self.reading)}


def outward(stops, start):
    """Return the numbers of stops in the order in which a hand may want them: near, then coarse, then all."""
    by_distance = sorted(range(stops), key=lambda i: abs(i - start))
    near, far = by_distance[:NEAR], by_distance[NEAR:]
    return near + [i for i in far if i % 4 == 0] + [i for i in far if i % 4]


def _control(name, default, own, wish, log):
    """Return a knob's control; a new default alone keeps the scene's range or choices."""
    if wish is None or isinstance(wish, list | tuple):
        return control(name, default, own if wish is None else wish, log)
    if isinstance(own, tuple):
        return control(name, default, (*own[:2], wish), log)
    if isinstance(own, list):
        if wish not in own:
            raise ValueError(f"{name} is {wish!r}: choose one of {', '.join(map(str, own))}")
        return control(name, wish, own)
    return control(name, wish, log=log)


def _check_known(names, known):
    for name in names:
        if name not in known:
            raise TypeError(f"this picture has no knob {name!r}; its knobs are {', '.join(known)}")


class _Cells:
    """Whether a cell of the notebook runs at this moment: work ahead waits for its end."""

    def __init__(self):
        self.running = False
        self._watched = None

    def watch(self, shell):
        """Follow a notebook's shell; whoever calls this is in a cell that runs."""
        if self._watched is not shell:
            self._watched = shell
            self.running = True
            shell.events.register("pre_execute", lambda: setattr(self, "running", True))
            shell.events.register("post_execute", lambda: setattr(self, "running", False))


_cells = _Cells()
_open = {}  # cell → (execution count, explorers): a cell that runs again replaces its own


def _close_earlier_ones(explorer):
    shell = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return
    _cells.watch(shell)
    cell = kernel.get_parent().get("metadata", {}).get("cellId")
    if cell is None:
        return
    run, explorers = _open.get(cell, (None, []))
    if run != shell.execution_count:
        for earlier in explorers:
            earlier.close_all()
        if explorers:
            gc.collect()  # figures refer to themselves in circles: else several wait, 10 MB each
        explorers = []
    _open[cell] = (shell.execution_count, [*explorers, explorer])
