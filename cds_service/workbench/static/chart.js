// The chart at a glance: who, results and treatment over time, problems, feeding.

import { courseOf, daysOf, rowsOf } from "./courses.js";
import { age, isDay, written } from "./days.js";
import { h, name, outward } from "./dom.js";
import { axisOf, plot } from "./plots.js";
import { nameOf, patientOf, text } from "./read.js";

export function chartOf({ told, request, response }, { loaded, samples, story }, print) {
  const { chart, on } = told;
  const { patientId } = request.context;
  const patient = patientOf(request.prefetch ?? loaded.prefetch, patientId);
  const { sandbox } = samples.find((one) => one.name === story) ?? {};
  const born = text(patient?.birthDate);
  const birthday = isDay(born) ? born.slice(0, 10) : "";
  // What depends on the age, and the first, are large and have one axis with the treatment.
  const grows = (one, index) => index === 0 || (birthday !== "" && (one.curves.length > 0 || one.bands.some((band) => band.since)));
  const large = chart.plots.filter(grows);
  const rows = rowsOf(chart, response, on);
  const axis = axisOf(large.flatMap((one) => one.points).map((one) => one.day), daysOf(rows), on, birthday);
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
    large.map((one) => plot(one, on, birthday, axis)),
    rows.length > 0 && courseOf(rows, on, birthday, axis),
    h("div", { class: "plots" }, chart.plots.filter((one) => !large.includes(one)).map((one) => plot(one, on, birthday))),
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
