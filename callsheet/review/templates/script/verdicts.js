// --- verdicts: what was said of each variant, where it is kept, and who said it last -----------------------------------

const SAYS = { approve: "Approved", reject: "Rejected", retake: "Retake" };
const NOTE = 4000; // characters, as callsheet/verdicts.py has it
const AHEAD = 24 * 3600 * 1000; // milliseconds that the clock of whoever judged may be ahead, as there
const AGAIN = 4000; // ms until what the server did not take is sent again
const known = new Map(data.verdicts.map((verdict) => [verdict.key, verdict])); // key -> verdict, also one that was taken back
const ours = new Map(); // key -> verdict that is in this browser only
const mine = new Map(); // key -> verdict that was given in this window
const undone = []; // what the last steps replaced
const sharing = new Map(); // key -> cells

for (const cell of cells) {
  const { key } = facts.get(cell);
  sharing.has(key) ? sharing.get(key).push(cell) : sharing.set(key, [cell]);
}

const isGiven = (verdict) => Boolean(verdict.says || verdict.stars || verdict.note);
const isNewer = (one, other) => !other || Date.parse(one.at) > Date.parse(other.at);
const canJudge = (cell) => Boolean(facts.get(cell).url);

// A verdict is of the film that was seen: of another one of the same variant (a draft, one made again) it is no judgement.
const isOf = (verdict, cell) => !verdict.film || !facts.get(cell).film || verdict.film === facts.get(cell).film;

function verdictOf(cell) {
  const verdict = known.get(facts.get(cell).key);
  return verdict && isGiven(verdict) && isOf(verdict, cell) ? verdict : null;
}

function earlierOf(cell) {
  const verdict = known.get(facts.get(cell).key);
  return verdict && isGiven(verdict) && !isOf(verdict, cell) ? verdict : null;
}

// What a variant counts as: approve, reject, retake, stars (and nothing else), or none.
function standing(cell) {
  const verdict = verdictOf(cell);
  return verdict?.says ?? (verdict?.stars ? "stars" : "none");
}

// Later than what it replaces, whatever the clocks of two machines say.
function moment(before) {
  const earliest = before ? Date.parse(before.at) + 1 : 0;
  return new Date(Math.max(Date.now(), earliest)).toISOString();
}

// Change the verdicts of these cells; one step of undo. change: what is different. A judgement of this film takes the place of
// one of an earlier film, of which only the note stays; a note alone judges nothing, and leaves that as it is.
function give(targets, change) {
  const step = new Map();
  for (const cell of targets.filter(canJudge)) {
    const { key, film } = facts.get(cell);
    if (step.has(key)) continue;
    const before = known.get(key);
    step.set(key, { says: before?.says ?? null, stars: before?.stars ?? null, note: before?.note ?? "", film: before?.film ?? film });
    const stale = earlierOf(cell);
    const about = stale && "note" in change ? {} : { film, ...(stale ? { says: null, stars: null } : {}) };
    put(cell, { ...step.get(key), ...about, ...change });
  }
  if (!step.size) return 0;
  undone.push(step);
  settle();
  return step.size;
}

function put(cell, said) {
  const { key, slug, axes } = facts.get(cell);
  const verdict = { key, slug, axes, says: said.says, stars: said.stars, note: said.note, film: said.film, at: moment(known.get(key)) };
  known.set(key, verdict);
  ours.set(key, verdict);
  mine.set(key, verdict);
  for (const same of sharing.get(key)) paint(same);
}

function undo() {
  const step = undone.pop();
  if (!step) return say("There is nothing to undo.");
  for (const [key, said] of step) put(sharing.get(key)[0], said);
  settle();
  say(`Undone: ${variants(step.size)}.`);
}

const variants = (count) => `${count} ${count === 1 ? "variant" : "variants"}`;

// After any change: kept here first, then sent.
function settle() {
  keep();
  tally();
  if (wished.size) filter();
  else if (isPivot && (rowsBy === VERDICT || columnsBy === VERDICT)) { arrange(); refresh(); }
  if (data.served) send();
}

function keep() {
  gather();
  const isKept = kept.write("verdicts", [...ours.values()]);
  tellWhere(isKept);
}

// What this browser has kept, also of another tab with this board.
function gather() {
  for (const raw of kept.read("verdicts") ?? []) {
    const verdict = readable(raw);
    if (!verdict || !isNewer(verdict, known.get(verdict.key))) continue;
    known.set(verdict.key, verdict);
    ours.set(verdict.key, verdict);
    for (const cell of sharing.get(verdict.key)) paint(cell);
  }
}

// Verdicts from elsewhere: the later one of each variant holds. How many were taken.
function absorb(verdicts) {
  let taken = 0;
  for (const verdict of verdicts) {
    if (!isNewer(verdict, known.get(verdict.key))) continue;
    known.set(verdict.key, verdict);
    taken += 1;
    for (const cell of sharing.get(verdict.key) ?? []) paint(cell);
  }
  return taken;
}

// A verdict from a file or from storage, if it is one of a variant of this board: its names are the board's own.
function readable(raw) {
  const cell = sharing.get(raw?.key)?.[0];
  if (!cell || typeof raw.at !== "string" || !/^\d{4}-/.test(raw.at) || !(Date.parse(raw.at) <= Date.now() + AHEAD)) return null;
  const { key, slug, axes } = facts.get(cell);
  return {
    key, slug, axes,
    says: Object.hasOwn(SAYS, raw.says) ? raw.says : null,
    stars: Number.isInteger(raw.stars) && raw.stars >= 1 && raw.stars <= 5 ? raw.stars : null,
    note: typeof raw.note === "string" ? raw.note.slice(0, NOTE) : "",
    film: typeof raw.film === "string" && /^[0-9a-f]{64}$/.test(raw.film) ? raw.film : "",
    at: new Date(raw.at).toISOString(),
  };
}

const written = (verdicts) => ({
  schema_version: 1, campaign: data.campaign, draft: data.draft, plan: data.plan, verdicts: [...verdicts],
});

// --- kept by the server -----------------------------------------------------------------------------------------------

const PLACE = "../verdicts.json";
let sending = false;
let trouble = ""; // why the server did not take them

async function send() {
  if (sending) return;
  sending = true;
  while (ours.size) {
    const sent = [...ours.values()];
    try {
      const answer = await fetch(PLACE, {
        method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(written(sent)),
      });
      if (!answer.ok) throw new Error((await answer.text()) || `it answered ${answer.status}`);
      for (const verdict of sent) if (ours.get(verdict.key) === verdict) ours.delete(verdict.key);
      reconcile((await answer.json()).verdicts);
      trouble = "";
    } catch (reason) {
      trouble = reason.message;
      break;
    }
  }
  sending = false;
  keep();
  tally();
  if (ours.size) setTimeout(send, AGAIN);
}

// What is kept there now: news of others come in, and what was given here and is missing there (another machine wrote over it, at
// the same moment) is sent again.
function reconcile(there) {
  absorb(there);
  const byKey = new Map(there.map((verdict) => [verdict.key, verdict]));
  for (const [key, verdict] of mine) if (isNewer(verdict, byKey.get(key))) ours.set(key, verdict);
}

// What other reviewers said meanwhile.
async function look() {
  try {
    const answer = await fetch(PLACE);
    if (!answer.ok) return;
    reconcile((await answer.json()).verdicts);
    tally();
    if (ours.size) send();
  } catch { /* the server has ended; the next verdict tells so */ }
}

// --- as a file --------------------------------------------------------------------------------------------------------

function exportFile() {
  const link = document.createElement("a");
  const file = new Blob([`${JSON.stringify(written(known.values()), null, 2)}\n`], { type: "application/json" });
  link.href = URL.createObjectURL(file);
  link.download = "verdicts.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  byId("exported").showModal();
}

async function importFile(file) {
  let document_;
  try {
    document_ = JSON.parse(await file.text());
  } catch {
    return say(`${file.name} is not JSON: export it with the board, or take the campaign's verdicts.json.`);
  }
  if (document_?.schema_version !== 1 || !Array.isArray(document_.verdicts)) {
    return say(`${file.name} holds no verdicts that this board can read.`);
  }
  const found = document_.verdicts.map(readable).filter(Boolean);
  const foreign = document_.verdicts.length - found.length;
  for (const verdict of found) if (isNewer(verdict, known.get(verdict.key))) ours.set(verdict.key, verdict);
  const taken = absorb(found);
  settle();
  const rest = [
    found.length - taken ? `${found.length - taken} no newer than what is here` : "",
    foreign ? `${foreign} of no variant on this board, or dated in the future` : "",
  ].filter(Boolean);
  return say(`${taken} of ${document_.verdicts.length} verdicts taken from ${file.name}${rest.length ? `; ${rest.join(", ")}` : ""}.`);
}

function begin() {
  gather();
  for (const verdict of known.values()) for (const cell of sharing.get(verdict.key) ?? []) paint(cell);
  tally();
  tellWhere(true);
  addEventListener("storage", () => { gather(); tally(); tellWhere(true); });
  if (!data.served) return;
  if (ours.size) send();
  addEventListener("focus", look);
}
