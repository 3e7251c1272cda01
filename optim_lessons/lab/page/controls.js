// The controls beside a picture: sliders whose value can be typed, lists, switches, and the play button.

import { general, typed } from "./numbers.js";
import { nearest } from "./player.js";

// For the ids that join labels to controls: each explorer of a notebook has its own copy of this text.
const mark = Math.random().toString(36).slice(2);
let made = 0;

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function shownValue(knob, value) {
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : general(value, 4);
}

// In JupyterLab, keys that are meant for a control stay with it.
const KEYS = { "data-lm-suppress-shortcuts": "true" };

export function makeControl(knob, player, complain) {
  const id = `optim-lessons-${mark}-${++made}`;
  const label = element("label", { for: id, class: "ol-label" }, knob.label);
  const make = { switch: makeSwitch, choice: typeof knob.stops[0] === "string" ? makeList : makeSlider }[knob.kind] ?? makeSlider;
  const control = make(knob, player, id, complain);
  const box = element("div", { class: `ol-knob ol-${control.name}` }, label, ...control.parts);
  const near = () => player.near(knob);
  box.addEventListener("pointerenter", near);
  box.addEventListener("pointerdown", near);
  box.addEventListener("focusin", near);
  return { box, refresh: control.refresh, input: control.input };
}

function makeSwitch(knob, player, id) {
  const input = element("input", { type: "checkbox", id, "data-knob": knob.name, ...KEYS });
  input.addEventListener("change", () => player.turn(knob.name, input.checked));
  return { name: "switch", parts: [input], input, refresh: (value) => { input.checked = value; } };
}

function makeList(knob, player, id) {
  const options = knob.stops.map((stop) => element("option", { value: stop }, stop));
  const input = element("select", { id, "data-knob": knob.name, ...KEYS }, ...options);
  input.addEventListener("change", () => player.turn(knob.name, input.value));
  return { name: "list", parts: [input], input, refresh: (value) => { input.value = value; } };
}

function makeSlider(knob, player, id, complain) {
  const input = element("input", { type: "range", id, min: 0, step: 1, "data-knob": knob.name, ...KEYS });
  const number = element("input", {
    type: "text", inputmode: "decimal", class: "ol-value", autocomplete: "off", spellcheck: "false",
    "aria-label": `${knob.label}, type a value`, "data-value": knob.name, ...KEYS,
  });
  const name = `${knob.label}: back to ${shownValue(knob, knob.default)}`;
  const home = element("button", { type: "button", class: "ol-home", title: name, "aria-label": name }, "↺");
  let stops = knob.stops, typing = false;

  const refresh = (value) => {
    // A value between the stops, typed or set by code, is a stop of its own while it stands.
    const between = typeof value === "number" && !knob.stops.includes(value);
    if (!(input.matches(":active") && stops.includes(value))) {
      stops = between ? [...knob.stops, value].sort((a, b) => a - b) : knob.stops;
      input.max = stops.length - 1;
    }
    const at = String(nearest(stops, value));
    if (input.value !== at) input.value = at;
    const text = shownValue(knob, value);
    input.setAttribute("aria-valuetext", text);
    if (!typing) number.value = text;
    home.disabled = value === knob.default;
  };
  const back = () => player.turn(knob.name, knob.default);
  input.addEventListener("input", () => {
    player.turn(knob.name, stops[input.value]);
    player.near(knob);
  });
  input.addEventListener("change", () => refresh(player.value(knob.name)));
  input.addEventListener("dblclick", back);
  home.addEventListener("click", back);
  number.addEventListener("focus", () => number.select());
  number.addEventListener("input", () => { typing = true; });
  number.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take();
    if (event.key === "Escape") { typing = false; number.value = shownValue(knob, player.value(knob.name)); complain(""); }
    event.stopPropagation();
  });
  number.addEventListener("blur", take);

  function take() {
    if (!typing) return;
    typing = false;
    const text = number.value;
    const now = player.value(knob.name);
    if (text === shownValue(knob, now)) return;
    const [value, why] = accepted(knob, text);
    number.value = shownValue(knob, why ? now : value);
    number.setAttribute("aria-invalid", String(Boolean(why)));
    complain(why);
    if (!why) player.turn(knob.name, value);
  }
  return { name: "slider", parts: [input, number, home], input, refresh };
}

// Return the value that a text stands for, and what is wrong with it.
export function accepted(knob, text) {
  const value = typed(text), [low, high] = [knob.stops[0], knob.stops[knob.stops.length - 1]];
  const range = `${shownValue(knob, low)} to ${shownValue(knob, high)}`;
  if (knob.kind === "choice") {
    const stop = knob.stops.find((one) => one === value || shownValue(knob, one) === text.trim());
    const listed = knob.stops.map((one) => shownValue(knob, one)).join(", ");
    return stop === undefined ? [null, `${knob.label}: “${text}” is none of ${listed}.`] : [stop, ""];
  }
  if (Number.isNaN(value)) return [null, `${knob.label}: “${text}” is no number. Type one from ${range}.`];
  if (knob.kind === "whole" && !Number.isInteger(value)) return [null, `${knob.label}: ${text} is no whole number. Type one from ${range}.`];
  if (value < low || value > high) return [null, `${knob.label}: ${text} is outside ${range}.`];
  return [value, ""];
}

const PER_SECOND = 30, LONGEST = 4; // pictures a second, and seconds of a play
const CALM = 5; // pictures, one a second, for a reader who wishes less motion

// A button that moves a knob from its start to its value.
export function makePlay(knob, player) {
  const button = element("button", { type: "button", class: "ol-play" });
  let timer = null;
  const label = (playing) => {
    button.textContent = playing ? "❚❚ pause" : "▶ play";
    button.setAttribute("aria-label", playing ? `pause ${knob.label}` : `play ${knob.label} from the start to its value`);
  };
  let left = [];
  const stop = () => { clearInterval(timer); timer = null; label(false); };
  const next = () => {
    if (!player.agrees && !player.problem) return; // the picture before is still on its way
    if (!left.length) return stop();
    player.turn(knob.name, left.shift());
  };
  const play = () => {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!left.length) left = way(knob, player.value(knob.name), calm ? CALM : PER_SECOND * LONGEST);
    player.near(knob);
    timer = setInterval(next, calm ? 1000 : 1000 / PER_SECOND);
    label(true);
  };
  button.addEventListener("click", () => (timer ? stop() : play()));
  button.addEventListener("pointerenter", () => player.near(knob));
  // A hand on the knob ends the play.
  const halt = () => { if (timer) stop(); left = []; };
  label(false);
  return { button, play, halt, stop };
}

// The stops from the first one to a value, at most so many.
export function way(knob, value, most) {
  const end = nearest(knob.stops, value);
  const count = Math.min(end + 1, most);
  const places = Array.from({ length: count }, (_, i) => Math.round((i * end) / Math.max(1, count - 1)));
  const values = places.map((place) => knob.stops[place]);
  values[values.length - 1] = value;
  return values;
}
