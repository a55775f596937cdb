// Treatment over time: what the record has of it, what is recommended, and when tests are due.

import { add, age, isDay, written } from "./days.js";
import { h, s } from "./dom.js";
import { MARGINS, reader, ticksOf } from "./plots.js";
import { codings, conceptText, object, objects, text } from "./read.js";
import { phases } from "./timing.js";

const ROW = 36;
const THICK = 11;

// The rows of the plot, each with a title and its marks: { kind, begins, ends, says, open }.
export function rowsOf(chart, response, on) {
  const taken = chart.treatment.map((one) => ({ ...one, medicine: chart.medications.find((it) => it.source === one.source) ?? {} }));
  const given = taken.filter((one) => one.given).map(({ begins, ends, medicine }) =>
    ({ kind: "given", begins, ends, says: `Given on ${written(begins)}: ${named(medicine)}` }));
  const courses = taken.filter((one) => !one.given).map(({ begins, ends, goesOn, medicine }) => {
    const mark = { kind: "recorded", begins, ends, open: goesOn, says: `${upper(medicine.kind)} ${goesOn ? ongoing(begins, medicine) : spanOf(begins, ends)}: ${named(medicine)}` };
    return { title: medicine.name, marks: [mark] };
  });
  const suggestion = response.cards.flatMap((one) => one.suggestions ?? []).find((one) => one.isRecommended);
  const orders = (suggestion?.actions ?? []).filter((one) => one.type === "create").map((one) => object(one.resource));
  const advised = orders.filter((one) => one.resourceType === "MedicationRequest").map((order) => ({
    title: `Recommended: ${conceptText(order.medicationCodeableConcept)}`,
    marks: phases(order, on).map((one) => ({ kind: `phase-${Math.min(one.number, 4)}`, begins: one.start, ends: one.end, open: one.open, says: `Recommended ${one.open ? `from ${written(one.start)}` : spanOf(one.start, one.end)}: ${one.text || one.dose}` })),
  }));
  return [
    ...(given.length ? [{ title: "Doses given", marks: given }] : []),
    ...courses, ...advised, ...testsOf(chart.tests, orders),
  ];
}

const upper = (said) => said[0].toUpperCase() + said.slice(1);
const named = ({ name, dose }) => [name, dose].filter(Boolean).join(", ");
const ongoing = (begins, { status }) => `${status === "active" ? "since" : "from"} ${written(begins)}${status === "active" ? "" : `, ${status}, no end recorded`}`;
const spanOf = (begins, ends) => (begins === ends ? `on ${written(begins)}` : `from ${written(begins)} to ${written(ends)}`);

// Tests on the record that have a day, and those that are recommended: all of a day are one mark.
function testsOf(ordered, orders) {
  const days = new Map();
  const note = (day, title, kind) => {
    const one = days.get(day) ?? days.set(day, { kind, begins: day, ends: day, titles: [] }).get(day);
    if (!one.titles.includes(title)) one.titles.push(title);
  };
  for (const { due, name, status } of ordered) if (isDay(due ?? "") && ["active", "draft"].includes(status)) note(due, name, "test booked");
  for (const order of orders) {
    const due = text(order.occurrenceDateTime).slice(0, 10);
    const title = conceptText(order.code) || text(codings(order.code)[0]?.display);
    if (order.resourceType === "ServiceRequest" && isDay(due)) note(due, title, "test");
  }
  const marks = [...days.values()].sort((a, b) => a.begins.localeCompare(b.begins))
    .map(({ titles, ...one }) => ({ ...one, says: `${one.kind === "test" ? "Recommended" : "Ordered"} for ${written(one.begins)}: ${titles.join("; ")}` }));
  return marks.length ? [{ title: "Tests", marks }] : [];
}

export const daysOf = (rows) => rows.flatMap((row) => row.marks.flatMap((one) => [one.begins, one.ends]));

export function courseOf(rows, on, born, axis) {
  const [left, right, top, bottom] = MARGINS;
  const { width, xs, begin, end } = axis;
  const height = top + bottom + rows.length * ROW;
  const drawn = [s("line", { class: "today", x1: xs(on), x2: xs(on), y1: top - 4, y2: height - bottom })];
  const sentences = [];
  const later = [];
  for (const [index, { title, marks }] of rows.entries()) {
    const y = top + index * ROW;
    drawn.push(s("text", { class: "row-name", x: left + 8, y: y + 9 }, title));
    for (const one of marks) {
      const says = `${one.says}${born && born <= one.begins ? `, at ${age(born, one.begins)}` : ""}`;
      if (one.begins > end || one.ends < begin) {
        later.push(says);
        continue;
      }
      sentences.push(says);
      drawn.push(markOf(one, y + 15, axis, s("title", {}, says), right));
    }
  }
  drawn.push(s("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }), ...ticksOf(axis, height));
  const figure = h("figure", { class: "plot large", id: "courses" },
    h("figcaption", {}, h("strong", {}, "Treatment and tests"), " ", h("span", { class: "muted" }, "as recorded, and as recommended from the dotted line on")),
    s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Treatment and tests: ${sentences.join(". ")}.` }, drawn));
  if (sentences.length) figure.append(reader("Treatment and tests, one by one", sentences, figure));
  if (later.length) figure.append(h("p", { class: "hint" }, `Beyond the drawing: ${later.join(". ")}.`));
  return figure;
}

function markOf({ kind, begins, ends, open }, y, { width, xs, begin, end }, title, right) {
  const middle = y + THICK / 2;
  const x = xs(begins < begin ? begin : begins);
  if (kind === "given") return s("circle", { class: "dot", "data-read": "", cx: x, cy: middle, r: 5 }, title);
  if (kind.startsWith("test")) {
    return s("path", { class: kind, "data-read": "", d: `M${x} ${middle - 6.5}l6.5 6.5l-6.5 6.5l-6.5 -6.5z` }, title);
  }
  const last = Math.min(xs(add(ends, 1)), width - right);
  const to = Math.max(last - 1, x + 3);
  const tip = open || ends > end ? `l6 ${THICK / 2}l-6 ${THICK / 2}` : `v${THICK}`;
  return s("path", { class: `bar ${kind}`, "data-read": "", d: `M${x} ${y}H${to}${tip}H${x}z` }, title);
}
