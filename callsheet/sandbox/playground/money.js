/* The price before it is paid, the balance, and the statement. */

import { $, h, show } from "./dom.js";
import { Gone, get, post } from "./api.js";
import { language, number, t } from "./i18n.js";
import { credits, decimal, dollars, priced, unitsOf } from "./price.js";
import { quantity, settled } from "./request.js";
import { store } from "./store.js";
import { titleOf } from "./stage.js";

let asked = 0;

/** At once by the rule; then as the server says it. */
export async function drawPrice() {
  const turn = ++asked;
  const { price: rule } = store.model;
  const found = priced(rule, quantity(), settled());
  $("rule").textContent = ruleOf(rule);
  if (found === null) {
    $("sum").textContent = t("price.unknown");
    return;
  }
  $("sum").replaceChildren(...sumOf(rule, found, found.units));
  const units = await estimated().catch(() => null);
  if (turn === asked && units !== null && units !== found.units) $("sum").replaceChildren(...sumOf(rule, found, units));
}

async function estimated() {
  const { model_id, price, clip, operation } = store.model;
  const seconds = quantity();
  const name = price.quantity === "duration" ? "duration_seconds" : "input_seconds";
  const { quality, sound } = settled();
  const parameters = { ...(price.quantity === "one" ? {} : { [name]: seconds }), ...(quality && { quality }), ...(sound && { sound }) };
  if (clip && name === "input_seconds" && price.unit === "output_second") parameters.output_seconds = seconds;
  const answer = await post("/v1/agent-estimates", { model_id, operation, parameters, expected_usage: {} });
  return unitsOf(answer.amounts.credits);
}

function sumOf(rule, found, units) {
  const total = h("strong", {}, t("price.total", { credits: credits(units), usd: dollars(units) }));
  if (rule.quantity === "one") return [total];
  const times = found.times === 1_000_000n ? "" : ` × ${decimal(found.times)}`;
  const sum = t("price.sum", { seconds: decimal(found.seconds), rate: credits(found.perSecond), times });
  return [h("span", {}, `${sum} = `), total, found.atLeast && units === found.units ? h("span", { class: "least" }, t("price.minimum")) : ""].filter(Boolean);
}

function ruleOf(rule) {
  const rate = credits(priced(rule, 1, {}).perSecond);
  if (rule.quantity === "one") return t("rule.one", { rate });
  const parts = [t(rule.quantity === "clip" ? "rule.clip" : "rule.duration", { rate }), t("rule.least", { n: rule.minimum_credits })];
  if (rule.cap_seconds) parts.push(t("rule.cap", { n: rule.cap_seconds }));
  if (rule.factors?.length) parts.push(t("rule.factors"));
  if (rule.basis === "request_then_actual") parts.push(t("rule.actual"));
  return parts.join(language() === "zh" ? "" : " ");
}

export async function drawBalance() {
  try {
    const { data } = await get("/v1/credits");
    store.balance = data.user;
    $("balance").replaceChildren(h("span", { class: "unseen" }, t("balance")), h("span", {}, t("credits", { n: number(data.user.remaining_credits) })));
    show($("balance"), true);
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
  }
}

/** What was reserved, charged and given back, task by task. */
export async function openStatement() {
  $("statement").showModal();
  await drawBalance();
  const list = await get("/v1/tasks?page=1&page_size=50");
  const ids = list.data.map((row) => row.id);
  const tasks = ids.length ? (await post("/v1/tasks/batch", { task_ids: ids })).data : [];
  const held = tasks.reduce((sum, task) => sum + (task.billing?.charge_status === "reserved" ? unitsOf(task.billing.reserved_credits) : 0n), 0n);
  const facts = [["statement.left", number(store.balance.remaining_credits)], ["statement.used", number(store.balance.used_credits)], ["statement.held", credits(held)]];
  $("facts").replaceChildren(...facts.map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value))));
  $("rows").replaceChildren(head(), h("tbody", {}, tasks.map(row)));
}

const head = () => h("thead", {}, h("tr", {}, ...["when", "model", "state", "reserved", "charged", "refunded"].map((name) => h("th", { scope: "col" }, t(`column.${name}`)))));

function row(task) {
  const when = new Date(task.created * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" });
  const bill = task.billing ?? {};
  const cells = [bill.reserved_credits, bill.charged_credits, bill.refunded_credits].map((value) => h("td", { class: "amount" }, value ? number(value) : "–"));
  return h("tr", {}, h("td", {}, when), h("td", {}, titleOf(task.model)), h("td", {}, t(`state.${task.status}`)), ...cells);
}
