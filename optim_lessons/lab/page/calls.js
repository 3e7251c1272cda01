// Writes the calls of a frame (lab/frames.py) as Matplotlib's artists would, from data and an artist's look
// (lab/printed.py).

import { CLOSED, IMAGE, MARKS, PATH, SNAP, TEXT, UNIT } from "./painter.js";

const LARGEST = 32000, MARGIN = 40; // as in lab/frames.py

const eighth = (pixels) => Math.max(-LARGEST, Math.min(LARGEST, Math.round(pixels * UNIT)));

function along(value, [low, high, scale]) {
  if (scale !== "log") return (value - low) / (high - low);
  return (Math.log10(value) - Math.log10(low)) / (Math.log10(high) - Math.log10(low));
}

export class Calls {
  // axes: box in pixels, ends and scales of x and y, of each of a figure's axes.  size: of the figure
  constructor(axes, [width, height]) {
    this.axes = axes;
    this.seen = [-MARGIN, -MARGIN, width + MARGIN, height + MARGIN];
    this.out = [];
  }

  // Points of data in pixels, y down.
  pixels({ axes }, xs, ys, ends = null) {
    const { box: [left, top, width, height], x, y } = this.axes[axes];
    return [
      Float64Array.from(xs, (value) => left + width * along(value, ends ?? x)),
      Float64Array.from(ys, (value) => top + height * (1 - along(value, y))),
    ];
  }

  // A line and its markers.  ends: of the x axis, where they move.
  line(look, xs, ys, ends = null) {
    const [px, py] = this.pixels(look, xs, ys, ends);
    const [left, top, right, bottom] = this.seen; // Matplotlib cuts lines a pixel further out than markers
    if (look.line !== null) this.path(look.line, cut(px, py, [left - 1, top - 1, right + 1, bottom + 1]));
    if (look.marks) this.marks(look.marks, px, py);
  }

  path(style, parts, closed = false) {
    if (!parts.length) return;
    this.out.push(PATH, style, parts.length);
    for (const [xs, ys] of parts) {
      const level = xs.length < 100 && xs.every((x, i) => !i || Math.min(Math.abs(x - xs[i - 1]), Math.abs(ys[i] - ys[i - 1])) < 1e-6);
      const places = thinned(xs.map(eighth), ys.map(eighth));
      this.out.push(places.length, (closed ? CLOSED : 0) + (level ? SNAP : 0));
      for (const axis of [0, 1]) for (const place of places) this.out.push(place[axis]);
    }
  }

  marks([style, shape], px, py) {
    const [left, top, right, bottom] = this.seen, places = [];
    for (let i = 0; i < px.length; i++) {
      if (!(px[i] > left && px[i] < right && py[i] > top && py[i] < bottom)) continue;
      const place = [eighth(px[i]), eighth(py[i])], last = places[places.length - 1];
      if (!last || place[0] !== last[0] || place[1] !== last[1]) places.push(place);
    }
    if (!places.length) return;
    this.out.push(MARKS, style, shape, places.length);
    for (const axis of [0, 1]) for (const place of places) this.out.push(place[axis]);
  }

  // A text of known words and of numbers.
  text(look, string, x = look.x) {
    const letters = [];
    let wide = 0, fitted = 0;
    for (const part of string.split(/( )/)) {
      for (const piece of part in look.words ? [part] : part) {
        const known = look.words[piece];
        if (!known) throw new Error(`“${piece}” is not among the words of the picture`);
        for (const [outline, at] of known[0]) letters.push([outline, wide + at]);
        wide += known[1];
        fitted += known[2];
      }
    }
    if (!letters.length) return;
    this.out.push(TEXT, look.style, eighth(x - look.align * fitted), look.y, look.angle, letters.length);
    for (const [outline, at] of letters) this.out.push(outline, eighth((at * fitted) / wide), 0, look.size);
  }

  // An axis from 0 to a number.
  axis(look, end) {
    const { box: [left, , width] } = this.axes[look.axes];
    const [, step, digits] = look.ticks.findLast(([from]) => from <= end);
    for (let k = 0; k * step <= end * (1 + 1e-9); k++) {
      const x = left + (width * k * step) / end;
      this.out.push(MARKS, ...look.mark, 1, eighth(x), look.height);
      this.text(look, (k * step).toFixed(digits), x);
    }
    this.out.push(...look.tail);
  }

  // A bar from 0 to the right.  look: as it is at width 1
  bar(look, width) {
    const { style, flags, x, y } = look;
    this.out.push(PATH, style, 1, x.length, flags, ...x.map((place) => Math.round(x[0] + width * (place - x[0]))), ...y);
  }

  image(look, number) {
    this.out.push(IMAGE, look.style, number, ...look.place, ...look.pixels);
  }
}

// A line as the pieces that can be seen: [xs, ys] each.
function cut(xs, ys, [left, top, right, bottom]) {
  const parts = [];
  let part = null;
  const add = (x, y) => { part[0].push(x); part[1].push(y); };
  for (let i = 1; i < xs.length; i++) {
    const x = xs[i - 1], y = ys[i - 1], dx = xs[i] - x, dy = ys[i] - y;
    let from = 0, to = 1;
    for (const [move, room] of [[-dx, x - left], [dx, right - x], [-dy, y - top], [dy, bottom - y]]) {
      if (move === 0 && room < 0) to = -1;
      else if (move < 0) from = Math.max(from, room / move);
      else if (move > 0) to = Math.min(to, room / move);
    }
    if (!(from <= to)) { part = null; continue; }
    if (!part || from > 0) {
      parts.push((part = [[], []]));
      add(x + from * dx, y + from * dy);
    }
    add(x + to * dx, y + to * dy);
    if (to < 1) part = null;
  }
  return parts;
}

// Places without repetitions, two at least.
function thinned(xs, ys) {
  const places = [[xs[0], ys[0]]];
  for (let i = 1; i < xs.length; i++) {
    const last = places[places.length - 1];
    if (xs[i] !== last[0] || ys[i] !== last[1]) places.push([xs[i], ys[i]]);
  }
  return places.length > 1 ? places : [places[0], places[0]];
}
