/* Files: looked at before they are sent, sent with their progress shown, and put in order. */

import { $, h, icon, say, show } from "./dom.js";
import { Gone, own, send } from "./api.js";
import { has, listed, megabytes, number, t } from "./i18n.js";
import { clipOf, imagesOf, taken } from "./request.js";
import { changed, store } from "./store.js";

/** Bytes: what the file service takes. */
const MOST = { clip: 100_000_000, image: 10_000_000 };
const MOST_IMAGES = 4;
const NAMES = { mp4: "MP4", mov: "MOV", jpeg: "JPEG", png: "PNG", webp: "WebP" };
const TYPES = {
  mp4: ["video/mp4", ".mp4", ".m4v"], mov: ["video/quicktime", ".mov", ".qt"],
  jpeg: ["image/jpeg", ".jpg", ".jpeg"], png: ["image/png", ".png"], webp: ["image/webp", ".webp"],
};

const accepted = (formats) => formats.flatMap((format) => TYPES[format] ?? []).join(",");

function formatOf(file) {
  const suffix = file.name.toLowerCase().match(/\.\w+$/)?.[0] ?? "";
  return Object.keys(TYPES).find((format) => TYPES[format].includes(suffix) || TYPES[format][0] === file.type);
}

const kindOf = (file) => (file.type.startsWith("video/") || /\.(mp4|m4v|mov|qt|webm|avi|mkv)$/i.test(file.name) ? "clip" : "image");

/** What is wrong with a file, before a byte of it is sent; "" where nothing is. */
function complaint(file, kind, limits) {
  const most = Math.min(MOST[kind], limits.max_bytes);
  if (!limits.formats.includes(formatOf(file))) {
    return t("file.format", { name: file.name, formats: listed(limits.formats.map((format) => NAMES[format] ?? format)) });
  }
  if (file.size > most) return t("file.large", { name: file.name, size: megabytes(file.size), most: megabytes(most) });
  return file.size ? "" : t("file.empty", { name: file.name });
}

/** Files that were dropped, pasted or chosen, each to where it belongs. */
export function take(files) {
  const clips = files.filter((file) => kindOf(file) === "clip");
  const images = files.filter((file) => kindOf(file) === "image");
  if (clips.length) takeClip(clips[0]);
  if (images.length) takeImages(images);
}

function takeClip(file) {
  const limits = clipOf(store.model);
  if (!limits) return tell("form", t("file.no.clip", { model: store.model.title }));
  const wrong = complaint(file, "clip", limits);
  if (wrong) return tell("clip", wrong);
  tell("clip", "");
  discard(store.clip);
  store.clip = begin(file, "clip");
  measure(store.clip);
  changed("clip");
}

function takeImages(files) {
  const limits = imagesOf(store.model);
  if (!limits) return tell("form", t("file.no.images", { model: store.model.title }));
  const room = Math.min(MOST_IMAGES, Math.max(limits.count[1], store.images.length)) - store.images.length;
  const wrong = files.map((file) => complaint(file, "image", limits)).filter(Boolean);
  const fine = files.filter((file) => !complaint(file, "image", limits));
  if (fine.length > room) wrong.push(t("file.many", { n: limits.count[1] }));
  tell("images", wrong.join(" "));
  store.images.push(...fine.slice(0, Math.max(room, 0)).map((file) => begin(file, "image")));
  changed("images");
}

function begin(file, kind) {
  const media = { kind, name: file.name, bytes: file.size, file, preview: URL.createObjectURL(file), seconds: null };
  upload(media);
  return media;
}

function upload(media) {
  Object.assign(media, { progress: 0, error: null, url: null });
  media.upload = send(media.file, (part) => { media.progress = part; progressed(media); });
  media.upload.done.then((data) => arrived(media, data), (error) => failed(media, error));
}

function arrived(media, data) {
  Object.assign(media, { progress: 1, url: data.file_url });
  say(t("file.arrived", { name: media.name }));
  changed(media.kind === "clip" ? "clip" : "images");
}

function failed(media, error) {
  if (error instanceof Gone && error.message === "stopped") return;
  const known = has(`error.${error.status}`) ? t(`error.${error.status}`, { n: error.wait || 5 }) : "";
  media.error = error instanceof Gone ? t("error.gone") : [known, error.message].filter(Boolean).join(" ");
  say(`${media.name}: ${media.error}`);
  changed(media.kind === "clip" ? "clip" : "images");
}

/** What is no longer wanted: it is not sent on, and its copy in memory goes. */
function discard(media) {
  media?.upload?.stop();
  if (media?.file) URL.revokeObjectURL(media.preview);
}

function progressed(media) {
  const bar = media.node?.querySelector("progress");
  if (bar) bar.value = media.progress;
}

/** Length and size, as far as this browser can play the file; the server measures it again. */
function measure(media) {
  const video = h("video", { preload: "metadata", muted: true });
  video.onloadedmetadata = () => {
    Object.assign(media, { seconds: video.duration, width: video.videoWidth, height: video.videoHeight });
    changed("clip");
  };
  video.src = media.preview;
}

/** Inputs of an earlier task, which are on the server already. */
export function reuse(inputs) {
  const rows = inputs.map(({ name, url, field }) => ({ name, url, preview: own(url), progress: 1, seconds: null, field }));
  const clip = rows.find((row) => /video/.test(row.field));
  store.clip = clip ? { ...clip, kind: "clip" } : null;
  store.images = rows.filter((row) => !/video/.test(row.field)).map((row) => ({ ...row, kind: "image" }));
  if (store.clip?.preview) measure(store.clip);
  changed("clip");
  changed("images");
}

export function tell(place, text) {
  const node = $(`wrong-${place}`) ?? $("wrong-form");
  node.textContent = text;
  show(node, Boolean(text));
  if (text) say(text);
}

// --- what is seen of them ---------------------------------------------------------------------------------------------

export function drawClip() {
  const limits = clipOf(store.model);
  show($("part-clip"), Boolean(limits));
  if (!limits) return;
  $("clip-hint").textContent = clipHint(limits);
  const held = document.activeElement?.closest("#clip") !== null;
  $("clip").replaceChildren(store.clip ? clipCard(store.clip) : picker(limits, "clip"));
  if (held) $("clip").querySelector("button, input")?.focus();
}

function clipHint(limits) {
  const [low, high] = limits.seconds;
  const formats = listed(limits.formats.map((format) => NAMES[format] ?? format));
  const hint = t("clip.hint", { formats, low, high, most: megabytes(Math.min(MOST.clip, limits.max_bytes)) });
  const seconds = store.clip?.seconds;
  if (!seconds || (seconds >= low && seconds <= high + 0.05)) return limits.required ? hint : `${t("optional")} ${hint}`;
  return t("clip.length", { seconds: number(seconds, 2), low, high, model: store.model.title });
}

function clipCard(media) {
  const film = media.preview ? h("video", { src: media.preview, muted: true, preload: "metadata", tabindex: "-1", "aria-hidden": "true" }) : icon("film");
  const facts = [media.bytes && megabytes(media.bytes), media.seconds && `${number(media.seconds, 2)} s`, media.width && `${media.width}×${media.height}`];
  return (media.node = h("div", { class: `clip${media.error ? " bad" : ""}` },
    h("div", { class: "thumb" }, film, bar(media)),
    h("div", { class: "about" }, h("p", { class: "file" }, media.name), h("p", { class: "hint" }, facts.filter(Boolean).join(" · ")), trouble(media)),
    button("cross", t("remove", { name: media.name }), () => { discard(media); store.clip = null; changed("clip"); $("pick-clip")?.focus(); })));
}

function bar(media) {
  if (media.url || media.error) return null;
  return h("progress", { max: 1, value: media.progress, "aria-label": t("uploading", { name: media.name }) });
}

function trouble(media) {
  if (!media.error) return null;
  const again = h("button", { type: "button", class: "link", onclick: () => { upload(media); changed(media.kind === "clip" ? "clip" : "images"); } }, t("again"));
  return h("p", { class: "wrong" }, media.error, " ", media.file && again);
}

function picker(limits, kind) {
  const input = h("input", {
    type: "file", class: "unseen", id: `pick-${kind}`, accept: accepted(limits.formats), multiple: kind === "image",
    "aria-label": t(kind === "clip" ? "clip.pick" : "images.pick"), "aria-describedby": `wrong-${kind === "clip" ? "clip" : "images"}`,
    onchange: (event) => { const files = [...event.target.files]; event.target.value = ""; kind === "clip" ? takeClip(files[0]) : takeImages(files); },
  });
  const words = kind === "clip" ? [h("strong", {}, t("clip.drop")), h("span", {}, t("or.click"))] : [];
  return h("label", { class: kind === "clip" ? "drop" : "drop small" }, input, icon(kind === "clip" ? "film" : "plus"), ...words);
}

export function drawImages() {
  const limits = imagesOf(store.model);
  show($("part-images"), Boolean(limits));
  if (!limits) return;
  $("images-name").textContent = t(`images.${limits.role}`);
  $("images-hint").textContent = imagesHint(limits);
  const focus = document.activeElement?.closest("#images") ? document.activeElement.dataset.focus : null;
  const tiles = store.images.map((media, index) => tile(media, index, limits));
  if (store.images.length < Math.min(MOST_IMAGES, limits.count[1])) tiles.push(h("li", {}, picker(limits, "image")));
  $("images").replaceChildren(...tiles);
  if (focus) $("images").querySelector(`[data-focus="${focus}"]`)?.focus();
}

function imagesHint(limits) {
  const [low, most] = limits.count;
  const values = { low, most, formats: listed(limits.formats.map((format) => NAMES[format] ?? format)), size: megabytes(Math.min(MOST.image, limits.max_bytes)) };
  const keys = most > 1 && store.images.length > 1 ? ` ${t("images.keys")}` : "";
  const hint = t(most === 1 ? "images.hint.one" : "images.hint", values) + keys;
  return limits.required ? hint : `${t("optional")} ${hint}`;
}

function tile(media, index, limits) {
  const isUsed = index < taken().length;
  const role = isUsed ? roleOf(limits.role, index) : t("images.unused");
  const picture = media.preview ? h("img", { src: media.preview, alt: media.name, draggable: "false" }) : icon("film");
  const node = h("li", {
    class: `tile${media.error ? " bad" : ""}${isUsed ? "" : " unused"}`, draggable: "true", tabindex: "0", "data-focus": `tile-${index}`,
    "aria-label": t("images.place", { name: media.name, role, n: index + 1, of: store.images.length }), "aria-describedby": "images-hint",
    onkeydown: (event) => keyed(event, index),
    ondragstart: (event) => { event.dataTransfer.setData("text/x-tile", String(index)); event.dataTransfer.effectAllowed = "move"; },
    ondragover: (event) => { if (event.dataTransfer.types.includes("text/x-tile")) event.preventDefault(); },
    ondrop: (event) => dropped(event, index),
  }, picture, h("span", { class: "role" }, role), bar(media), trouble(media), h("div", { class: "acts" },
    index > 0 && button("before", t("earlier", { name: media.name }), () => move(index, index - 1), `before-${index}`),
    index < store.images.length - 1 && button("after", t("later", { name: media.name }), () => move(index, index + 1), `after-${index}`),
    button("cross", t("remove", { name: media.name }), () => remove(index), `cross-${index}`)));
  return (media.node = node);
}

function roleOf(role, index) {
  if (role === "frames") return t(index ? "role.last" : "role.first");
  if (role === "element") return t(index ? "role.view" : "role.frontal", { n: index });
  return role === "character" ? t("role.character") : t("role.reference", { n: index + 1 });
}

function keyed(event, index) {
  if (event.target !== event.currentTarget) return;
  const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (step) { event.preventDefault(); move(index, index + step); }
  if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); remove(index); }
}

function dropped(event, index) {
  const from = event.dataTransfer.getData("text/x-tile");
  if (from === "") return;
  event.preventDefault();
  event.stopPropagation();
  move(Number(from), index);
}

function move(from, to) {
  if (to < 0 || to >= store.images.length || from === to) return;
  const [media] = store.images.splice(from, 1);
  store.images.splice(to, 0, media);
  changed("images");
  $("images").querySelector(`[data-focus="tile-${to}"]`)?.focus();
  say(t("moved", { name: media.name, n: to + 1, of: store.images.length }));
}

function remove(index) {
  const [media] = store.images.splice(index, 1);
  discard(media);
  changed("images");
  say(t("removed", { name: media.name }));
  ($("images").querySelector(`[data-focus="tile-${Math.min(index, store.images.length - 1)}"]`) ?? $("pick-image"))?.focus();
}

function button(name, label, act, focus = "") {
  return h("button", { type: "button", class: "tiny", "aria-label": label, title: label, onclick: act, "data-focus": focus }, icon(name));
}
