// Cards as an EHR renders them, and behind each the reasoning.

import { addMonths, isDay, written } from "./days.js";
import { field, fresh, h, outward, select, tree, unbroken } from "./dom.js";
import { patientOf, text } from "./read.js";
import { lastDay } from "./request.js";

const TONES = {
  info: ["Information", "M12 11v6M12 7.5v.5"],
  warning: ["Warning", "M12 6.5v7M12 17v.5"],
  critical: ["Critical", "M8 8l8 8M16 8l-8 8"],
};

// Where the guideline's page explains a rule or a statement.
const place = (setup, name) => `/guideline${setup.named}#${name.toLowerCase()}`;

// `acts` says what can be done: accept(card, suggestion), dismiss(card, reason, comment); and
// remembers whether the reasons are wanted. Of cards that are not `current` nothing can be accepted.
export function cardsOf({ told, request, response }, current, { setup, dealt }, acts) {
  const { cards } = response;
  if (!cards.length) return [silence(told, response.extension?.[setup.extensions.evaluation] ?? {}, setup, acts, current && dayBeforeOutgrown(request, told.on, setup))];
  return cards.map((card, index) => cardOf(card, told, setup, dealt.get(card.uuid), acts, current, index === 0));
}

// The day of the last result, if the child was young enough for the guideline on it and is not any more.
function dayBeforeOutgrown({ prefetch, context }, on, setup) {
  const covered = setup.desk.controls.find((one) => one.kind === "age")?.marks.at(-1);
  const born = text(patientOf(prefetch, context.patientId)?.birthDate);
  const last = lastDay(prefetch);
  if (!covered || !isDay(born) || !last) return "";
  const outgrown = addMonths(born, covered.value);
  return outgrown <= on && last < outgrown ? last : "";
}

function cardOf(card, told, setup, done, acts, current, first) {
  const [tone] = TONES[card.indicator] ?? TONES.info;
  const title = fresh("card");
  const rules = card.extension?.[setup.extensions.rules]?.ruleIds ?? [];
  return h("article", { class: `card ${card.indicator}${done ? " done" : ""}${current ? "" : " past"}`, "aria-labelledby": title, "data-card": card.uuid },
    h("header", {}, h("span", { class: "badge" }, tone), h("h3", { id: title }, unbroken(card.summary))),
    h("div", { class: "detail" }, told.details?.[card.uuid] ? tree(told.details[card.uuid]) : h("p", { class: "plain" }, card.detail ?? "")),
    suggestionsOf(card, done, acts, current),
    h("p", { class: "source" }, "Source: ", card.source?.url ? outward(h("a"), card.source.url) : null, card.source?.label ?? ""),
    h("ul", { class: "links" },
      (card.links ?? []).map((one) => h("li", {}, append(outward(h("a"), one.url), one.label))),
      rules.slice(0, 1).map((rule) => h("li", {}, h("a", { href: place(setup, rule) }, `Guideline, rule ${rule}`)))),
    h("div", { class: "foot" },
      why(rules, told, setup, first ? acts : {}),
      done ? h("p", { class: `outcome${done.refused ? " refused-feedback" : ""}`, tabindex: "-1" }, done.said) : dismissal(card, acts)));
}

function append(element, ...children) {
  element.append(...children);
  return element;
}

function suggestionsOf(card, done, acts, current) {
  const suggestions = card.suggestions ?? [];
  if (!suggestions.length) return null;
  const one = card.selectionBehavior === "at-most-one" && suggestions.length > 1;
  return h("div", { class: "suggestions", role: "group", "aria-label": one ? "Suggestions, choose at most one" : "Suggestions" },
    one && h("p", { class: "hint" }, "Choose at most one"),
    suggestions.map((suggestion) => {
      const taken = done?.accepted?.has(suggestion.uuid);
      const closed = !current || taken || done?.dismissed || (card.selectionBehavior === "at-most-one" && done?.accepted?.size);
      return h("div", { class: `suggestion${suggestion.isRecommended ? " recommended" : ""}` },
        h("button", { type: "button", class: suggestion.isRecommended ? "primary" : "", disabled: Boolean(closed),
          "data-suggestion": suggestion.uuid, onclick: () => acts.accept(card, suggestion) },
        taken ? "Accepted: " : "", suggestion.label),
        suggestion.isRecommended && h("span", { class: "tag" }, "recommended"),
        h("details", {}, h("summary", {}, `${suggestion.actions?.length ?? 0} ${suggestion.actions?.length === 1 ? "action" : "actions"}`),
          h("ul", {}, (suggestion.actions ?? []).map((action) =>
            h("li", {}, h("span", { class: "verb" }, action.type), " ", action.description)))));
    }));
}

function dismissal(card, acts) {
  const reasons = card.overrideReasons ?? [];
  const chosen = select(reasons.map((one, index) => [String(index), one.display]), "0");
  const comment = h("input", { type: "text", maxlength: "200", autocomplete: "off" });
  return h("details", { class: "dismiss" }, h("summary", {}, "Dismiss …"),
    h("form", { onsubmit: (event) => {
      event.preventDefault();
      acts.dismiss(card, reasons[Number(chosen.value)], comment.value.trim());
    } },
    reasons.length > 0 && field("Reason", chosen), field("Comment (optional)", comment),
    h("button", { type: "submit" }, "Dismiss this card")));
}

const SILENCES = {
  "nothing to say": ["No card", "Evaluated, and there is nothing to say"],
  "advice withheld": ["Withheld", "There is advice, but it is not shown because it was overridden before. This is not an all-clear"],
  "in trial": ["In trial", "The results are recorded but not shown. This is not an all-clear"],
};

function silence(told, account, setup, acts, last) {
  const fine = account.outcome === "nothing to say";
  const [badge, title] = SILENCES[account.outcome] ?? ["Not evaluated", "This could not be evaluated. This is not an all-clear"];
  return h("article", { class: `card ${fine ? "silent" : "warning"}` },
    h("header", {}, h("span", { class: "badge" }, badge),
      h("h3", {}, title)),
    h("div", { class: "detail" },
      account.silence && h("p", {}, account.silence),
      (account.because ?? []).length > 0 && h("ul", {}, account.because.map((one) => h("li", {}, one))),
      (account.missing ?? []).length > 0 && h("p", {}, `Missing: ${account.missing.join("; ")}`)),
    last && h("p", { class: "suggestions" }, h("button", { type: "button", onclick: () => acts.asOf(last) }, `Evaluate as of the last result, ${written(last)}`)),
    h("div", { class: "foot" }, why(account.ruleIds ?? [], told, setup, acts)));
}

// --- why -----------------------------------------------------------------------------------------

// What is open stays open when the card is shown again, so that a fact can be moved and its reasons watched.
function why(rules, told, setup, acts) {
  const body = h("div", { class: "why" });
  const details = h("details", { class: "because" }, h("summary", {}, "Why?"), body);
  const fill = () => body.hasChildNodes() || body.append(...reasons(rules, told, setup));
  if (acts.explained) {
    details.open = true;
    fill();
  }
  details.addEventListener("toggle", () => {
    acts.explained = details.open;
    if (details.open) fill();
  });
  return details;
}

function reasons(rules, told, setup) {
  const rows = new Map((told.tables ?? []).flatMap((table) => table.rows.map((row) => [row.rule, row])));
  const deciding = rules.map((rule) => rows.get(rule)).filter(Boolean);
  const sentences = [...new Set(deciding.flatMap((row) => setup.statementsOf[row.rule] ?? []))];
  const missing = (told.facts ?? []).filter((one) => one.name === "Not known");
  const known = (told.facts ?? []).filter((one) => one.name !== "Not known");
  return [
    h("h4", {}, "Decided by"),
    h("ul", { class: "rules" }, deciding.map((row) => ruleOf(row, setup))),
    sentences.length > 0 && h("h4", {}, "The guideline says"),
    sentences.map((name) => h("blockquote", {}, h("a", { href: place(setup, name) }, name), " ", setup.statements[name])),
    h("h4", {}, "On these facts"),
    h("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": "Facts used" }, factTable(known)),
    h("h4", {}, "What was missing"),
    missing.length ? h("ul", {}, missing.map((one) => h("li", {}, one.text))) : h("p", {}, "Nothing that was asked for."),
    h("h4", {}, "Every rule, and why it fired or not"),
    (told.tables ?? []).map((table) => tableOf(table, setup)),
  ].flat().filter(Boolean);
}

function factTable(facts) {
  return h("table", { class: "known" },
    h("thead", {}, h("tr", {}, ["Fact", "Value", "As sent", "Date", "Resource"].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, facts.map((one) => h("tr", {},
      h("th", { scope: "row" }, one.name || "–"),
      one.value
        ? [h("td", {}, one.value), h("td", {}, one.sent || one.value), h("td", {}, written(one.day)), h("td", {}, h("code", {}, one.source ?? ""))]
        : h("td", { colSpan: 4 }, one.text)))));
}

const STATES = { fired: "fired", no: "did not fire", "not reached": "not reached", "not asked": "not asked" };

function ruleOf(row, setup) {
  return h("li", { class: `rule ${row.state.replace(" ", "-")}` },
    h("p", {}, h("a", { href: place(setup, row.rule) }, row.rule), " ",
      h("span", { class: "state" }, STATES[row.state]), " ", row.condition),
    (row.why ?? []).map((line) => h("p", { class: "muted" }, row.state === "fired" ? "Seen: " : "Because: ", line)),
    row.state === "fired" && h("p", {}, "So: ", row.result));
}

function tableOf(table, setup) {
  const fired = table.rows.filter((row) => row.state === "fired").map((row) => row.rule);
  return h("details", { class: "table" },
    h("summary", {}, h("span", {}, `Table ${table.name}`), " ", table.question && h("span", {}, table.question), " ",
      h("span", { class: "muted" }, fired.length ? fired.join(", ") : "none fired")),
    table.firstMatch && h("p", { class: "hint" }, "The first row that fits answers."),
    h("ul", { class: "rules" }, table.rows.map((row) => ruleOf(row, setup))));
}
