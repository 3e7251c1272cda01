"""Film the README's moving picture in a real JupyterLab: python assets/make_readme_picture.py

Needs the test extra and Chromium. Opens lesson 01, drags the ravine's learning rate with the mouse, and
writes assets/drag.gif, at most 1 MB.
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ASSETS = Path(__file__).resolve().parent
sys.path.insert(0, str(ASSETS.parent / "tests"))
from lab_page import CHROMIUM_ARGUMENTS, LabPage  # noqa: E402
from running_lab import find_browser, running_course  # noqa: E402

EXPLORER = 1  # the ravine, the second one of lesson 01
WIDTH = 800
FRAMES = 44
MOST_BYTES = 1_000_000


def film(page, explorer):
    """Drag the slider lr to the right and back; return the pictures of the explorer."""
    slider = explorer.locator('[data-knob="lr"]')
    explorer.evaluate("e => e.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(500)
    box, clip = slider.bounding_box(), explorer.bounding_box()
    part = slider.evaluate("one => one.value / one.max")
    x, y = box["x"] + 8 + (box["width"] - 16) * part, box["y"] + box["height"] / 2
    frames = []
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(FRAMES):
        phase = abs((i / FRAMES * 2 + 1) % 2 - 1)  # 1 down to 0 and up again
        page.mouse.move(x + 22 - 75 * (1 - phase), y)
        page.wait_for_timeout(150)
        shot = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
        frames.append(_with_pointer(shot, x + 22 - 75 * (1 - phase) - clip["x"], y - clip["y"]))
    page.mouse.up()
    return frames


def _with_pointer(shot, x, y):
    from PIL import ImageDraw

    arrow = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]
    ImageDraw.Draw(shot).polygon([(x + a, y + b) for a, b in arrow], fill="black", outline="white")
    return shot


def save(frames, path):
    """Write frames as a looping GIF with one palette for all."""
    height = round(frames[0].height * WIDTH / frames[0].width)
    small = [frame.resize((WIDTH, height), Image.Resampling.LANCZOS) for frame in frames]
    palette = small[len(small) // 2].quantize(64, Image.Quantize.MAXCOVERAGE, kmeans=3)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=110, loop=0, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, more than {MOST_BYTES:,}: fewer frames?")


def main():
    """Start a server and a browser, film, save."""
    chromium = find_browser()
    with running_course() as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        lab = LabPage(page, server.address)
        lab.open("01_gradient_descent.ipynb")
        lab.run_all()
        frames = film(page, lab.explorers()[EXPLORER])
        browser.close()
    save(frames, ASSETS / "drag.gif")
    print(f"assets/drag.gif: {len(frames)} frames, {(ASSETS / 'drag.gif').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
