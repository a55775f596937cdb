// Controls for the main facts. Each changes the request that is sent, never the answer.

import { add, addMonths, age, between, isDay, written } from "./days.js";
import { field, fresh, h, select } from "./dom.js";
import { newest, patientOf } from "./request.js";

const EARLIER = 60; // days
const LATER = 420;
const CONTROLS = { result: resultControl, age: ageControl, problem: problemControl };

// `state` has loaded, edits, on and setup; `changed(patch)` takes edits, `moved(day)` the date.
export function controlsOf(state, changed, moved, reset) {
  const touched = Object.values(state.edits).some((one) => one !== null) || state.on !== state.setup.today;
  return [
    h("p", { class: "hint" }, "Move a fact and see at once what the service says. The request that is sent changes, nothing else."),
    dateControl(state, moved),
    state.setup.desk.controls.map((one) => CONTROLS[one.kind](one, state, changed)),
    h("div", { class: "bar" }, h("button", { type: "button", id: "as-recorded", disabled: !touched, onclick: reset }, "As recorded")),
  ];
}

function jump(label, act, says) {
  return h("button", { type: "button", class: "jump", onclick: act, "aria-label": says ?? label }, label);
}

function group(title, shown, ...inner) {
  const id = fresh("control");
  return h("div", { class: "control", role: "group", "aria-labelledby": id },
    h("p", { class: "control-head", id }, h("span", {}, title), " ", shown), inner);
}

function dateControl({ on, setup }, moved) {
  const readout = h("output", {}, written(on));
  const slider = h("input", { type: "range", id: "date-slider", min: String(-EARLIER), max: String(LATER), step: "1", value: String(between(setup.today, on)),
    "aria-label": "Date of evaluation", "aria-valuetext": written(on) });
  slider.addEventListener("input", () => {
    const day = add(setup.today, Number(slider.value));
    readout.textContent = written(day);
    slider.setAttribute("aria-valuetext", written(day));
    moved(day);
  });
  const exact = h("input", { type: "date", value: on, "aria-label": "Date of evaluation, exactly" });
  exact.addEventListener("change", () => isDay(exact.value) && moved(exact.value, true));
  return group("Evaluated on", readout, slider, h("div", { class: "row tight" }, exact, jump("today", () => moved(setup.today, true), "Evaluate as of today")));
}

// A result can be given in any of the control's units; `least`, `most` and the marks are in the first.
// Without `exact` there is a slider alone, in the first unit.
function resultControl({ key, title, units, least, most, step, marks, exact }, { loaded, edits }, changed) {
  const recorded = newest(loaded.prefetch, key)?.valueQuantity;
  const known = units.find((one) => one.unit === (edits[key]?.unit ?? recorded?.unit));
  const unit = (exact && known) || units[0];
  const sent = edits[key]?.value ?? (known ? recorded.value : null);
  const now = sent === null ? null : exact ? sent : sent / known.factor;
  const asSent = recorded ? `${recorded.value} ${recorded.unit ?? ""}` : "no number on record";
  const readout = h("output", {}, edits[key] ? `${sent} ${known.unit}` : asSent);
  const end = step < 1 ? most : Math.round(most * unit.factor);
  const give = (value, name, at) => Number(value) > 0 && changed({ [key]: { value: Number(value), unit: name } }, at);
  const slider = h("input", { type: "range", id: `${key}-slider`, min: String(least), max: String(end), step: String(step), value: String(now ?? (least + end) / 4), "aria-label": `${title} in ${unit.unit}` });
  if (!exact) {
    slider.addEventListener("input", () => {
      readout.textContent = `${slider.value} ${unit.unit}`;
      give(slider.value, unit.unit);
    });
    return group(title, readout, slider);
  }
  const number = h("input", { type: "number", id: `${key}-value`, min: "0", step: "any", inputmode: "decimal", value: now === null ? "" : String(now) });
  const choice = select(units.map((one) => one.unit), unit.unit, { id: `${key}-unit` });
  slider.addEventListener("input", () => {
    number.value = slider.value;
    give(slider.value, choice.value);
  });
  number.addEventListener("change", () => give(number.value, choice.value, true));
  choice.addEventListener("change", () => give(number.value || 1, choice.value, true));
  const ruler = h("div", { class: "ruler", "aria-hidden": "true" }, marks.map((one) => {
    const tick = h("span", {}, String(Math.round(one.value * unit.factor)));
    tick.style.setProperty("left", `${(100 * one.value * unit.factor) / end}%`);
    return tick;
  }));
  const first = units[0].unit;
  const jumps = marks.map((one) => h("p", { class: "jumps" }, h("span", {}, `${one.label} ${one.value}`),
    [one.value - step, one.value].map((value) => jump(String(value), () => give(value, first, true), `Set ${title[0].toLowerCase()}${title.slice(1)} to ${value} ${first}, ${one.label} ${one.value}`))));
  return group(title, readout, slider, ruler, h("div", { class: "row tight" }, field("Value", number), field("Unit", choice)), jumps);
}

function ageControl({ title, most, marks }, { loaded, edits, on }, changed) {
  const birth = edits.age ?? patientOf(loaded.prefetch)?.birthDate ?? "";
  const known = isDay(birth) && birth.length >= 10;
  const readout = h("output", {}, known ? age(birth, on) : birth ? `born ${birth}` : "no date of birth");
  const slider = h("input", { type: "range", id: "age-slider", min: "0", max: String(most), step: "1", value: String(known ? between(birth, on) : 180), "aria-label": `${title} in days` });
  slider.addEventListener("input", () => {
    const born = add(on, -Number(slider.value));
    readout.textContent = age(born, on);
    slider.setAttribute("aria-valuetext", age(born, on));
    changed({ age: born });
  });
  const jumps = marks.map((one) => h("p", { class: "jumps" }, h("span", {}, one.label),
    jump("day before", () => changed({ age: add(addMonths(on, -one.value), 1) }, true), `One day younger than ${one.label}`),
    jump("on the day", () => changed({ age: addMonths(on, -one.value) }, true), `Exactly ${one.label}`)));
  return group(title, readout, slider, jumps);
}

function problemControl({ key, title, coding }, { edits, loaded }, changed) {
  const count = loaded.findings?.[key]?.length ?? 0;
  const answer = select(
    [["", `as recorded (${count ? `${count} on record` : "none"})`], ["present", `add: ${coding.display}`], ["absent", "none"]],
    edits[key] ?? "", { id: `${key}-answer`, onchange: () => changed({ [key]: answer.value || null }, true) });
  return field(title, answer);
}
