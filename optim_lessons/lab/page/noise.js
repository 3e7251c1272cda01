// The noise of sgd.noisy: NumPy's np.random.default_rng((seed, t)).standard_normal(count), number by number.

const MASK = (1n << 64n) - 1n, WHOLE = (1n << 128n) - 1n;
const FACTOR = (2549297995355413924n << 64n) | 4865540595714422341n;

// NumPy's SeedSequence (O'Neill's seed_seq_fe): small whole numbers become four 64-bit ones.
function seeds(entropy) {
  let hash = 0x43b0d7e5;
  const mixed = (value) => {
    value = (value ^ hash) >>> 0;
    hash = Math.imul(hash, 0x931e8875) >>> 0;
    value = Math.imul(value, hash) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const both = (x, y) => {
    const result = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) >>> 0;
    return (result ^ (result >>> 16)) >>> 0;
  };
  const pool = [0, 1, 2, 3].map((i) => mixed(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = both(pool[to], mixed(pool[from]));
  hash = 0x8b51f9dd;
  const words = Array.from({ length: 8 }, (_, i) => {
    let value = (pool[i % 4] ^ hash) >>> 0;
    hash = Math.imul(hash, 0x58f38ded) >>> 0;
    value = Math.imul(value, hash) >>> 0;
    return BigInt((value ^ (value >>> 16)) >>> 0);
  });
  return [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
}

// PCG64 (O'Neill 2014), XSL-RR.
function generator(entropy) {
  const [a, b, c, d] = seeds(entropy);
  const increment = (((c << 64n) | d) << 1n | 1n) & WHOLE;
  let state = (increment + ((a << 64n) | b)) & WHOLE;
  const next = () => {
    state = (state * FACTOR + increment) & WHOLE;
    const turn = state >> 122n, low = ((state >> 64n) ^ state) & MASK;
    return ((low >> turn) | (low << ((64n - turn) & 63n))) & MASK;
  };
  state = (state * FACTOR + increment) & WHOLE;
  return next;
}

// The ziggurat (Marsaglia and Tsang 2000) with 256 layers of one area.
const EDGE = 3.6541528853610088, AREA = 0.004928673233974658, UNIT_STEP = 2 ** -52;
const bell = (x) => Math.exp(-0.5 * x * x);
const layers = (() => {
  const x = new Float64Array(256), inner = new Float64Array(256), width = new Float64Array(256);
  x[255] = EDGE;
  for (let i = 254; i > 0; i--) x[i] = Math.sqrt(-2 * Math.log(AREA / x[i + 1] + bell(x[i + 1])));
  for (let i = 1; i < 256; i++) {
    width[i] = x[i] * UNIT_STEP;
    inner[i] = (i > 1 ? x[i - 1] / x[i] : 0) * 2 ** 52;
  }
  width[0] = (AREA / bell(EDGE)) * UNIT_STEP;
  inner[0] = ((EDGE * bell(EDGE)) / AREA) * 2 ** 52;
  const height = x.map(bell);
  height[0] = 1;
  return { inner, width, height };
})();

function normal(next) {
  const uniform = () => Number(next() >> 11n) * 2 ** -53;
  for (;;) {
    let bits = next();
    const layer = Number(bits & 255n);
    bits >>= 8n;
    const far = (bits >> 1n) & 0xfffffffffffffn, size = Number(far) * layers.width[layer];
    const x = bits & 1n ? -size : size;
    if (Number(far) < layers.inner[layer]) return x;
    if (layer === 0) {
      for (;;) {
        const beyond = -Math.log1p(-uniform()) / EDGE, y = -Math.log1p(-uniform());
        if (y + y > beyond * beyond) return (far >> 8n) & 1n ? -(EDGE + beyond) : EDGE + beyond;
      }
    }
    const { height } = layers;
    if ((height[layer - 1] - height[layer]) * uniform() + height[layer] < bell(x)) return x;
  }
}

const drawn = new Map(); // seed → numbers of the steps so far

// So many normal numbers for each of so many steps, one after the other.
export function noise(seed, steps, count = 2) {
  const known = drawn.get(seed) ?? [];
  for (let t = known.length / count; t < steps; t++) {
    const next = generator([seed, t]);
    for (let k = 0; k < count; k++) known.push(normal(next));
  }
  drawn.set(seed, known);
  return known;
}
