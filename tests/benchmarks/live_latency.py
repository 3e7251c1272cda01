"""How fast a picture follows a slider, beside ipywidgets.interact: python tests/benchmarks/live_latency.py

Both redraw the same walk of Adam (200 steps on Rosenbrock's valley, two panels) in one JupyterLab and one
Chromium, one after the other: milliseconds from key press to painted picture, and a drag of 15 presses at
30 per second. Then a storm: 300 values in 3 s sent to the kernel.
"""

import os
import statistics
import sys
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lab_page import CHROMIUM_ARGUMENTS, LabPage
from running_lab import find_browser, running_course

PRESSES = 20

OURS = """from optim_lessons.adam import adam
from optim_lessons.lab.explore import explore
from optim_lessons.landscapes import quadratic, rosenbrock
ours = explore(adam, rosenbrock, lr=0.05, steps=200)
ours"""
RAVINE = "explore(adam, quadratic, lr=0.05, steps=200)"
INTERACT = """import ipywidgets
import matplotlib.pyplot as plt
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import height_map, loss_axis, look
def draw(lr=0.05, beta1=0.9, beta2=0.999):
    ws = path(adam, rosenbrock.grad, rosenbrock.start, 200, lr=lr, beta1=beta1, beta2=beta2)
    with look():
        figure, (above, beside) = plt.subplots(1, 2, figsize=(9.6, 4.0))
        height_map(above, rosenbrock)
        above.plot(ws[:, 0], ws[:, 1], "o-", markersize=3.5)
        loss_axis(beside, rosenbrock(ws[0]), 0.0, 200)
        beside.plot(rosenbrock(ws))
        plt.show()
lr = ipywidgets.FloatLogSlider(0.05, min=-4, max=1, step=0.02)
ipywidgets.interact(draw, lr=lr, beta1=(0, 0.99), beta2=(0, 0.999));"""
STORM = """import asyncio, time
async def storm():
    drawn = []
    ours.set(lr=0.001)
    ours.flush()
    ours.picture.observe(lambda change: drawn.append(time.perf_counter()), "value")
    start = time.perf_counter()
    stops = [value for _, value in ours.sliders["lr"].options]
    for i in range(300):
        ours.sliders["lr"].value = stops[i]
        await asyncio.sleep(max(0, start + (i + 1) * 0.01 - time.perf_counter()))
    sent = time.perf_counter()
    await asyncio.sleep(1.5)
    late = drawn[-1] - sent
    print(f"storm: 300 values in {sent - start:.2f} s, {len(drawn)} pictures, last one {late:+.3f} s after")
task = asyncio.ensure_future(storm())"""  # a top-level await stops the page from sending slider moves


def notebook():
    """Return a notebook with the two rivals and the storm."""
    cells = [nbformat.v4.new_code_cell(source) for source in (OURS, RAVINE, INTERACT, STORM)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def measure(lab, handle):
    """Return the median milliseconds of single presses, and the pictures and delay of a drag."""
    handle.scroll_into_view_if_needed()
    presses = [lab.press(handle, "ArrowRight") for _ in range(PRESSES)]
    return statistics.median(presses), *lab.hold(handle, "ArrowLeft")


def main():
    """Print one table for each device pixel ratio."""
    chromium = find_browser()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with running_course() as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        for ratio in (1, 2):
            nbformat.write(notebook(), server.folder / f"ratio {ratio}.ipynb")
            context = browser.new_context(viewport={"width": 1400, "height": 1000}, device_scale_factor=ratio)
            lab = LabPage(context.new_page(), server.address)
            lab.open(f"ratio {ratio}.ipynb")
            lab.run_all()
            report(lab, ratio)
            context.close()
        browser.close()


def report(lab, ratio):
    """Measure both rivals on an open page and print the table."""
    storm = lab.page.wait_for_selector("text=/^storm: 300 values in/", timeout=20_000).inner_text()
    ours = [explorer.locator(".noUi-handle").first for explorer in lab.explorers()]
    handles = {"explore, Rosenbrock": ours[0], "explore, a ravine": ours[1]}
    handles["interact"] = lab.page.locator(".widget-interact .noUi-handle").first
    print(f"\ndevice pixel ratio {ratio}: key to picture | pictures of 15 | last picture after last key")
    medians = {}
    for name, handle in handles.items():
        medians[name], pictures, delay = measure(lab, handle)
        print(f"{name:22} {medians[name]:8.0f} ms {pictures:14} {delay:14.0f} ms")
    slow = medians.pop("interact")
    print(", ".join(f"{name}: {slow / fast:.1f} times faster" for name, fast in medians.items()))
    print(storm)
    print(f"page errors: {lab.complaints or 'none'}; requests elsewhere: {lab.strangers or 'none'}")


if __name__ == "__main__":
    main()
