// --- rows -------------------------------------------------------------------------------------------------------------

const GROWTH = 1.6; // how much taller than asked a row may get to fill its width; as in the style
const lists = all(".cells");

// The style fills every row but the last. The last one gets the height of the others, so that a sheet has one measure.
function fit(list) {
  const width = list.clientWidth;
  if (!width) return;
  const style = getComputedStyle(list);
  const gap = Number.parseFloat(style.columnGap);
  const asked = Number.parseFloat(style.getPropertyValue("--row"));
  const rows = [];
  let used = Infinity;
  for (const cell of list.children) {
    if (cell.hidden) continue;
    const ratio = facts.get(cell).ratio;
    const basis = Math.min(ratio * asked, width);
    if (used + gap + basis > width + 0.01) { rows.push({ ratios: 0, count: 0 }); used = -gap; }
    used += gap + basis;
    const row = rows[rows.length - 1];
    row.ratios += ratio;
    row.count += 1;
  }
  const height = (row) => Math.min((width - gap * (row.count - 1)) / row.ratios, asked * GROWTH);
  const last = rows.pop();
  if (!last) return;
  const others = rows.length ? rows.reduce((sum, row) => sum + height(row), 0) / rows.length : asked * 1.25;
  const full = last.ratios * Math.min(height(last), others) + gap * (last.count - 1);
  list.style.setProperty("--rest", `${Math.max(0, width - full)}px`);
  list.style.setProperty("--tall", `${Math.round(others)}px`); // what a cell that was not drawn yet is taken for
  list.classList.add("fitted");
}

const measure = new ResizeObserver((changes) => { for (const change of changes) fit(change.target); });
for (const list of lists) measure.observe(list);

const ROWS = { s: "150px", m: "", l: "380px" };

function size(name) {
  const root = document.documentElement;
  ROWS[name] ? root.style.setProperty("--row", ROWS[name]) : root.style.removeProperty("--row");
  root.dataset.size = name;
  for (const button of all("[data-size]:is(button)")) button.setAttribute("aria-pressed", button.dataset.size === name);
  remember("size", name === "m" ? "" : name);
  lists.forEach(fit);
}

for (const button of all("button[data-size]")) button.addEventListener("click", () => size(button.dataset.size));
