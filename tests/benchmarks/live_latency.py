"""How fast a picture follows a slider, beside ipywidgets.interact: python tests/benchmarks/live_latency.py

Both redraw the same walk of Adam (200 steps on Rosenbrock's valley, two panels) in one JupyterLab and one
Chromium, by turns: on this machine and with 100 ms of round trip between browser and server, each at one and
at two pixels of the screen per point.

    key       milliseconds from a key press to the picture on the screen, of 24
    drags     15 key presses at 30 per second, three times: pictures seen, and last one after the last key
    storm     300 values set by code without a pause: the last one's picture after the last value was set
    first     a cell run again: milliseconds to its picture

Then every lesson runs in a kernel of its own: bytes of its explorers' frames, memory of the kernel.
With "page" or "kernel" as its argument, only that part; "kernel 01 08": only these lessons.
"""

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lab_page import CHROMIUM_ARGUMENTS, LabPage
from running_lab import find_browser, running_course
from slow_network import slow_network

from optim_lessons.lab.shipped import shipped

ROUNDS, PRESSES, AGAIN = 3, 8, 5
ROUND_TRIP = 0.1
SIZE = {"width": 1400, "height": 1000}

OURS = """from optim_lessons.adam import adam
from optim_lessons.lab.explore import explore
from optim_lessons.landscapes import rosenbrock
ours = explore(adam, rosenbrock, lr=0.05, steps=200)
ours"""
INTERACT = """import ipywidgets
import matplotlib.pyplot as plt
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import height_map, look
def draw(lr=0.05, beta1=0.9, beta2=0.999):
    ws = path(adam, rosenbrock.grad, rosenbrock.start, 200, lr=lr, beta1=beta1, beta2=beta2)
    with look():
        figure, (above, beside) = plt.subplots(1, 2, figsize=(9.6, 4.0))
        height_map(above, rosenbrock)
        above.plot(ws[:, 0], ws[:, 1], "o-", markersize=3.5)
        beside.set(yscale="log", ylim=(1e-9, 1e3), xlabel="step", ylabel="loss")
        beside.plot(rosenbrock(ws))
        plt.show()
lr = ipywidgets.FloatLogSlider(0.05, min=-4, max=1, step=0.02)
ipywidgets.interact(draw, lr=lr, beta1=(0, 0.99), beta2=(0, 0.999));"""
STORM = """import time
for stop in ours.controls["lr"].stops[:300]:
    ours.set(lr=stop)
print(f"sent {stop} at {1000 * time.time():.0f}")"""
# In a lesson's kernel, after its last cell: memory, and the bytes of first frames and of moves.
FRAMES = """import gc, json, statistics, sys
from pathlib import Path
def _memory():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
_rss = _memory()
sys.path.insert(0, TESTS)
from drive import somewhere
from optim_lessons.lab.explore import Explorer
def _bytes(explorer):
    moves = []
    for values in somewhere(explorer, 8):
        moves.append(len(explorer._packed([list(values.values())], [explorer.live.frame(values)])))
    return len(explorer._start), statistics.median(moves)
_sizes = [_bytes(one) for one in gc.get_objects() if isinstance(one, Explorer) and one.comm]
print(json.dumps([_rss, _sizes]))"""


def notebook(*sources):
    """Return a notebook with these cells."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def load():
    """Return how busy the machine is, in words."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def sliders(lab):
    """Return the rivals' sliders for lr."""
    return {
        "explore": lab.page.locator('.optim-lessons-explorer [data-knob="lr"]'),
        "interact": lab.page.locator(".widget-interact .noUi-handle").first,
    }


def measure(lab, ratio):
    """Measure both rivals, by turns, and print a row for each."""
    lab.page.context.new_cdp_session(lab.page).send(
        "Emulation.setDeviceMetricsOverride", SIZE | {"deviceScaleFactor": ratio, "mobile": False}
    )
    lab.page.wait_for_timeout(500)
    keys, drags = {}, {}
    for _ in range(ROUNDS):
        for name, slider in sliders(lab).items():
            slider.scroll_into_view_if_needed()
            keys.setdefault(name, []).extend(lab.time_of(slider, "ArrowRight") for _ in range(PRESSES))
            drags.setdefault(name, []).append(lab.hold(slider, "ArrowLeft", rest=1000))
    first = {name: first_picture(lab, cell) for cell, name in enumerate(sliders(lab))}
    for name, times in keys.items():
        seen = ", ".join(f"{pictures}" for pictures, _ in drags[name])
        late = ", ".join(f"{delay:.0f}" for _, delay in drags[name])
        print(
            f"  {ratio} pixels a point, {name:8}: key {statistics.median(times):5.0f} ms (worst "
            f"{max(times):4.0f}), drags {seen} of 15, last after {late} ms; first {first[name]:.0f} ms"
        )
    slow, fast = statistics.median(keys["interact"]), statistics.median(keys["explore"])
    print(f"    {slow / fast:.1f} times faster; {storm(lab)}; {load()}", flush=True)


def run_cell(lab, number):
    """Run a cell of the notebook by the keyboard."""
    lab.page.locator(".jp-CodeCell .cm-content").nth(number).click()
    lab.record()
    lab.page.keyboard.press("Control+Enter")


def first_picture(lab, cell):
    """Return the median milliseconds from running a cell again to its picture."""
    times = []
    for _ in range(AGAIN):
        run_cell(lab, cell)
        lab.wait_painted()
        moves, paints = lab.record()
        times.append(paints[0] - moves[-1])
        lab.wait_idle()
        lab.rest(300)
    return statistics.median(times)


_LAST = """() => window.addEventListener("optim-lessons-painted", ({ detail }) => requestAnimationFrame(
  () => setTimeout(() => { window.last = [detail.player.shown.values[0], Date.now()]; }, 0)))"""


def storm(lab):
    """Set 300 values by code; return in words what came last, and when."""
    lab.page.evaluate(_LAST)
    run_cell(lab, 2)
    lab.wait_idle()
    lab.rest(1000)
    said = lab.page.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-output").inner_text()
    _, sent, _, at = said.split()
    shown, painted = lab.page.evaluate("() => window.last")
    right = "the right one" if shown == float(sent) else f"NOT {sent} but {shown}"
    return f"storm: last picture {painted - int(at):.0f} ms after the last value, {right}"


def pages():
    """Measure in the browser."""
    with running_course() as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=CHROMIUM_ARGUMENTS)
        far = slow_network(server, ROUND_TRIP)
        for words, near in (
            ("on this machine", contextlib.nullcontext(server.address)),
            ("100 ms away", far),
        ):
            nbformat.write(notebook(OURS, INTERACT, STORM), server.folder / "race.ipynb")
            with near as address:
                lab = LabPage(browser.new_page(viewport=SIZE), address)
                lab.open("race.ipynb")
                lab.run_all()
                print(f"{words}:")
                for ratio in (1, 2):
                    measure(lab, ratio)
                complaints = lab.complaints + [f"asked {address}" for address in lab.strangers]
                print(f"  complaints of the page: {complaints or 'none'}")
                lab.page.close()
        browser.close()


def kernels(lessons):
    """Run lessons, or all of them, in a kernel each; print bytes of frames and memory."""
    first, moves, memory = [], [], {}
    paths = sorted(shipped("notebooks").glob("*.ipynb"))
    for path in [path for path in paths if not lessons or path.stem[:2] in lessons]:
        lesson = nbformat.read(path, as_version=4)
        tests = str(Path(__file__).resolve().parents[1])
        lesson.cells.append(nbformat.v4.new_code_cell(FRAMES.replace("TESTS", repr(tests))))
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(lesson, timeout=300, resources={"metadata": {"path": folder}}).execute()
        said = next(output.text for output in lesson.cells[-1].outputs if output.output_type == "stream")
        memory[path.stem[:2]], sizes = json.loads(said)
        first += [one for one, _ in sizes]
        moves += [one for _, one in sizes]
    for words, sizes in (("first frame with its book", first), ("a move", moves)):
        print(
            f"{len(sizes)} explorers, {words}: median {statistics.median(sizes) / 1000:.1f} kB, "
            f"largest {max(sizes) / 1000:.1f} kB"
        )
    print("memory of the kernel after Run All, MB:", ", ".join(f"{k} {v:.0f}" for k, v in memory.items()))


def main(only=None, *lessons):
    """Print what was measured."""
    begun = time.monotonic()
    print(load())
    if only != "kernel":
        pages()
    if only != "page":
        kernels(lessons)
    print(f"{time.monotonic() - begun:.0f} s, {load()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
