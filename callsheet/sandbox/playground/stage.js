/* The stage: the task that is looked at, from waiting to its result; and the history below it. */

import { $, h, icon, say } from "./dom.js";
import { own } from "./api.js";
import { ago, has, number, t } from "./i18n.js";
import { player } from "./player.js";
import { changed, store } from "./store.js";
import { isEnded } from "./tasks.js";

let drawn = "";
let showing = null;
const spoken = new Map();
let onReuse = () => {};

export function begin(reuse) {
  onReuse = reuse;
}

const current = () => store.tasks.get(store.shown);
const inputsOf = (task) => task.sandbox?.inputs ?? [];
export const titleOf = (name) => store.models.find((model) => model.model_id === name)?.title ?? name;
const promptOf = (task) => task.sandbox?.prompt || t("no.prompt");

/** Draw it again only where something else is to be seen: a film that plays goes on. */
export function drawStage(again = false) {
  const task = current();
  const what = task ? `${task.id} ${task.status}` : "";
  if (!again && what === drawn && $("stage").childElementCount) return task && progress(task);
  drawn = what;
  showing?.stop();
  showing = null;
  $("stage").replaceChildren(...(task ? drawTask(task) : nothing()));
  $("stage").dataset.status = task?.status ?? "empty";
  if (task) progress(task);
}

function nothing() {
  return [h("div", { class: "empty" },
    h("div", { class: "sheet", "aria-hidden": "true" }, Array.from({ length: 6 }, (_, index) => h("i", { class: index === 4 ? "marked" : "" }))),
    h("p", { class: "big" }, t("empty")), h("p", { class: "hint" }, t("empty.hint")))];
}

function drawTask(task) {
  if (task.status === "completed") return [viewer(task), caption(task)];
  if (isEnded(task)) return [failure(task), caption(task)];
  return [waiting(task), caption(task)];
}

function viewer(task) {
  showing = player(sourceOf(task), own(task.results[0]) ?? task.results[0]);
  return showing;
}

function sourceOf(task) {
  const usable = inputsOf(task).map((input) => ({ url: own(input.url), kind: /video/.test(input.field) ? "video" : "image" })).filter((input) => input.url);
  return usable.find((input) => input.kind === "video") ?? usable[0] ?? null;
}

function waiting(task) {
  const source = sourceOf(task);
  const behind = source && (source.kind === "video" ? h("video", { src: source.url, muted: true, preload: "metadata", tabindex: "-1", "aria-hidden": "true" }) : h("img", { src: source.url, alt: "" }));
  return h("div", { class: "waiting" }, behind, h("div", { class: "progress" },
    h("p", { class: "big", id: "progress-word" }),
    h("div", { class: "track", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-labelledby": "progress-word", id: "progress" }, h("i", {})),
    h("p", { class: "hint", id: "progress-hint" })));
}

function progress(task) {
  const word = wordOf(task);
  announce(task, word);
  if (!$("progress") || isEnded(task)) return;
  $("progress-word").textContent = word;
  $("progress").setAttribute("aria-valuenow", task.progress);
  $("progress").firstChild.style.width = `${Math.max(task.progress, 1)}%`;
  const left = task.task_info?.estimated_time;
  $("progress-hint").textContent = left ? t("left", { n: left }) : "";
}

function wordOf(task) {
  const ahead = task.sandbox?.queue_position;
  if (task.status === "pending") return ahead > 0 ? t("status.queued", { n: ahead }) : t("status.pending");
  return task.status === "processing" ? t("status.rendering", { n: task.progress }) : t(`status.${task.status}`);
}

/** Those who listen hear every quarter of the way, not every percent. */
function announce(task, word) {
  const mark = `${task.status} ${Math.floor(task.progress / 25)}`;
  if (spoken.get(task.id) === mark) return;
  const isFirst = !spoken.has(task.id) && isEnded(task);
  spoken.set(task.id, mark);
  if (!isFirst) say(word);
}

function failure(task) {
  const code = task.error?.code ?? task.status;
  return h("div", { class: "failure" }, h("p", { class: "big" }, t(`status.${task.status}`)),
    h("p", {}, has(`task.${code}`) ? t(`task.${code}`) : task.error?.message ?? ""),
    h("p", { class: "hint" }, h("code", {}, code), " ", task.error?.message ?? ""),
    h("p", { class: "hint" }, t("not.charged")));
}

function caption(task) {
  const usage = task.usage ?? {};
  const money = usage.credits_used !== undefined ? t("charged", { n: number(usage.credits_used) }) : isEnded(task) ? t("nothing.charged") : t("reserved", { n: number(usage.credits_reserved ?? 0) });
  const facts = [titleOf(task.model), task.sandbox?.aspect_ratio, money, task.sandbox?.engine && t("engine", { name: task.sandbox.engine }), task.duration && t("took", { n: number(task.duration, 1) })];
  return h("div", { class: "caption" },
    h("div", { class: "words" }, h("p", { class: "prompt" }, promptOf(task)), h("p", { class: "hint facts-line" }, facts.filter(Boolean).map((fact) => h("span", {}, fact))), h("p", { class: "hint mono id" }, task.id)),
    h("div", { class: "acts" },
      task.status === "completed" && h("a", { class: "pill strong", href: own(task.results[0]) ?? task.results[0], download: `${task.id}.mp4` }, t("download")),
      task.sandbox && h("button", { type: "button", class: "pill", onclick: () => onReuse(task) }, t("reuse"))));
}

// --- history ----------------------------------------------------------------------------------------------------------

export function drawHistory() {
  $("counts").textContent = t("counts", store.counts);
  $("no-history").hidden = store.order.length > 0;
  const focus = document.activeElement?.closest("#history") ? document.activeElement.dataset.focus : null;
  const before = new Map([...$("history").children].map((node) => [node.dataset.key, node]));
  $("history").replaceChildren(...store.order.map((id) => card(store.tasks.get(id), before)));
  if (focus) $("history").querySelector(`[data-focus="${focus}"]`)?.focus();
}

/** A card that shows the same as before stays: its film is not loaded again. */
function card(task, before) {
  const key = [task.id, task.status, task.progress, task.id === store.shown, document.documentElement.lang].join(" ");
  const when = ago(Date.now() / 1000 - task.created);
  const same = before.get(key);
  if (same) {
    same.querySelector(".when").textContent = when;
    return same;
  }
  const isShown = task.id === store.shown;
  return h("li", { class: "card", "data-key": key, "data-status": task.status },
    h("button", { type: "button", class: "open", "data-focus": `open-${task.id}`, "aria-current": isShown ? "true" : null, "aria-label": `${t("view")}: ${promptOf(task)} – ${wordOf(task)}`, onclick: () => look(task.id) }, picture(task)),
    h("p", { class: "prompt" }, promptOf(task)),
    h("p", { class: "hint" }, h("span", {}, wordOf(task)), h("span", { class: "when" }, when)),
    task.sandbox && h("button", { type: "button", class: "link", "data-focus": `reuse-${task.id}`, "aria-label": `${t("reuse")}: ${promptOf(task)}`, onclick: () => onReuse(task) }, t("reuse.short")));
}

function picture(task) {
  const path = task.status === "completed" ? own(task.results?.[0] ?? "") : null;
  if (path) return h("video", { src: `${path}#t=0.5`, muted: true, preload: "metadata", tabindex: "-1", "aria-hidden": "true" });
  return h("span", { class: "blank" }, isEnded(task) ? icon("cross") : h("span", { class: "mono" }, `${task.progress} %`));
}

function look(id) {
  store.shown = id;
  changed("stage");
  changed("tasks");
  $("stage").focus({ preventScroll: true });
  $("stage").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}
