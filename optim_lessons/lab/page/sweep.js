// Many runs to their end, beside the page: lab/sweep.py in the page. Each worker takes some rows of a map.

import { compile } from "./formulas.js";

const MOST_WORKERS = 4;

// The ends of some of a map's runs, row by row: x, y, x, y, ...
// job: knobs, start and steps of all runs, and what differs: across and up are { of, values }, of being the name of
// a knob, the number of a coordinate of the start, or null.  from, to: the rows that are wanted.
function endsOf(its, { knobs, start, steps, across, up, from, to }) {
  const ends = new Float64Array(2 * across.values.length * (to - from)), w = new Float64Array(2);
  const here = { ...knobs }, tables = new Map();
  its.set(here);
  let at = 0;
  for (const high of up.values.slice(from, to)) {
    for (const wide of across.values) {
      w.set(start);
      for (const [{ of }, value] of [[up, high], [across, wide]]) {
        if (typeof of === "string") here[of] = value;
        else if (of !== null) w[of] = value;
      }
      const key = its.shared.map((name) => here[name]).join();
      if (!tables.has(key)) tables.set(key, its.table(steps, here));
      its.end(w, steps, here, tables.get(key));
      ends.set(w, at);
      at += 2;
    }
  }
  return ends;
}

const WORK = `"use strict";
${compile}
${endsOf}
let known = {};
onmessage = ({ data: { number, ground, rule, job } }) => {
  if (known.ground !== ground || known.rule !== rule) known = { ground, rule, its: compile(ground, rule) };
  const ends = endsOf(known.its, job);
  postMessage({ number, ends }, [ends.buffer]);
};`;

// Workers for the sweeps of one program.
export class Sweep {
  constructor({ ground, rule }) {
    Object.assign(this, { ground, rule });
    this.waiting = new Map(); // number of a piece → what its end is told to
    this.pieces = 0;
  }

  // Some browsers forbid workers to a page: then it walks by itself.
  start() {
    const address = URL.createObjectURL(new Blob([WORK], { type: "text/javascript" }));
    try {
      this.workers = Array.from({ length: Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1) }, () => {
        const worker = new Worker(address);
        worker.onmessage = ({ data: { number, ends } }) => this.told(number, ends);
        worker.onerror = (event) => this.failed(event);
        return worker;
      });
    } catch {
      this.workers = [];
    }
    this.its = this.workers.length ? null : compile(this.ground, this.rule);
  }

  told(number, ends) {
    const [resolve] = this.waiting.get(number);
    this.waiting.delete(number);
    resolve(ends);
  }

  failed(event) {
    event.preventDefault();
    this.workers = [];
    this.its = compile(this.ground, this.rule);
    for (const [number, [, job]] of [...this.waiting]) this.told(number, endsOf(this.its, job));
  }

  piece(worker, job) {
    const number = ++this.pieces;
    worker.postMessage({ number, ground: this.ground, rule: this.rule, job });
    return new Promise((resolve) => this.waiting.set(number, [resolve, job]));
  }

  // A promise of the ends of all runs of a map.
  async ends(job) {
    if (!this.workers) this.start();
    const rows = job.up.values.length;
    if (!this.workers.length) return endsOf(this.its, { ...job, from: 0, to: rows });
    const count = this.workers.length, border = (k) => Math.round((k * rows) / count);
    const parts = await Promise.all(
      this.workers.map((worker, k) => this.piece(worker, { ...job, from: border(k), to: border(k + 1) })),
    );
    const all = new Float64Array(2 * rows * job.across.values.length);
    parts.reduce((at, part) => { all.set(part, at); return at + part.length; }, 0);
    return all;
  }

  close() {
    for (const worker of this.workers ?? []) worker.terminate();
    this.workers = null;
    this.waiting.clear();
  }
}
