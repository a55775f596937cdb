// CQL by the JavaScript engine, from the ELM that the translator left in a folder, the argument. Reads a
// JSON object a line: a library, names of its expressions, parameters, and perhaps the resources of a chart, the
// patient first. Writes for each a JSON object of their values.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import fhir from 'cql-exec-fhir';
import cql from 'cql-execution';

const [folder] = process.argv.slice(2);
const elm = readdirSync(folder)
  .filter((one) => one.endsWith('.json'))
  .map((one) => JSON.parse(readFileSync(join(folder, one), 'utf8')));
const repository = new cql.Repository(elm);
const libraries = new Map(
  elm.map((one) => [one.library.identifier.id, new cql.Library(one, repository)]),
);

// A decimal comes as an object with its digits, a date as one with its text.
function valueOf(given) {
  if (Array.isArray(given)) return given.map(valueOf);
  if (given === null || typeof given !== 'object') return given;
  if ('decimal' in given) return Number(given.decimal);
  if ('date' in given) return cql.Date.parse(given.date);
  return Object.fromEntries(Object.entries(given).map(([name, one]) => [name, valueOf(one)]));
}

function sourceOf(chart) {
  if (!chart) return new cql.PatientSource([{ id: '0', recordType: 'Patient' }]);
  const source = fhir.PatientSource.FHIRv401();
  source.loadBundles([{ resourceType: 'Bundle', type: 'collection', entry: chart.map((resource) => ({ resource })) }]);
  return source;
}

async function answer({ library, expressions, parameters, chart }) {
  const executor = new cql.Executor(libraries.get(library), null, valueOf(parameters));
  const told = {};
  for (const name of expressions) {
    const { patientResults } = await executor.exec_expression(name, sourceOf(chart));
    told[name] = patientResults[chart?.[0].id ?? '0'][name] ?? null;
  }
  return told;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
