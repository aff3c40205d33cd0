/* Making and finding elements. Text only ever becomes text: there is no innerHTML on this page. */

export const $ = (id) => document.getElementById(id);

/** h("p", { class: "hint", onclick }, "text", node): properties beginning with "on" are listeners, true is an empty attribute. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Words for those who listen; the same words twice are said twice. */
export function say(text) {
  const place = $("said");
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

export const show = (node, shown) => { node.hidden = !shown; };

export function remembered(name) {
  try { return localStorage.getItem(`callsheet.${name}`); } catch { return null; }
}

export function remember(name, value) {
  try { localStorage.setItem(`callsheet.${name}`, value); } catch { /* storage is off: it lasts as long as the page */ }
}

/** Call once, after things have been quiet for so long. */
export function quietly(milliseconds, act) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(act, milliseconds); };
}
