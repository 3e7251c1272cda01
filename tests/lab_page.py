"""A person in front of JupyterLab: opens a notebook, runs it, moves sliders, and looks when the picture changed."""

from urllib.parse import urlsplit

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# Records when a key or mouse moved a slider and when a changed picture was on the screen.
_WATCH = """
() => {
  window.moves = []; window.paints = [];
  for (const kind of ["keydown", "pointermove", "mousemove"])
    document.addEventListener(kind, e => window.moves.push([performance.now(), kind]), true);
  const seen = new WeakMap();
  const painted = img => {
    const source = img.currentSrc || img.src;
    if (seen.get(img) === source) return;
    seen.set(img, source);
    requestAnimationFrame(() => setTimeout(() => window.paints.push([performance.now(), source]), 0));
  };
  const watch = img => {
    if (img.watched) return;
    img.watched = true;
    seen.set(img, img.currentSrc || img.src);
    img.addEventListener("load", () => painted(img));
  };
  document.querySelectorAll(".jp-OutputArea img").forEach(watch);
  new MutationObserver(changes => {
    for (const change of changes)
      for (const node of change.addedNodes)
        if (node.querySelectorAll)
          for (const img of [node, ...node.querySelectorAll("img")])
            if (img.tagName === "IMG") { const fresh = !img.watched; watch(img); if (fresh) { seen.delete(img); img.complete && painted(img); } }
  }).observe(document.body, {childList: true, subtree: true});
}
"""


class LabPage:
    """JupyterLab in a browser page, with everything it complained about."""

    def __init__(self, page, url):
        self.page = page
        self.base, self.token = url.split("/lab")[0], url.split("token=")[1].split("&")[0]
        self.complaints = []
        self.strangers = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("request", self._note)

    def _note(self, request):
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost"):
            self.strangers.append(request.url)

    def open(self, notebook):
        """Open a notebook (its path below the server's folder) and wait until its kernel is idle."""
        self.page.goto(f"{self.base}/lab/tree/{notebook}?token={self.token}&reset")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        self.wait_idle()

    def wait_idle(self, timeout=120_000):
        """Wait until the kernel is idle and no cell is waiting to run."""
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=timeout)
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(p => p.textContent.includes('*'))",
            timeout=timeout,
        )

    def run_all(self):
        """Choose Run, Run All Cells from the menu and wait for the end."""
        self.page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        self.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        self.page.wait_for_timeout(500)
        self.wait_idle()

    def explorers(self):
        """Return the locators of all live explorers on the page, in order."""
        return self.page.locator(".optim-lessons-explorer").all()

    def watch(self):
        """Begin to record moves and painted pictures."""
        self.page.evaluate(_WATCH)

    def record(self):
        """Return (moves, paints) since the last call: lists of [milliseconds, what]."""
        return self.page.evaluate(
            "() => { const r = [window.moves, window.paints]; window.moves = []; window.paints = []; return r; }"
        )

    def quiet(self, milliseconds=400, most=8000):
        """Wait until no new picture has come for a while."""
        waited, last = 0, -1
        while waited < most:
            self.page.wait_for_timeout(milliseconds)
            waited += milliseconds
            count = self.page.evaluate("() => window.paints.length")
            if count == last:
                return
            last = count
