// Controls for the main facts. Each changes the request that is sent, never the answer.

import { add, addMonths, age, between, isDay, written } from "./days.js";
import { field, fresh, h, select } from "./dom.js";
import { newest, patientOf } from "./request.js";

const UNITS = ["pg/mL", "ng/L", "pmol/L"];
const MOST = 600; // pg/mL at the right end of the slider
const EARLIER = 60;
const LATER = 420;
const OLDEST = 780; // days

// `state` has loaded, edits, on and setup; `changed(patch)` takes edits, `moved(day)` the date.
export function controlsOf(state, changed, moved, reset) {
  const touched = Object.values(state.edits).some((one) => one !== null) || state.on !== state.setup.today;
  return [
    h("p", { class: "hint" }, "Move a fact and see at once what the service says. The request that is sent changes, nothing else."),
    dateControl(state, moved),
    b12Control(state, changed),
    weightControl(state, changed),
    ageControl(state, changed),
    problemControl(state, changed, "neurological", "Neurological signs"),
    problemControl(state, changed, "malabsorption", "Malabsorption"),
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

function b12Control({ loaded, edits, setup }, changed) {
  const recorded = newest(loaded.prefetch, "b12")?.valueQuantity;
  const unitNow = edits.b12?.unit ?? (UNITS.includes(recorded?.unit) ? recorded.unit : "pg/mL");
  const valueNow = edits.b12?.value ?? recorded?.value ?? null;
  const molar = (unit) => (unit.includes("mol") ? 1000 / setup.b12MolarMass : 1);
  const exact = h("input", { type: "number", id: "b12-value", min: "0", step: "any", inputmode: "decimal", value: valueNow === null ? "" : String(valueNow) });
  const unit = select(UNITS, unitNow, { id: "b12-unit" });
  const most = Math.round(MOST * molar(unitNow));
  const slider = h("input", { type: "range", id: "b12-slider", min: "1", max: String(most), step: "1", value: String(valueNow ?? 1), "aria-label": `Vitamin B12 in ${unitNow}` });
  const give = (value, now) => Number(value) > 0 && changed({ b12: { value: Number(value), unit: unit.value } }, now);
  slider.addEventListener("input", () => {
    exact.value = slider.value;
    give(slider.value);
  });
  exact.addEventListener("change", () => give(exact.value, true));
  unit.addEventListener("change", () => give(exact.value || 1, true));
  const scale = setup.b12Limits.map((one) => ({ ...one, here: one.value * molar(unitNow) }));
  const ruler = h("div", { class: "ruler", "aria-hidden": "true" }, scale.map((one) => {
    const tick = h("span", {}, String(Math.round(one.here)));
    tick.style.setProperty("left", `${(100 * one.here) / most}%`);
    return tick;
  }));
  const jumps = setup.b12Limits.map((one) => h("p", { class: "jumps" }, h("span", {}, `${one.label} ${one.value}`),
    [one.value - 1, one.value].map((value) => jump(String(value), () => changed({ b12: { value, unit: "pg/mL" } }, true), `Set vitamin B12 to ${value} pg/mL, ${one.label} ${one.value}`))));
  return group("Vitamin B12", h("output", {}, valueNow === null ? "no number on record" : `${valueNow} ${unitNow}`), slider, ruler,
    h("div", { class: "row tight" }, field("Value", exact), field("Unit", unit)), jumps);
}

function weightControl({ loaded, edits }, changed) {
  const recorded = newest(loaded.prefetch, "weight")?.valueQuantity;
  const sent = recorded ? (recorded.unit === "g" ? recorded.value / 1000 : recorded.unit === "kg" ? recorded.value : null) : null;
  const now = edits.weight ?? sent;
  const readout = h("output", {}, edits.weight !== null ? `${edits.weight} kg` : recorded ? `${recorded.value} ${recorded.unit ?? ""}` : "none on record");
  const slider = h("input", { type: "range", id: "weight-slider", min: "0.4", max: "25", step: "0.1", value: String(now ?? 7), "aria-label": "Weight in kg" });
  slider.addEventListener("input", () => {
    readout.textContent = `${slider.value} kg`;
    changed({ weight: Number(slider.value) });
  });
  return group("Weight", readout, slider);
}

function ageControl({ loaded, edits, on, setup }, changed) {
  const birth = edits.birth ?? patientOf(loaded.prefetch)?.birthDate ?? "";
  const known = isDay(birth) && birth.length >= 10;
  const readout = h("output", {}, known ? age(birth, on) : birth ? `born ${birth}` : "no date of birth");
  const slider = h("input", { type: "range", id: "age-slider", min: "0", max: String(OLDEST), step: "1", value: String(known ? between(birth, on) : 180), "aria-label": "Age in days" });
  slider.addEventListener("input", () => {
    const born = add(on, -Number(slider.value));
    readout.textContent = age(born, on);
    slider.setAttribute("aria-valuetext", age(born, on));
    changed({ birth: born });
  });
  const jumps = setup.ageLimits.map((one) => h("p", { class: "jumps" }, h("span", {}, one.label),
    jump("day before", () => changed({ birth: add(addMonths(on, -one.value), 1) }, true), `One day younger than ${one.label}`),
    jump("on the day", () => changed({ birth: addMonths(on, -one.value) }, true), `Exactly ${one.label}`)));
  return group("Age", readout, slider, jumps);
}

function problemControl({ edits, setup, loaded }, changed, name, title) {
  const count = loaded.findings?.[name]?.length ?? 0;
  const answer = select(
    [["", `as recorded (${count ? `${count} on record` : "none"})`], ["present", `add: ${setup.whatIf[name].display}`], ["absent", "none"]],
    edits[name] ?? "", { id: `${name}-answer`, onchange: () => changed({ [name]: answer.value || null }, true) });
  return field(title, answer);
}
