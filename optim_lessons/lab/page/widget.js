// The explorer in a notebook: its kernel makes the frames, or sends the formulas of which the page makes them.

import { ExplorerView } from "./explorer.js";
import { Player } from "./player.js";
import { Printed } from "./printed.js";

const TELL = 60; // milliseconds of rest before the kernel is told where the controls stand
const QUIET = 250; // ... where nothing is asked of it
const AGAIN = 150; // ... between two words about the same slider in hand
const SOON = 8; // ... in which code may set more values, of which the last are shown

class Kernel {
  constructor(model) {
    this.model = model;
    this.grab = 0;
    this.told = { knob: null, at: 0 };
    this.programs = [];
    this.pending = model.get("_sheet").program; // whether the page will draw by its own hand what it shows now
  }

  // Leave nothing behind.
  close() {
    clearTimeout(this.timer);
    clearTimeout(this.soon);
    for (const program of this.programs) program.close();
    this.programs = [];
  }

  make(values) {
    return this.program(values)?.make(values) ?? null;
  }

  prepares(values) {
    return this.program(values)?.prepares(values) ?? false;
  }

  program(values) {
    return this.programs.find((program) => program.holds(values));
  }

  ask(values, id) {
    const wish = () => this.model.send({ ask: "frame", values, id }), program = this.program(values);
    const later = program?.later(values);
    if (!later) return wish();
    return later.catch(() => {
      this.drop(program);
      wish();
    });
  }

  // The page cannot, after all: its kernel can.
  drop(program) {
    this.programs = this.programs.filter((one) => one !== program);
  }

  // Code has set values: a storm of them is not drawn one by one.
  follow(player) {
    this.soon ??= setTimeout(() => {
      this.soon = null;
      player.wish(this.model.get("_values"), false);
    }, SOON);
  }

  moved(values) {
    clearTimeout(this.soon); // the hand is newer
    this.soon = null;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.model.set("_values", values);
      this.model.save_changes();
    }, this.program(values) ? QUIET : TELL);
  }

  ahead(values, knob, from) {
    if (this.program(values)) return;
    const now = performance.now();
    if (knob.name === this.told.knob && now - this.told.at < AGAIN) return;
    if (knob.name !== this.told.knob || now - this.told.at > 2000) this.grab++;
    this.told = { knob: knob.name, at: now };
    this.model.send({ ask: "ahead", values, knob: knob.name, from, grab: this.grab });
  }
}

const players = new WeakMap(); // model → player: several views of one explorer share it

function playerOf(model) {
  if (!players.has(model)) {
    const kernel = new Kernel(model), player = new Player(model.get("_sheet"), model.get("_values"), kernel);
    players.set(model, player);
    model.on("msg:custom", (message, buffers) => {
      if (message.tell === "frames") player.load(buffers[0], message.id);
      if (message.tell === "program follows") kernel.pending = true;
      if (message.tell === "no program") { kernel.pending = false; player.tell("settle"); }
      if (message.tell === "program") {
        const program = new Printed(buffers[0]);
        kernel.programs.push(program);
        const first = program.ready.then(() => program.later(player.values));
        first.catch(() => kernel.drop(program)).then(() => {
          kernel.pending = false;
          player.again(); // what stands there is drawn by the same hand as what follows
        });
      }
      if (message.tell === "failed") player.failed(message.values, message.message, message.id);
    });
    model.on("change:_values", () => kernel.follow(player));
    const start = model.get("_start");
    if (start?.byteLength) player.load(start);
    model.send({ ask: "hello", epoch: player.epoch });
  }
  return players.get(model);
}

export default {
  initialize({ model }) {
    const player = playerOf(model);
    return () => { player.close(); player.maker.close(); };
  },
  render({ model, el }) {
    const view = new ExplorerView(el, playerOf(model));
    return () => view.remove();
  },
};
