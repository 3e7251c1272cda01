// Numbers as Python's format() prints them, and as people type them.

// As format(x, ".4g").
export function general(x, digits = 4) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x < 0 ? "-inf" : "inf";
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  const [mantissa, power] = rounded(x, digits).split("e");
  const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return bare(Number(`${mantissa}e${power}`).toFixed(digits - 1 - exponent));
  return `${bare(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

// A number in so many digits; where two are equally near, the even one, as Python has it.
function rounded(x, digits) {
  const [exact, power] = x.toExponential(40).split("e");
  const kept = exact.slice(0, exact.indexOf(".") + digits), rest = exact.slice(kept.length);
  return /^50*$/.test(rest) && /[02468]$/.test(kept) ? `${kept}e${power}` : x.toExponential(digits - 1);
}

// A share of 1 as Python's format(x, ".0%") prints it.
export function percent(x) {
  const [whole, rest] = [Math.floor(100 * x), 100 * x - Math.floor(100 * x)];
  return `${rest > 0.5 || (rest === 0.5 && whole % 2) ? whole + 1 : whole}%`;
}

// A typed number, with a point or a comma; NaN for anything else.
export function typed(text) {
  const plain = text.trim().replace(/−/g, "-").replace(/^([+-]?\d*),(\d+)/, "$1.$2");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}
