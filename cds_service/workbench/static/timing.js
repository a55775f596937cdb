// From the structured Timing of an order to the days on which it is given. The words of a dosage
// are shown, never read.

import { add, isDay } from "./days.js";

const LENGTH = { s: 1 / 86400, min: 1 / 1440, h: 1 / 24, d: 1, wk: 7, mo: 365.25 / 12, a: 365.25 };
const NAMED = { day: "d", days: "d", week: "wk", weeks: "wk", month: "mo", months: "mo" };
const OPEN_DAYS = 28;

const inDays = (duration) =>
  duration ? duration.value * (LENGTH[duration.code] ?? LENGTH[NAMED[duration.unit]] ?? 1) : undefined;

// [{ number, text, dose, start, end, open, given: Map(day -> times) }]; phases that follow one
// another are numbered in FHIR's `sequence`, the others run side by side.
export function phases(order, from) {
  const start = isDay(order.authoredOn) ? order.authoredOn.slice(0, 10) : from;
  let next = start;
  let before = null;
  return (order.dosageInstruction ?? []).map((dosage, index) => {
    const repeat = dosage.timing?.repeat ?? {};
    const follows = before !== null && dosage.sequence > before;
    const bounded = repeat.boundsPeriod?.start?.slice(0, 10);
    const first = isDay(bounded) ? bounded : follows ? next : start;
    const given = new Map();
    const events = (dosage.timing?.event ?? []).filter(isDay);
    const step = ((repeat.period ?? 1) * (LENGTH[repeat.periodUnit] ?? 1)) / (repeat.frequency ?? 1);
    let length = inDays(repeat.boundsDuration);
    if (length === undefined && repeat.count && repeat.period) length = repeat.count * step;
    const open = length === undefined && events.length === 0;
    const scheduled = Boolean(repeat.frequency || repeat.period);
    if (events.length) for (const day of events) given.set(day.slice(0, 10), 1);
    else if (scheduled && step > 0) {
      const total = Math.min(length ?? OPEN_DAYS, 400);
      const most = Math.min(repeat.count ?? Infinity, 4000);
      for (let i = 0; i * step < total - 1e-6 && i < most; i += 1) {
        const day = add(first, Math.floor(i * step + 1e-6));
        given.set(day, (given.get(day) ?? 0) + 1);
      }
    }
    const end = add(first, Math.max(Math.ceil(length ?? (scheduled ? OPEN_DAYS : 1)) - 1, 0));
    next = add(end, 1);
    before = dosage.sequence ?? null;
    const quantity = dosage.doseAndRate?.[0]?.doseQuantity;
    const dose = quantity ? `${quantity.value} ${quantity.unit ?? quantity.code ?? ""}`.trim() : "";
    return { number: index + 1, text: dosage.text ?? "", dose, start: first, end, open, given };
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
