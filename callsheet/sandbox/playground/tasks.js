/* Tasks: the last twenty, followed until they end; not while nobody looks, and more patiently the longer it takes. */

import { Gone, get, post } from "./api.js";
import { changed, store } from "./store.js";

const LAST = 20;
/** Milliseconds between two looks: at first, and at most. Every look that finds nothing new makes it a third longer. */
const FIRST = 700;
const MOST = 8000;
/** Between two looks at the list while nothing is under way: another client may have sent something. */
const IDLE = 20_000;

const ENDED = new Set(["completed", "failed", "cancelled"]);
export const isEnded = (task) => ENDED.has(task.status);

store.order = [];
store.counts = { running: 0, completed: 0 };

let timer = 0;
let delay = FIRST;
let onLost = () => {};

export function begin(lost) {
  onLost = lost;
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : hurry()));
  hurry();
}

/** Look now, and often again. */
export function hurry() {
  delay = FIRST;
  schedule(0);
}

function schedule(wait) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, wait);
}

async function look() {
  try {
    const open = store.order.filter((id) => !isEnded(store.tasks.get(id)));
    if (open.length) await follow(open);
    else await refresh();
  } catch (error) {
    if (!(error instanceof Gone)) return schedule(MOST);
    return onLost();
  }
  const waits = store.order.some((id) => !isEnded(store.tasks.get(id)));
  schedule(waits ? delay : IDLE);
}

async function follow(ids) {
  const before = ids.map((id) => told(store.tasks.get(id))).join();
  const { data } = await post("/v1/tasks/batch", { task_ids: ids });
  for (const task of data) store.tasks.set(task.id, task);
  const isNew = before !== ids.map((id) => told(store.tasks.get(id))).join();
  delay = isNew ? FIRST : Math.min(delay * 1.33, MOST);
  if (ids.some((id) => isEnded(store.tasks.get(id)))) await refresh();
  else if (isNew) changed("tasks");
}

const told = (task) => `${task.status}${task.progress}${task.sandbox?.queue_position ?? ""}`;

/** The list, and how many there are of each kind. */
async function refresh() {
  const [list, running, completed] = await Promise.all([
    get(`/v1/tasks?page=1&page_size=${LAST}`),
    get("/v1/tasks?status=processing&page=1&page_size=1"),
    get("/v1/tasks?status=completed&page=1&page_size=1"),
  ]);
  const ids = list.data.map((row) => row.id);
  const unknown = list.data.filter((row) => store.tasks.get(row.id)?.status !== row.status).map((row) => row.id);
  if (unknown.length) for (const task of (await post("/v1/tasks/batch", { task_ids: unknown })).data) store.tasks.set(task.id, task);
  store.order = ids.filter((id) => store.tasks.has(id));
  store.shown ??= store.order.find((id) => !isEnded(store.tasks.get(id))) ?? null;
  store.counts = { running: running.total, completed: completed.total };
  changed("tasks");
  changed("money");
}

/** A task that was just accepted, in front of the others. */
export function add(task) {
  if (!store.tasks.has(task.id) && !isEnded(task)) store.counts.running += 1;
  store.tasks.set(task.id, task);
  store.order = [task.id, ...store.order.filter((id) => id !== task.id)].slice(0, LAST);
  store.shown = task.id;
  changed("tasks");
  changed("stage");
  hurry();
}
