// The explorer in a notebook: its kernel makes the frames.

import { ExplorerView } from "./explorer.js";
import { Player } from "./player.js";

const TELL = 60; // milliseconds of rest before the kernel is told where the controls stand
const AGAIN = 150; // ... between two words about the same slider in hand

class Kernel {
  constructor(model) {
    this.model = model;
    this.grab = 0;
    this.told = { knob: null, at: 0 };
  }

  ask(values, id) {
    this.model.send({ ask: "frame", values, id });
  }

  moved(values) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.model.set("_values", values);
      this.model.save_changes();
    }, TELL);
  }

  ahead(values, knob, from) {
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
    const player = new Player(model.get("_sheet"), model.get("_values"), new Kernel(model));
    players.set(model, player);
    model.on("msg:custom", (message, buffers) => {
      if (message.tell === "frames") player.load(buffers[0], message.id);
      if (message.tell === "failed") player.failed(message.values, message.message, message.id);
    });
    model.on("change:_values", () => player.wish(model.get("_values"), false));
    const start = model.get("_start");
    if (start?.byteLength) player.load(start);
    model.send({ ask: "hello", epoch: player.epoch });
  }
  return players.get(model);
}

export default {
  initialize({ model }) {
    const player = playerOf(model);
    return () => player.close();
  },
  render({ model, el }) {
    const view = new ExplorerView(el, playerOf(model));
    return () => view.remove();
  },
};
