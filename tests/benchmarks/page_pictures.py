"""How fast a page works pictures out by itself, beside Python: python tests/benchmarks/page_pictures.py

One Chromium and one Python process, by turns:

    race      page 00's race, 7 rules x 300 steps: milliseconds for paths, losses, sentence and frame
    maps      lesson 13's map of 10,000 runs x 200 steps with its third value dragged: milliseconds from the
              wish to the frame, pictures a second, and what Python takes for one
    bytes     what the site loads for an explorer: its programs, beside the frames of 60 stops of each control
"""

import base64
import dataclasses
import os
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lab_page import CHROMIUM_ARGUMENTS
from running_lab import find_browser

from optim_lessons.adam import adam
from optim_lessons.lab import page as course_page
from optim_lessons.lab.explore import Explorer, explore
from optim_lessons.lab.printed import programs
from optim_lessons.lab.scenes import walk
from optim_lessons.landscapes import rosenbrock
from optim_lessons.pictures import a_million_runs, start_here
from optim_lessons.site.record import record

ROUNDS, STOPS = 15, 60
MAPS = {"momentum": "Himmelblau", "Adam": "Himmelblau"}
_LOAD = """text => {
  window.maker = new Printed(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)));
  return maker.ready.then(() => 1);
}"""
# Milliseconds of each picture, one after the other.
_TIMES = """async wishes => {
  const times = [];
  for (const values of wishes) {
    const begun = performance.now();
    if (!((await maker.later(values)) ?? maker.make(values))) throw new Error(`no picture of ${values}`);
    times.push(performance.now() - begun);
  }
  return times;
}"""


def load():
    """Return how busy the machine is, in words."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def in_page(page, explorer, wishes):
    """Return the milliseconds that the page takes for each picture, after one round to warm up."""
    packed = programs(explorer.live, explorer.controls, [explorer.values])
    page.evaluate(_LOAD, base64.b64encode(packed).decode())
    rows = [list(values.values()) for values in wishes]
    page.evaluate(_TIMES, rows)
    return page.evaluate(_TIMES, [*rows[-2::-1], *rows[1:]])  # to and fro; where one stands is known already


def in_python(explorer, wishes):
    """Return the milliseconds that Python takes for each picture."""
    times = []
    for values in wishes:
        begun = time.perf_counter()
        explorer.live.frame(values)
        times.append(1000 * (time.perf_counter() - begun))
    return times


def said(words, times):
    """Print median and best of some times."""
    print(f"  {words:24} median {statistics.median(times):7.1f} ms, best {min(times):7.1f} ms")


def race(page):
    """Measure the race."""
    explorer = explore(start_here.race(), steps=300)
    # The noise is the same and its numbers are kept; what is dragged is the learning rate.
    wishes = [explorer.values | {"lr_scale": 0.5 + 0.02 * i} for i in range(ROUNDS)]
    print("race, 7 rules x 300 steps:")
    said("in the page", in_page(page, explorer, wishes))
    said("in Python", in_python(explorer, wishes))


def maps(page):
    """Measure maps whose third value is dragged."""
    for rule, ground in MAPS.items():
        explorer = explore(a_million_runs.run_map(), rule=[rule], landscape=[ground], axes=["lr and memory"])
        wishes = [explorer.values | {"start": -3 + 0.1 * i} for i in range(ROUNDS)]
        print(f"map of 10,000 runs x 200 steps, {rule} on {ground}:")
        times = in_page(page, explorer, wishes)
        said("in the page", times)
        print(f"  pictures a second        median {1000 / statistics.median(times):7.0f}")
        said("in Python", in_python(explorer, wishes[:3]))


def recordings():
    """Print bytes."""
    few = {"rule": ["momentum"], "landscape": ["ravine"]}
    scenes = {
        "walk of Adam": (walk(adam, rosenbrock), {}),
        "the race": (start_here.race(), {}),
        "a map of runs": (a_million_runs.run_map(), few),
        "basins": (a_million_runs.basins(), {}),
    }
    for name, (scene, knobs) in scenes.items():
        sizes = []
        for one in (scene, dataclasses.replace(scene, formulas=None)):
            explorer = Explorer(one, knobs)
            sizes.append(len(record(explorer, STOPS)))
            explorer.close_all()
        print(f"{name}: {sizes[0] / 1000:.0f} kB of programs, {sizes[1] / 1000:.0f} kB of frames")


def main(*only):
    """Print what was measured."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page()
        page.add_script_tag(content=course_page.script())
        for name, part in {"race": race, "maps": maps}.items():
            if not only or name in only:
                part(page)
                print(f"  {load()}", flush=True)
        browser.close()
    if not only or "bytes" in only:
        recordings()


if __name__ == "__main__":
    main(*sys.argv[1:])
