// --- keyboard ---------------------------------------------------------------------------------------------------------

const help = byId("help");
byId("ask").addEventListener("click", () => help.showModal());
byId("help-close").addEventListener("click", () => help.close());

const inHand = () => (room.open ? both : current);
const keys = {
  " ": () => inHand()?.toggle(),
  j: () => (room.open ? turn(1) : step(1)),
  k: () => (room.open ? turn(-1) : step(-1)),
  g: goOn,
  a: () => judge("approve"),
  r: () => judge("reject"),
  t: () => judge("retake"),
  A: () => judge("approve", { next: true }),
  R: () => judge("reject", { next: true }),
  T: () => judge("retake", { next: true }),
  n: () => writeNote(),
  u: undo,
  x: () => { if (!room.open && marked) pick(marked); },
  s: () => nextZone(),
  v: () => { if (!room.open) show(!isPivot); },
  f: search,
  "/": search,
  m: () => share({ muted: !shared.muted }),
  l: () => share({ loop: !shared.loop }),
  w: () => { if (room.open) wish(pair.classList.contains("beside") ? "wipe" : "side"); },
  ArrowLeft: () => nudge(-FRAME),
  ArrowRight: () => nudge(FRAME),
  "?": () => help.showModal(),
};
for (const stars of [0, 1, 2, 3, 4, 5]) keys[stars] = () => rate(stars);

function search() {
  if (room.open) return;
  find.focus();
  find.select();
}

function nudge(by) {
  const reel = inHand();
  if (!reel) return;
  reel.pause();
  reel.seek(reel.at + by);
}

// What a focused control does with a key of its own comes first: text is typed, a slider moves, a button is pressed.
function isTaken(target, key) {
  if (target.matches("input[type=search], select, textarea")) return true;
  if (target.matches("input[type=range]")) return key.startsWith("Arrow");
  return key === " " && target.matches("button, summary, a:not(.frame)");
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === find) {
    find.value ? clear() : find.blur();
    return;
  }
  if (event.key === "Escape" && picked.size && !one("dialog[open]")) return drop();
  const isBusy = help.open || note.open || byId("exported").open || menu.matches(":popover-open");
  if (event.ctrlKey || event.metaKey || event.altKey || isBusy || isTaken(event.target, event.key)) return;
  const act = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

// --- the beginning ----------------------------------------------------------------------------------------------------

pivot(axisFor(view.get("rows"), ["Clip", "Prompt"], NONE), NONE);
pivot(rowsBy, axisFor(view.get("columns"), ["Prompt", "Aspect ratio", "References"], rowsBy));
if (ROWS[view.get("size")]) size(view.get("size"));
begin();
view.get("view") === "pivot" ? show(true) : filter();
share({});
