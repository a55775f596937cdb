// Controls for the main facts. Each changes the request that is sent, never the answer.

import { add, addMonths, age, between, bornAged, isDay, written } from "./days.js";
import { field, fresh, h, refuse, select } from "./dom.js";
import { number, object, patientOf, text } from "./read.js";
import { isEdited, recordedOf } from "./request.js";

const EARLIER = 60; // days
const LATER = 420;
const [EARLIEST, LATEST] = ["1900-01-01", "2199-12-31"];
const CONTROLS = { result: resultControl, age: ageControl, problem: problemControl };

// `changed(edits, atOnce)` takes edits and the date, `reset()` takes them back.
export function controlsOf(desk, changed, reset) {
  const touched = isEdited(desk.edits) || desk.on !== desk.setup.today;
  return [
    h("p", { class: "hint" }, "Move a fact and see at once what the service says. The request that is sent changes, nothing else."),
    dateControl(desk, changed),
    desk.setup.desk.controls.map((one) => CONTROLS[one.kind](one, desk, changed, one.kind !== "problem" && rangeOf(one, desk, changed))),
    h("div", { class: "bar" }, h("button", { type: "button", id: "as-recorded", disabled: !touched, onclick: reset }, "As recorded")),
  ];
}

// `says` holds the words of `label`, so that it can be spoken.
function jump(label, act, says) {
  return h("button", { type: "button", class: "jump", onclick: act, "aria-label": says }, label);
}

function group(title, shown, ...inner) {
  const id = fresh("control");
  return h("div", { class: "control", role: "group", "aria-labelledby": id },
    h("p", { class: "control-head", id }, h("span", {}, title), " ", shown), inner);
}

function dateControl({ on, setup }, changed) {
  const readout = h("output", {}, written(on));
  const slider = h("input", { type: "range", id: "date-slider", min: String(-EARLIER), max: String(LATER), step: "1", value: String(between(setup.today, on)),
    "aria-label": "Date of evaluation", "aria-valuetext": written(on) });
  slider.addEventListener("input", () => {
    const day = add(setup.today, Number(slider.value));
    readout.textContent = written(day);
    slider.setAttribute("aria-valuetext", written(day));
    changed({ on: day });
  });
  const exact = h("input", { type: "date", id: "date-value", value: on, min: EARLIEST, max: LATEST, "aria-label": "Date of evaluation, exactly" });
  exact.addEventListener("change", () => {
    const good = isDay(exact.value) && exact.value >= EARLIEST && exact.value <= LATEST;
    refuse(exact, good ? "" : `Write a date from ${written(EARLIEST)} to ${written(LATEST)}.`);
    if (good) changed({ on: exact.value }, true);
  });
  return group("Evaluated on", readout, slider, h("div", { class: "row tight" }, h("div", {}, exact), jump("today", () => changed({ on: setup.today }, true), "Evaluate as of today")));
}

const opened = new Set(); // the facts whose range is open
let range = null; // the part that shows it, once someone wanted it

function rangeOf(control, desk, changed) {
  const key = control.key ?? control.kind;
  const body = h("div", { class: "range" });
  const fill = async () => {
    try {
      range ??= await import("./range.js");
    } catch {
      body.replaceChildren(h("p", { class: "refused" }, "The service cannot be reached."));
      return;
    }
    range.showRange(body, control, desk, changed);
  };
  const fold = h("details", { class: "range-fold", open: opened.has(key) },
    h("summary", {}, "What is advised over the range", h("span", { class: "quiet" }, ` of ${control.title}`)), body);
  fold.addEventListener("toggle", () => {
    opened[fold.open ? "add" : "delete"](key);
    if (fold.open && !body.hasChildNodes()) fill();
  });
  if (fold.open) fill();
  return fold;
}

// A result can be given in any of the control's units; `least`, `most` and the marks are in the first.
// Without `exact` there is a slider alone, in the first unit.
function resultControl(control, { loaded, findings, edits }, changed, range) {
  const { key, title, units, least, most, step, marks, exact } = control;
  const recorded = object(recordedOf(loaded.prefetch, control, findings)?.valueQuantity);
  const edited = edits[key];
  const known = units.find((one) => one.unit === (edited?.unit ?? (text(recorded.unit) || text(recorded.code))));
  const unit = (exact && known) || units[0];
  const sent = edited?.value ?? (known ? number(recorded.value) : null);
  const now = sent === null ? null : exact ? sent : sent / known.factor;
  const asSent = number(recorded.value) === null ? "no number that counts" : `${recorded.value} ${text(recorded.unit) || text(recorded.code)}`;
  const readout = h("output", {}, edited ? `${sent} ${known.unit}` : asSent);
  const end = step < 1 ? most : Math.round(most * unit.factor);
  const give = (value, of, atOnce) => changed({ [key]: { value: Number(value), unit: of } }, atOnce);
  const slider = h("input", { type: "range", id: `${key}-slider`, min: String(least), max: String(end), step: String(step), value: String(now ?? (least + end) / 4), "aria-label": `${title} in ${unit.unit}` });
  if (!exact) {
    slider.addEventListener("input", () => {
      readout.textContent = `${slider.value} ${unit.unit}`;
      give(slider.value, unit.unit);
    });
    return group(title, readout, slider, range);
  }
  const value = h("input", { type: "number", id: `${key}-value`, min: "0", step: "any", inputmode: "decimal", value: now === null ? "" : String(now) });
  const choice = select(units.map((one) => one.unit), unit.unit, { id: `${key}-unit` });
  slider.addEventListener("input", () => {
    value.value = slider.value;
    refuse(value, "");
    give(slider.value, choice.value);
  });
  const written_ = () => {
    const good = Number(value.value) > 0 && Number.isFinite(Number(value.value));
    refuse(value, good ? "" : `Write a number above 0. ${title} is evaluated as before.`);
    if (good) give(value.value, choice.value, true);
  };
  value.addEventListener("change", written_);
  choice.addEventListener("change", () => value.value !== "" && written_());
  const ruler = h("div", { class: "ruler", "aria-hidden": "true" }, marks.map((one) => {
    const tick = h("span", {}, String(Math.round(one.value * unit.factor)));
    tick.style.setProperty("left", `${(100 * one.value * unit.factor) / end}%`);
    return tick;
  }));
  const first = units[0].unit;
  const jumps = marks.map((one) => h("p", { class: "jumps" }, h("span", {}, `${one.label} ${one.value}`),
    [one.value - step, one.value].map((at) => jump(String(at), () => give(at, first, true), `Set ${title[0].toLowerCase()}${title.slice(1)} to ${at} ${first}, ${one.label} ${one.value}`))));
  return group(title, readout, slider, ruler, h("div", { class: "row tight" }, field("Value", value), field("Unit", choice)), jumps, range);
}

function ageControl({ title, most, marks }, { loaded, edits, on }, changed, range) {
  const birth = edits.age ?? text(patientOf(loaded.prefetch, loaded.context.patientId)?.birthDate);
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
    jump("day before", () => changed({ age: add(bornAged(on, one.value), 1) }, true), `Aged ${one.label}, day before`),
    jump("on the day", () => changed({ age: bornAged(on, one.value) }, true), `Aged ${one.label}, on the day`)));
  return group(title, readout, slider, jumps, range);
}

function problemControl({ key, title, coding }, { edits, findings }, changed) {
  const count = findings?.[key]?.length ?? 0;
  const answer = select(
    [["", `as recorded (${count ? `${count} on record` : "none"})`], ["present", `add: ${coding.display}`], ["absent", "none"]],
    edits[key] ?? "", { id: `${key}-answer`, onchange: () => changed({ [key]: answer.value || null }, true) });
  return field(title, answer);
}
