// What pictures of walks say in words: lab/reading.py says the same, and a test holds them together.

import { general, percent } from "./numbers.js";

const ROUNDING = 1e-12; // what is lower has arrived, and has no rank

export const counted = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;

// How many points of a walk lie in the box before the first one that does not. w: x, y, x, y, ...
export function inside(w, points, [[x0, x1], [y0, y1]]) {
  for (let i = 0; i < points; i++) {
    const x = w[2 * i], y = w[2 * i + 1];
    if (!(x >= x0 && x <= x1 && y >= y0 && y <= y1)) return i;
  }
  return points;
}

export function reading(name, w, losses, { box, units: [xUnit, yUnit, height, unit] }) {
  const steps = losses.length - 1, out = inside(w, steps + 1, box);
  const lost = losses.findIndex((loss, i) => !(Number.isFinite(loss) && Number.isFinite(w[2 * i]) && Number.isFinite(w[2 * i + 1])));
  if (lost >= 0) {
    return `${name} left the picture at step ${out} and the finite numbers at step ${lost}. ` +
      "Each step overshoots more than the last: try a smaller lr.";
  }
  const [x, y] = [w[2 * steps], w[2 * steps + 1]], last = losses[steps];
  const end = `after ${counted(steps, "step")} the ${height} is ${general(last, 3)}${unit}, ` +
    `at (${general(x, 3)}${xUnit}, ${general(y, 3)}${yUnit}).`;
  if (out <= steps && unit) {
    return `${name} left the map at step ${out}: beyond its edge the land is only mirrored. Try a smaller lr.`;
  }
  if (out <= steps) {
    if (last > losses[0]) return `${name} left the picture at step ${out}; ${end} The steps overshoot: try a smaller lr.`;
    const back = inside([x, y], 1, box) ? " and came back" : "";
    return `${name} left the picture at step ${out}${back}; ${end}`;
  }
  return `${name}: ${end}`;
}

// ends: [label, worst of the last losses, or null for who left the map]
export function raceReading(ends, steps, judged, measure) {
  const arrived = ends.filter(([, loss]) => loss !== null), away = ends.filter(([, loss]) => loss === null);
  const rank = (loss) => Math.max(loss, ROUNDING);
  const height = (loss) => (loss < ROUNDING ? `below ${general(ROUNDING, 6)}` : general(loss, 3));
  const places = [...arrived].sort((a, b) => rank(a[1]) - rank(b[1])).map(([label, loss]) => `${label} ${height(loss)}`);
  const when = judged === 1 ? `The ${measure} after` : `The highest ${measure} in the last ${judged} of`;
  const said = [];
  if (arrived.length) said.push(`${when} ${counted(steps, "step")}, best first: ${places.join(", ")}.`);
  if (away.length) said.push(`Left the map: ${away.map(([label]) => label).join(", ")}.`);
  return said.join(" ");
}

const thousands = (number) => number.toLocaleString("en-US");

// good, lost: shares of the runs.  before, after: the losses of the run at the cross
export function mapReading(runs, good, lost, before, after) {
  const end = after > ROUNDING ? `ends at loss ${general(after, 3)}` : `ends below ${general(ROUNDING, 6)}`;
  return `Of ${thousands(runs)} runs ${percent(good)} end within 0.001 of the minimum's loss, ` +
    `${percent(lost)} end higher than they began (white). The run at the cross ${after <= before ? end : "is lost"}.`;
}

export function basinsReading(starts, names, shares) {
  const found = names.map((name, i) => `${name} ${percent(shares[i])}`).join(", ");
  return `Where the ${thousands(starts)} starts end: ${found}.`;
}
