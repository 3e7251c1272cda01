"""A person in front of JupyterLab: opens a notebook, runs it, moves sliders, and sees the picture change."""

import time
from urllib.parse import urlsplit

import nbformat

from optim_lessons.course.notebook import explored

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# Notes when a key or the mouse moved something, and when a changed picture was on the screen: a canvas of
# ours, or an image of a rival's.
_WATCH = """
() => {
  window.moves = []; window.paints = [];
  if (window.watched) return;
  window.watched = true;
  let soon = false;
  const painted = () => {
    if (soon) return;  // two that nobody can see apart count once
    soon = true;
    const seen = () => { soon = false; window.paints.push(performance.now()); };
    requestAnimationFrame(() => setTimeout(seen, 0));
  };
  for (const kind of ["keydown", "pointermove"])
    document.addEventListener(kind, event => window.moves.push(event.timeStamp), true);
  window.addEventListener("optim-lessons-painted", painted);
  new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(node => {
    if (node.querySelectorAll) for (const image of [node, ...node.querySelectorAll("img")])
      if (image.tagName === "IMG") image.decode().then(painted);
  }))).observe(document.body, {childList: true, subtree: true});
}
"""
_IDLE = ".jp-StatusBar-TextItem:text('| Idle')"
_RECORD = (
    "() => { const r = [window.moves, window.paints]; window.moves = []; window.paints = []; return r; }"
)
# What an explorer's canvas shows, as a short text; wait: not before it is the picture of its controls.
_DIGEST = """async (explorer, wait) => {
  const patience = performance.now() + 120000;
  while (wait && explorer.hasAttribute("data-waiting") && performance.now() < patience)
    await new Promise((done) => setTimeout(done, 5));
  if (wait && explorer.hasAttribute("data-waiting")) throw new Error("the picture does not come");
  const canvas = explorer.querySelector("canvas"), context = canvas.getContext("2d");
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", pixels))).join();
}"""
# Where a control stands: its number among its stops, and how many there are.
_PLACE = """control => {
  if (control.type === "checkbox") return [Number(control.checked), 2];
  if (control.tagName === "SELECT") return [control.selectedIndex, control.options.length];
  return [Number(control.value), Number(control.max) + 1];
}"""

LITTLE_AHEAD = "import optim_lessons.lab.explore\noptim_lessons.lab.explore.AHEAD = 0.05"


class LabPage:
    """JupyterLab in a browser page, with everything it complained about.

    complaints: errors in the page's console.  strangers: addresses asked for that are not this machine.
    """

    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.complaints = []
        self.strangers = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("request", self._note)
        page.on("websocket", self._note)

    def _note(self, request):
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.strangers.append(request.url)

    def open(self, notebook):
        """Open a notebook and wait until its kernel is idle."""
        self.page.goto(self.address(f"lab/tree/{notebook}") + "&reset")
        self._wait_open()

    def close(self):
        """Close the notebook that is open, and leave its file as it is."""
        tab = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
        changed = "jp-mod-dirty" in tab.get_attribute("class")
        tab.locator(".lm-TabBar-tabCloseIcon").click()
        if changed:
            self.page.locator(".jp-Dialog").get_by_text("Discard").click()
        self.page.wait_for_selector(".jp-NotebookPanel", state="detached")

    def choose(self, notebook):
        """Open a notebook from the side bar and wait until its kernel is idle."""
        self.page.locator(f'.jp-DirListing-item:has-text("{notebook}")').dblclick()
        self._wait_open()

    def _wait_open(self):
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        self.page.wait_for_selector(_IDLE, timeout=60_000)

    def wait_idle(self, timeout=180_000):
        """Wait until no cell is waiting to run and the kernel rests."""
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(p => p.textContent.includes('*'))",
            timeout=timeout,
        )
        self.page.wait_for_selector(_IDLE, timeout=timeout)

    def run_all(self):
        """Choose Run, Run All Cells in the menu, wait for the end, and begin to watch the pictures."""
        self.page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        self.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        self.page.wait_for_timeout(500)
        self.wait_idle()
        self.page.wait_for_timeout(1000)
        self.watch()

    def watch(self):
        """Begin to note moves and painted pictures."""
        self.page.evaluate(_WATCH)

    def explorers(self):
        """Return the live explorers on the page, in order."""
        return self.page.locator(".optim-lessons-explorer").all()

    def record(self):
        """Return the times, in milliseconds, of moves and of painted pictures since the last call."""
        return self.page.evaluate(_RECORD)

    def wait_painted(self):
        """Wait for the next painted picture."""
        self.page.wait_for_function("() => window.paints.length > 0", timeout=10_000)

    def rest(self, milliseconds):
        """Wait until no new picture has come for a while."""
        count = -1
        while count != (count := self.page.evaluate("() => window.paints.length")):
            self.page.wait_for_timeout(milliseconds)

    def picture(self, explorer, now=False):
        """Return what the explorer shows for its values, as text that is the same for the same picture.

        It is waited for, however long it takes: a control says at once that its picture is another one.
        now: what stands there, even while it waits for another.
        """
        return explorer.evaluate(_DIGEST, not now)

    def controls(self, explorer):
        """Return the controls of an explorer, in order."""
        return explorer.locator("[data-knob]").all()

    def keys(self, control):
        """Return the keys that move a control away from where it is, and back."""
        place, stops = control.evaluate(_PLACE)
        kind = control.evaluate("control => control.type")
        if kind == "checkbox":
            return " ", " "
        forth, back = ("ArrowDown", "ArrowUp") if kind == "select-one" else ("ArrowRight", "ArrowLeft")
        return (back, forth) if place == stops - 1 else (forth, back)

    def time_of(self, handle, key):
        """Press a key on a slider and wait for a picture; return the milliseconds from key to paint."""
        handle.focus()
        self.record()
        self.page.keyboard.press(key)
        self.wait_painted()
        moves, paints = self.record()
        self.rest(120)
        return paints[0] - moves[0]

    def hold(self, handle, key, presses=15, pause=1 / 30, rest=500):
        """Press a key many times; return pictures painted and milliseconds from last key to last one."""
        handle.focus()
        self.record()
        begun = time.perf_counter()
        for i in range(presses):
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(max(0, 1000 * (begun + (i + 1) * pause - time.perf_counter())))
        self.rest(rest)
        moves, paints = self.record()
        return len(paints), paints[-1] - moves[-1]

    def drag(self, slider, way):
        """Drag a slider's thumb with the mouse, in small moves."""
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        place, stops = slider.evaluate(_PLACE)
        x = box["x"] + 8 + (box["width"] - 16) * place / max(1, stops - 1)
        y = box["y"] + box["height"] / 2
        pixels = max(40, 1.2 * (box["width"] - 16) / max(1, stops - 1)) * (-1 if way == "left" else 1)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for i in range(1, 6):
            self.page.mouse.move(x + pixels * i / 5, y)
            self.page.wait_for_timeout(17)
        self.page.mouse.up()


def leave_out_the_rest(path):
    """Take from a notebook the code that leads to no live picture, and most work ahead of a hand."""
    notebook = nbformat.read(path, as_version=4)
    kept = {cell["id"] for cell in explored(notebook)}
    cells = [cell for cell in notebook.cells if cell.cell_type != "code" or cell.id in kept]
    first = next(cell for cell in cells if cell.cell_type == "code")
    first.source = f"{LITTLE_AHEAD}\n{first.source}"
    notebook.cells = cells
    nbformat.write(notebook, path)
