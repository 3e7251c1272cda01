"""How large the built site is and how fast it answers: python tests/benchmarks/site_speed.py FOLDER

FOLDER was made by `optim-lessons site FOLDER`. Printed, in this order:

    bytes     of the site, of each lesson (its page, stills and explorers), of the median and largest explorer
    live      milliseconds from navigation to the first live figure: local server, cold cache, median of 5
    scrub     pictures a second while a script moves a slider at every frame of the screen for one second:
              each explorer of lessons 01, 04 and 08, the first of every other one
"""

import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lab_page import CHROMIUM_ARGUMENTS
from running_lab import find_browser
from site_page import SitePage, addresses

ALL_OF = ("01", "04", "08")
AGAIN = 5
SIZE = {"width": 1300, "height": 800}
# Moves a slider to and fro, one stop a frame, for a second; returns the pictures painted.
SCRUB = """async slider => {
  const frame = () => new Promise(requestAnimationFrame), last = Number(slider.max);
  let painted = 0, at = Number(slider.value), way = 1;
  const count = () => painted++;
  window.addEventListener("optim-lessons-painted", count);
  for (const begun = performance.now(); performance.now() - begun < 1000; await frame()) {
    if (at + way < 0 || at + way > last) way = -way;
    slider.value = at += way;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
  window.removeEventListener("optim-lessons-painted", count);
  return painted;
}"""
FIRST_LIVE = """() => new Promise((done) => {
  const live = () => document.querySelector(".ol-live");
  const look = () => (live() ? done(performance.now()) : requestAnimationFrame(look));
  look();
})"""


def say_sizes(folder):
    """Print bytes."""
    print(f"site {_bytes(folder.rglob('*')) / 1e6:.1f} MB")
    explorers = sorted((folder / "_static/explorers").iterdir(), key=lambda path: path.stat().st_size)
    for page in _pages(folder):
        own = [
            path
            for kind in ("explorers", "stills")
            for path in (folder / "_static" / kind).glob(f"{page[:2]}-*")
        ]
        print(f"{page} {_bytes([folder / f'{page}.html', *own]) / 1e6:.2f} MB")
    middle = statistics.median(path.stat().st_size for path in explorers)
    print(f"{len(explorers)} explorers, median {middle / 1e3:.0f} kB, ", end="")
    print(f"largest {explorers[-1].stat().st_size / 1e3:.0f} kB ({explorers[-1].stem})")


def _bytes(paths):
    return sum(path.stat().st_size for path in paths if path.is_file())


def _pages(folder):
    return sorted(path.stem for path in folder.glob("[0-9][0-9]_*.html"))


def say_speed(folder, browser, address):
    """Print milliseconds and pictures a second."""
    for page in ["index", *_pages(folder)]:
        times = []
        for _ in range(AGAIN):
            reader = SitePage(browser, address, viewport=SIZE)
            reader.page.goto(address + f"{page}.html")
            if page != "index":
                reader.page.locator(".ol-figure").first.scroll_into_view_if_needed()
            times.append(reader.page.evaluate(FIRST_LIVE))
            reader.close()
        print(f"{page}: live after {statistics.median(times):.0f} ms")
    for page in _pages(folder):
        reader = SitePage(browser, address, viewport=SIZE)
        reader.open(f"{page}.html")
        for figure in reader.figures() if page[:2] in ALL_OF else reader.figures()[:1]:
            explorer = reader.wake(figure)
            slider = explorer.locator("input[type=range]").first
            print(f"{figure.get_attribute('id')}: {slider.evaluate(SCRUB)} pictures a second")
        reader.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    say_sizes(folder)
    with sync_playwright() as driver, addresses("http", folder) as address:
        browser = driver.chromium.launch(executable_path=find_browser(), args=CHROMIUM_ARGUMENTS)
        say_speed(folder, browser, address)
        browser.close()
