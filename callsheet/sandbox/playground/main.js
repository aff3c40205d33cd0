/* The page put together: it draws what changed, sends what was asked for, and says what went wrong and where. */

import { $, h, icon, quietly, remember, remembered, say, show } from "./dom.js";
import { Gone, Refused, get, post } from "./api.js";
import * as code from "./code.js";
import { has, language, number, onLanguage, speak, t, translate } from "./i18n.js";
import { drawClip, drawImages, reuse as reuseMedia, take, tell } from "./media.js";
import { drawBalance, drawPrice, openStatement } from "./money.js";
import { body, inputs, missing } from "./request.js";
import { drawSettings } from "./settings.js";
import * as stage from "./stage.js";
import { changed, on, store } from "./store.js";
import * as tasks from "./tasks.js";

const KINDS = ["edit", "reference-to-video", "image-to-video", "text-to-video", "motion-control", "element"];
const IDEAS = ["dusk", "neon", "snow", "film", "watercolour", "fog"];
/** Milliseconds in which pressing again means the same request. */
const SAME = 3000;

// --- the model and the form -------------------------------------------------------------------------------------------

function drawModels() {
  const groups = KINDS.map((kind) => [kind, store.models.filter((model) => model.kind === kind)]).filter(([, rows]) => rows.length);
  $("model").replaceChildren(...groups.map(([kind, rows]) =>
    h("optgroup", { label: t(`kind.${kind}`) }, rows.map((row) => h("option", { value: row.model_id }, row.title)))));
  $("model").value = store.model.model_id;
}

function chooseModel(name) {
  store.model = store.models.find((model) => model.model_id === name) ?? store.models[0];
  $("model").value = store.model.model_id;
  remember("model", store.model.model_id);
  changed("model");
}

function drawModelHint() {
  $("model-hint").textContent = t(`about.kind.${store.model.kind}`);
}

function drawPrompt() {
  const most = store.model.prompt.max;
  const length = [...store.prompt].length;
  if ($("prompt").value !== store.prompt) $("prompt").value = store.prompt;
  $("prompt").placeholder = t(`prompt.example.${store.model.kind}`);
  $("count").textContent = `${number(length)} / ${number(most)}`;
  $("count").classList.toggle("bad", length > most);
}

function drawIdeas() {
  show($("ideas"), store.model.kind !== "element");
  $("ideas").replaceChildren(...IDEAS.map((name) => h("button", { type: "button", class: "chip", onclick: () => addIdea(t(`idea.${name}`)) }, t(`idea.${name}.short`))));
}

function addIdea(text) {
  const before = store.prompt.trim();
  store.prompt = before ? `${before.replace(/[.。]$/, "")}${language() === "zh" ? "，" : ", "}${text}` : text;
  changed("prompt");
  $("prompt").focus();
}

// --- sending ----------------------------------------------------------------------------------------------------------

const last = { text: "", key: "", at: 0, isAnswered: true };
let busy = false;
let waiting = 0;

function clearWrongs() {
  for (const node of document.querySelectorAll("#form .wrong[id]")) { node.textContent = ""; show(node, false); }
  for (const node of document.querySelectorAll("#form [aria-invalid]")) node.removeAttribute("aria-invalid");
}

async function generate() {
  if (busy || waiting) return;
  clearWrongs();
  const gaps = missing();
  for (const [place, key] of gaps) point(place, t(key), place === gaps[0][0]);
  if (gaps.length) return;
  setBusy(true);
  try {
    await Promise.allSettled(inputs().map((media) => media.upload?.done));
    if (inputs().some((media) => !media.url)) return tell("form", t("wrong.upload"));
    const task = await submitted(body());
    keepOptions(task.id);
    tasks.add(task);
    changed("money");
    $("stage").scrollIntoView({ block: matchMedia("(max-width: 860px)").matches ? "start" : "nearest" });
  } catch (error) {
    explain(error);
  } finally {
    setBusy(false);
  }
}

/** The same request keeps its key while nobody has answered, and for a moment after: a second press is no second job. */
async function submitted(built) {
  const text = JSON.stringify(built);
  const isSame = text === last.text && (!last.isAnswered || Date.now() - last.at < SAME);
  if (!isSame) Object.assign(last, { text, key: `run_${uuid()}` });
  last.isAnswered = false;
  try {
    const task = await post("/v1/videos/generations", built, { "Idempotency-Key": last.key });
    last.isAnswered = true;
    return task;
  } catch (error) {
    last.isAnswered = error instanceof Refused && error.status < 500;
    throw error;
  } finally {
    last.at = Date.now();
  }
}

function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function setBusy(on) {
  busy = on;
  drawGo();
}

function drawGo() {
  const words = waiting ? t("wait", { n: waiting }) : busy ? t("sending") : t("generate");
  $("go").firstElementChild.textContent = words;
  $("go").setAttribute("aria-disabled", String(busy || waiting > 0));
}

function explain(error) {
  if (error instanceof Gone) return lost();
  if (!(error instanceof Refused)) throw error;
  if (error.status === 429 || (error.status === 503 && error.wait)) countdown(error.wait || 5);
  const place = placeOf(error.param);
  const words = worded(error);
  if (place) point(place, words, true);
  else tell("form", words);
}

function worded(error) {
  const { estimated_credits: need, account_balance_credits: left } = error.more;
  if (error.status === 402 && need !== undefined) return t("error.402.sum", { need: number(need), left: number(left) });
  const known = error.status === 400 ? "" : has(`error.${error.status}`) ? t(`error.${error.status}`, { n: error.wait || 5 }) : "";
  return [known, error.status === 429 ? "" : error.message, error.hint && error.status === 400 ? error.hint : ""].filter(Boolean).join(" ");
}

/** The place of the form that a parameter of the API belongs to; "" for none. */
function placeOf(param) {
  const name = param.replace(/\[\d+\]|\.\d+$/g, "");
  const { clip, images, options = [], sound_field: sound } = store.model ?? {};
  if (!name) return "";
  if (["model", "prompt"].includes(name)) return name;
  if (name === (clip?.field ?? null) || name === "model_params.element_video_list") return "clip";
  if (images?.fields.includes(name) || name === images?.more_field || name === "model_params.element_image_list") return "images";
  const option = options.find((one) => one.field === name || one.name === name);
  return option && name !== sound ? `option-${option.name}` : "";
}

function point(place, text, isFirst) {
  tell(place, text);
  const target = { clip: $("pick-clip") ?? $("clip").querySelector("button"), images: $("pick-image") ?? $("images").querySelector("[tabindex]") }[place]
    ?? $(place) ?? document.querySelector(`[name="${place}"]`);
  target?.setAttribute("aria-invalid", "true");
  target?.setAttribute("aria-describedby", `wrong-${place}`);
  if (isFirst) target?.focus();
}

function countdown(seconds) {
  waiting = Math.ceil(seconds);
  drawGo();
  const timer = setInterval(() => {
    waiting -= 1;
    drawGo();
    if (waiting > 0) return;
    clearInterval(timer);
    tell("form", "");
    say(t("wait.over"));
  }, 1000);
}

/** The options of the last tasks, which the API does not tell again. */
function keepOptions(id) {
  const kept = Object.entries(keptOptions()).slice(-19);
  remember("options", JSON.stringify(Object.fromEntries([...kept, [id, store.options]])));
}

function keptOptions() {
  try {
    return JSON.parse(remembered("options") ?? "{}") ?? {};
  } catch {
    return {};
  }
}

function reuse(task) {
  const { prompt, aspect_ratio: ratio, keep_sound: keep } = task.sandbox;
  const options = task.sandbox.options ?? keptOptions()[task.id];
  store.prompt = prompt ?? "";
  store.ratio = ratio ?? null;
  store.keepSound = keep ?? true;
  if (options && typeof options === "object" && !Array.isArray(options)) store.options = { ...options };
  reuseMedia(task.sandbox.inputs ?? []);
  clearWrongs();
  chooseModel(task.model);
  changed("prompt");
  say(t("reused"));
  $("prompt").focus();
}

// --- a server that is gone, and back ----------------------------------------------------------------------------------

let isLost = false;

async function lost() {
  if (isLost) return;
  isLost = true;
  $("banner").textContent = t("gone");
  show($("banner"), true);
  for (let wait = 500; isLost; wait = Math.min(wait * 1.6, 8000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    isLost = !(await fetch("/health", { cache: "no-store" }).then((answer) => answer.ok, () => false));
  }
  show($("banner"), false);
  say(t("back"));
  if (!store.models.length) return start();
  tell("form", "");
  changed("money");
  tasks.hurry();
}

// --- look, language, drop ---------------------------------------------------------------------------------------------

const LOOKS = ["auto", "light", "dark"];
const ICONS = { auto: "auto", light: "sun", dark: "moon" };

function drawTheme() {
  const now = document.documentElement.dataset.theme ?? "auto";
  $("theme").replaceChildren(icon(ICONS[now]));
  $("theme").setAttribute("aria-label", t(`theme.${now}`));
  $("theme").title = t(`theme.${now}`);
}

function nextTheme() {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = LOOKS[(LOOKS.indexOf(now) + 1) % LOOKS.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  remember("theme", next);
  drawTheme();
  say(t(`theme.${next}`));
}

function listenForFiles() {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const veil = (shown) => $("veil").classList.toggle("on", shown);
  addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); veil(true); } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil(false); });
  addEventListener("drop", (event) => {
    veil(false);
    if (!carries(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
}

// --- what is drawn when -----------------------------------------------------------------------------------------------

function listen() {
  const priceSoon = quietly(120, drawPrice);
  on("model", () => { clearWrongs(); drawModelHint(); drawPrompt(); drawIdeas(); drawClip(); drawImages(); drawSettings(); drawPrice(); code.drawCodeSoon(); });
  on("clip", () => { drawClip(); drawSettings(); drawPrice(); code.drawCodeSoon(); });
  on("images", () => { drawImages(); code.drawCodeSoon(); });
  on("settings", () => { drawSettings(); drawClip(); drawImages(); drawPrice(); code.drawCodeSoon(); });
  on("typed", () => { priceSoon(); code.drawCodeSoon(); });
  on("prompt", () => { drawPrompt(); code.suggestName(); code.drawCodeSoon(); });
  on("tasks", () => { stage.drawStage(); stage.drawHistory(); });
  on("stage", () => stage.drawStage());
  on("money", drawBalance);
  onLanguage(drawAll);
}

function drawAll() {
  drawTheme();
  drawGo();
  if (isLost) $("banner").textContent = t("gone");
  if (!store.model) return;
  drawModels();
  changed("model");
  code.suggestName();
  stage.drawStage(true);
  stage.drawHistory();
  drawBalance();
}

function wire() {
  $("form").addEventListener("submit", (event) => { event.preventDefault(); generate(); });
  $("model").addEventListener("change", (event) => chooseModel(event.target.value));
  $("prompt").addEventListener("input", (event) => { store.prompt = event.target.value; tell("prompt", ""); event.target.removeAttribute("aria-invalid"); changed("prompt"); });
  $("prompt").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) { event.preventDefault(); generate(); } });
  $("theme").addEventListener("click", nextTheme);
  $("balance").addEventListener("click", () => openStatement().catch(explain));
  $("statement-close").addEventListener("click", () => $("statement").close());
  $("save-name").addEventListener("input", code.drawCodeSoon);
  for (const button of document.querySelectorAll("[data-lang]")) button.addEventListener("click", () => speak(button.dataset.lang));
  listenForFiles();
}

async function start() {
  try {
    const [catalogue, session] = await Promise.all([get("/v1/catalog/models"), get("/playground/session")]);
    store.models = catalogue.models;
    store.studio = session.studio;
    store.model = store.models.find((model) => model.model_id === remembered("model")) ?? store.models[0];
  } catch (error) {
    return explain(error);
  }
  stage.begin(reuse);
  code.begin(remembered("tab"));
  drawAll();
  tasks.begin(lost);
  document.documentElement.dataset.ready = "true";
}

translate();
listen();
wire();
drawTheme();
start();
