// Paints frames on a canvas. The form of a frame and of the book is described in lab/frames.py.

export const PATH = 1, MARKS = 2, TEXT = 3, IMAGE = 4;
export const UNIT = 8, CLOSED = 1, SNAP = 2;

// Bytes of lab/frames.py, pack(): a header and byte strings.
export function unpack(data) {
  const view = data instanceof ArrayBuffer ? new DataView(data) : new DataView(data.buffer, data.byteOffset, data.byteLength);
  const padded = (n) => n + (-n & 3);
  const size = view.getUint32(0, true);
  const bytes = (at, n) => new Uint8Array(view.buffer, view.byteOffset + at, n);
  const header = JSON.parse(new TextDecoder().decode(bytes(4, size)));
  let at = 4 + padded(size);
  const blobs = header.lengths.map((n) => { const blob = bytes(at, n); at += padded(n); return blob; });
  return { header, blobs };
}

const numbers = (bytes) => new Int16Array(bytes.slice().buffer);

// What frames refer to by number. `add` takes what pack_frames() wrote and returns the frames in it.
export class Book {
  constructor() {
    this.styles = []; this.shapes = []; this.glyphs = []; this.places = []; this.images = []; this.layers = [];
    this.ready = Promise.resolve(); // until every image so far is decoded
    this.undecoded = 0;
  }

  add({ header, blobs }) {
    const { news, counts } = header;
    for (const style of news.styles ?? []) this.styles.push(readStyle(style));
    for (const shape of news.shapes ?? []) this.shapes.push(readShape(shape));
    for (const outline of news.glyphs ?? []) this.glyphs.push(new Path2D(outline));
    for (const place of news.places ?? []) this.places.push(place);
    let at = 0;
    for (let i = 0; i < counts.images; i++) this.decode(blobs[at++]);
    for (let i = 0; i < counts.layers; i++) this.layers.push(numbers(blobs[at++]));
    return blobs.slice(at).map(numbers);
  }

  decode(png) {
    const number = this.images.push(null) - 1;
    if (!png.byteLength) return; // who reads the book paints it
    this.undecoded++;
    const decoded = createImageBitmap(new Blob([png], { type: "image/png" })).then((image) => {
      this.images[number] = image;
      this.undecoded--;
    });
    this.ready = Promise.all([this.ready, decoded]);
  }
}

function readStyle([stroke, width, cap, join, dashes, offset, fill, clip]) {
  return { stroke, width, cap, join, dashes: dashes ?? [], offset, fill, clip, dark: null };
}

function readShape(parts) {
  const path = new Path2D();
  let snap = true;
  for (const [flags, ...xy] of parts) {
    path.moveTo(xy[0], xy[1]);
    for (let i = 2; i < xy.length; i += 2) path.lineTo(xy[i], xy[i + 1]);
    if (flags & CLOSED) path.closePath();
    snap &&= (flags & SNAP) !== 0 && !(flags & CLOSED);
  }
  return { path, snap };
}

// Dark pages. Colours keep their hue and their order; ink becomes light and paper dark. What lies on a
// landscape or a map stays as it is, and so do landscapes and maps: their colours mean something.

export const DARK_PAPER = "#16181c";

export function darkened(colour) {
  const channel = (i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
  const alpha = colour.length > 7 ? colour.slice(7) : "";
  const [lightness, a, b] = toOklab([0, 1, 2].map(channel));
  // Black becomes 0.94, a middle grey 0.74, white 0.21: text keeps a contrast of 4.5 and more.
  const turned = lightness < 0.8 ? 0.94 - 0.25 * lightness : 0.74 - 2.65 * (lightness - 0.8);
  const strength = Math.min(1, 0.25 + 3 * (1 - lightness)); // tints of white become tints of the paper
  const rgb = fromOklab([turned, a * strength, b * strength]);
  return "#" + rgb.map((x) => Math.round(255 * Math.min(1, Math.max(0, x))).toString(16).padStart(2, "0")).join("") + alpha;
}

// Oklab (Ottosson 2020), a space in which equal steps look equal.
function toOklab(rgb) {
  const [r, g, b] = rgb.map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((x) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
}

// One row of calls onto a context.  sheet: height in the picture's pixels, scale (screen pixels for each of
// them), dark, and grounds, the boxes of images that lie below: [left, top, right, bottom].
export function paint(context, calls, book, sheet) {
  const { scale } = sheet;
  let at = 0;
  while (at < calls.length) {
    const call = calls[at], style = book.styles[calls[at + 1]];
    if (call === PATH) at = paintPath(context, calls, at, style, sheet);
    else if (call === MARKS) at = paintMarks(context, calls, at, style, book, sheet);
    else if (call === TEXT) at = paintText(context, calls, at, style, book, sheet);
    else if (call === IMAGE) at = paintImage(context, calls, at, style, book, sheet);
    else throw new Error(`a frame holds the unknown call ${call} at ${at}`);
    context.setTransform(scale, 0, 0, scale, 0, 0);
  }
}

// Set a style up for something at x, y; return whether it was clipped, to be undone by restore().
function use(context, style, sheet, x, y) {
  const { stroke, fill, clip } = style;
  const onGround = sheet.dark && sheet.grounds.some(([l, t, r, b]) => x >= l - 1 && x <= r + 1 && y >= t - 1 && y <= b + 1);
  let ink = style;
  if (sheet.dark && !onGround) {
    style.dark ??= { stroke: stroke && darkened(stroke), fill: fill && darkened(fill) };
    ink = style.dark;
  }
  if (clip) {
    context.save();
    context.beginPath();
    context.rect(...clip);
    context.clip();
  }
  if (stroke) {
    context.strokeStyle = ink.stroke;
    context.lineWidth = style.width;
    context.lineCap = style.cap;
    context.lineJoin = style.join;
    context.setLineDash(style.dashes);
    context.lineDashOffset = style.offset;
  }
  if (fill) context.fillStyle = ink.fill;
}

const done = (context, style) => { if (style.clip) context.restore(); };

// Level and upright lines lie on whole pixels of the screen, or they would be grey.
function snapper(style, sheet) {
  const odd = style.stroke ? (Math.max(1, Math.round(style.width * sheet.scale)) % 2) / 2 : 0;
  return (x) => (Math.floor(x * sheet.scale + 0.5 - odd) + odd) / sheet.scale;
}

function paintPath(context, calls, at, style, sheet) {
  let parts = calls[at + 2], box = style.clip;
  at += 3;
  const x = calls[at + 2] / UNIT, y = calls[at + 2 + calls[at]] / UNIT;
  use(context, style, sheet, box ? box[0] + box[2] / 2 : x, box ? box[1] + box[3] / 2 : y);
  const snapped = snapper(style, sheet), same = (v) => v;
  context.beginPath();
  while (parts--) {
    const points = calls[at], flags = calls[at + 1], place = flags & SNAP ? snapped : same;
    at += 2;
    context.moveTo(place(calls[at] / UNIT), place(calls[at + points] / UNIT));
    for (let k = 1; k < points; k++) context.lineTo(place(calls[at + k] / UNIT), place(calls[at + points + k] / UNIT));
    if (flags & CLOSED) context.closePath();
    at += 2 * points;
  }
  if (style.fill) context.fill();
  if (style.stroke) context.stroke();
  done(context, style);
  return at;
}

function paintMarks(context, calls, at, style, book, sheet) {
  const shape = book.shapes[calls[at + 2]], points = calls[at + 3], { scale } = sheet;
  at += 4;
  use(context, style, sheet, calls[at] / UNIT, calls[at + points] / UNIT);
  const place = shape.snap ? snapper(style, sheet) : (v) => v;
  for (let k = 0; k < points; k++) {
    const x = place(calls[at + k] / UNIT), y = place(calls[at + points + k] / UNIT);
    context.setTransform(scale, 0, 0, scale, x * scale, y * scale);
    if (style.fill) context.fill(shape.path);
    if (style.stroke) context.stroke(shape.path);
  }
  done(context, style);
  return at + 2 * points;
}

function paintText(context, calls, at, style, book, sheet) {
  const x = calls[at + 2] / UNIT, y = calls[at + 3] / UNIT, angle = (-calls[at + 4] / 64) * (Math.PI / 180);
  const letters = calls[at + 5], { scale } = sheet, cos = Math.cos(angle) * scale, sin = Math.sin(angle) * scale;
  at += 6;
  use(context, style, sheet, x, y);
  for (let k = 0; k < letters; k++, at += 4) {
    const dx = calls[at + 1] / UNIT, dy = calls[at + 2] / UNIT, size = calls[at + 3] / 16384;
    context.setTransform(size * cos, size * sin, -size * sin, size * cos,
      x * scale + dx * cos - dy * sin, y * scale + dx * sin + dy * cos);
    context.fill(book.glyphs[calls[at]]);
  }
  done(context, style);
  return at;
}

function paintImage(context, calls, at, style, book, sheet) {
  const image = book.images[calls[at + 2]];
  const [x, y, width, height] = [calls[at + 3] / UNIT, calls[at + 4] / UNIT, calls[at + 5], calls[at + 6]];
  if (image) {
    use(context, style, sheet, x, y);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, x, y, width, height);
    done(context, style);
  }
  sheet.grounds.push([x, y, x + width, y + height]);
  return at + 7;
}

// A canvas that shows frames: it keeps what lies below the moving part, and paints anew when the screen's
// resolution, its own width or the page's colours change.
export class Painter {
  // size: of the picture, in its own pixels
  constructor(canvas, [width, height]) {
    this.canvas = canvas;
    this.width = width;
    this.height = height;
    this.dark = false;
    this.below = { canvas: document.createElement("canvas"), key: null, grounds: [] };
    this.resolution = 0;
    this.resize(window.devicePixelRatio || 1);
  }

  // Take so many screen pixels for each of the picture's.
  resize(scale) {
    const width = Math.max(1, Math.round(this.width * scale)), height = Math.max(1, Math.round(this.height * scale));
    if (this.canvas.width === width && this.canvas.height === height && this.resolution === scale) return false;
    this.resolution = scale;
    for (const canvas of [this.canvas, this.below.canvas]) Object.assign(canvas, { width, height });
    this.below.key = null;
    return true;
  }

  paint(numbers, book) {
    const [ground, under] = numbers;
    const key = [ground, under, this.dark].join();
    if (this.below.key !== key || this.below.book !== book) {
      const sheet = this.sheet([]);
      const context = this.begin(this.below.canvas);
      context.fillStyle = this.dark ? DARK_PAPER : "#ffffff";
      context.fillRect(0, 0, this.width, this.height);
      paint(context, book.layers[ground], book, sheet);
      paint(context, book.layers[under], book, sheet);
      Object.assign(this.below, { key, book, grounds: sheet.grounds });
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.below.canvas, 0, 0);
    context.setTransform(this.resolution, 0, 0, this.resolution, 0, 0);
    paint(context, numbers.subarray(3), book, this.sheet([...this.below.grounds]));
  }

  sheet(grounds) {
    return { height: this.height, scale: this.resolution, dark: this.dark, grounds };
  }

  begin(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.resolution, 0, 0, this.resolution, 0, 0);
    return context;
  }
}
