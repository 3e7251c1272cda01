// Maps whose every pixel is a run, worked out in the page (lesson 13). Each class is what a picture shows (printed.js).

import { compile } from "./formulas.js";
import { general } from "./numbers.js";
import { basinsReading, mapReading } from "./reading.js";
import { Sweep } from "./sweep.js";
import { clipped, drawPath, paintGround } from "./walks.js";

// The map that stands there is known; another one is worked out beside the page.
class Runs {
  constructor(program) {
    this.program = program;
    this.its = compile(program.spec.ground, program.spec.rule);
    this.its.set({});
    this.sweep = new Sweep(program.spec);
    this.known = null; // { key, ... }
  }

  prepare(knobs) {
    const key = this.key(knobs);
    if (this.known?.key === key) return null;
    const job = this.job(knobs);
    return this.sweep.ends(job).then((ends) => { this.known = { key, ...this.judged(ends, job) }; });
  }

  close() {
    this.sweep.close();
  }
}

export class RunMap extends Runs {
  constructor(program) {
    super(program);
    paintGround(program, this.its);
  }

  key(knobs) {
    return `${knobs[this.program.spec.third.name]} ${knobs.steps}`;
  }

  // The values of lr, memory and start, as the rule and the start take them.
  run(knobs) {
    const { across, up, third, rule_knobs: defaults, start } = this.program.spec;
    const run = { knobs: { ...defaults }, start: [...start], steps: knobs.steps };
    for (const { name, of } of [across, up, third]) {
      if (typeof of === "string") run.knobs[of] = knobs[name];
      else if (of !== null) run.start[of] = knobs[name];
    }
    return run;
  }

  job(knobs) {
    const { across, up } = this.program.spec;
    return { ...this.run(knobs), across, up };
  }

  // The losses above the lowest, NaN where a run ended higher than it began; and their colours.
  judged(ends, { start, across, up }) {
    const { its, program: { spec } } = this, losses = new Float64Array(ends.length / 2);
    let good = 0, lost = 0, i = 0;
    const place = [...start];
    for (const high of up.values) {
      for (const wide of across.values) {
        if (typeof up.of === "number") place[up.of] = high;
        if (typeof across.of === "number") place[across.of] = wide;
        const loss = its.height(ends[2 * i], ends[2 * i + 1]);
        losses[i] = loss <= its.height(...place) ? loss - spec.lowest : NaN;
        if (losses[i] < spec.good) good++;
        if (Number.isNaN(losses[i])) lost++;
        i++;
      }
    }
    return { losses, good: good / losses.length, lost: lost / losses.length };
  }

  picture() {
    const { known: { losses }, program: { spec: { across, up, shades, low, high, white } } } = this;
    return painted(losses, across.values.length, up.values.length, (loss) => {
      if (Number.isNaN(loss)) return white;
      const part = (Math.log10(loss) - low) / (high - low); // a loss below 0, by rounding, is the darkest
      return shades[Math.min(shades.length - 1, Math.floor(shades.length * clipped(part || 0, 0, 1)))];
    });
  }

  show(knobs) {
    const { its, known, program } = this, { box, across, up, third } = program.spec, { steps } = knobs;
    if (known?.key !== this.key(knobs)) return null;
    const run = this.run(knobs), w = new Float64Array(2 * steps + 2);
    w.set(run.start);
    its.walk(w, steps, run.knobs, null);
    const at = [across, up].map(({ name, values }) => clipped(knobs[name], values[0], values[values.length - 1]));
    const beyond = at[0] !== knobs[across.name] || at[1] !== knobs[up.name] ? " (beyond the map)" : "";
    const cross = [across, up].map(({ name }) => `${name} ${general(knobs[name], 3)}`).join(", ");
    const mark = (calls, look) => calls.line(look, [at[0]], [at[1]]);
    return {
      words: mapReading(known.losses.length, known.good, known.lost, its.height(w[0], w[1]), its.height(w[2 * steps], w[2 * steps + 1])),
      data: {
        under: known.key,
        map: (calls, look) => calls.image(look, program.image(known.key, () => this.picture())),
        cross: mark,
        "inner cross": mark,
        path: (calls, look) => drawPath(calls, look, w, box),
        settings: (calls, look) => calls.text(look, `all: ${third.name} ${general(knobs[third.name], 3)}, ${steps} steps;  cross: ${cross}${beyond}`),
      },
    };
  }
}

const AT_A_MINIMUM = 0.05, AWAY = 1e3; // studies/maps.py, reached

export class Basins extends Runs {
  key({ lr, memory, steps }) {
    return `${lr} ${memory} ${steps}`;
  }

  job({ lr, memory, steps }) {
    const { across, up, memory_of: its, rule_knobs: defaults } = this.program.spec;
    const knobs = { ...defaults, lr };
    if (its) knobs[its] = memory;
    return { knobs, start: [0, 0], steps, across, up };
  }

  // Where each run ends, as the number of a name; and how many there are of each.
  judged(ends) {
    const { minima, names } = this.program.spec, where = new Uint8Array(ends.length / 2), counts = names.map(() => 0);
    for (let i = 0; i < where.length; i++) {
      const x = ends[2 * i], y = ends[2 * i + 1];
      const far = minima.map(([a, b]) => Math.sqrt((x - a) * (x - a) + (y - b) * (y - b))), least = Math.min(...far);
      where[i] = minima.length;
      if (!(Math.max(Math.abs(x), Math.abs(y)) < AWAY)) where[i] = minima.length + 1;
      else if (least < AT_A_MINIMUM) where[i] = far.indexOf(least);
      counts[where[i]]++;
    }
    return { where, shares: counts.map((count) => count / where.length) };
  }

  picture() {
    const { known: { where }, program: { spec: { across, up, shades } } } = this;
    return painted(where, across.values.length, up.values.length, (number) => shades[number]);
  }

  show(knobs) {
    const { known, program } = this, { names, label } = program.spec, { lr, memory, steps } = knobs;
    if (known?.key !== this.key(knobs)) return null;
    const data = {
      under: known.key,
      map: (calls, look) => calls.image(look, program.image(known.key, () => this.picture())),
      settings: (calls, look) => calls.text(look, `${label}, lr ${general(lr, 3)}, memory ${general(memory, 2)}, ${steps} steps`),
    };
    names.forEach((name, i) => { data[`share of ${name}`] = (calls, look) => calls.bar(look, known.shares[i]); });
    return { words: basinsReading(known.where.length, names, known.shares), data };
  }
}

// A map's picture, the first row below.  colour: a function of a pixel's number that returns red, green, blue
function painted(values, columns, rows, colour) {
  const picture = new ImageData(columns, rows), canvas = document.createElement("canvas");
  values.forEach((value, i) => {
    const at = 4 * ((rows - 1 - Math.floor(i / columns)) * columns + (i % columns));
    picture.data.set(colour(value), at);
    picture.data[at + 3] = 255;
  });
  Object.assign(canvas, { width: columns, height: rows });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}
