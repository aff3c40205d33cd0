/* The request as something to take along: for a shell, for Python, as a campaign. There is no key in any of it. */

import { $, h, quietly, say, show } from "./dom.js";
import { Gone, Refused, post } from "./api.js";
import { t } from "./i18n.js";
import { body, clipOf, imagesOf } from "./request.js";
import { store } from "./store.js";

let tab = "curl";
let turn = 0;

export function begin(remembered) {
  const tabs = [...document.querySelectorAll("[data-tab]")];
  for (const button of tabs) {
    button.addEventListener("click", () => choose(button.dataset.tab));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose(tabs[(tabs.indexOf(button) + step + tabs.length) % tabs.length].dataset.tab, true);
    });
  }
  $("copy").addEventListener("click", copy);
  $("save-go").addEventListener("click", save);
  choose(tabs.some((button) => button.dataset.tab === remembered) ? remembered : "curl");
}

function choose(next, focus = false) {
  tab = next;
  for (const button of document.querySelectorAll("[data-tab]")) {
    button.setAttribute("aria-selected", String(button.dataset.tab === tab));
    button.tabIndex = button.dataset.tab === tab ? 0 : -1;
    if (focus && button.dataset.tab === tab) button.focus();
  }
  $("snippet").setAttribute("aria-labelledby", `tab-${tab}`);
  drawCode();
}

export const drawCodeSoon = quietly(200, () => drawCode());

async function drawCode() {
  const mine = ++turn;
  show($("save"), tab === "yaml" && store.studio !== null);
  if (tab === "curl") return put(curl(complete()));
  if (tab === "python") return put(python(complete()));
  const text = await yaml();
  if (mine === turn) put(text);
}

function put(text) {
  $("snippet").textContent = text;
}

/** The body with examples in the place of files that are still missing. */
function complete() {
  const built = body();
  const { clip, images } = store.model;
  if (clip?.required && clipOf(store.model) && !built[clip.field]) built[clip.field] = clip.shape === "list" ? ["https://example.com/clip.mp4"] : "https://example.com/clip.mp4";
  if (images?.required && imagesOf(store.model) && !built[images.fields[0]]) built[images.fields[0]] = images.shape === "list" ? ["https://example.com/image.jpg"] : "https://example.com/image.jpg";
  if (store.model.prompt.required && !built.prompt) built.prompt = t("code.prompt");
  return built;
}

function curl(built) {
  const data = JSON.stringify(built, null, 2).replaceAll("'", "'\\''");
  return [
    `curl --fail-with-body "\${EVOLINK_BASE_URL:-${location.origin}}/v1/videos/generations" \\`,
    '  -H "Authorization: Bearer ${EVOLINK_API_KEY:-sandbox}" \\',
    '  -H "Content-Type: application/json" \\',
    '  -H "Idempotency-Key: run-$(date +%s)-$$-example" \\',
    `  -d '${data}'`,
    "",
    `# ${t("code.then")}`,
    `# curl "\${EVOLINK_BASE_URL:-${location.origin}}/v1/tasks/TASK_ID" \\`,
    '#   -H "Authorization: Bearer ${EVOLINK_API_KEY:-sandbox}"',
  ].join("\n");
}

function python(built) {
  return `import os
import time
import uuid

import httpx

BASE = os.environ.get("EVOLINK_BASE_URL", "${location.origin}")
KEY = os.environ.get("EVOLINK_API_KEY", "sandbox")  # ${t("code.key")}

request = ${literal(built, "")}

with httpx.Client(base_url=BASE, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as api:
    # ${t("code.once")}
    once = {"Idempotency-Key": f"run_{uuid.uuid4().hex}"}
    task = api.post("/v1/videos/generations", json=request, headers=once).raise_for_status().json()
    while task["status"] not in ("completed", "failed", "cancelled"):
        time.sleep(2)  # ${t("code.poll")}
        task = api.get(f"/v1/tasks/{task['id']}").raise_for_status().json()
    if task["status"] != "completed":
        raise SystemExit(f"{task['id']} {task['status']}: {task.get('error')}")
    with open("result.mp4", "wb") as file:
        file.write(httpx.get(task["results"][0], follow_redirects=True, timeout=300).raise_for_status().content)
print("result.mp4")
`;
}

/** JSON as Python writes it. */
function literal(value, indent) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${indent}    `;
  const rows = Array.isArray(value) ? value.map((one) => literal(one, deeper)) : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, deeper)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return rows.length ? `${open}\n${rows.map((row) => `${deeper}${row},`).join("\n")}\n${indent}${close}` : open + close;
}

async function yaml() {
  try {
    const request = body();
    if (store.model.prompt.required && !request.prompt) request.prompt = t("code.prompt");
    return (await post("/playground/campaign", { name: nameNow(), request })).text;
  } catch (error) {
    return `# ${error instanceof Refused ? [error.message, error.hint].filter(Boolean).join(" ").replaceAll("\n", "\n# ") : t("error.gone")}`;
  }
}

const nameNow = () => $("save-name").value.trim() || suggested();

/** The first words of the prompt, as far as they are Latin. */
function suggested() {
  const words = store.prompt.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.slice(0, 4).join("-").slice(0, 40) || "playground";
}

export function suggestName() {
  $("save-name").placeholder = suggested();
}

async function copy() {
  const text = $("snippet").textContent;
  try {
    await navigator.clipboard.writeText(text);
    $("copy").textContent = t("copied");
    say(t("copied"));
    setTimeout(() => { $("copy").textContent = t("copy"); }, 1600);
  } catch {
    getSelection().selectAllChildren($("snippet"));
    say(t("copy.selected"));
  }
}

async function save() {
  const note = $("saved");
  note.classList.remove("bad");
  try {
    const kept = await post("/playground/specs", { name: nameNow(), request: body() });
    note.replaceChildren(t("saved", { path: kept.path }), " ", h("code", {}, kept.command));
  } catch (error) {
    note.classList.add("bad");
    note.textContent = error instanceof Gone ? t("error.gone") : [error.message, error.hint].filter(Boolean).join(" ");
  }
}
