// --- compare ----------------------------------------------------------------------------------------------------------

const room = byId("compare");
const pair = byId("pair");
const wipe = byId("wipe");
const both = new Reel(byId("compare-transport"));
let manner = null; // the mode a person chose; until then the proportions decide
let opened = null;

function place(side, url, label, poster, master) {
  one("video", side)?.remove();
  side.classList.remove("broken");
  if (!url) return null;
  const video = film(url, label, poster);
  video.addEventListener("error", () => side.classList.add("broken"));
  side.prepend(video);
  both.add(video, master);
  return video;
}

function compare(cell) {
  const known = facts.get(cell);
  const from = reelOf(cell);
  const at = room.open ? both.at : from.at;
  const still = room.open && !both.playing;
  for (const reel of reels) reel.pause();
  for (const video of [...both.players.keys()]) both.remove(video);
  opened = cell;
  mark(cell);
  tell(cell, known);
  both.at = at;
  both.controls.dataset.seconds = from.length;
  pair.style.setProperty("--vr", known.ratio);
  pair.style.setProperty("--sr", known.ratio);
  const source = place(byId("the-source"), textOf(known.source), "Source", textOf(known.sourcePoster), true);
  const variant = place(byId("the-variant"), known.url, known.axes.prompt, known.poster, !source);
  both.heard = known.axes.keep_original_sound ? variant : null;
  pair.classList.toggle("alone", !source);
  mode(known.ratio, known.ratio);
  source?.addEventListener("loadedmetadata", () => {
    const ratio = source.videoWidth / source.videoHeight;
    pair.style.setProperty("--sr", ratio);
    mode(ratio, known.ratio);
  });
  if (!room.open) room.showModal();
  drawJudged();
  both.engaged = true;
  both.draw();
  if (!still && !calm()) both.play();
}

function tell(cell, known) {
  const shown = playable();
  one("bdi", byId("compare-name")).textContent = known.axes.prompt;
  one(".variant .tag").textContent = known.axes.prompt;
  byId("place").textContent = `${shown.indexOf(cell) + 1} of ${shown.length}`;
  byId("compare-prompt").textContent = textOf(known.prompt) || "No prompt was recorded.";
  byId("open-file").href = known.url;
  byId("open-sidecar").hidden = !known.sidecar;
  byId("open-sidecar").href = known.sidecar || "#";
  byId("compare-facts").replaceChildren(...factsOf(cell, known).map(([name, value]) => pairOf(name, bdi(value))));
  tellQuality(known.findings);
}

function factsOf(cell, known) {
  const axes = data.axes.map((axis, number) => [axis.name, spokenValue(cell, number)]);
  return [
    ...axes.filter(([name]) => name !== "Result" && name !== "Quality"),
    ["Size", known.size ? known.size.join(" × ") : ""],
    ["Length", known.seconds ? `${known.seconds} s` : ""],
    ["Credits", known.credits],
    ["Key", known.key.slice(0, 12)],
  ].filter(([, value]) => value);
}

function pairOf(name, value) {
  return make("div", "", make("dt", "", bdi(name)), make("dd", "", value));
}

// Each check with the number that it measured and what it may be; what is flagged comes first.
function tellQuality(findings) {
  byId("quality").hidden = !findings.length;
  const flagged = findings.filter(([, verdict]) => verdict === "flag");
  byId("quality-name").textContent = flagged.length ? `Quality: ${flagged.length} of ${findings.length} checks flag` : "Quality: all checks passed";
  const rows = [...flagged, ...findings.filter(([, verdict]) => verdict !== "flag")];
  byId("findings").replaceChildren(...rows.map(([check, verdict, measured, limit, says]) => {
    const value = make("span", "", bdi(measured), make("span", "limit", ` · limit ${limit}`));
    const row = pairOf(check, value);
    row.className = verdict;
    if (verdict === "flag") one("dt", row).prepend(make("span", "unseen", "Flagged: "));
    if (says) one("dd", row).append(make("p", "says", bdi(says)));
    return row;
  }));
}

// Over both where they lie on each other, and over the variant beside its source.
function coverPair() {
  for (const layer of all(".safe", pair)) layer.remove();
  cover(pair.classList.contains("beside") ? byId("the-variant") : pair, facts.get(opened).ratio);
}

function drawJudged() {
  pressBar(byId("judge-room"), opened);
  const verdict = verdictOf(opened);
  byId("judged-note").hidden = !verdict?.note;
  byId("judged-note").replaceChildren(bdi(verdict?.note ?? ""));
}

// A wipe needs two pictures of one shape; where the model changed the shape, beside each other is the honest view.
function mode(source, variant) {
  const beside = manner ? manner === "side" : Math.abs(source / variant - 1) > 0.03;
  pair.classList.toggle("beside", beside && !pair.classList.contains("alone"));
  for (const button of all("[data-mode]")) button.setAttribute("aria-pressed", (button.dataset.mode === "side") === beside);
  coverPair();
}

function wish(name) {
  manner = name;
  mode(1, 1);
}

// Also those that are folded away on the pivot.
const playable = () => order.filter((cell) => !cell.hidden && canJudge(cell));

function turn(by) {
  const next = beside(opened, by, playable());
  if (next && next !== opened) compare(next);
}

function leave() {
  const at = both.at;
  both.pause();
  for (const video of [...both.players.keys()]) { both.remove(video); video.remove(); }
  const reel = reelOf(opened);
  current = reel;
  if (reel.engaged || at > 0) reel.seek(at);
  if (opened.classList.contains("folded")) for (const cell of opened.parentElement.children) cell.classList.remove("folded");
  frameOf(opened).focus({ preventScroll: true });
  opened.scrollIntoView({ block: "nearest" });
}

wipe.addEventListener("input", () => {
  pair.style.setProperty("--cut", `${wipe.value}%`);
  wipe.setAttribute("aria-valuetext", `${Math.round(wipe.value)} percent source`);
});
for (const button of all("[data-mode]")) button.addEventListener("click", () => wish(button.dataset.mode));
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("close").addEventListener("click", () => room.close());
room.addEventListener("close", leave);
