// An explorer on a page: the picture, its controls and its sentence; and the hand on the picture itself.

import { makeControl, makePlay, element, shownValue } from "./controls.js";
import { Painter } from "./painter.js";
import { nearest } from "./player.js";

const REST = 500; // milliseconds without a move after which the sentence is spoken
const BUSY = 100; // ... after which a picture that is not there yet is shown to be on its way
const STUCK = 4000;

// Whether the page is dark: JupyterLab and Notebook say so on the body, sites on the root.
export function pageIsDark() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  return document.documentElement.dataset.theme === "dark";
}

export class ExplorerView {
  constructor(root, player) {
    this.root = root;
    this.player = player;
    const { sheet } = player;
    root.classList.add("optim-lessons-explorer");
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "live picture with controls");
    root.style.setProperty("--ol-scale", sheet.scale);
    root.style.setProperty("--ol-width", `${sheet.size[0]}px`);
    this.canvas = element("canvas", { role: "img", "aria-label": "" });
    this.canvas.style.aspectRatio = `${sheet.size[0]} / ${sheet.size[1]}`;
    this.picture = element("div", { class: "ol-picture" }, this.canvas);
    this.sentence = element("p", { class: "ol-sentence", role: "status", "aria-live": "off" });
    this.problem = element("p", { class: "ol-problem", role: "alert", hidden: "" });
    this.painter = new Painter(this.canvas, sheet.size);
    const complain = (message) => this.complain(message);
    this.controls = player.knobs.map((knob) => makeControl(knob, player, complain));
    const panel = element("div", { class: "ol-controls" }, ...this.controls.map((control) => control.box));
    const played = player.knobs.find((knob) => knob.name === sheet.play && knob.stops.length > 1);
    if (played) {
      this.play = makePlay(played, player);
      panel.append(this.play.button);
      for (const control of this.controls) control.box.addEventListener("pointerdown", this.play.halt);
      for (const control of this.controls) control.box.addEventListener("keydown", this.play.halt);
    }
    root.replaceChildren(this.picture, panel, this.problem, this.sentence);
    this.handles = [];
    this.watch();
    player.views.add(this);
    this.move();
    this.dress();
    if (player.shown) this.show();
  }

  watch() {
    this.observers = [
      new ResizeObserver(() => this.fit()),
      new MutationObserver(() => this.dress()),
    ];
    this.observers[0].observe(this.canvas);
    const attributes = { attributes: true, attributeFilter: ["data-jp-theme-light", "data-theme", "class"] };
    this.observers[1].observe(document.body, attributes);
    this.observers[1].observe(document.documentElement, attributes);
    const again = () => {
      this.screen?.removeEventListener("change", again);
      this.screen = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
      this.screen.addEventListener("change", again);
      this.fit();
    };
    again();
    this.unwatch = () => this.screen.removeEventListener("change", again);
  }

  // Leave the page.
  remove() {
    this.player.views.delete(this);
    this.play?.stop();
    for (const observer of this.observers) observer.disconnect();
    this.unwatch();
    for (const timer of ["resting", "waiting", "stuck"]) clearTimeout(this[timer]);
    this.root.replaceChildren(); // a page that still holds the element holds no picture
  }

  // Paint at the screen's own resolution.
  fit() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const scale = (width / this.painter.width) * (window.devicePixelRatio || 1);
    if (this.painter.resize(scale)) this.paint();
  }

  // Suit a light or a dark page.
  dress() {
    const dark = pageIsDark() && !this.player.sheet.light;
    this.root.classList.toggle("ol-dark", dark);
    this.root.classList.toggle("ol-card", Boolean(this.player.sheet.light));
    if (dark === this.painter.dark) return;
    this.painter.dark = dark;
    this.paint();
  }

  paint() {
    const { shown } = this.player;
    if (shown) this.painter.paint(shown.numbers, shown.book);
  }

  // What the player tells.

  move() {
    const { player } = this;
    this.controls.forEach((control, i) => control.refresh(player.values[i]));
    this.complain("");
    this.place();
    this.pause();
    this.mark();
  }

  show() {
    const { player } = this, { shown } = player;
    this.fit();
    this.paint();
    this.sentence.textContent = shown.words;
    this.canvas.setAttribute("aria-label", shown.words);
    this.root.dataset.shown = JSON.stringify(shown.values);
    this.complain("");
    this.place();
    this.settle();
    this.reserve();
    window.dispatchEvent(new CustomEvent("optim-lessons-painted", { detail: this }));
  }

  fail() {
    this.complain(`This value could not be drawn (the picture shows the last one that could). ${this.player.problem}`);
    this.settle();
  }

  wait() {
    clearTimeout(this.waiting);
    clearTimeout(this.stuck);
    this.waiting = setTimeout(() => this.root.setAttribute("aria-busy", "true"), BUSY);
    this.stuck = setTimeout(() => this.complain("The picture waits for the kernel, which is busy or gone."), STUCK);
  }

  settle() {
    this.mark();
    if (!this.player.agrees) return;
    clearTimeout(this.waiting);
    clearTimeout(this.stuck);
    this.root.removeAttribute("aria-busy");
  }

  // Say whether this is the picture of the controls, to stay.
  mark() {
    const { agrees, maker } = this.player;
    this.root.toggleAttribute("data-waiting", !agrees || Boolean(maker.pending));
  }

  complain(message) {
    if (this.problem.textContent === message) return;
    this.problem.textContent = message;
    this.problem.hidden = !message;
  }

  // The sentence is spoken when the hand rests: a live region speaks what changes in it while it is live.
  pause() {
    this.sentence.setAttribute("aria-live", "off");
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.sentence.setAttribute("aria-live", "polite");
      this.sentence.replaceChildren(document.createTextNode(this.player.shown?.words ?? ""));
    }, REST);
  }

  // The sentence keeps the room that its longest text took, so that nothing below it jumps.
  reserve() {
    const { sentence } = this, width = sentence.clientWidth;
    if (width !== this.reserved?.width) this.reserved = { width, length: 0 };
    if (this.player.shown.words.length <= this.reserved.length) return;
    this.reserved.length = this.player.shown.words.length;
    sentence.style.minHeight = "";
    const { height } = sentence.getBoundingClientRect();
    if (height) sentence.style.minHeight = `${height}px`;
  }

  // Of the handles on one ground, the one that is nearest to the pointer.
  nearestHandle(event, one) {
    const distance = (handle) => {
      const box = handle.button.getBoundingClientRect();
      return Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
    };
    const rivals = this.handles.filter((handle) => String(handle.axes?.box) === String(one.axes.box));
    return rivals.reduce((best, handle) => (distance(handle) < distance(best) ? handle : best), one);
  }

  // Every place of the frame that a hand can move has its handle.
  place() {
    const { shown } = this.player;
    const places = shown?.book.places[shown.numbers[2]] ?? [];
    while (this.handles.length < places.length) this.handles.push(new Handle(this));
    this.handles.forEach((handle, i) => handle.place(places[i]));
  }
}

// A place in the picture that a hand moves: two knobs are its coordinates.
class Handle {
  constructor(view) {
    this.view = view;
    this.ground = element("div", { class: "ol-ground" });
    this.button = element("button", { type: "button", class: "ol-handle", "data-lm-suppress-shortcuts": "true" });
    view.picture.append(this.ground, this.button);
    for (const target of [this.ground, this.button]) {
      target.addEventListener("pointerdown", (event) => this.take(event, target));
      target.addEventListener("pointermove", (event) => { if (this.held) this.drag(event); });
      for (const end of ["pointerup", "pointercancel"]) target.addEventListener(end, () => { this.held = false; });
    }
    this.button.addEventListener("keydown", (event) => this.key(event));
  }

  // Put the handle where its knobs say.  axes: their names, and where in the picture they are measured.
  place(axes) {
    this.axes = axes;
    this.ground.hidden = this.button.hidden = !axes;
    if (!axes) return;
    const { view } = this, { player, painter } = view;
    [this.x, this.y] = axes.knobs.map((name) => player.knobs.find((knob) => knob.name === name));
    const percent = (value, whole) => `${(100 * value) / whole}%`;
    const [left, top, width, height] = axes.box;
    Object.assign(this.ground.style, {
      left: percent(left, painter.width), top: percent(top, painter.height),
      width: percent(width, painter.width), height: percent(height, painter.height),
    });
    const x = this.x ? left + width * fraction(player.value(this.x.name), axes.x) : left;
    const y = this.y ? top + height * (1 - fraction(player.value(this.y.name), axes.y)) : top + height;
    Object.assign(this.button.style, { left: percent(x, painter.width), top: percent(y, painter.height) });
    const knobs = [this.x, this.y].filter(Boolean);
    const where = knobs.map((knob) => `${knob.label} ${shownValue(knob, player.value(knob.name))}`).join(", ");
    this.button.setAttribute("aria-label", `${where}: drag it, or move it by the arrow keys`);
    this.button.title = knobs.map((knob) => knob.label).join(" and ");
  }

  take(event, target) {
    if (event.button !== 0 || !this.axes || (target === this.ground && event.pointerType === "touch")) return;
    event.preventDefault();
    const hand = target === this.ground ? this.view.nearestHandle(event, this) : this;
    hand.button.focus({ preventScroll: true });
    this.view.play?.halt();
    hand.held = true;
    hand.button.setPointerCapture(event.pointerId);
    hand.drag(event);
  }

  drag(event) {
    const { axes, view } = this, { canvas, painter, player } = view;
    const frame = canvas.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * painter.width;
    const y = ((event.clientY - frame.top) / frame.height) * painter.height;
    const [left, top, width, height] = axes.box;
    const at = new Map([
      [this.x, position((x - left) / width, axes.x)],
      [this.y, position(1 - (y - top) / height, axes.y)],
    ]);
    player.wish(player.knobs.map((knob, i) => (at.has(knob) ? fitting(knob, at.get(knob)) : player.values[i])));
  }

  key(event) {
    const moves = { ArrowLeft: [this.x, -1], ArrowRight: [this.x, 1], ArrowUp: [this.y, 1], ArrowDown: [this.y, -1] };
    const [knob, way] = moves[event.key] ?? [];
    if (!knob) return;
    event.preventDefault();
    event.stopPropagation();
    const { player } = this.view, { stops } = knob;
    const at = nearest(stops, player.value(knob.name)) + way * (event.shiftKey ? 10 : 1);
    player.turn(knob.name, stops[Math.min(Math.max(at, 0), stops.length - 1)]);
    player.near(knob);
  }
}

function fraction(value, [low, high, scale]) {
  const along = scale === "log" ? Math.log : (x) => x;
  return Math.min(1, Math.max(0, (along(value) - along(low)) / (along(high) - along(low))));
}

function position(part, [low, high, scale]) {
  const inside = Math.min(1, Math.max(0, part));
  return scale === "log" ? low * (high / low) ** inside : low + (high - low) * inside;
}

// The knob's value for a place: a short number inside the range, or the nearest of its choices.
function fitting(knob, value) {
  const stop = knob.stops[nearest(knob.stops, value)];
  if (knob.kind !== "number") return stop;
  const [low, high] = [knob.stops[0], knob.stops[knob.stops.length - 1]];
  const short = Number(Math.min(high, Math.max(low, value)).toPrecision(4));
  return Math.min(high, Math.max(low, short));
}
