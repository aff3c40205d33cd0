// The board. Text reaches the page as text only (textContent), never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const spoken = (seconds) => {
  const hundredths = Math.round(seconds * 100);
  const pad = (number) => String(number).padStart(2, "0");
  return `${Math.floor(hundredths / 6000)}:${pad(Math.floor(hundredths / 100) % 60)}.${pad(hundredths % 100)}`;
};

// An element with a class and a text, or with children.
function make(tag, style = "", ...inside) {
  const node = document.createElement(tag);
  if (style) node.className = style;
  node.append(...inside);
  return node;
}

// A name of a campaign, kept apart from the direction of what stands around it.
const bdi = (text) => make("bdi", "", text);

// Storage of this browser; a page from a disk may be denied it, or it may be full.
const kept = {
  read(name) {
    try { return JSON.parse(localStorage.getItem(`callsheet/${data.campaign}/${name}`)); } catch { return null; }
  },
  write(name, value) {
    try { localStorage.setItem(`callsheet/${data.campaign}/${name}`, JSON.stringify(value)); return true; } catch { return false; }
  },
};

// The choices of a view (what is shown, by which axes) are in the address, so that it can be sent to somebody, and remembered
// for the next time.
const view = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : String(kept.read("view") ?? ""));

function remember(name, value) {
  value ? view.set(name, value) : view.delete(name);
  kept.write("view", view.toString());
  try { history.replaceState(null, "", `#${view}`); } catch { /* a browser that lets no page from a disk do so */ }
}

const cells = all(".cell");
const groups = all(".group");
const facts = new Map(cells.map((cell) => [cell, data.cells[cell.id]])); // cell -> what is known of it
const homes = new Map(cells.map((cell) => [cell, cell.parentElement])); // cell -> its list on the sheet
const frameOf = (cell) => cell.firstElementChild;
const textOf = (place) => data.texts[place];
const spokenValue = (cell, axis) => data.axes[axis].values[facts.get(cell).values[axis]] ?? "";
const axisNamed = (name) => data.axes.findIndex((axis) => axis.name === name);

// What a person can reach now, in the order in which it lies on the page.
let order = cells;
const isShown = (cell) => !cell.hidden && !cell.classList.contains("folded");
const shownCells = () => order.filter(isShown);

document.documentElement.classList.add("scripted");
