// --- the variant in hand, and those that are chosen together -----------------------------------------------------------

let marked = null;
const picked = new Set(); // cells that the next verdict is of, together

function mark(cell) {
  marked?.classList.remove("marked");
  marked = cell;
  if (!cell) return;
  cell.classList.add("marked");
  read(cell);
  hold(cell);
  const reel = reelOf(cell);
  if (!reel.playing && reels.every((other) => !other.playing)) current = reel;
  reel.heard = facts.get(cell).axes.keep_original_sound ? frames.get(frameOf(cell)).video : null;
  reel.voice();
}

function take(cell) {
  frameOf(cell).focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest", inline: "nearest", behavior: calm() ? "auto" : "smooth" });
}

function step(by) {
  const next = beside(marked, by, shownCells());
  if (next) take(next);
}

// The one after or before a cell in this list, also where the cell itself has just left it.
function beside(cell, by, list) {
  const at = list.indexOf(cell);
  if (at >= 0) return list[clamp(at + by, 0, list.length - 1)];
  const place = order.indexOf(cell);
  const after = list.findIndex((other) => order.indexOf(other) > place);
  if (place < 0) return by > 0 ? list[0] : list.at(-1);
  if (by > 0) return after < 0 ? list.at(-1) : list[after];
  return after < 0 ? list.at(-1) : list[Math.max(after - 1, 0)];
}

// The next one that nobody has judged, from the one in hand on and round; null where all are.
function unjudged(shown, from) {
  const place = shown.indexOf(from);
  const rest = [...shown.slice(place + 1), ...shown.slice(0, Math.max(place, 0))];
  return rest.find((cell) => canJudge(cell) && standing(cell) === "none") ?? null;
}

function goOn() {
  const next = room.open ? unjudged(playable(), opened) : unjudged(shownCells(), marked);
  if (!next) say("Everything that is shown is judged.");
  else room.open ? compare(next) : take(next);
}

// The whole prompt of the variant under the pointer or in hand, beside its source.
function read(cell) {
  const strip = cell?.closest(".strip");
  if (!strip) return;
  const hand = one(".hand", strip);
  one(".hand-name", hand).textContent = facts.get(cell).axes.prompt;
  one(".prompt", hand).textContent = textOf(facts.get(cell).prompt);
}

function pick(cell, wanted = !picked.has(cell)) {
  wanted && canJudge(cell) ? picked.add(cell) : picked.delete(cell);
  cell.classList.toggle("picked", picked.has(cell));
  drawPicked();
}

// From the one in hand to this one, in the order of the page.
function pickTo(cell) {
  const shown = shownCells();
  const [low, high] = [shown.indexOf(marked), shown.indexOf(cell)].sort((a, b) => a - b);
  for (const between of shown.slice(Math.max(low, 0), high + 1)) pick(between, true);
  take(cell);
}

function drop() {
  for (const cell of [...picked]) pick(cell, false);
}

// What a key or a button is about: those chosen together, else the one that is open or in hand.
function subjects() {
  if (room.open) return [opened];
  if (picked.size) return [...picked];
  return marked && isShown(marked) ? [marked] : [];
}

function wireCell(cell) {
  const frame = frameOf(cell);
  frame.addEventListener("focus", () => mark(cell));
  cell.addEventListener("pointerenter", (event) => { read(cell); if (event.pointerType === "mouse") hold(cell); });
  cell.addEventListener("pointerleave", () => {
    read(marked && marked.closest(".strip") === cell.closest(".strip") ? marked : null);
    hold(marked);
  });
  if (frame.tagName !== "A") return;
  frame.addEventListener("click", (event) => {
    if (event.altKey) return; // the file itself
    event.preventDefault();
    if (event.shiftKey) pickTo(cell);
    else if (event.metaKey || event.ctrlKey) pick(cell);
    else compare(cell);
  });
}

cells.forEach(wireCell);
