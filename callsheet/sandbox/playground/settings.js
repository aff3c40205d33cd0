/* The settings of the model: shape, sound, and whatever options it has. */

import { $, h, icon, show } from "./dom.js";
import { has, t } from "./i18n.js";
import { clipOf, counts, isEmpty, settled } from "./request.js";
import { changed, store } from "./store.js";

/** Options that most people look for; the others are behind "more". */
const PLAIN = new Set(["duration", "quality", "sound", "character_orientation", "reference_type", "element_name", "element_description"]);
/** Options that are filled in elsewhere on the page. */
const ELSEWHERE = new Set(["element_image_list", "element_video_list"]);

export function drawSettings() {
  const model = store.model;
  const values = settled();
  const options = model.options.filter((option) => !ELSEWHERE.has(option.name) && counts(option, values));
  const focus = document.activeElement?.dataset.focus;
  $("part-settings").replaceChildren(...[
    model.aspect_ratios.length && ratios(model),
    ...options.filter((option) => PLAIN.has(option.name)).map((option) => field(option, values)),
    model.sound_field && clipOf(model) && keepSound(),
  ].filter(Boolean));
  const further = options.filter((option) => !PLAIN.has(option.name));
  show($("more"), further.length > 0);
  $("more-options").replaceChildren(...further.map((option) => field(option, values)));
  if (focus) document.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

function choose(name, value) {
  store.options[name] = value;
  changed("settings");
}

/** A value that is being typed: what is drawn stays as it is. */
function typed(name, value) {
  store.options[name] = value;
  changed("typed");
}

const nameOf = (option) => (has(`option.${option.name}`) ? t(`option.${option.name}`) : option.name.replaceAll("_", " "));
const told = (option) => (has(`about.${option.name}`) ? t(`about.${option.name}`) : option.description);

function field(option, values) {
  const value = values[option.name];
  const make = { choice: choices, number: slider, switch: toggle, text: textBox, list: option.name === "multi_prompt" ? shots : jsonBox, mapping: option.name === "watermark_info" ? watermark : jsonBox }[option.kind];
  return h("div", { class: `setting ${option.kind}` }, make(option, value), h("p", { class: "wrong", id: `wrong-option-${option.name}`, hidden: true }));
}

function ratios(model) {
  const free = clipOf(model) ? [null] : [];
  const chosen = model.aspect_ratios.includes(store.ratio) ? store.ratio : free.length ? null : model.aspect_ratios[0];
  if (!free.length) store.ratio = chosen;
  const picked = (value) => { store.ratio = value; changed("settings"); };
  return radios("ratio", t("ratio"), [...free, ...model.aspect_ratios], chosen, picked, (value) => [shape(value), h("span", {}, value ?? t("ratio.clip"))], "shapes");
}

function shape(ratio) {
  const node = h("span", { class: `shape${ratio ? "" : " free"}`, "aria-hidden": "true" });
  node.style.aspectRatio = ratio ? ratio.replace(":", " / ") : "4 / 3";
  return node;
}

function radios(id, label, values, chosen, act, drawn, look = "") {
  return h("fieldset", { class: `radios ${look}` }, h("legend", { class: "name" }, label), h("div", { class: "set" }, values.map((value) =>
    h("label", {}, h("input", { type: "radio", name: id, value: value ?? "", checked: value === chosen, "data-focus": `${id}-${value}`, onchange: () => act(value) }), h("span", { class: "face" }, drawn(value))))));
}

function choices(option, value) {
  const spoken = (choice) => (has(`choice.${option.name}.${choice}`) ? t(`choice.${option.name}.${choice}`) : option.name === "duration" ? `${choice} s` : String(choice));
  return radios(`option-${option.name}`, nameOf(option), option.choices, value, (choice) => choose(option.name, choice), (choice) => [spoken(choice)]);
}

function slider(option, value) {
  const [low, high] = option.range;
  const output = h("output", {}, `${value} s`);
  const input = h("input", {
    type: "range", min: low, max: high, step: 1, value, id: `option-${option.name}`, "data-focus": option.name, "aria-valuetext": `${value} s`,
    oninput: (event) => {
      output.textContent = `${event.target.value} s`;
      event.target.setAttribute("aria-valuetext", output.textContent);
      typed(option.name, Number(event.target.value));
    },
  });
  return h("div", {}, h("div", { class: "row" }, h("label", { class: "name", for: `option-${option.name}` }, nameOf(option)), output), input);
}

function toggle(option, value) {
  return switched(`option-${option.name}`, nameOf(option), told(option), Boolean(value), (on) => {
    if (on) for (const needed of option.needs ?? []) prepare(needed);
    choose(option.name, on);
  });
}

/** An option that a switch needs begins with its first choice. */
function prepare(name) {
  const option = store.model.options.find((one) => one.name === name);
  if (option?.choices?.length && isEmpty(store.options[name])) store.options[name] = option.choices[0];
  if (option?.name === "multi_prompt" && isEmpty(store.options[name])) store.options[name] = halves();
}

function halves() {
  const whole = Number(settled().duration ?? 5);
  const first = Math.ceil(whole / 2);
  return [{ prompt: "", duration: first }, { prompt: "", duration: whole - first }];
}

function switched(id, label, hint, on, act) {
  return h("label", { class: "switch" }, h("span", {}, h("span", { class: "name" }, label), hint && h("span", { class: "hint" }, hint)),
    h("input", { type: "checkbox", role: "switch", id, checked: on, "data-focus": id, onchange: (event) => act(event.target.checked) }), h("span", { class: "track", "aria-hidden": "true" }));
}

function keepSound() {
  return h("div", { class: "setting" }, switched("keep-sound", t("sound.keep"), "", store.keepSound, (on) => { store.keepSound = on; changed("settings"); }));
}

function watermark(option, value) {
  return switched("option-watermark", nameOf(option), "", Boolean(value?.enabled), (on) => choose(option.name, on ? { enabled: true } : undefined));
}

function textBox(option, value) {
  const isLong = (option.max_length ?? 0) > 200;
  const attributes = { id: `option-${option.name}`, maxlength: option.max_length, "data-focus": option.name, oninput: (event) => typed(option.name, event.target.value) };
  const box = isLong ? h("textarea", { ...attributes, rows: 2 }) : h("input", { ...attributes, type: "text" });
  box.value = value ?? "";
  return h("div", {}, h("label", { class: "name", for: attributes.id }, nameOf(option)), box);
}

function jsonBox(option, value) {
  const id = `option-${option.name}`;
  const box = h("textarea", { id, rows: 2, class: "mono", spellcheck: "false", "data-focus": option.name, "aria-describedby": `wrong-${id}`, placeholder: option.kind === "list" ? '[{"element_id": "…"}]' : "{}" });
  box.value = value === undefined ? "" : JSON.stringify(value);
  box.oninput = () => read(option, box);
  return h("div", {}, h("label", { class: "name", for: id }, nameOf(option)), box, h("p", { class: "hint" }, told(option)));
}

function read(option, box) {
  const wrong = $(`wrong-option-${option.name}`);
  let value;
  try {
    value = box.value.trim() ? JSON.parse(box.value) : undefined;
  } catch {
    value = null;
  }
  const fits = value === undefined || (value !== null && Array.isArray(value) === (option.kind === "list") && typeof value === "object");
  wrong.textContent = fits ? "" : t(option.kind === "list" ? "wrong.list" : "wrong.mapping");
  show(wrong, !fits);
  box.setAttribute("aria-invalid", String(!fits));
  if (fits) typed(option.name, value);
}

/** The shots of one result: a prompt and whole seconds each, which add up to the duration. */
function shots(option, value) {
  const rows = Array.isArray(value) ? value : halves();
  const put = (next) => choose(option.name, next);
  const total = h("p", { class: "hint" });
  const sum = () => {
    const [have, whole] = [rows.reduce((so, row) => so + row.duration, 0), Number(settled().duration ?? 0)];
    total.textContent = t("shots.sum", { have, whole });
    total.classList.toggle("bad", have !== whole);
  };
  const drawn = rows.map((row, index) => {
    const text = h("input", { type: "text", maxlength: option.max_length, "aria-label": t("shots.prompt", { n: index + 1 }), "data-focus": `shot-${index}`, oninput: (event) => { row.prompt = event.target.value; typed(option.name, rows); } });
    const seconds = h("input", { type: "number", min: 1, max: 15, "aria-label": t("shots.seconds", { n: index + 1 }), "data-focus": `shot-s-${index}`, oninput: (event) => { row.duration = Math.trunc(Number(event.target.value)) || 0; sum(); typed(option.name, rows); } });
    text.value = row.prompt;
    seconds.value = row.duration;
    return h("li", { class: "shot" }, text, seconds, h("span", { "aria-hidden": "true" }, "s"),
      h("button", { type: "button", class: "tiny", "aria-label": t("shots.remove", { n: index + 1 }), onclick: () => put(rows.filter((_, at) => at !== index)) }, icon("cross")));
  });
  sum();
  const add = rows.length < (option.max_items ?? 6) && h("button", { type: "button", class: "link", onclick: () => put([...rows, { prompt: "", duration: 1 }]) }, t("shots.add"));
  return h("div", {}, h("p", { class: "name" }, nameOf(option)), h("ol", { class: "shots" }, drawn), total, add);
}
