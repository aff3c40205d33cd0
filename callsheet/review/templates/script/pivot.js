// --- pivot: the same cells, in rows and columns by any axis ------------------------------------------------------------

const NONE = -1;
const VERDICT = data.axes.length; // an axis that the reviewer makes
const STANDINGS = { approve: "Approved", retake: "Retake", stars: "Stars only", none: "Not judged", reject: "Rejected" };
const FOLD = 4; // variants of one crossing that are shown until more are asked for
const table = one("#pivot table");
const pivotReel = new Reel(byId("pivot-transport"));
const opener = new Set(); // crossings that show all they have
const headings = []; // {node, cells}
let sources = []; // frames in the headings
let rowsBy = NONE;
let columnsBy = NONE;
let isPivot = false;

pivotReel.onChange = refresh;

const axisName = (axis) => (axis === VERDICT ? "Verdict" : data.axes[axis]?.name ?? "");
const axisValues = (axis) => (axis === NONE ? [""] : axis === VERDICT ? Object.values(STANDINGS) : data.axes[axis].values);
function valueOf(cell, axis) {
  if (axis === NONE) return 0;
  if (axis === VERDICT) return Object.keys(STANDINGS).indexOf(standing(cell));
  return facts.get(cell).values[axis];
}

// Shown cells by row, and in each row by column, both in the order of the axis.
function crossings() {
  const rows = new Map();
  for (const cell of cells) {
    if (cell.hidden) continue;
    const row = valueOf(cell, rowsBy);
    const column = valueOf(cell, columnsBy);
    if (row === null || column === null) continue; // a variable that this variant does not have
    if (!rows.has(row)) rows.set(row, new Map());
    const line = rows.get(row);
    line.has(column) ? line.get(column).push(cell) : line.set(column, [cell]);
  }
  return new Map([...rows].sort((a, b) => a[0] - b[0]));
}

function arrange() {
  if (!isPivot) return;
  const focused = marked && frameOf(marked) === document.activeElement;
  for (const frame of sources.splice(0)) frame.leave();
  headings.length = 0;
  const rows = crossings();
  const columns = [...new Set([...rows.values()].flatMap((line) => [...line.keys()]))].sort((a, b) => a - b);
  const across = make("tr", "", corner());
  for (const column of columns) {
    const members = [...rows.values()].flatMap((line) => line.get(column) ?? []);
    across.append(heading("col", columnsBy, column, members));
  }
  const body = make("tbody");
  order = [];
  for (const [row, line] of rows) {
    const tr = make("tr", "", heading("row", rowsBy, row, [...line.values()].flat()));
    for (const column of columns) tr.append(crossing(line.get(column) ?? [], `${row}/${column}`));
    body.append(tr);
  }
  one("caption", table).textContent =
    `Variants by ${axisName(rowsBy).toLowerCase()}${columnsBy === NONE ? "" : ` and ${axisName(columnsBy).toLowerCase()}`}`;
  one("thead", table).replaceChildren(across);
  one("tbody", table).replaceWith(body);
  for (const frame of sources) sight.observe(frame.element);
  countHeadings();
  if (focused) frameOf(marked).focus({ preventScroll: true });
  if (pivotReel.playing) for (const video of pivotReel.players.keys()) pivotReel.start(video); // one that is moved stops
}

function corner() {
  const words = make("th", "corner", make("span", "", axisName(rowsBy)));
  if (columnsBy !== NONE) words.append(make("span", "", axisName(columnsBy)));
  return words;
}

function heading(scope, axis, value, members) {
  const name = axisValues(axis)[value];
  const th = make("th", "heading");
  th.scope = scope;
  const counts = make("span", "counts");
  const opens = make("button", "quiet", "⋯");
  opens.type = "button";
  opens.setAttribute("aria-haspopup", "menu");
  opens.setAttribute("aria-label", `Judge all of ${name || "them"}`);
  opens.addEventListener("click", () => openMenu(opens, members, name));
  const inner = make("div", "inner", make("span", "name", bdi(name || "All")), counts, opens);
  if (scope === "row" && axisName(axis) === "Clip") inner.prepend(...sourceOf(name));
  th.append(inner);
  headings.push({ counts, members });
  return th;
}

// The source of a clip, in its heading: it is the clock of its variants.
function sourceOf(clip) {
  const group = groups.find((one_) => one("h2 bdi", one_).textContent === clip);
  const original = group && one(".source .frame", group);
  if (!original?.dataset.url) return [];
  const frame = make("div", "frame mini");
  frame.dataset.url = original.dataset.url;
  const picture = one("img", original);
  if (picture) frame.append(Object.assign(new Image(), { src: picture.src, alt: "", loading: "lazy" }));
  sources.push(new Frame(frame, pivotReel, true));
  return [frame];
}

function crossing(members, place) {
  const td = make("td");
  if (!members.length) return td;
  const list = make("ol", "stack");
  const folds = members.length > FOLD + 1 && !opener.has(place);
  members.forEach((cell, number) => cell.classList.toggle("folded", folds && number >= FOLD));
  list.append(...members);
  order.push(...members);
  td.append(list);
  if (members.length > FOLD + 1) {
    const more = make("button", "text more", folds ? `${members.length - FOLD} more` : "Fewer");
    more.type = "button";
    more.setAttribute("aria-expanded", !folds);
    more.addEventListener("click", () => { opener.has(place) ? opener.delete(place) : opener.add(place); arrange(); refresh(); });
    td.append(more);
  }
  return td;
}

function countHeadings() {
  for (const { counts, members } of headings) {
    const found = { approve: 0, reject: 0, retake: 0 };
    for (const cell of members) if (standing(cell) in found) found[standing(cell)] += 1;
    counts.replaceChildren(
      make("span", "many", String(members.length)),
      ...Object.entries(found).filter(([, count]) => count).map(([says, count]) => {
        const part = make("span", says, String(count));
        part.title = part.ariaLabel = `${count} ${SAYS[says].toLowerCase()}`;
        part.role = "img";
        return part;
      }),
    );
  }
}

// --- one verdict for a whole row or column -----------------------------------------------------------------------------

const menu = byId("heading-menu");
let governed = [];
let asked = null;

function openMenu(button, members, name) {
  governed = members;
  asked = button;
  byId("heading-of").replaceChildren(bdi(name || "All"), ` · ${variants(members.filter(canJudge).length)}`);
  menu.showPopover();
  const at = button.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  menu.style.setProperty("left", `${clamp(at.left, 8, innerWidth - box.width - 8)}px`);
  menu.style.setProperty("top", `${clamp(at.bottom + 4, 8, innerHeight - box.height - 8)}px`);
  one("[role=menuitem]", menu).focus();
}

const DEEDS = {
  approve: () => judgeAll("approve"),
  reject: () => judgeAll("reject"),
  retake: () => judgeAll("retake"),
  back: () => { const count = give(governed, { says: null, stars: null }); say(`Taken back: ${variants(count)}.`); },
  pick: () => { drop(); for (const cell of governed) pick(cell, true); },
};

function judgeAll(says) {
  const count = give(governed, { says });
  say(count ? `${SAYS[says]}: ${variants(count)}. U takes it back.` : "There is no film to judge.");
}

for (const item of all("[role=menuitem]", menu)) {
  item.addEventListener("click", () => { menu.hidePopover(); DEEDS[item.dataset.deed](); });
}
menu.addEventListener("keydown", (event) => {
  const items = all("[role=menuitem]", menu);
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  items[(items.indexOf(document.activeElement) + by + items.length) % items.length].focus();
});
menu.addEventListener("toggle", (event) => {
  if (event.newState !== "closed") return;
  if (asked?.isConnected && (menu.contains(document.activeElement) || document.activeElement === document.body)) asked.focus();
});

// --- which view ---------------------------------------------------------------------------------------------------------

const choices = data.axes.map((_, axis) => axis).filter((axis) => data.axes[axis].values.length > 1);

function options(choice, extra) {
  choice.append(...extra.map(([name, axis]) => new Option(name, axis)), ...choices.map((axis) => new Option(axisName(axis), axis)));
  choice.append(new Option("Verdict", VERDICT));
}
options(byId("rows"), []);
options(byId("columns"), [["Nothing", NONE]]);

// By the name of an axis, as it is remembered; else the first of the likely ones that is a choice here and not taken.
function axisFor(name, likely, taken) {
  const named = name === "Verdict" ? VERDICT : name === "Nothing" ? NONE : axisNamed(name);
  if (named === VERDICT || choices.includes(named)) return named;
  if (name === "Nothing" && likely.length) return NONE;
  return [...likely.map(axisNamed), ...choices].find((axis) => choices.includes(axis) && axis !== taken) ?? NONE;
}

function pivot(rows, columns) {
  rowsBy = rows === NONE ? VERDICT : rows;
  columnsBy = columns === rowsBy ? NONE : columns;
  byId("rows").value = rowsBy;
  byId("columns").value = columnsBy;
  const used = new Set([axisName(rowsBy), axisName(columnsBy)]);
  for (const name of ["Clip", "References", "Prompt", "Aspect ratio"]) {
    byId("pivot").classList.toggle(`by-${name.split(" ")[0].toLowerCase()}`, used.has(name));
  }
}

function show(wanted) {
  if (wanted !== isPivot) {
    for (const reel of reels) reel.pause();
    isPivot = wanted;
    for (const cell of cells) settleIn(cell);
  }
  document.documentElement.classList.toggle("pivoted", isPivot);
  byId("pivot").hidden = !isPivot;
  for (const button of all("[data-view]")) button.setAttribute("aria-pressed", (button.dataset.view === "pivot") === isPivot);
  remember("view", isPivot ? "pivot" : "");
  remember("rows", isPivot ? axisName(rowsBy) : "");
  remember("columns", isPivot ? axisName(columnsBy) || "Nothing" : "");
  current = isPivot ? pivotReel : marked ? reelOf(marked) : reels[0];
  if (!isPivot) { for (const frame of sources.splice(0)) frame.leave(); order = cells; }
  filter();
}

// A cell goes to where the view has it, and plays with whom it lies beside.
function settleIn(cell) {
  const frame = frames.get(frameOf(cell));
  frame.unload();
  frame.home ??= frame.reel;
  frame.reel = isPivot ? pivotReel : frame.home;
  cell.classList.remove("folded");
  if (!isPivot) homes.get(cell).append(cell);
}

for (const button of all("[data-view]")) button.addEventListener("click", () => show(button.dataset.view === "pivot"));
for (const choice of [byId("rows"), byId("columns")]) {
  choice.addEventListener("change", () => {
    const [rows, columns] = [Number(byId("rows").value), Number(byId("columns").value)];
    // The axis that is chosen a second time changes places with the other.
    if (rows === columns) choice.id === "rows" ? pivot(rows, rowsBy) : pivot(columnsBy === NONE ? rows : columnsBy, columns);
    else pivot(rows, columns);
    opener.clear();
    show(true);
  });
}
