/* The words of the page in the language that was chosen. */

import WORDS from "./words.js";
import { remember } from "./dom.js";

const listeners = [];

export const language = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");

/** t("wait", { n: 36 }): braces are filled in; a word that is missing shows its key, and a test finds it. */
export function t(key, values = {}) {
  const text = WORDS[language()][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const has = (key) => key in WORDS.en;

export function speak(next) {
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  remember("language", next);
  translate();
  for (const listener of listeners) listener();
}

export const onLanguage = (listener) => listeners.push(listener);

/** Fill in what stands in the page itself: data-t is the text of a node, data-l its label. */
export function translate() {
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-l]")) node.setAttribute("aria-label", t(node.dataset.l));
  for (const node of document.querySelectorAll("[data-lang]")) {
    node.setAttribute("aria-pressed", String(node.dataset.lang === language()));
  }
}

export const number = (value, digits = 4) => new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }).format(value);

export function megabytes(bytes) {
  return bytes >= 100_000 ? `${number(bytes / 1e6, 1)} MB` : `${number(bytes / 1e3, 1)} KB`;
}

export function listed(values) {
  return new Intl.ListFormat(document.documentElement.lang, { type: "disjunction" }).format(values);
}

export function ago(seconds) {
  const spoken = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= size) return spoken.format(-Math.floor(seconds / size), unit);
  }
  return t("just.now");
}
