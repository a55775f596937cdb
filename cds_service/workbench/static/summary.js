// A case on one page of paper: who, what was known, the cards and their rules, and the orders.

import { age, written } from "./days.js";
import { at, h, name, show, tree } from "./dom.js";
import { titleOf } from "./orders.js";
import { nameOf, objects, patientOf, text } from "./read.js";

const FACTS = 24; // as many as fit next to the cards

// Prints the answer that is shown, instead of the page.
export function printSummary(answer, desk, address) {
  const { told, request } = answer;
  const patient = patientOf(request.prefetch ?? desk.loaded.prefetch, request.context.patientId);
  const born = text(patient?.birthDate);
  const known = (told.facts ?? []).filter((one) => one.name !== "Not known");
  const missing = (told.facts ?? []).filter((one) => one.name === "Not known");
  const { edition, title } = desk.setup.guideline;
  show(at("paper"),
    h("h1", {}, name(nameOf(patient) || `Patient/${request.context.patientId}`)),
    h("p", {}, [age(born, told.on) || "age not known", born && `born ${written(born)}`, text(patient?.gender), `record ${request.context.patientId}`].filter(Boolean).join(", ")),
    h("p", { class: "warn" }, h("strong", {}, "Demonstration, not for clinical use. "), `${title}, edition ${edition}, pending human review. Evaluated as of ${written(told.on)} at ${request.hook}.`),
    h("div", { class: "columns" },
      h("section", {}, h("h2", {}, "What was known"),
        h("table", {}, h("tbody", {}, known.slice(0, FACTS).map((one) =>
          h("tr", {}, h("th", { scope: "row" }, one.name || "Also"), h("td", {}, one.value || one.text), h("td", {}, written(one.day)))))),
        known.length > FACTS && h("p", {}, `And ${known.length - FACTS} more.`),
        missing.length > 0 && [h("h2", {}, "What was missing"), h("ul", {}, missing.map((one) => h("li", {}, one.text)))]),
      h("section", {}, h("h2", {}, "Cards"), saidBy(answer, desk.setup),
        h("h2", {}, "Orders"), ordersOf(desk))),
    address && h("p", { class: "address" }, address));
  document.body.classList.add("on-paper");
  addEventListener("afterprint", () => document.body.classList.remove("on-paper"), { once: true });
  window.print();
}

function saidBy({ told, response }, setup) {
  if (!response.cards.length) {
    const account = response.extension?.[setup.extensions.evaluation] ?? {};
    return [h("p", {}, h("strong", {}, "No card. "), account.silence ?? account.outcome ?? ""), ...objectsOf(account.because)];
  }
  const rows = new Map(told.tables.flatMap((table) => table.rows.map((row) => [row.rule, row])));
  return response.cards.map((card) => {
    const rules = card.extension?.[setup.extensions.rules]?.ruleIds ?? [];
    return h("article", {}, h("h3", {}, h("span", {}, card.indicator), ` ${card.summary}`),
      tree(firstPart(told.details?.[card.uuid] ?? [])),
      rules.length > 0 && h("p", {}, "By ", rules.map((rule, index) => [index ? "; " : "", h("strong", {}, rule), ` ${rows.get(rule)?.condition ?? ""}`])));
  });
}

const objectsOf = (because) => (because ?? []).map((one) => h("p", {}, one));

// What a card says above its rule: what is below is for who wants to know more.
function firstPart(nodes) {
  const rule = nodes.findIndex((one) => one[0] === "hr");
  return rule < 0 ? nodes : nodes.slice(0, rule);
}

function ordersOf({ basket, signed }) {
  const orders = [...signed, ...basket];
  if (!orders.length) return h("p", {}, "None.");
  return h("ul", {}, orders.map((order) => h("li", {}, name(titleOf(order)), order.status === "active" ? " (signed)" : " (draft)",
    objects(order.dosageInstruction).length > 0 && `: ${objects(order.dosageInstruction).map((one) => text(one.text)).filter(Boolean).join("; ")}`)));
}
