// --- judging: the same by key, mouse and touch -------------------------------------------------------------------------

const bar = byId("judge"); // goes along with the variant in hand
const note = byId("note");

function say(words) {
  const place = byId("said");
  place.textContent = words;
  place.classList.add("fresh");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => place.classList.remove("fresh"), 6000);
}

// One verdict of three; the same again takes it back.
function judge(says, { next = false, targets = subjects() } = {}) {
  if (!targets.length) return say("Take a variant first: press J.");
  const same = targets.filter(canJudge).every((cell) => verdictOf(cell)?.says === says);
  const count = give(targets, { says: same ? null : says });
  if (!count) return say("There is no film to judge.");
  say(same ? `Taken back: ${variants(count)}.` : `${SAYS[says]}: ${variants(count)}.`);
  if (next) room.open ? turn(1) : step(1);
}

function rate(stars, targets = subjects()) {
  if (!targets.length) return say("Take a variant first: press J.");
  const same = targets.filter(canJudge).every((cell) => verdictOf(cell)?.stars === stars);
  const count = give(targets, { stars: same || !stars ? null : stars });
  say(!count ? "There is no film to judge." : same || !stars ? `No stars: ${variants(count)}.` : `${stars} of 5 stars: ${variants(count)}.`);
}

// --- what is seen of a verdict -----------------------------------------------------------------------------------------

function paint(cell) {
  const verdict = verdictOf(cell);
  cell.dataset.says = verdict?.says ?? "";
  cell.dataset.stars = verdict?.stars ?? "";
  let stamp = one(".stamp", cell);
  const earlier = earlierOf(cell);
  if (!verdict && !earlier) stamp?.remove();
  else {
    if (!stamp) { stamp = make("p", "stamp"); one(".caption", cell).prepend(stamp); }
    stamp.classList.toggle("earlier", Boolean(earlier));
    stamp.replaceChildren(...(earlier ? [make("span", "", "An earlier film:")] : []), ...stampOf(verdict ?? earlier));
  }
  const frame = frameOf(cell);
  frame.dataset.label ??= frame.getAttribute("aria-label");
  frame.setAttribute("aria-label", [frame.dataset.label, ...wordsOf(verdict), ...(earlier ? ["an earlier film was judged"] : [])].join(", "));
  if (room.open && opened === cell) drawJudged();
  if (held === cell) pressBar(bar, cell);
}

function wordsOf(verdict) {
  if (!verdict) return [];
  return [SAYS[verdict.says], verdict.stars ? `${verdict.stars} of 5 stars` : "", verdict.note ? "with a note" : ""].filter(Boolean);
}

function stampOf(verdict) {
  const parts = [];
  if (verdict.says) parts.push(make("b", verdict.says, SAYS[verdict.says]));
  if (verdict.stars) {
    const stars = make("span", "given", "★".repeat(verdict.stars));
    stars.setAttribute("role", "img");
    stars.setAttribute("aria-label", `${verdict.stars} of 5 stars`);
    parts.push(stars);
  }
  if (verdict.note) {
    const words = make("span", "noted", bdi(verdict.note));
    words.title = verdict.note;
    parts.push(words);
  }
  return parts;
}

// Counts of the verdicts, in the header and on their chips.
function tally() {
  const found = { approve: 0, reject: 0, retake: 0, stars: 0, none: 0 };
  const able = cells.filter(canJudge);
  for (const cell of able) found[standing(cell)] += 1;
  const judged = able.length - found.none;
  byId("progress").max = Math.max(able.length, 1);
  byId("progress").value = judged;
  byId("judged").textContent = `${judged} of ${able.length} judged`;
  for (const chip of all(".chip[data-says]")) {
    one(".many", chip).textContent = found[chip.dataset.says];
    chip.classList.toggle("vain", !found[chip.dataset.says] && chip.getAttribute("aria-pressed") === "false");
  }
  countHeadings();
}

function tellWhere(isKept) {
  const place = byId("where");
  const count = ours.size;
  place.classList.toggle("wrong", Boolean(count && (trouble || !isKept)));
  if (data.served) {
    place.textContent = !count ? "Saved beside the manifest." : trouble
      ? `${count} not saved: ${trouble} ${isKept ? "They are kept in this browser and sent again." : "Export them."}`
      : "Saving …";
  } else if (!count) place.textContent = "";
  else place.textContent = isKept
    ? `${count} in this browser only. Export them for the others.`
    : `${count} in this window only: this browser keeps nothing of a page from a disk. Export them before you close it.`;
}

// --- the bar of the variant in hand ------------------------------------------------------------------------------------

let held = null;

function hold(cell) {
  const next = cell && canJudge(cell) ? cell : null;
  if (next === held || bar.contains(document.activeElement)) return; // it stays where somebody tabs through it
  held = next;
  if (!held) return bar.remove();
  frameOf(held).after(bar);
  bar.hidden = false;
  pressBar(bar, held);
}

function pressBar(place, cell) {
  const verdict = cell && verdictOf(cell);
  for (const button of all("[data-give]", place)) button.setAttribute("aria-pressed", verdict?.says === button.dataset.give);
  for (const button of all("[data-rate]", place)) {
    button.setAttribute("aria-pressed", verdict?.stars === Number(button.dataset.rate));
    button.classList.toggle("lit", (verdict?.stars ?? 0) >= Number(button.dataset.rate));
  }
  for (const button of all("[data-note]", place)) button.setAttribute("aria-pressed", Boolean(verdict?.note));
}

function wireBar(place, about) {
  for (const button of all("[data-give]", place)) button.addEventListener("click", () => judge(button.dataset.give, { targets: about() }));
  for (const button of all("[data-rate]", place)) button.addEventListener("click", () => rate(Number(button.dataset.rate), about()));
  for (const button of all("[data-note]", place)) button.addEventListener("click", () => writeNote(about()));
}

wireBar(bar, () => (picked.has(held) ? [...picked] : [held]));
bar.addEventListener("click", (event) => { if (event.detail) frameOf(held).focus({ preventScroll: true }); }); // by mouse
wireBar(byId("judge-room"), subjects);
wireBar(byId("judge-picked"), subjects);

function drawPicked() {
  const place = byId("judge-picked");
  place.hidden = !picked.size;
  byId("picked").textContent = `${picked.size} chosen`;
  document.documentElement.classList.toggle("picking", picked.size > 0);
}
byId("drop").addEventListener("click", drop);

// --- notes -------------------------------------------------------------------------------------------------------------

let noted = [];

function writeNote(targets = subjects()) {
  noted = targets.filter(canJudge);
  if (!noted.length) return say("Take a variant first: press J.");
  const text = one("textarea", note);
  text.value = noted.length === 1 ? (verdictOf(noted[0]) ?? earlierOf(noted[0]))?.note ?? "" : "";
  byId("note-of").replaceChildren(noted.length === 1 ? bdi(facts.get(noted[0]).slug) : variants(noted.length));
  note.showModal();
  text.focus();
}

function saveNote() {
  const words = one("textarea", note).value.trim().slice(0, NOTE);
  note.close();
  const count = give(noted, { note: words });
  say(words ? `Noted: ${variants(count)}.` : `No note: ${variants(count)}.`);
}

byId("note-save").addEventListener("click", saveNote);
byId("note-cancel").addEventListener("click", () => note.close());
one("textarea", note).addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); saveNote(); }
});

// --- in and out --------------------------------------------------------------------------------------------------------

byId("export").addEventListener("click", exportFile);
byId("exported-close").addEventListener("click", () => byId("exported").close());
byId("import").addEventListener("click", () => byId("import-file").click());
byId("import-file").addEventListener("change", (event) => {
  for (const file of event.target.files) importFile(file);
  event.target.value = "";
});
byId("go-on").addEventListener("click", goOn);
byId("undo").addEventListener("click", undo);
addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  for (const file of event.dataTransfer.files) importFile(file);
});
