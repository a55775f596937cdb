// What is advised over the range of one fact: the service is asked with the fact at many values, the
// rest of the request as it is.

import { add, age, between, bornAged } from "./days.js";
import { h, say } from "./dom.js";
import { build } from "./request.js";
import { Refused, send } from "./wire.js";

// A number and a date that no record has: where they are in the request is where the fact is.
const [NO_NUMBER, NO_DAY] = [987654321.25, "0001-02-03"];
const SILENT = "nothing to say";

const found = new Map(); // the last answer for each: { asked, stretches }, the latter once it is here

const KINDS = {
  result({ key, units, least, most, step, marks }, { edits }) {
    const { unit } = units[0];
    const digits = step < 1 ? 1 : 0;
    const values = Array.from({ length: Math.round((most - least) / step) + 1 }, (_, index) => Number((least + index * step).toFixed(digits)));
    const at = (value) => Math.round((value - least) / step);
    return { key, values, edit: { value: NO_NUMBER, unit }, sentinel: NO_NUMBER, sure: marks.flatMap((one) => [at(one.value) - 1, at(one.value)]),
      said: (index) => `${values[index]} ${unit}`, jump: (index) => ({ [key]: { value: values[index], unit } }),
      here: edits[key]?.unit === unit ? at(edits[key].value) : null };
  },
  age({ most, marks }, { on, edits }) {
    const values = Array.from({ length: most + 1 }, (_, days) => add(on, -days));
    const at = (months) => between(bornAged(on, months), on);
    return { key: "age", values, edit: NO_DAY, sentinel: NO_DAY, sure: marks.flatMap((one) => [at(one.value) - 1, at(one.value)]),
      said: (index) => age(values[index], on), jump: (index) => ({ age: values[index] }),
      here: edits.age ? between(edits.age, on) : null };
  },
};

// What is known is shown at once, so that the focus can stay on it.
// `changed(edits, true)` goes to a value of the control.
export async function showRange(body, control, desk, changed) {
  const range = KINDS[control.kind](control, desk);
  const { key, values, edit, sentinel, sure } = range;
  const service = desk.setup.services.find((one) => one.hook === desk.hook);
  const request = build(service, { ...desk, edits: { ...desk.edits, [key]: edit } });
  const places = [...placesOf(request, sentinel)];
  const fill = (stretches) => body.replaceChildren(strip(range, stretches), h("ol", { class: "stretches" }, stretches.map((one) => itemOf(one, range, changed))));
  if (!places.length) {
    body.replaceChildren(h("p", { class: "hint" }, "The record has no place for it."));
    return;
  }
  const asked = JSON.stringify([service.id, desk.on, { ...request, hookInstance: "" }]);
  if (found.get(key)?.asked === asked) {
    fill(found.get(key).stretches);
    return;
  }
  body.replaceChildren(h("p", { class: "hint" }, "Asking the service …"));
  try {
    const { stretches } = await send("POST", `/workbench/range/${service.id}?on=${desk.on}`, { request, places, values, sure }, { title: "one fact over its range" });
    found.set(key, { asked, stretches });
    fill(stretches);
    say(`Over the range the advice has ${stretches.length} ${stretches.length === 1 ? "part" : "parts"}.`);
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    body.replaceChildren(h("p", { class: "refused" }, problem.message), h("button", { type: "button", class: "small", onclick: () => showRange(body, control, desk, changed) }, "Ask again"));
  }
}

function* placesOf(value, sentinel, path = []) {
  if (value === sentinel) yield path;
  else if (value && typeof value === "object") {
    for (const [name, inner] of Object.entries(value)) yield* placesOf(inner, sentinel, [...path, Array.isArray(value) ? Number(name) : name]);
  }
}

const toneOf = ({ indicator }) => `tone-${indicator || "fine"}`;

function strip({ values, here }, stretches) {
  const drawn = stretches.map((one) => {
    const part = h("span", { class: toneOf(one), title: one.advice });
    part.style.setProperty("flex-grow", String(one.last - one.first + 1));
    return part;
  });
  const mark = here !== null && here >= 0 && here < values.length && h("i", {});
  if (mark) mark.style.setProperty("left", `${(100 * (here + 0.5)) / values.length}%`);
  return h("div", { class: "strip", "aria-hidden": "true" }, drawn, mark);
}

function itemOf(one, range, changed) {
  const said = one.first === one.last ? range.said(one.first) : `${range.said(one.first)} to ${range.said(one.last)}`;
  const advice = one.rules.length ? [h("strong", {}, one.rules[0]), ` ${one.advice}`] : one.advice === SILENT ? "No card: nothing to say" : `No card, and this is not an all-clear: ${one.advice}`;
  return h("li", { class: toneOf(one) },
    h("button", { type: "button", class: "plain small", "data-focus": `${range.key} ${said}`, onclick: () => changed(range.jump(one.first), true) }, said), h("p", {}, advice));
}
