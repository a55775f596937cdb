// The story browser: every sample infant, found by words, age, outcome and the moment of the call.

import { addMonths, age, isDay } from "./days.js";
import { at, field, h, select, show } from "./dom.js";

const PAGE = 25;
const OUTCOMES = new Map([["critical", "Critical"], ["warning", "Warning"], ["info", "Information"], ["", "No card"]]);
const HOOKS = new Map([["patient-view", "Chart"], ["order-select", "Writing"], ["order-sign", "Signing"]]);

// Ages from one limit of the guideline to the next, as the control for the age has them.
function agesOf(setup) {
  const marks = setup.desk.controls.find((one) => one.kind === "age")?.marks ?? [];
  const named = marks.map((one, index) => [`under ${one.label}`, marks[index - 1]?.value ?? null, one.value]);
  const last = marks.at(-1);
  return last ? [...named, [`${last.label} and over`, last.value, null], ["not known", null, null]] : [];
}

// Which of the ages is that of the child on the day of its story.
function groupOf({ born, storyDate }, ages) {
  if (!isDay(born)) return ages.length - 1;
  return ages.findIndex(([, , under]) => under === null || addMonths(born, under) > storyDate);
}

// A word that is a rule's name finds the stories in which the rule fires, any other what contains it.
function finds(story, word, rules) {
  const rule = rules.get(word);
  return rule ? story.rules.includes(rule) : story.words.includes(word);
}

let asked = { words: "", outcome: "any", age: "any", hook: "any", count: PAGE };

// Opens the browser; `opened(name)` is called with the story that is chosen.
export function browse({ samples, setup }, opened, words = asked.words) {
  asked = { ...asked, words };
  const dialog = at("browser");
  const ages = agesOf(setup);
  const rules = new Map(samples.flatMap((one) => one.rules).map((one) => [one.toLowerCase(), one]));
  const stories = samples.map((one) => ({
    ...one, group: groupOf(one, ages),
    words: [one.name, one.tells, one.says, ...one.rules, ...one.findings].join(" ").toLowerCase(),
  }));
  const list = h("ol", { class: "found-stories", id: "found-stories" });
  const said = h("p", { class: "hint", role: "status", id: "found-count" });
  const more = h("button", { type: "button", onclick: () => {
    const first = list.children.length;
    ask({ count: asked.count + PAGE });
    list.children[first]?.querySelector("button")?.focus();
  } });
  const close = () => dialog.close();

  function ask(change) {
    asked = { ...asked, count: PAGE, ...change };
    const wanted = asked.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = stories.filter((one) => wanted.every((word) => finds(one, word, rules))
      && (asked.outcome === "any" || one.indicator === asked.outcome)
      && (asked.hook === "any" || one.hook === asked.hook)
      && (asked.age === "any" || one.group === Number(asked.age)));
    list.replaceChildren(...found.slice(0, asked.count).map(itemOf));
    said.textContent = found.length ? `${found.length} of ${stories.length} stories.` : "No story has all of this. Take a word or a choice away.";
    const left = found.length - asked.count;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, PAGE)} more`;
  }

  function itemOf(story) {
    const tone = story.indicator || "fine";
    const about = [age(story.born ?? "", story.storyDate) || "age not known", HOOKS.get(story.hook), ...story.findings];
    return h("li", { class: `tone-${tone}`, "data-story": story.name },
      story.request
        ? h("button", { type: "button", class: "plain", onclick: () => {
          close();
          opened(story.name);
        } }, story.tells)
        : h("p", {}, story.tells, h("span", { class: "muted" }, ` Not today: ${story.notToday}.`)),
      h("p", { class: "muted" }, h("span", { class: "badge" }, OUTCOMES.get(story.indicator)), " ", about.filter(Boolean).join(" · ")),
      story.says && h("p", { class: "says" }, story.says));
  }

  const box = h("input", { type: "search", id: "story-words", autocomplete: "off", spellcheck: "false", value: asked.words, oninput: () => ask({ words: box.value }) });
  const choice = (name, id, options) => {
    const made = select([["any", "any"], ...options], asked[name], { id, onchange: () => ask({ [name]: made.value }) });
    return made;
  };
  show(dialog,
    h("div", { class: "bar spread" }, h("h2", { id: "browser-title" }, `All ${stories.length} stories`), h("button", { type: "button", onclick: close }, "Close")),
    h("div", { class: "choices" },
      field("Words: a sentence, a finding, a card, or a rule such as RTE-07", box),
      field("Outcome", choice("outcome", "story-outcome", [...OUTCOMES])),
      ages.length > 0 && field("Age", choice("age", "story-age", ages.map(([label], index) => [String(index), label]))),
      field("Asked", choice("hook", "story-hook", [...HOOKS]))),
    said, list, more);
  ask({});
  if (!dialog.open) dialog.showModal();
  box.focus();
}
