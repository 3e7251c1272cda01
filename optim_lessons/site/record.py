"""Makes a lesson's explorers and writes down what each of them shows: python -m optim_lessons.site.record

Where a page can work the pictures out by itself (lab/printed.py), its programs are all that is written down.
Else a recording holds the frames (lab/frames.py) of each control's stops, the other controls at their
starting values; where lists and switches are few, each of their choices has its own frames for every slider.
It runs in a process of its own, as a notebook's kernel does, and says after each explorer that it is done.
"""

import contextlib
import gzip
import io
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from optim_lessons.course.copies.workbook import pristine
from optim_lessons.course.notebook import content, explored
from optim_lessons.lab.controls import SWITCH
from optim_lessons.lab.explore import Explorer
from optim_lessons.lab.frames import pack, pack_frames
from optim_lessons.lab.printed import programs

JOINT = 240  # frames of an explorer up to which lists and switches are recorded together with the sliders
LARGEST = 1_000_000  # bytes of a recording: one that is larger is made again with half as many stops,
FEWEST = 5  # but not with fewer than these
DONE = "recorded"
FILES = "files.json"  # which files of the package were loaded


def main(argv):
    """Record the explorers of a lesson into a folder: LESSON FOLDER STOPS."""
    lesson, folder, stops = argv
    record_lesson(lesson, Path(folder), int(stops))
    (Path(folder) / FILES).write_text(json.dumps(loaded_files()), encoding="utf-8")
    return 0


def record_lesson(lesson, folder, stops):
    """Run a lesson's cells in this process; write CELL.bin for each explorer."""
    for cell, explorer in explorers_of(lesson):
        try:
            data = record(explorer, stops)
        except Exception as error:
            raise RuntimeError(f"{lesson}, the explorer of cell {cell!r} cannot be recorded") from error
        (folder / f"{cell}.bin").write_bytes(data)
        print(DONE, cell, flush=True)
        explorer.close_all()


def explorers_of(lesson):
    """Run the cells that a lesson's explorers need; yield (cell id, explorer) of each that shows one."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    with tempfile.TemporaryDirectory() as empty:
        before = os.getcwd()
        os.chdir(empty)
        try:
            for cell in explored(content(pristine(lesson))):
                with contextlib.redirect_stdout(io.StringIO()) as said:
                    done = shell.run_cell(cell["source"])
                if not done.success:
                    raise RuntimeError(f"{lesson}, cell {cell['id']!r} fails:\n{said.getvalue()}")
                if isinstance(done.result, Explorer):
                    yield cell["id"], done.result
        finally:
            os.chdir(before)


def loaded_files():
    """Return the files of this package that this process has loaded, relative to the package."""
    package = Path(__file__).resolve().parent.parent
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    paths = {Path(file).resolve() for file in files if file}
    return sorted(path.relative_to(package).as_posix() for path in paths if path.is_relative_to(package))


def record(explorer, stops):
    """Return an explorer's sheet with its programs, or else with its recorded stops and frames, zipped."""
    home = explorer.values
    worked_out = programs(explorer.live, explorer.controls, settings(explorer))
    if worked_out is not None:
        return _zipped(pack({"sheet": explorer.sheet, "home": list(home.values())}, [worked_out]))
    data = _recorded(explorer, stops)
    while len(data) > LARGEST and (stops := stops // 2) >= FEWEST:
        data = _recorded(explorer, stops)
    return data


def _recorded(explorer, stops):
    home = explorer.values
    thin = {name: thinned(list(one.stops), home[name], stops) for name, one in explorer.controls.items()}
    live = explorer.live
    live.restart()
    keys, frames = plan(explorer.controls, thin, home), []
    for values in in_building_order(keys, list(home), explorer.scene.still):
        frames.append((values, live.frame(dict(zip(home, values, strict=True)))))
    sheet = explorer.sheet
    for knob in sheet["knobs"]:
        knob["stops"], knob["default"] = thin[knob["name"]], home[knob["name"]]
    data = pack_frames(
        live.book.news(),
        [np.diff(frame.numbers, prepend=np.int16(0)).astype(np.int16) for _, frame in frames],
        epoch=0,
        sheet=sheet,
        home=list(home.values()),
        keys=[values for values, _ in frames],
        words=[frame.reading for _, frame in frames],
    )
    return _zipped(data)


def _zipped(data):
    return gzip.compress(data, 9, mtime=0)


def settings(explorer):
    """Return the values at home with every setting of the still knobs."""
    still = explorer.scene.still
    stops = itertools.product(*[explorer.controls[name].stops for name in still])
    return [explorer.values | dict(zip(still, values, strict=True)) for values in stops]


def thinned(stops, home, most):
    """Return at most so many of a control's stops, the first, the last and the one at home among them."""
    if home not in stops:
        stops = sorted([*stops, home])
    if len(stops) <= most:
        return stops
    places = np.unique(np.rint(np.linspace(0, len(stops) - 1, most)).astype(int))
    inner = places[1:-1]
    at = stops.index(home)
    if at not in places:
        places[1 + np.argmin(abs(inner - at)) if len(inner) else 0] = at
    return [stops[place] for place in sorted(places)]


def plan(controls, stops, home):
    """Return the lists of values to record, the one at home first."""
    names = list(controls)
    alone = [[home | {name: stop} for stop in stops[name]] for name in names]
    lists = [name for name in names if controls[name].kind == SWITCH or isinstance(home[name], str)]
    sliders = [name for name in names if name not in lists]
    together = []
    for count in range(len(lists), 0, -1):  # as many lists together as there is room for, the shortest first
        chosen = sorted(lists, key=lambda name: len(stops[name]))[:count]
        settings = list(itertools.product(*(stops[name] for name in chosen)))
        if len(settings) * sum(len(stops[name]) for name in sliders) <= JOINT:
            for setting in settings:
                at = home | dict(zip(chosen, setting, strict=True))
                together += [at] + [at | {name: stop} for name in sliders for stop in stops[name]]
            break
    rows = [home, *itertools.chain(*alone), *together]
    return list(dict.fromkeys(tuple(row.values()) for row in rows))


def in_building_order(keys, names, still):
    """Return keys so that those with the same still values, for which the picture stands, are together."""
    places = [names.index(name) for name in still]
    groups = {}
    for key in keys:
        groups.setdefault(tuple(key[place] for place in places), []).append(list(key))
    return itertools.chain(*groups.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
