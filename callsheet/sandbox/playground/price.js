/* What a request costs, by the catalogue's rule and in whole units: no amount is ever a binary fraction. */

const UNITS = 10_000n;
const PER_DOLLAR = 68n;
const MICRO = 1_000_000n;

/** "1:100", "1/100", "0.01" or a number, in millionths. */
function micro(value) {
  const [top, bottom] = String(value).split(/[:/]/).map(Number);
  return BigInt(Math.round((top / (bottom || 1)) * 1e6));
}

/**
 * { seconds, units, atLeast } of a rule for so many seconds; null where they are not known.
 * seconds: what is billed, in millionths; perSecond and units: in 1/10000 credit; atLeast: does the minimum count?
 */
export function priced(rule, seconds, options) {
  if (seconds === null || !Number.isFinite(seconds)) return null;
  const billed = rule.quantity === "one" ? MICRO : billedOf(rule, micro(seconds));
  const times = factor(rule, options);
  const exact = billed * perSecond(rule) * times;
  const scale = MICRO * MICRO;
  const rounded = (exact * 2n + scale) / (scale * 2n);
  const minimum = unitsOf(rule.minimum_credits);
  return { seconds: billed, times, perSecond: perSecond(rule), units: rounded < minimum ? minimum : rounded, atLeast: rounded < minimum, minimum };
}

function billedOf(rule, seconds) {
  const step = micro(rule.step);
  const steps = rule.rounding === "nearest" ? (seconds * 2n + step) / (step * 2n) : (seconds + step - 1n) / step;
  const low = micro(rule.floor_seconds ?? 0);
  const whole = steps * step < low ? low : steps * step;
  const cap = rule.cap_seconds === null || rule.cap_seconds === undefined ? whole : micro(rule.cap_seconds);
  return whole > cap ? cap : whole;
}

/** Units of one second. A rule that counts hundredths may give the price of a second or of a hundredth. */
function perSecond(rule) {
  const units = BigInt(rule.units_per_step);
  const step = micro(rule.step);
  const ofStep = units * MICRO / step;
  return step < MICRO && ofStep <= unitsOf(rule.minimum_credits) ? ofStep : units;
}

function factor(rule, options) {
  const found = rule.factors?.find(({ when }) => Object.entries(when).every(([name, value]) => options[name] === value));
  return found ? micro(found.times) : MICRO;
}

export function unitsOf(credits) {
  const [whole, rest = ""] = String(credits).split(".");
  return BigInt(whole) * UNITS + BigInt(rest.padEnd(4, "0").slice(0, 4));
}

/** "69.24" */
export function credits(units) {
  const rest = String(units % UNITS).padStart(4, "0").replace(/0+$/, "");
  const whole = new Intl.NumberFormat("en-US").format(units / UNITS);
  return rest ? `${whole}.${rest}` : whole;
}

/** "$1.02", rounded up to the cent: what to budget. */
export function dollars(units) {
  const cents = (units * 100n + UNITS * PER_DOLLAR - 1n) / (UNITS * PER_DOLLAR);
  return `$${new Intl.NumberFormat("en-US").format(cents / 100n)}.${String(cents % 100n).padStart(2, "0")}`;
}

/** Millionths as "5.77" */
export function decimal(millionths) {
  const rest = String(millionths % MICRO).padStart(6, "0").replace(/0+$/, "");
  return rest ? `${millionths / MICRO}.${rest}` : String(millionths / MICRO);
}
