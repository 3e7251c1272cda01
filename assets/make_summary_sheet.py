"""Make the summary sheet anew: python assets/make_summary_sheet.py

Writes assets/summary_sheet.html, and prints it to assets/summary_sheet.pdf by Chromium (needs the
test extra). Done twice on one machine it changes nothing.
"""

import hashlib
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from optim_lessons.teaching.summary import page

ASSETS = Path(__file__).resolve().parent
sys.path.insert(0, str(ASSETS.parent / "tests"))
from lab_page import CHROMIUM_ARGUMENTS  # noqa: E402
from running_lab import find_browser  # noqa: E402


def printed(html):
    """Return a page as PDF, marked at its end."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=CHROMIUM_ARGUMENTS)
        tab = browser.new_page()
        tab.set_content(html)
        pdf = tab.pdf(format="A4", print_background=True, tagged=True)  # the page sets the margins
        browser.close()
    return pdf + mark(html)


def mark(html):
    """Return the last line of the PDF, which says from which page it was printed."""
    return b"% printed from " + hashlib.sha256(html.encode()).hexdigest().encode() + b"\n"


if __name__ == "__main__":
    html, paper = page(), ASSETS / "summary_sheet.pdf"
    (ASSETS / "summary_sheet.html").write_text(html, encoding="utf-8", newline="\n")
    if not (paper.exists() and paper.read_bytes().endswith(mark(html))):  # no two prints have the same bytes
        paper.write_bytes(printed(html))
    print("assets/summary_sheet.html, assets/summary_sheet.pdf")
