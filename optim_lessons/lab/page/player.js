// What an explorer is to show, what it knows, and what it asks for. Whoever makes the frames is a "maker":
//   ask(values, id)            wants one frame; the answer comes by load() or failed(), with the same id, or it
//                              is what the promise that is returned holds
//   ahead(values, knob, from)  may send the frames of that knob's stops, those near stop number `from` first
//   moved(values)              is told where the controls stand
//   fitting(values, before)    the values that it can show nearest to these, when a hand moves them
//   make(values)               the frame of these values at once, or null
//   prepares(values)           whether it will, where make() has none yet: then no frame that was sent stands in
//   pending                    whether it will soon make by itself the frame that stands there
// All of them may be missing. Values are lists in the order of the sheet's knobs.

import { Book, unpack } from "./painter.js";

const PATIENCE = 10000; // milliseconds after which an unanswered question is asked again

export const keyOf = (values) => JSON.stringify(values);

export class Player {
  // sheet: knobs, size, scale, play, light (see Explorer in lab/explore.py)
  constructor(sheet, values, maker = {}) {
    this.sheet = sheet;
    this.knobs = sheet.knobs;
    this.values = values;
    this.maker = maker;
    this.views = new Set();
    this.shown = null; // { values, words, numbers, book }
    this.problem = "";
    this.asked = null;
    this.moves = 0; // counts wishes; a frame of an older wish never covers that of a newer one
    this.shownMove = -1;
    this.forget(0);
  }

  forget(epoch) {
    this.epoch = epoch;
    this.book = new Book();
    this.frames = new Map();
  }

  // Leave nothing behind, whoever still holds this player.
  close() {
    this.forget(this.epoch);
    this.shown = null;
    this.views.clear();
  }

  // Take in what pack_frames() wrote; id: of the question that it answers, if any.
  load(packed, id = null) {
    const { header, blobs } = unpack(packed);
    if (header.epoch !== this.epoch) this.forget(header.epoch);
    const { book, frames } = this;
    const rows = book.add({ header, blobs });
    const keep = () => {
      header.keys.forEach((values, i) => {
        frames.set(keyOf(values), { values, words: header.words[i], numbers: rows[i], book });
      });
      if (book === this.book) this.arrived(header.keys, id);
    };
    if (book.undecoded) return book.ready.then(keep);
    keep();
  }

  arrived(keys, id) {
    this.follow(this.answered(id), this.frames.get(keyOf(keys[0])));
  }

  // More is known than before, among it a frame that was asked for.
  follow(asked, frame) {
    const wanted = this.frame(this.values);
    if (wanted) {
      if (!this.agrees || this.shown.book !== this.book) this.present(wanted, this.moves);
    } else if (asked && asked.move > this.shownMove) {
      this.present(frame, asked.move); // on the way to where the hand is now
    }
    if (!wanted) this.ask();
  }

  // The maker could not make a frame: its message stands beside the controls until the next good value.
  failed(values, message, id = null) {
    this.answered(id);
    if (keyOf(values) !== keyOf(this.values)) {
      if (!this.agrees) this.ask();
      return;
    }
    this.problem = message;
    this.shownMove = this.moves;
    this.tell("fail");
  }

  answered(id) {
    const { asked } = this;
    if (id === null || asked?.id !== id) return null;
    this.asked = null;
    return asked;
  }

  // Move the controls to these values and show their frame as soon as there is one.
  wish(values, byHand = true) {
    if (byHand && this.maker.fitting) values = this.maker.fitting(values, this.values);
    if (keyOf(values) === keyOf(this.values) && this.shownMove === this.moves) return;
    this.values = values;
    this.moves++;
    this.tell("move");
    if (byHand) this.maker.moved?.(values);
    const frame = this.frame(values);
    if (frame) this.present(frame, this.moves);
    else this.ask();
  }

  // The frame of some values, if it is known or can be worked out here.
  frame(values) {
    const made = this.maker.make?.(values);
    return made || this.maker.prepares?.(values) ? made : this.frames.get(keyOf(values));
  }

  // The maker knows more than before.
  again() {
    const frame = this.frame(this.values);
    if (frame) this.present(frame, this.moves);
    else this.ask();
  }

  // Move one knob.
  turn(name, value) {
    this.wish(this.knobs.map((knob, i) => (knob.name === name ? value : this.values[i])));
  }

  value(name) {
    return this.values[this.knobs.findIndex((knob) => knob.name === name)];
  }

  // A hand is near a control, or on it: its stops may be wanted soon.
  near(knob) {
    if (knob.stops.length > 1) this.maker.ahead?.(this.values, knob, nearest(knob.stops, this.value(knob.name)));
  }

  ask() {
    const late = this.asked && performance.now() - this.asked.at > PATIENCE;
    if (!this.maker.ask || (this.asked && !late)) return;
    const { values, moves: id } = this;
    this.asked = { id, move: id, at: performance.now() };
    this.maker.ask(values, id)?.then(
      (frame) => { if (frame) this.follow(this.answered(id), frame); },
      (error) => this.failed(values, error.message, id),
    );
    this.tell("wait");
  }

  present(frame, move) {
    this.shown = frame;
    this.shownMove = move;
    if (move === this.moves) this.problem = "";
    this.tell("show");
  }

  // Whether picture, sentence and controls say the same.
  get agrees() {
    return this.shownMove === this.moves;
  }

  tell(what) {
    for (const view of this.views) view[what]?.();
  }
}

// The number of the stop that is nearest to a value; of choices, the one that it is.
export function nearest(stops, value) {
  const at = stops.indexOf(value);
  if (at >= 0 || typeof value !== "number") return Math.max(at, 0);
  let low = 0, high = stops.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (stops[middle] <= value) low = middle;
    else high = middle;
  }
  return value - stops[low] <= stops[high] - value ? low : high;
}
