"""The canvas of every figure: as fine as its still, of FINE pixels for each one of the page.

Frames are made from the same figure, so that a text is read and measured once for both. Every text keeps the
renderer that drew it: all figures of a size share one, or each would hold some megabytes of pixels.
"""

import functools

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

FINE = 2  # pixels of a figure for each one that it takes on the page


class FineCanvas(FigureCanvasAgg):
    """An Agg canvas that shares its pixels with all canvases of its size: take them before another draws."""

    def get_renderer(self):
        """Return the renderer that holds the pixels."""
        return _pixels(*self.get_width_height(physical=True), self.figure.dpi)


@functools.lru_cache(maxsize=2)
def _pixels(width, height, dpi):
    renderer = RendererAgg(width, height, dpi)
    renderer.mathtext_parser = ruler(dpi).mathtext_parser  # reading "$10^{-5}$" anew takes milliseconds
    return renderer


@functools.lru_cache(maxsize=2)
def ruler(dpi):
    """Return a renderer that holds no picture: it measures texts."""
    return RendererAgg(1, 1, dpi)


def on_page(figure):
    """Return how wide and high a figure is on the page, in the page's pixels."""
    return figure.bbox.width / FINE, figure.bbox.height / FINE


def box_on_page(axes):
    """Return where axes stand in the page's pixels, from the upper left corner: left, top, width, height."""
    box, height = axes.get_window_extent(), axes.figure.bbox.height
    return [box.x0 / FINE, (height - box.y1) / FINE, box.width / FINE, box.height / FINE]
