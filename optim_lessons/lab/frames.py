"""Frames: a figure written down as small numbers, for a page that paints it itself.

A Recorder is a Matplotlib renderer that draws nothing. Artists draw themselves on it as on any other, and it
writes down what they asked for: paths, markers, texts and images. What repeats (styles, shapes of markers,
outlines of letters, images, whole layers) stands once in a Book, and a frame refers to it by number. The
painter, lab/page/painter.js, reads the same numbers; the forms of both are described here.

A frame is a row of 16-bit integers: the numbers of the two layers below it, the number of its places, then
calls. Positions are eighths of a pixel of the page, from the upper left corner. The calls:

    1 PATH   style, parts, then for each part: points, flags (1 closed, 2 snap to pixels), all x, all y
    2 MARKS  style, shape, points, all x, all y
    3 TEXT   style, x, y, angle in 64ths of a degree, letters, then for each: glyph, x, y, size · 2¹⁴
    4 IMAGE  style, image, x, y, then width and height in pixels
"""

import copy
import functools
import io
import itertools
import json
import math
import struct

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, Bbox
from PIL import Image

from optim_lessons.lab.canvas import FINE, on_page, ruler

UNIT = 8  # steps of a pixel
TO_PAGE = Affine2D().scale(1 / FINE)  # from the figure's pixels
PATH, MARKS, TEXT, IMAGE = 1, 2, 3, 4
CLOSED, SNAP = 1, 2
LARGEST = 32_000
MARGIN = 40  # pixels around the figure in which points are kept
KINDS = ("styles", "shapes", "glyphs", "places", "images", "layers")  # the last two are bytes, not JSON
_NOTHING = 0  # the number of the empty layer
_TEXTS = 2_000  # layouts of texts that are kept


class Book:
    """What frames refer to by number. It only grows; `news(counts)` gives what a reader lacks."""

    def __init__(self):
        self._numbers = {kind: {} for kind in KINDS}
        self._entries = {kind: [] for kind in KINDS}
        self.size = 0  # bytes, about
        self.note("layers", b"", lambda: b"")

    def note(self, kind, key, make):
        """Return the number of an entry; make() makes it, the first time."""
        known = self._numbers[kind]
        if key not in known:
            entry = make()
            known[key] = len(known)
            self._entries[kind].append(entry)
            self.size += len(entry) if isinstance(entry, bytes) else len(json.dumps(entry))
        return known[key]

    def counts(self):
        """Return how many entries there are of each kind."""
        return {kind: len(entries) for kind, entries in self._entries.items()}

    def news(self, counts=None):
        """Return the entries from `counts` on (all, if it is None): kind → list."""
        counts = counts or dict.fromkeys(KINDS, 0)
        news = {kind: entries[counts[kind] :] for kind, entries in self._entries.items()}
        return {kind: entries for kind, entries in news.items() if entries}


def pack(header, blobs):
    """Return a JSON header and byte strings in one piece, each at a multiple of four bytes.

    The form: length of the header, the header, the byte strings; the header says their lengths.
    """
    text = json.dumps(header | {"lengths": [len(blob) for blob in blobs]}, separators=(",", ":")).encode()
    pieces = [text, *blobs]
    return struct.pack("<I", len(text)) + b"".join(piece + b"\0" * (-len(piece) % 4) for piece in pieces)


def pack_frames(news, frames, **header):
    """Return frames, and what a reader's book lacks to paint them, as bytes.

    news: from Book.news.  frames: list of int16 arrays.  header: what else the reader is to know.
    """
    words = {kind: entries for kind, entries in news.items() if kind not in ("images", "layers")}
    images, layers = news.get("images", []), news.get("layers", [])
    counts = {"images": len(images), "layers": len(layers), "frames": len(frames)}
    return pack(
        header | {"news": words, "counts": counts}, [*images, *layers, *(f.tobytes() for f in frames)]
    )


class Recorder(RendererBase):
    """A renderer for one figure that writes calls down instead of drawing.

    book: a Book.  Artists speak in the figure's pixels; what is written down is in the page's.
    """

    def __init__(self, figure, book):
        super().__init__()
        self.figure = figure
        self.book = book
        self.width, self.height = on_page(figure)
        self.dpi = figure.dpi / FINE
        self._ruler = ruler(figure.dpi)
        self._seen = Bbox([[-MARGIN, -MARGIN], [self.width + MARGIN, self.height + MARGIN]])
        self._calls = []
        self._sizes, self._layouts = {}, {}

    def into(self, book):
        """Return another renderer for the same figure, which writes into another book."""
        other = copy.copy(self)
        other.book, other._layouts = book, {}
        return other

    def record(self, artists):
        """Let artists draw themselves; return the calls as an int16 array."""
        self._calls = []
        for artist in artists:
            artist.draw(self)
        return np.concatenate(self._calls) if self._calls else np.zeros(0, np.int16)

    def layer(self, artists):
        """Let artists draw themselves; return the number of their layer in the book."""
        calls = self.record(artists).tobytes()
        return self.book.note("layers", calls, lambda: calls)

    # What Matplotlib asks for.

    def flipy(self):
        """Say that y runs down."""
        return True

    def get_canvas_width_height(self):
        """Return the figure's size in pixels."""
        return self.figure.bbox.width, self.figure.bbox.height

    def points_to_pixels(self, points):
        """Return a length in points as one in the figure's pixels."""
        return points * self.figure.dpi / 72

    def get_image_magnification(self):
        """Say that an image has a pixel for each of the page's."""
        return 1 / FINE

    def option_image_nocomposite(self):
        """Say that images stay apart: each has its own number in the book."""
        return True

    def get_text_width_height_descent(self, s, prop, ismath):
        """Return a text's size as the stills have it, so that both have one layout."""
        key = s, hash(prop), ismath
        if key not in self._sizes:
            _forget_if_many(self._sizes)
            self._sizes[key] = self._ruler.get_text_width_height_descent(s, prop, ismath)
        return self._sizes[key]

    def draw_path(self, gc, path, transform, rgbFace=None):
        """Write a path down; long lines are thinned to what a pixel can show."""
        filled, transform = rgbFace is not None, transform + TO_PAGE
        if filled:
            parts = _parts(self._within(path.transformed(transform)), None)
        else:
            parts = _parts(path, transform, clip=self._seen.extents, simplify=path.should_simplify)
        self._note_path(self._style(gc, rgbFace), [(_thinned(points), closed) for points, closed in parts])

    def _within(self, path):
        """Return a filled path, cut at the border of what can be seen if it goes far beyond it."""
        points = path.vertices[np.isfinite(path.vertices).all(axis=-1)]
        if np.abs(points).max(initial=0) * UNIT < LARGEST:
            return path
        return path.clip_to_bbox(self._seen)

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):
        """Write markers down: a shape, and where it stands."""
        points = (trans + TO_PAGE).transform(path.vertices)
        points = points[np.isfinite(points).all(axis=1)]
        (x0, y0), (x1, y1) = self._seen.min, self._seen.max
        seen = (points[:, 0] > x0) & (points[:, 0] < x1) & (points[:, 1] > y0) & (points[:, 1] < y1)
        places = self._places(points[seen])
        places = places[:, np.append(True, (np.diff(places, axis=1) != 0).any(axis=0))[: places.shape[1]]]
        if not places.size:
            return
        shape = [
            [_flags(points, closed), *np.round(points * [1, -1], 2).ravel().tolist()]
            for points, closed in _parts(marker_path, marker_trans + TO_PAGE)
        ]
        number = self.book.note("shapes", json.dumps(shape), lambda: shape)
        self._note(MARKS, self._style(gc, rgbFace), number, places.shape[1])
        self._calls.append(places.ravel())

    def draw_image(self, gc, x, y, im, transform=None):
        """Write an image down. im: (rows, columns, 4) of bytes, the lowest row first."""
        rows, columns = im.shape[:2]
        number = self.book.note("images", (im.shape, im.tobytes()), lambda: _png(im[::-1]))
        corner = (round(x / FINE * UNIT), round((self.height - y / FINE - rows) * UNIT))
        self._note(IMAGE, self._style(gc, None, stroked=False), number, *corner, columns, rows)

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        """Write a text down: each letter's outline once, then where the letters stand. y runs down."""
        x, y = x / FINE, y / FINE
        letters, bars = self._layout(s, prop, ismath)
        style = self._look(None, 0, "butt", "miter", None, 0, _colour(gc.get_rgb(), None), None)
        at = (round(x * UNIT), round(y * UNIT))
        if len(letters):
            self._note(TEXT, style, *at, round(angle * 64), len(letters))
            self._calls.append(letters.ravel())
        if bars:
            turn = math.radians(angle)
            rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
            corner = np.array([x, self.height - y])
            self._note_path(style, [(bar @ rotation + corner, True) for bar in bars])

    def _layout(self, s, prop, ismath):
        """Return a text's letters, an int16 array of shape (letters, 4), and its fraction bars in pixels."""
        key = s, hash(prop), ismath
        if key in self._layouts:
            return self._layouts[key]
        scale = self._scale(prop)
        if ismath:
            letters, outlines, bars = text_to_path.get_glyphs_mathtext(prop, s)
            wide = text_to_path.get_text_width_height_descent(s, prop, ismath)[0]
            wide = self._length(wide) / scale
        else:
            letters, outlines, wide = _letters(_face(prop), s)
            bars = []
        # The stills' letters are fitted to pixels, which makes a text a little wider or narrower.
        stretch = self._width(s, prop, ismath) / (wide * scale) if wide else 1.0
        rows = [
            (
                self.book.note("glyphs", name, lambda name=name: _outline(*outlines[name])),
                round(x * scale * stretch * UNIT),
                round(-y * scale * UNIT),
                round(size * scale * 2**14),
            )
            for name, x, y, size in letters
            if len(outlines[name][0])
        ]
        layout = (
            np.array(rows, np.int16).reshape(-1, 4),
            [np.array(corners[:4]) * scale * [stretch, 1] for corners, _ in bars],
        )
        _forget_if_many(self._layouts)
        self._layouts[key] = layout
        return layout

    def word(self, prop, s):
        """Return a text's letters, [outline in the book, place] each, and its width in pixels, twice.

        The width is given as the outlines have it, and as the stills have it, whose letters are fitted to
        pixels.
        """
        scale = self._scale(prop)
        letters, outlines, wide = _letters(_face(prop), s)
        rows = [
            [self.book.note("glyphs", name, lambda name=name: _outline(*outlines[name])), round(x * scale, 3)]
            for name, x, *_ in letters
            if len(outlines[name][0])
        ]
        return [rows, round(wide * scale, 3), self._width(s, prop, False)]

    # How it is written, in the page's pixels.

    def _length(self, points):
        return points * self.dpi / 72

    def _scale(self, prop):
        return self._length(prop.get_size_in_points()) / text_to_path.FONT_SCALE

    def _width(self, s, prop, ismath):
        return self.get_text_width_height_descent(s, prop, ismath)[0] / FINE

    def _note(self, *numbers):
        self._calls.append(np.array(numbers, np.int16))

    def _note_path(self, style, parts):
        if not parts:
            return
        self._note(PATH, style, len(parts))
        for points, closed in parts:
            self._note(len(points), _flags(points, closed))
            self._calls.append(self._places(points).ravel())

    def _places(self, points):
        """Return points in pixels, y up, as eighths of a pixel, y down: shape (2, points)."""
        places = np.stack([points[:, 0], self.height - points[:, 1]]) * UNIT
        return np.clip(np.rint(places), -LARGEST, LARGEST).astype(np.int16)

    def _style(self, gc, face, stroked=True):
        width = self._length(gc.get_linewidth()) if stroked else 0
        offset, dashes = gc.get_dashes()
        alpha = gc.get_alpha() if gc.get_forced_alpha() else None
        return self._look(
            _colour(gc.get_rgb(), alpha) if width else None,
            round(width, 2),
            gc.get_capstyle().replace("projecting", "square"),
            gc.get_joinstyle(),
            None if dashes is None else [round(self._length(dash), 2) for dash in dashes],
            0 if dashes is None else round(self._length(offset or 0), 2),
            None if face is None or (len(face) == 4 and face[3] == 0) else _colour(face, alpha),
            self._clip(gc),
        )

    def _clip(self, gc):
        box = gc.get_clip_rectangle()
        path, transform = gc.get_clip_path()
        if box is None and path is not None:
            box = path.get_extents(transform)
        if box is None:
            return None
        box = TO_PAGE.transform_bbox(box)
        return [round(box.x0), round(self.height - box.y1), round(box.width), round(box.height)]

    def _look(self, *style):
        """Return the number of: stroke, width, cap, join, dashes, dash offset, fill, clip (x, y, w, h)."""
        return self.book.note("styles", json.dumps(style), lambda: list(style))


def _parts(path, transform=None, clip=None, simplify=False):
    """Return the connected pieces of a path, curves as straight lines: list of (points, closed)."""
    clean = path.cleaned(transform, remove_nans=True, clip=clip, curves=False, simplify=simplify)
    starts = np.flatnonzero(clean.codes == Path.MOVETO)
    parts = []
    for first, end in itertools.pairwise([*starts, len(clean.codes)]):
        codes = clean.codes[first:end]
        drawn = (codes == Path.MOVETO) | (codes == Path.LINETO)
        points = clean.vertices[first:end][drawn]
        if len(points) > 1 or (codes == Path.CLOSEPOLY).any():
            parts.append((points, bool((codes == Path.CLOSEPOLY).any())))
    return parts


def _thinned(points):
    """Return a line that runs from left to right with at most four points a pixel column.

    Of the points of a column the first, the lowest, the highest and the last are kept: no pixel changes.
    """
    columns = np.floor(points[:, 0])
    if len(points) < 100 or len(points) <= 4 * (columns[-1] - columns[0] + 1) or (np.diff(columns) < 0).any():
        return points
    first = np.flatnonzero(np.append(True, np.diff(columns) > 0))
    column = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(points))))
    by_height = np.lexsort((points[:, 1], column))
    last = np.append(first[1:], len(points)) - 1
    return points[np.unique([first, by_height[first], by_height[last], last])]


def _flags(points, closed):
    """Return what the painter is to know of a piece: closed, and whether it is all level or upright lines."""
    moves = np.diff(points, axis=0)
    level = len(moves) and len(moves) < 100 and (np.abs(moves).min(axis=1) < 1e-6).all()
    return CLOSED * closed + SNAP * bool(level)


def _colour(rgb, alpha):
    """Return a colour as #rrggbb or #rrggbbaa."""
    channels = [*rgb[:3], (rgb[3] if len(rgb) == 4 else 1.0) if alpha is None else alpha]
    digits = "".join(f"{round(255 * channel):02x}" for channel in channels)
    return "#" + digits.removesuffix("ff") if channels[3] == 1 else "#" + digits


def _forget_if_many(texts):
    if len(texts) >= _TEXTS:
        texts.clear()


def _face(prop):
    """Return what decides about a font's letters, all but their size."""
    return (
        tuple(prop.get_family()),
        prop.get_style(),
        prop.get_variant(),
        prop.get_weight(),
        prop.get_stretch(),
    )


def _letters(face, s):
    """Return a text's letters (name, x, y, size), their outlines, and its width, at Matplotlib's font scale.

    It is put together from pairs of letters, which repeat: a text changes with each frame, its pairs seldom.
    """
    letters, outlines, x = [], {}, 0.0
    for pair in zip(s, s[1:] + "|", strict=True):
        first, advance = _pair(face, *pair)
        if first is None:  # a ligature: the font makes one letter of two
            (*whole, end), outlines, _ = text_to_path.get_glyphs_with_font(_font(face), s + "|")
            return whole, outlines, end[1]
        name, outline = first
        letters.append((name, x, 0.0, 1.0))
        outlines[name] = outline
        x += advance
    return letters, outlines, x


@functools.lru_cache(maxsize=4096)
def _pair(face, first, second):
    """Return the first letter of a pair (name, outline), and how far behind it the second one stands."""
    letters, outlines, _ = text_to_path.get_glyphs_with_font(_font(face), first + second)
    if len(letters) != 2:
        return None, 0.0
    (name, *_), (_, advance, *_) = letters
    return (name, outlines[name]), advance


def _font(face):
    family, style, variant, weight, stretch = face
    prop = FontProperties(family=list(family), style=style, variant=variant, weight=weight, stretch=stretch)
    return text_to_path._get_font(prop)


_LETTERS = {Path.MOVETO: ("M", 1), Path.LINETO: ("L", 1), Path.CURVE3: ("Q", 2), Path.CURVE4: ("C", 3)}


def _outline(vertices, codes):
    """Return a letter's outline as the text of an SVG path, y down, in units of a hundredth of its size."""
    points = np.round(np.asarray(vertices) * [1, -1], 1)
    text, i = [], 0
    while i < len(codes):
        letter, count = _LETTERS.get(codes[i], ("Z", 0))
        text.append(letter + " ".join(f"{x:g} {y:g}" for x, y in points[i : i + count]))
        i += max(count, 1)
    return "".join(text)


def _png(pixels):
    """Return an image as a PNG: exact where it has at most 256 colours, else with the 256 that suit it."""
    pixels = np.ascontiguousarray(pixels)
    if (pixels[..., 3] == 255).all():
        whole = pixels.view(np.uint32)[..., 0]
        colours = np.unique(whole[::8])  # of most images with many colours a part of the rows tells it
        if len(colours) <= 256:
            colours = np.unique(whole)
        if len(colours) <= 256:
            image = Image.fromarray(np.searchsorted(colours, whole).astype(np.uint8), "P")
            image.putpalette(colours.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
        else:
            image = Image.fromarray(pixels).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    else:
        image = Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=6)
    return file.getvalue()
