// Live figures on a plain page: their frames were recorded, or are worked out here. What they need for it comes in
// script files when a figure is near the screen, as a page that was opened from a disk can load nothing else.

const NEAR = "700px"; // from the screen
const RESET = 1500; // milliseconds for which a control that went back is marked

async function unzipped(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// Frames were written as differences, which are shorter; this makes numbers of them again, where they lie.
function summed(packed) {
  const { header, blobs } = unpack(packed);
  for (const blob of blobs.slice(blobs.length - header.counts.frames)) {
    const numbers = new Int16Array(blob.buffer, blob.byteOffset, blob.byteLength / 2);
    for (let i = 1; i < numbers.length; i++) numbers[i] += numbers[i - 1];
  }
  return header;
}

// A maker of frames (lab/page/player.js) that has them all from the start, but not of every setting: where the
// others stand as well as the turned knob was not recorded, the others go back.
class Recording {
  constructor({ sheet, home, keys }) {
    this.knobs = sheet.knobs;
    this.home = home;
    this.known = new Set(keys.map(keyOf));
    this.told = () => {};
  }

  // The recorded values nearest to a wish: those of the knobs that were just turned matter most.
  fitting(wish, before) {
    const snapped = wish.map((value, i) => this.knobs[i].stops[nearest(this.knobs[i].stops, value)]);
    const turned = wish.map((value, i) => value !== before[i]);
    const text = (i) => typeof this.home[i] === "string" || typeof this.home[i] === "boolean";
    const last = turned.lastIndexOf(true);
    const tries = [
      snapped,
      snapped.map((value, i) => (turned[i] || text(i) ? value : this.home[i])),
      snapped.map((value, i) => (turned[i] ? value : this.home[i])),
      snapped.map((value, i) => (i === last ? value : this.home[i])),
    ];
    const values = tries.find((one) => this.known.has(keyOf(one))) ?? this.home;
    const back = this.knobs.filter((_, i) => !turned[i] && values[i] !== before[i]);
    const apart = this.knobs.filter((_, i) => turned[i] && values[i] !== wish[i]);
    this.told(back, apart);
    return values;
  }
}

class Figure {
  constructor(element) {
    this.element = element;
    this.root = element.querySelector(".optim-lessons-explorer");
    this.note = element.querySelector(".ol-note");
    this.asked = false;
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    const script = document.createElement("script");
    script.src = this.element.dataset.frames;
    script.onerror = () => { this.note.textContent = "This picture stands still: its frames could not be loaded."; };
    document.head.append(script);
  }

  async live(text) {
    const packed = await unzipped(text), { header, blobs } = unpack(packed);
    const player = header.keys ? await this.recorded(packed) : await this.workedOut(header, blobs);
    this.view = new ExplorerView(this.root, player);
    this.element.classList.add("ol-live");
    if (this.element.dataset.play) this.playOnce();
  }

  async workedOut({ sheet, home }, [packed]) {
    const maker = new Printed(packed), player = new Player(sheet, home, maker);
    await maker.ready;
    player.again();
    return player;
  }

  async recorded(packed) {
    const header = summed(packed), maker = new Recording(header);
    const player = new Player(header.sheet, [...header.home], maker);
    await player.load(packed);
    maker.told = (back, apart) => this.tell(player, back, apart);
    this.about(header);
    return player;
  }

  about({ sheet, home, keys }) {
    const known = new Set(keys.map(keyOf));
    const free = sheet.knobs.reduce((count, knob) => count * knob.stops.length, 1) <= known.size;
    this.words = "";
    if (!free) this.words = `Recorded here with one ${this.unit(home, keys)} moved at a time: the others go back to where they start. In JupyterLab all move freely.`;
    this.note.textContent = this.words;
  }

  // What is moved one at a time: lists and switches may have been recorded together with each slider.
  unit(home, keys) {
    const away = (values, kind) => values.some((value, i) => value !== home[i] && (typeof value === "number") === kind);
    return keys.some((values) => away(values, true) && away(values, false)) ? "slider" : "control";
  }

  // Say which controls went back because another was moved, and show it.
  tell(player, back, apart) {
    const list = (knobs) => knobs.map((knob) => `${knob.label} to ${shownValue(knob, player.maker.home[player.knobs.indexOf(knob)])}`).join(", ");
    const parts = [];
    if (back.length) parts.push(`Went back: ${list(back)}.`);
    if (apart.length) parts.push("The nearest recorded value is shown.");
    if (!parts.length) return;
    this.note.textContent = `${parts.join(" ")} ${this.words}`.trim();
    for (const knob of back) {
      const { box } = this.view.controls[player.knobs.indexOf(knob)];
      box.classList.add("ol-went-back");
      setTimeout(() => box.classList.remove("ol-went-back"), RESET);
    }
  }

  playOnce() {
    if (!this.view.play || window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    new IntersectionObserver((seen, observer) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      observer.disconnect();
      this.view.play.play();
    }, { threshold: 0.6 }).observe(this.view.picture);
  }
}

const figures = new Map([...document.querySelectorAll(".ol-figure")].map((one) => [one.id, new Figure(one)]));
const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    figures.get(target.id).ask();
  }
}, { rootMargin: NEAR });
for (const { element } of figures.values()) near.observe(element);

// Questions: the answers come, with the first click on any of them, from a file of their own.

const asked = [...document.querySelectorAll(".ol-question")];
const base = document.currentScript.src.replace(/explorers\.js[^/]*$/, "");
let answers = null, loading = null;

function load() {
  const lesson = asked[0].dataset.question.slice(0, 2);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${base}answers/${lesson}.js`;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

for (const question of asked) {
  const answer = question.querySelector(".ol-answer");
  const buttons = [...question.querySelectorAll("button")];
  for (const button of buttons) {
    button.addEventListener("click", async () => {
      try {
        await (loading ??= load());
      } catch {
        loading = null;
        answer.textContent = "The answers could not be loaded.";
        return;
      }
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      answer.innerHTML = answers[question.dataset.question][button.value];
    });
  }
}

window.optimLessons = {
  frames: (id, text) => figures.get(id).live(text).catch((error) => {
    figures.get(id).note.textContent = `This picture stands still: ${error.message}`;
    throw error;
  }),
  answers: (all) => { answers = all; },
  figures,
};
