// The chart at a glance: who, results over time, problems, treatment, feeding.

import { age, isDay, written } from "./days.js";
import { h, name, outward } from "./dom.js";
import { plot } from "./plots.js";
import { nameOf, patientOf, text } from "./read.js";

export function chartOf({ told, request }, { loaded, samples, story }, print) {
  const { chart, on } = told;
  const { patientId } = request.context;
  const patient = patientOf(request.prefetch ?? loaded.prefetch, patientId);
  const { sandbox } = samples.find((one) => one.name === story) ?? {};
  const born = text(patient?.birthDate);
  const birthday = isDay(born) ? born.slice(0, 10) : "";
  const grows = (one) => one.curves.length > 0 && birthday !== "";
  const [first, ...others] = chart.plots;
  return [
    h("div", { class: "who" },
      h("p", { class: "name" }, name(nameOf(patient) || `Patient/${patientId}`)),
      h("dl", { class: "facts" },
        pair("Age", age(born, on) || "not known"),
        pair("Born", written(born) || "not known"),
        pair("Sex", text(patient?.gender) || "not known"),
        pair("Record", h("code", {}, patientId))),
      h("p", { class: "elsewhere" }, h("button", { type: "button", class: "small", id: "summary", onclick: print }, "Print on one page"), " ",
        sandbox && link(sandbox, "Open in the CDS Hooks sandbox"))),
    first && plot(first, on, true, birthday),
    others.filter(grows).map((one) => plot(one, on, true, birthday)),
    h("div", { class: "plots" }, others.filter((one) => !grows(one)).map((one) => plot(one, on, false))),
    h("div", { class: "lists" },
      list("Problems", chart.problems.map((one) => [one.name, [one.status, one.certainty === "confirmed" ? "" : one.certainty, written(one.day)]])),
      list("Medicines", chart.medications.map((one) => [one.name, [one.kind === "order" ? "" : one.kind, one.status, one.dose, written(one.day)]])),
      list("Tests ordered", chart.tests.map((one) => [one.name, [one.status, written(one.day)]])),
      list("Procedures", chart.procedures.map((one) => [one.name, [written(one.day)]]), true),
      chart.lists.map((one) => list(one.title, one.rows.map((row) => [row, []]), one.onlyIfAny))),
  ];
}

function link(address, title) {
  const made = outward(h("a", {}, title), address);
  made.append(h("span", { class: "quiet" }, " (opens in a new tab)"));
  return made;
}

const pair = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function list(title, rows, onlyIfAny) {
  if (onlyIfAny && !rows.length) return null;
  const items = rows.map(([title, about]) =>
    h("li", {}, name(title), about.some(Boolean) && h("span", { class: "muted" }, ` ${about.filter(Boolean).join(", ")}`)));
  return h("div", { class: "list" }, h("h3", {}, title),
    rows.length ? h("ul", {}, items) : h("p", { class: "muted" }, "none on record"));
}
