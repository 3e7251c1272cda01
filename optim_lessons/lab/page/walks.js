// Walks and races, worked out in the page. Each of these classes is what a picture shows (see printed.js).

import { compile } from "./formulas.js";
import { noise } from "./noise.js";
import { general } from "./numbers.js";
import { inside, raceReading, reading } from "./reading.js";

export class Walk {
  constructor(program) {
    this.program = program;
    this.its = compile(program.spec.ground, program.spec.rule);
    if (!program.spec.shape.length) paintGround(program, this.its);
  }

  show(knobs) {
    const { its, program } = this, { spec } = program, { box } = spec, { steps } = knobs;
    if (!its.set(knobs)) return null;
    const w = new Float64Array(2 * steps + 2);
    w.set([knobs.start_x, knobs.start_y]);
    its.walk(w, steps, knobs, null);
    const losses = heights(its, w), seen = inside(w, steps + 1, box);
    const lowest = Math.min(...spec.minima.map(([x, y]) => its.height(x, y)));
    const shape = spec.shape.map((name) => knobs[name]);
    const said = spec.settings.map((name) => `${name} ${spec.kinds[name] === "whole" ? knobs[name] : general(knobs[name], 3)}`);
    return {
      words: reading(spec.label, w, losses, spec),
      data: {
        under: `${steps} ${shape}`,
        ground: (calls, look) => calls.image(look, program.image(String(shape), () => heightMap(its, spec, look))),
        steps: (calls, look) => calls.axis(look, steps),
        path: (calls, look) => drawPath(calls, look, w, box),
        end: (calls, look) => { if (seen === steps + 1) calls.line(look, [w[2 * steps]], [w[2 * steps + 1]]); },
        losses: (calls, look) => drawLosses(calls, look, losses, lowest),
        settings: (calls, look) => calls.text(look, said.join("   ")),
      },
    };
  }
}

export class Race {
  constructor(program) {
    this.program = program;
    const { ground, rules } = program.spec;
    this.rules = rules.map(([label, rule, knobs]) => [label, compile(ground, rule), knobs]);
    paintGround(program, this.rules[0][1]);
  }

  show(knobs) {
    const { program: { spec } } = this, { box, base, lowest } = spec, { steps } = knobs;
    const scale = knobs.noise * spec.slope;
    const shake = Float64Array.from(noise(knobs.seed, steps).slice(0, 2 * steps), (z) => scale * z);
    const data = { under: String(steps), steps: (calls, look) => calls.axis(look, steps) };
    let judged = 0;
    const ends = this.rules.map(([label, its, defaults]) => {
      const w = new Float64Array(2 * steps + 2);
      w.set(spec.start);
      its.set({});
      its.walk(w, steps, { ...defaults, lr: knobs.lr_scale * spec.lrs[label] }, knobs.noise_for_all || label === spec.noisy ? shake : null);
      const losses = heights(its, w);
      judged = Math.max(1, Math.floor(losses.length / 10));
      data[`path of ${label}`] = (calls, look) => drawPath(calls, look, w, box);
      data[`losses of ${label}`] = (calls, look) => drawLosses(calls, look, losses, lowest);
      return [label, inside(w, steps + 1, box) === steps + 1 ? Math.max(...losses.slice(-judged)) - base : null];
    });
    return { words: raceReading(ends, steps, judged, spec.measure), data };
  }
}

const heights = (its, w) => Float64Array.from({ length: w.length / 2 }, (_, i) => its.height(w[2 * i], w[2 * i + 1]));

export const clipped = (value, low, high) => Math.min(Math.max(value, low), high);

// lab/plots.py, set_path: up to and with the first point outside the box, kept near enough to draw.
export function drawPath(calls, look, w, box) {
  const seen = Math.min(inside(w, w.length / 2, box) + 1, w.length / 2), xs = [], ys = [];
  const [[x0, x1], [y0, y1]] = box, farX = 20 * (x1 - x0), farY = 20 * (y1 - y0);
  for (let i = 0; i < seen; i++) {
    if (!(Number.isFinite(w[2 * i]) && Number.isFinite(w[2 * i + 1]))) continue;
    xs.push(clipped(w[2 * i], x0 - farX, x1 + farX));
    ys.push(clipped(w[2 * i + 1], y0 - farY, y1 + farY));
  }
  calls.line(look, xs, ys);
}

// lab/plots.py, set_loss: a log axis shows losses above the lowest, and what is 0 there at its foot.
function drawLosses(calls, look, losses, lowest) {
  const [low, high, scale] = calls.axes[look.axes].y;
  let ys = losses.filter(Number.isFinite);
  if (scale === "log") ys = ys.map((loss) => clipped(loss - lowest, low, high * 1e3));
  calls.line(look, ys.map((_, i) => i), ys.map((loss) => clipped(loss, -1e12, 1e12)), [0, losses.length - 1, "linear"]);
}

const COLUMNS = 320, ROWS = 260, EVERY = 4; // lab/plots.py, height_bands

// A landscape from above: bands of equal area, their edges a little darker.
function heightMap(its, { box: [[x0, x1], [y0, y1]], colours }, { pixels: [width, height] }) {
  const place = (low, high, i, n) => low + ((high - low) * i) / (n - 1);
  const land = new Float64Array(COLUMNS * ROWS), some = [];
  for (let row = 0; row < ROWS; row++) {
    const y = place(y0, y1, row, ROWS);
    for (let column = 0; column < COLUMNS; column++) {
      const h = (land[row * COLUMNS + column] = its.height(place(x0, x1, column, COLUMNS), y));
      if (row % EVERY === 0 && column % EVERY === 0) some.push(h);
    }
  }
  const sorted = Float64Array.from(some).sort(), levels = [];
  for (let k = 1; k < colours.length; k++) {
    const at = (k / colours.length) * (sorted.length - 1), below = Math.floor(at);
    levels.push(sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]));
  }
  const band = new Uint8Array(land.length);
  for (let i = 0; i < land.length; i++) {
    let low = 0, high = levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (levels[middle] < land[i]) low = middle + 1;
      else high = middle;
    }
    band[i] = low;
  }
  const picture = new ImageData(COLUMNS, ROWS), { data } = picture;
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      const edge = (row + 1 < ROWS && band[i] !== band[i + COLUMNS]) || (column + 1 < COLUMNS && band[i] !== band[i + 1]);
      const at = 4 * ((ROWS - 1 - row) * COLUMNS + column);
      for (let k = 0; k < 3; k++) data[at + k] = colours[band[i]][k] * (edge ? 0.9 : 1);
      data[at + 3] = 255;
    }
  }
  return scaled(picture, width, height);
}

// The picture of a landscape that stands still.
export function paintGround({ spec, book }, its) {
  its.set({});
  book.images[spec.looks.ground.image] = heightMap(its, spec, spec.looks.ground);
}

// A picture in another size, on a canvas.
function scaled(picture, width, height) {
  const [small, large] = [[picture.width, picture.height], [width, height]].map(([w, h]) => Object.assign(document.createElement("canvas"), { width: w, height: h }));
  small.getContext("2d").putImageData(picture, 0, 0);
  const context = large.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
  return large;
}
