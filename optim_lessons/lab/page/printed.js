// Pictures that the page works out by itself: it runs the formulas of a program (lab/printed.py) and writes frames.
//
// What a picture shows is a class of its own, for each kind of program:
//   show(knobs)     its words, and for each artist that moves a function which draws it; `under` is a text that
//                   changes with the layer below.  null: the formulas refuse these knobs, or it is to be prepared
//   prepare(knobs)  a promise that show() can say it then, or null where it can now (may be missing)
//   close()         leaves nothing behind (may be missing)

import { Calls } from "./calls.js";
import { Basins, RunMap } from "./maps.js";
import { Book, unpack } from "./painter.js";
import { Race, Walk } from "./walks.js";

const KINDS = { walk: Walk, race: Race, "map of runs": RunMap, basins: Basins };
const MOST_LAYERS = 500, PICTURES = 12;

// A maker of frames (player.js) for some settings of the still knobs.
export class Printed {
  // packed: bytes of lab/printed.py, programs()
  constructor(packed) {
    const { header, blobs } = unpack(packed), book = new Book(), first = book.add({ header, blobs });
    this.book = book;
    this.programs = header.programs.map((spec, i) => new Program(spec, header.knobs, book, first[i]));
    this.ready = book.ready;
  }

  // Whether there is a program for these values of the still knobs.
  holds(values) {
    return Boolean(this.program(values));
  }

  program(values) {
    return this.programs.find((program) => program.holds(values));
  }

  // Whether the frame of some values will be made here, though make() has none yet.
  prepares(values) {
    return !this.book.undecoded && Boolean(this.program(values)?.prepares(values));
  }

  // The frame of some values, or null where they are not allowed or not known here.
  make(values) {
    return (!this.book.undecoded && this.program(values)?.make(values)) || null;
  }

  // A promise of the frame, or null where nothing needs to be waited for, or nothing helps.
  later(values) {
    return this.program(values)?.later(values) ?? null;
  }

  ask(values) {
    return this.later(values) ?? Promise.reject(new Error("The formulas do not hold there."));
  }

  close() {
    for (const program of this.programs) program.scene?.close?.();
  }
}

// What makes frames for one setting of the still knobs.
class Program {
  constructor(spec, knobs, book, first) {
    Object.assign(this, { spec, knobs, book, first });
    this.layers = new Map();
    this.images = new Map();
    this.scene = null;
  }

  holds(values) {
    return Object.entries(this.spec.still).every(([name, value]) => values[this.knobs.indexOf(name)] === value);
  }

  // The values by their names, or null where they are not allowed.
  named(values) {
    const named = Object.fromEntries(this.knobs.map((name, i) => [name, values[i]]));
    for (const [name, [low, high]] of Object.entries(this.spec.allowed ?? {}))
      if ((low !== null && named[name] < low) || (high !== null && named[name] >= high)) return null;
    this.scene ??= new KINDS[this.spec.kind](this);
    return named;
  }

  make(values) {
    const named = this.named(values), shown = named && this.scene.show(named);
    if (!shown) return null;
    const { words, data } = shown, [ground, , places] = this.first;
    const numbers = Int16Array.from([ground, this.under(data), places, ...this.calls(this.spec.quick, data)]);
    return { values, words, numbers, book: this.book };
  }

  prepares(values) {
    return Boolean(this.named(values) && this.scene.prepare);
  }

  later(values) {
    const named = this.named(values), prepared = named && this.scene.prepare?.(named);
    return prepared ? prepared.then(() => this.make(values)) : null;
  }

  calls(artists, data) {
    const calls = new Calls(this.spec.axes, this.spec.size);
    for (const artist of artists) {
      if (typeof artist !== "string") calls.out.push(...artist);
      else if (data[artist]) data[artist](calls, this.spec.looks[artist]);
    }
    return calls.out;
  }

  // The number of the layer below what moves. It is written anew where what it shows has changed.
  under(data) {
    const { layers } = this, key = data.under;
    if (!layers.has(key)) {
      if (layers.size > MOST_LAYERS) layers.clear();
      layers.set(key, this.book.layers.push(Int16Array.from(this.calls(this.spec.slow, data))) - 1);
    }
    return layers.get(key);
  }

  // The number of a picture.  paint: a function that returns it, as a canvas
  image(key, paint) {
    const { images, book } = this;
    if (!images.has(key)) {
      let number = book.images.length;
      if (images.size >= PICTURES) { // the oldest one makes room, and with it the layers that show it
        const [oldest, its] = images.entries().next().value;
        images.delete(oldest);
        this.layers.clear();
        number = its;
      }
      book.images[number] = paint();
      images.set(key, number);
    }
    return images.get(key);
  }
}
