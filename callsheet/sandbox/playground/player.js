/* A result beside its source: one play control for both, kept in step; side by side, or one under the other with a wipe. */

import { h, icon, remember, remembered } from "./dom.js";
import { t } from "./i18n.js";

/** Seconds apart at which the source is nudged, and at which it jumps. */
const NUDGE = 0.025;
const JUMP = 0.3;

/** source: null, or { url, kind: "video" | "image" }; result: a path. Returns the node, with `stop()`. */
export function player(source, result) {
  const made = h("video", { src: result, playsinline: true, preload: "auto", "aria-label": t("result") });
  const first = !source ? null : source.kind === "video"
    ? h("video", { src: source.url, playsinline: true, preload: "auto", "aria-label": t("source") })
    : h("img", { src: source.url, alt: t("source") });
  const film = first?.tagName === "VIDEO" ? first : null;
  for (const video of [made, film]) if (video) video.muted = true;
  const pair = h("div", { class: "pair", tabindex: "-1" },
    first && h("figure", { class: "side from" }, first, h("figcaption", {}, t("source"))),
    h("figure", { class: "side made" }, made, h("figcaption", {}, t("result"), " ", h("em", {}, t("draft")))),
    first && wipe());
  const node = h("div", { class: "player" }, pair);
  const controls = transport(node, made, film);
  node.append(controls.node);
  if (first) controls.node.append(modes(pair, made, first));
  else pair.dataset.mode = "alone";
  made.addEventListener("loadedmetadata", () => fit(pair, made, first));
  first?.addEventListener(film ? "loadedmetadata" : "load", () => fit(pair, made, first));
  return Object.assign(node, { stop: controls.stop });
}

function wipe() {
  const input = h("input", { type: "range", class: "wipe", min: 0, max: 100, value: 50, step: 1, "aria-label": t("wipe") });
  const set = () => {
    input.parentElement.style.setProperty("--cut", `${input.value}%`);
    input.setAttribute("aria-valuetext", t("wipe.at", { n: input.value }));
  };
  input.addEventListener("input", set);
  queueMicrotask(set);
  return input;
}

const shapeOf = (media) => (media?.videoWidth || media?.naturalWidth ? (media.videoWidth || media.naturalWidth) / (media.videoHeight || media.naturalHeight) : 16 / 9);

function fit(pair, made, first) {
  pair.style.setProperty("--made", shapeOf(made));
  pair.style.setProperty("--from", first ? shapeOf(first) : 0);
}

function modes(pair, made, first) {
  const set = (mode, chosen) => {
    pair.dataset.mode = mode;
    for (const button of node.children) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    if (chosen) remember("mode", mode);
  };
  const node = h("div", { class: "seg modes", role: "group", "aria-label": t("compare") },
    ...["beside", "wipe"].map((mode) => h("button", { type: "button", "data-mode": mode, onclick: () => set(mode, true) }, t(`mode.${mode}`))));
  set(remembered("mode") === "wipe" ? "wipe" : "beside", false);
  return node;
}

function transport(node, made, film) {
  const play = h("button", { type: "button", class: "round-play", onclick: () => toggle() });
  const scrub = h("input", { type: "range", class: "scrub", min: 0, max: 1000, value: 0, step: 1, "aria-label": t("position") });
  const time = h("span", { class: "time" });
  const sound = h("button", { type: "button", class: "pill round", onclick: () => { made.muted = !made.muted; faces(); } });
  let frame = 0;
  let isOn = false;

  const toggle = () => (isOn ? pause() : start());
  const faces = () => {
    play.replaceChildren(icon(isOn ? "pause" : "play"));
    play.setAttribute("aria-label", t(isOn ? "pause" : "play"));
    sound.replaceChildren(icon(made.muted ? "mute" : "sound"));
    sound.setAttribute("aria-label", t(made.muted ? "sound.on" : "sound.off"));
  };
  const shown = () => {
    const whole = made.duration || 0;
    scrub.value = whole ? Math.round((made.currentTime / whole) * 1000) : 0;
    scrub.style.setProperty("--at", `${scrub.value / 10}%`);
    time.textContent = `${made.currentTime.toFixed(1)} / ${whole.toFixed(1)} s`;
    scrub.setAttribute("aria-valuetext", time.textContent);
  };
  const step = () => {
    if (film) inStep(made, film);
    shown();
    frame = isOn ? requestAnimationFrame(step) : 0;
  };
  const start = () => {
    isOn = true;
    if (made.ended || made.currentTime >= (made.duration || Infinity) - 0.02) seek(0);
    made.play().catch(pause);
    film?.play().catch(() => {});
    faces();
    cancelAnimationFrame(frame);
    step();
  };
  const pause = () => {
    isOn = false;
    made.pause();
    film?.pause();
    if (film) film.currentTime = Math.min(made.currentTime, film.duration || 0);
    faces();
    shown();
  };
  const seek = (seconds) => {
    made.currentTime = seconds;
    if (film) film.currentTime = Math.min(seconds, film.duration || seconds);
  };

  scrub.addEventListener("input", () => { seek((scrub.value / 1000) * (made.duration || 0)); shown(); });
  made.addEventListener("ended", () => { if (isOn) { seek(0); start(); } });
  made.addEventListener("loadedmetadata", shown);
  made.addEventListener("seeked", shown);
  node.addEventListener("keydown", (event) => {
    if (event.key === " " && !event.target.closest("button, input")) { event.preventDefault(); toggle(); }
  });
  faces();
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) made.addEventListener("canplay", start, { once: true });
  return { node: h("div", { class: "transport" }, play, scrub, time, sound), stop: () => { isOn = false; made.pause(); film?.pause(); cancelAnimationFrame(frame); } };
}

/** Small distances are made good by speed, which nobody sees; large ones at once. */
function inStep(made, film) {
  if (film.seeking || film.readyState < 2 || made.currentTime > film.duration) return;
  const apart = made.currentTime - film.currentTime;
  if (Math.abs(apart) > JUMP) film.currentTime = made.currentTime;
  else film.playbackRate = Math.abs(apart) > NUDGE ? 1 + Math.sign(apart) * 0.12 : 1;
  if (film.paused && !made.paused && !film.ended) film.play().catch(() => {});
}
