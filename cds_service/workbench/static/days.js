// Days as "2026-03-12", counted without time zones.

const DAY_MS = 86400000;
const ms = (day) => Date.parse(`${day.slice(0, 10)}T00:00:00Z`);

// A date that there is: browsers read 31 February as 3 March.
export function isDay(text) {
  if (typeof text !== "string" || !/^\d{4}-\d\d-\d\d/.test(text)) return false;
  const time = ms(text);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 10));
}

// The days that can be written with four digits for the year.
const [FIRST, LAST] = [Date.parse("0000-01-01T00:00:00Z"), Date.parse("9999-12-31T00:00:00Z")];
const dayAt = (time) => new Date(Math.min(Math.max(time, FIRST), LAST)).toISOString().slice(0, 10);

export const add = (day, count) => dayAt(ms(day) + count * DAY_MS);
export const between = (from, to) => Math.round((ms(to) - ms(from)) / DAY_MS);

export function addMonths(day, count) {
  const [year, month, date] = day.split("-").map(Number);
  const first = new Date(Date.UTC(year, month - 1 + count, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  first.setUTCDate(Math.min(date, last));
  return dayAt(first.getTime());
}

// The last day of birth of a child who is so many months old. Someone born on the 31st completes a
// month on the 30th where there is no 31st.
export function bornAged(on, months) {
  let birth = addMonths(on, -months);
  while (addMonths(add(birth, 1), months) <= on) birth = add(birth, 1);
  return birth;
}

export function age(birth, on) {
  if (!isDay(birth) || birth > on) return "";
  const [y1, m1, d1] = birth.split("-").map(Number);
  const [y2, m2, d2] = on.split("-").map(Number);
  let months = (y2 - y1) * 12 + m2 - m1;
  if (addMonths(birth, months) > on || (d2 < d1 && addMonths(birth, months) > on)) months -= 1;
  const days = between(addMonths(birth, months), on);
  const parts = [];
  if (months) parts.push(`${months} ${months === 1 ? "month" : "months"}`);
  if (days || !months) parts.push(`${days} ${days === 1 ? "day" : "days"}`);
  return parts.join(" ");
}

const words = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const monthWords = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
export const written = (day) => (isDay(day) ? words.format(ms(day)) : (day ?? ""));
export const monthName = (day) => monthWords.format(ms(day));
export const weekday = (day) => (new Date(ms(day)).getUTCDay() + 6) % 7; // Monday is 0
export const daysInMonth = (day) => between(`${day.slice(0, 7)}-01`, addMonths(`${day.slice(0, 7)}-01`, 1));
