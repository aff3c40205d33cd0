// --- filters ----------------------------------------------------------------------------------------------------------

const find = byId("find");
const chosen = data.axes.map(() => new Set());
const wished = new Set(); // verdicts that are asked for; none: all
const haystacks = new Map(); // cell -> everything that is searched, made when it is first needed

function haystack(cell) {
  if (!haystacks.has(cell)) {
    const known = facts.get(cell);
    const values = data.axes.map((_, axis) => spokenValue(cell, axis));
    haystacks.set(cell, [known.slug, textOf(known.prompt), known.reason, ...values].join(" ").toLowerCase());
  }
  return `${haystacks.get(cell)} ${(verdictOf(cell)?.note ?? "").toLowerCase()}`;
}

function matches(cell, words) {
  const { values } = facts.get(cell);
  return chosen.every((wanted, axis) => !wanted.size || wanted.has(values[axis]))
    && (!wished.size || wished.has(standing(cell)))
    && (!words.length || words.every((word) => haystack(cell).includes(word)));
}

function filter() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const cell of cells) cell.hidden = !matches(cell, words);
  const left = cells.filter((cell) => !cell.hidden);
  const full = new Set(left.map((cell) => homes.get(cell)));
  for (const list of lists) list.closest(".strip").hidden = !full.has(list);
  for (const group of groups) group.hidden = !one(".strip:not([hidden])", group);
  const everything = left.length === cells.length && !words.length && !wished.size && chosen.every((values) => !values.size);
  byId("shown").textContent = everything ? `${cells.length} shown` : `${left.length} of ${cells.length} shown`;
  byId("clear").hidden = everything;
  byId("nothing").hidden = left.length > 0 || !cells.length;
  lists.forEach(fit);
  arrange();
  refresh();
}

function clear() {
  find.value = "";
  wished.clear();
  for (const values of chosen) values.clear();
  for (const chip of all(".chip")) chip.setAttribute("aria-pressed", "false");
  filter();
}

function press(chip, values, value) {
  values.has(value) ? values.delete(value) : values.add(value);
  chip.setAttribute("aria-pressed", values.has(value));
  filter();
}

for (const chip of all(".chip[data-axis]")) {
  chip.addEventListener("click", () => press(chip, chosen[chip.dataset.axis], Number(chip.dataset.value)));
}
for (const chip of all(".chip[data-says]")) chip.addEventListener("click", () => press(chip, wished, chip.dataset.says));
for (const more of all(".axis .more")) {
  more.addEventListener("click", () => {
    const isOpen = more.closest(".axis").classList.toggle("open");
    more.setAttribute("aria-expanded", isOpen);
    more.textContent = isOpen ? "Fewer" : more.dataset.words;
  });
}

find.addEventListener("input", filter);
byId("clear").addEventListener("click", clear);
byId("clear-too").addEventListener("click", clear);
