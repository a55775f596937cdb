// The basket: drafts that can be changed, and the days on which they are given.

import { add, addMonths, daysInMonth, isDay, monthName, weekday, written } from "./days.js";
import { field, h, name, refuse, select } from "./dom.js";
import { codings, conceptText, number, object, objects, text } from "./read.js";
import { durationWords, frequencyWords, phases } from "./timing.js";

const UNITS = [["ug", "micrograms"], ["mg", "mg"], ["mL", "mL"], ["ug/kg", "micrograms/kg"], ["mg/kg", "mg/kg"], ["{tablet}", "tablet"], ["[iU]", "IU"]];
const PERIODS = [["d", "days"], ["wk", "weeks"], ["mo", "months"]];
const UCUM = "http://unitsofmeasure.org";
const ROUTE_WORDS = new Map([["26643006", "by mouth"], ["78421000", "into the muscle"], ["34206005", "under the skin"]]);

export const titleOf = (order) =>
  conceptText(order.medicationCodeableConcept) || conceptText(order.code) || text(order.description)
  || text(object(order.medicationReference).display) || text(object(order.medicationReference).reference) || "not named";

const dueOf = (order) =>
  [order.occurrenceDateTime, object(order.occurrencePeriod).start, object(order.executionPeriod).start].map(text).find(Boolean) ?? "";

const routeOf = (dosage) => codings(object(dosage).route)[0] ?? {};

const doseOf = ({ value, unit }) => ({
  value, unit: UNITS.find(([code]) => code === unit)?.[1] ?? unit, system: UCUM, code: unit,
});

export function blankOrder(setup, patientId, id, on) {
  const product = setup.desk.products[0];
  const order = {
    resourceType: "MedicationRequest", id, status: "draft", intent: "order",
    medicationCodeableConcept: { coding: product.coding, text: product.name },
    subject: { reference: `Patient/${patientId}` }, authoredOn: on,
    dosageInstruction: [{
      sequence: 1,
      timing: { repeat: { boundsDuration: { value: 28, unit: "days", system: UCUM, code: "d" }, frequency: 1, period: 1, periodUnit: "d" } },
      route: { coding: [setup.desk.routes[0]] },
      doseAndRate: [{ doseQuantity: doseOf(setup.desk.firstDose) }],
    }],
  };
  rewrite(order.dosageInstruction[0]);
  return order;
}

const quantityOf = (dosage) => object(objects(dosage.doseAndRate)[0]?.doseQuantity);
const repeatOf = (dosage) => object(object(dosage.timing).repeat);

// The words of a dosage, rebuilt from its structure, so that the two never disagree.
function rewrite(dosage) {
  const quantity = quantityOf(dosage);
  const repeat = repeatOf(dosage);
  const route = routeOf(dosage);
  const bounds = object(repeat.boundsDuration);
  const length = text(bounds.value);
  dosage.text = [
    number(dosage.sequence) > 1 ? "then" : "", text(quantity.value), text(quantity.unit),
    ROUTE_WORDS.get(route.code) ?? (text(route.display) ? `by ${text(route.display).toLowerCase()}` : ""),
    number(repeat.frequency) ? frequencyWords(repeat.frequency, text(repeat.period), text(repeat.periodUnit)) : "",
    length ? `for ${durationWords(length, text(bounds.code))}` : "",
  ].filter((one) => one !== "").join(" ");
}

// --- the basket ----------------------------------------------------------------------------------

export function basketOf({ basket, signed, setup, on, signing, notice }, canSign, acts) {
  const drugs = basket.filter((one) => one.resourceType === "MedicationRequest");
  const others = basket.filter((one) => one.resourceType !== "MedicationRequest");
  return [
    h("div", { class: "bar" },
      setup.desk.products.length > 0 && h("button", { type: "button", onclick: acts.write }, "Write an order"),
      h("button", { type: "button", class: "primary", id: "sign", "aria-disabled": String(!canSign), onclick: acts.sign },
        signing?.checking ? "Being checked …" : "Sign the orders"),
      basket.length > 0 && h("button", { type: "button", class: "plain", onclick: acts.empty }, "Empty the basket")),
    notice && h("p", { class: "objection", role: "alert" }, notice),
    signing?.text && objectionOf(signing, acts),
    basket.length === 0 && h("p", { class: "empty" }, signed.length
      ? "The basket is empty. What was signed is on the record now."
      : "The basket is empty. Accept a suggestion, or write an order."),
    drugs.map((order) => editor(order, setup, acts)),
    others.length > 0 && h("div", { class: "order" }, h("h3", {}, "Tests and tasks"),
      h("ul", { class: "tests" }, others.map((order) => h("li", {},
        h("span", {}, name(titleOf(order))), h("span", { class: "muted" }, ` ${order.resourceType === "Task" ? "task" : written(dueOf(order)) || "no date"}`),
        removal(order, acts))))),
    calendarOf([...signed, ...basket], on),
  ];
}

function objectionOf({ critical, text: why, turn }, acts) {
  return h("div", { class: "objection", role: "group", "aria-label": "Signing" },
    h("p", {}, h("strong", {}, critical ? "Stopped before signing." : "Before you sign."), ` ${why}`),
    h("button", { type: "button", onclick: acts.cards }, "Read the cards"),
    h("button", { type: "button", onclick: () => acts.signAnyway(turn) }, "Sign as they are"));
}

const removal = (order, acts) =>
  h("button", { type: "button", class: "plain small", onclick: () => acts.remove(order) }, "Remove", h("span", { class: "quiet" }, ` ${titleOf(order)}`));

function editor(order, setup, acts) {
  const changed = (change) => () => {
    if (change() !== false) acts.changed(order);
  };
  const named = text(object(order.medicationCodeableConcept).text);
  const product = select(
    [...(setup.desk.products.some((one) => one.name === named) ? [] : [["", `${titleOf(order)} (as written)`]]),
      ...setup.desk.products.map((one) => [one.name, one.name])],
    named, { onchange: changed(() => {
      const one = setup.desk.products.find((it) => it.name === product.value);
      if (!one) return false;
      order.medicationCodeableConcept = { coding: one.coding, text: one.name };
      delete order.medicationReference;
      return true;
    }) });
  // An order without a dosage gets one when it is changed, not by being shown.
  const dosages = objects(order.dosageInstruction);
  const shown = dosages.length ? dosages : [{}];
  const kept = () => dosages.length || (order.dosageInstruction = shown);
  const route = routeOf(shown[0]);
  const choice = select(
    [...(setup.desk.routes.some((one) => one.code === route.code) ? [] : [["", conceptText(shown[0].route) || "not given"]]),
      ...setup.desk.routes.map((one) => [one.code, one.display])],
    text(route.code), { onchange: changed(() => {
      const one = setup.desk.routes.find((it) => it.code === choice.value);
      if (!one) return false;
      kept();
      for (const dosage of shown) {
        dosage.route = { coding: [one] };
        rewrite(dosage);
      }
      return true;
    }) });
  const details = h("details", { class: "change", open: acts.editing.has(order.id) }, h("summary", {}, "Change drug, dose, route or schedule"),
    h("div", { class: "row" }, field("Drug", product), field("Route", choice)),
    shown.map((dosage, index) => phaseEditor(dosage, index, shown.length, (change) => changed(() => change() !== false && (kept(), true)))));
  details.addEventListener("toggle", () => acts.editing[details.open ? "add" : "delete"](order.id));
  return h("div", { class: "order", "data-order": order.id },
    h("div", { class: "order-head" }, h("h3", {}, name(titleOf(order))), removal(order, acts)),
    h("ul", { class: "phases" }, shown.map((dosage) => h("li", {}, name(text(dosage.text) || "no dose written")))),
    details);
}

// Why what is written in a field for a number cannot be used: "" if it can be, or is not written.
function unusable({ validity, value }, whole) {
  const good = !validity.badInput && (value === "" || (Number(value) > 0 && Number.isFinite(Number(value)) && (!whole || Number.isInteger(Number(value)))));
  return good ? "" : `Write a ${whole ? "whole " : ""}number above 0, or nothing.`;
}

function phaseEditor(dosage, index, count, changed) {
  const quantity = quantityOf(dosage);
  const repeat = repeatOf(dosage);
  const bounds = object(repeat.boundsDuration);
  const unitCode = text(quantity.code);
  const amount = (value, properties) => h("input", { type: "number", value: text(value), min: "0", step: "any", inputmode: "decimal", ...properties });
  const dose = amount(quantity.value);
  const unit = select([...(UNITS.some(([one]) => one === unitCode) ? [] : [["", text(quantity.unit) || "no unit"]]), ...UNITS], unitCode);
  const times = amount(repeat.frequency, { step: "1" });
  const period = amount(repeat.period);
  const per = select(PERIODS, text(repeat.periodUnit) || "d");
  const length = amount(bounds.value);
  const lengthUnit = select(PERIODS, text(bounds.code) || "d");
  const apply = changed(() => {
    const refused = [[dose], [times, true], [period], [length]].map(([one, whole]) => {
      const why = unusable(one, whole);
      refuse(one, why);
      return why;
    });
    if (refused.some(Boolean)) return false;
    if (dose.value !== "") {
      const [code, said] = UNITS.find(([one]) => one === unit.value) ?? [text(quantity.code), text(quantity.unit)];
      dosage.doseAndRate = [{ doseQuantity: { value: Number(dose.value), ...(said ? { unit: said } : {}), ...(code ? { system: UCUM, code } : {}) } }];
    } else delete dosage.doseAndRate;
    const next = {};
    if (length.value) next.boundsDuration = { value: Number(length.value), unit: PERIODS.find(([one]) => one === lengthUnit.value)[1], system: UCUM, code: lengthUnit.value };
    if (times.value && period.value) Object.assign(next, { frequency: Number(times.value), period: Number(period.value), periodUnit: per.value });
    dosage.timing = { repeat: next };
    delete dosage.maxDosePerPeriod; // it was calculated from the earlier dose
    rewrite(dosage);
    return true;
  });
  for (const one of [dose, unit, times, period, per, length, lengthUnit]) one.addEventListener("change", apply);
  const label = count > 1 ? `Phase ${index + 1}` : "Dose";
  return h("fieldset", {}, h("legend", {}, label),
    h("div", { class: "phase" }, field("Dose", dose), field("Unit", unit), field("Times", times), field("in every", period),
      field("of", per), field("For", length), field("of ", lengthUnit)));
}

// --- the calendar --------------------------------------------------------------------------------

const MOST_MONTHS = 8;

export function calendarOf(orders, on) {
  const days = new Map(); // day -> { doses: [], tests: [], phase }
  const at = (day) => days.get(day) ?? days.set(day, { doses: [], tests: [], phase: 0 }).get(day);
  const legend = [];
  for (const order of orders) {
    if (order.resourceType === "MedicationRequest" && !["stopped", "cancelled", "entered-in-error"].includes(order.status)) {
      for (const phase of phases(order, on)) {
        for (const [day, times] of phase.given) {
          const entry = at(day);
          entry.doses.push(`${times > 1 ? `${times} × ` : ""}${phase.dose || "dose not given"}`);
          entry.phase = Math.min(phase.number, 4);
        }
        if (phase.given.size) legend.push(phase);
      }
    } else if (order.resourceType === "ServiceRequest" && isDay(dueOf(order))) at(dueOf(order).slice(0, 10)).tests.push(titleOf(order));
  }
  if (!days.size) return null;
  const sorted = [...days.keys()].sort();
  const months = [];
  for (let month = `${sorted[0].slice(0, 7)}-01`; month <= sorted.at(-1) && months.length < MOST_MONTHS; month = addMonths(month, 1)) months.push(month);
  const tests = sorted.filter((day) => days.get(day).tests.length);
  const left = addMonths(months.at(-1), 1) <= sorted.at(-1);
  return h("div", { class: "calendar" }, h("h3", {}, "Schedule"),
    h("ul", { class: "legend" }, legend.map((one) => h("li", {},
      h("span", { class: `key phase-${Math.min(one.number, 4)}` }), " ", h("strong", {}, `${written(one.start)} – ${written(one.end)}`),
      ` ${one.text || one.dose} (${sum(one.given)} ${sum(one.given) === 1 ? "dose" : "doses"}${one.open ? " in the first four weeks, no end given" : ""})`)),
    tests.map((day) => h("li", {}, h("span", { class: "key lab" }), " ", h("strong", {}, written(day)), ` ${days.get(day).tests.join(", ")}`))),
    h("div", { class: "months" }, months.map((month) => monthOf(month, days, on))),
    left && h("p", { class: "hint" }, `Shown up to ${monthName(months.at(-1))}; it goes on until ${written(sorted.at(-1))}.`));
}

const sum = (given) => [...given.values()].reduce((total, one) => total + one, 0);

function monthOf(month, days, on) {
  const cells = Array.from({ length: weekday(month) }, () => h("td"));
  for (let i = 0; i < daysInMonth(month); i += 1) {
    const day = add(month, i);
    const entry = days.get(day);
    const said = entry ? [...entry.doses, ...entry.tests.map((one) => `${one} test`)].join(", ") : "";
    cells.push(h("td", { class: [entry?.doses.length ? `dose phase-${entry.phase}` : "", entry?.tests.length ? "lab" : "", day === on ? "now" : ""].filter(Boolean).join(" ") || null,
      title: said || null, "data-day": entry ? day : null },
    String(i + 1), said && h("span", { class: "quiet" }, `: ${said}`)));
  }
  while (cells.length % 7) cells.push(h("td"));
  const weeks = Array.from({ length: cells.length / 7 }, (_, week) => h("tr", {}, cells.slice(week * 7, week * 7 + 7)));
  return h("table", { class: "month" }, h("caption", {}, monthName(month)),
    h("thead", {}, h("tr", {}, ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, weeks));
}
