// From the structured Timing of an order to the days on which it is given. The words of a dosage
// are shown, never read.

import { add, isDay } from "./days.js";
import { number, object, objects, text } from "./read.js";

const LENGTH = { s: 1 / 86400, min: 1 / 1440, h: 1 / 24, d: 1, wk: 7, mo: 365.25 / 12, a: 365.25 };
const NAMED = { day: "d", days: "d", week: "wk", weeks: "wk", month: "mo", months: "mo" };
const OPEN_DAYS = 28;

const LONGEST = 36500; // days, of what is written

function inDays(duration) {
  const { value, code, unit } = object(duration);
  if (number(value) === null) return undefined;
  return Math.min(Math.max(value, 0) * (LENGTH[text(code)] ?? LENGTH[NAMED[text(unit)]] ?? 1), LONGEST);
}

// A positive number, or what holds without one.
const positive = (value, otherwise) => (number(value) > 0 ? value : otherwise);

// [{ number, text, dose, start, end, open, given: Map(day -> times) }]; phases that follow one
// another are numbered in FHIR's `sequence`, the others run side by side.
export function phases(order, from) {
  const start = isDay(order.authoredOn) ? order.authoredOn.slice(0, 10) : from;
  let next = start;
  let before = null;
  return objects(order.dosageInstruction).map((dosage, index) => {
    const timing = object(dosage.timing);
    const repeat = object(timing.repeat);
    const follows = before !== null && number(dosage.sequence) > before;
    const bounded = text(object(repeat.boundsPeriod).start).slice(0, 10);
    const first = isDay(bounded) ? bounded : follows ? next : start;
    const given = new Map();
    const events = (Array.isArray(timing.event) ? timing.event : []).filter(isDay);
    const count = positive(repeat.count, null);
    const step = (positive(repeat.period, 1) * (LENGTH[text(repeat.periodUnit)] ?? 1)) / positive(repeat.frequency, 1);
    let length = inDays(repeat.boundsDuration);
    if (length === undefined && count && positive(repeat.period, null)) length = Math.min(count * step, LONGEST);
    const open = length === undefined && events.length === 0;
    const scheduled = Boolean(positive(repeat.frequency, null) || positive(repeat.period, null));
    if (events.length) for (const day of events) given.set(day.slice(0, 10), 1);
    else if (scheduled && step > 0) {
      const total = Math.min(length ?? OPEN_DAYS, 400);
      const most = Math.min(count ?? Infinity, 4000);
      for (let i = 0; i * step < total - 1e-6 && i < most; i += 1) {
        const day = add(first, Math.floor(i * step + 1e-6));
        given.set(day, (given.get(day) ?? 0) + 1);
      }
    }
    const end = add(first, Math.max(Math.ceil(length ?? (scheduled ? OPEN_DAYS : 1)) - 1, 0));
    next = add(end, 1);
    before = number(dosage.sequence);
    const quantity = object(objects(dosage.doseAndRate)[0]?.doseQuantity);
    const dose = `${text(quantity.value)} ${text(quantity.unit) || text(quantity.code)}`.trim();
    return { number: index + 1, text: text(dosage.text), dose, start: first, end, open, given };
  });
}

export const USUAL = new Map([
  ["1/1/d", "once daily"], ["2/1/d", "twice daily"], ["3/1/d", "three times daily"],
  ["1/2/d", "every other day"], ["1/1/wk", "once weekly"], ["2/1/wk", "twice weekly"],
  ["3/1/wk", "three times weekly"], ["1/1/mo", "once monthly"],
]);
const UNIT = { h: "hours", d: "days", wk: "weeks", mo: "months" };

export function frequencyWords(frequency, period, unit) {
  return USUAL.get(`${frequency}/${period}/${unit}`)
    ?? `${frequency} ${frequency === 1 ? "time" : "times"} every ${period} ${UNIT[unit] ?? unit}`;
}

export const durationWords = (value, unit) =>
  `${value} ${Number(value) === 1 ? (UNIT[unit] ?? unit).replace(/s$/, "") : (UNIT[unit] ?? unit)}`;
