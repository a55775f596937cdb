// Decision tables of DMN as others read them: files by dmn-moddle, expressions by feelin.
// The argument is a folder of *.dmn. Reads a line of JSON a case, its table and facts; writes for each
// a line of JSON: the rows that answer by the table's hit policy, and the results of the first.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { DmnModdle } from 'dmn-moddle';
import { evaluate, unaryTest } from 'feelin';

const [folder] = process.argv.slice(2);
const moddle = new DmnModdle();

function valueOf({ value, warnings }, expression) {
  if (warnings.length) {
    throw new Error(`${expression}: ${JSON.stringify(warnings)}`);
  }
  return value;
}

async function read(file) {
  const { rootElement, warnings } = await moddle.fromXML(readFileSync(join(folder, file), 'utf8'));
  if (warnings.length) throw new Error(`${file}: ${warnings.map(({ message }) => message)}`);
  const decision = rootElement.drgElement.find((one) => one.$type === 'dmn:Decision');
  return [decision.name, decision.decisionLogic];
}

const tables = new Map();
for (const file of readdirSync(folder).filter((one) => one.endsWith('.dmn'))) {
  tables.set(...(await read(file)));
}

function answer(table, facts) {
  const context = { facts };
  const asked = table.input.map(({ inputExpression: { text } }) => valueOf(evaluate(text, context), text));
  const found = [];
  for (const { inputEntry, outputEntry } of table.rule) {
    const fits = inputEntry.every(
      ({ text }, place) =>
        text === '-' || valueOf(unaryTest(text, { ...context, '?': asked[place] }), text) === true,
    );
    if (!fits) continue;
    found.push(outputEntry.map(({ text }) => valueOf(evaluate(text, {}), text)));
    if (table.hitPolicy === 'FIRST') break;
  }
  const [first] = found;
  const results = first && Object.fromEntries(table.output.map(({ name }, place) => [name, first[place]]));
  return { rows: found.map(([row]) => row), results: results ?? null };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { table, facts } = JSON.parse(line);
  console.log(JSON.stringify(answer(tables.get(table), facts)));
}
