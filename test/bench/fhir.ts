import type { Resource } from '@medplum/fhirtypes';
import { compose } from '../../gateway/fhir/compose.ts';
import { FhirPush } from '../../gateway/fhir/push.ts';
import { FhirServer } from '../../gateway/fhir/fhir-server.ts';
import { resourcesOf } from '../../gateway/fhir/resources.ts';
import { Millis } from '../../gateway/quantity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { surroundings } from '../fhir/doubles.ts';
import { ForeignServer } from '../fhir/foreign-server.ts';
import { bindingFaults, codeFaults, structureFaults } from '../fhir/gates.ts';
import { recordsOfWeek } from '../fhir/week.ts';
import { targetFor, type Bench, type BenchContext, type Case } from './bench.ts';

/** Between two looks at the clock and at Ctrl-C. */
const TOGETHER = 500;

export const fhir: Bench = {
  name: 'fhir',
  summary: 'Every resource of a simulated week through all three judges of FHIR, and the whole week pushed twice',
  run: async (context) => {
    const { options, progress } = context;
    const days = options.days ?? (options.quick ? 1 : 7);
    progress(`deriving ${days} days`);
    const records = await recordsOfWeek({ people: options.patients ?? 1, days });
    const judged = await judgedByAll(records, context);
    const pushed = await pushedTwice(records, context);
    const cases: Case[] = [{ name: `${days} days`, figures: { records: records.length, ...judged.figures, ...pushed } }];
    const target = (figure: string) => targetFor(cases, `${days} days`, figure, 'at most', 0);
    return {
      cases,
      targets: [target('faults'), target('created_by_the_second_push')],
      notes: ['judges: structure, invariants and profiles (@medplum/core), bindings and unknown properties (fhir), our own table of LOINC, MDC and UCUM; each looks at every resource', 'the pushes go to a server of the tests that keeps transactions with conditional create to the letter, over HTTP'],
      faults: judged.faults.slice(0, 10),
    };
  },
};

type Judged = Readonly<{ faults: readonly string[]; figures: Readonly<Record<string, number>> }>;

async function judgedByAll(records: readonly HospitalRecord[], { progress, signal }: BenchContext): Promise<Judged> {
  const faults: string[] = [];
  const around = surroundings();
  let [resources, making, judging] = [0, 0, 0];
  for (let at = 0; at < records.length; at += TOGETHER) {
    signal.throwIfAborted();
    const began = performance.now();
    const some = records.slice(at, at + TOGETHER);
    const made: Resource[] = some.flatMap((record) => resourcesOf(record) ?? []);
    making += performance.now() - began;
    const composed = await Promise.all(some.map((record) => compose(record, around)));
    const beside = composed.flatMap((each): Resource[] => (each === undefined ? [] : [...each.about, each.provenance]));
    const judgedFrom = performance.now();
    for (const resource of [...made, ...beside]) {
      for (const fault of [...structureFaults(resource), ...bindingFaults(resource), ...codeFaults(resource)]) faults.push(`${resource.resourceType}/${resource.id}: ${fault}`);
    }
    judging += performance.now() - judgedFrom;
    resources += made.length + beside.length;
    progress(`${at + some.length} of ${records.length} records, ${resources} resources judged, ${faults.length} faults`);
  }
  return { faults, figures: { resources_judged: resources, faults: faults.length, records_mapped_per_s: (records.length * 1000) / making, resources_judged_per_s: (resources * 1000) / judging } };
}

async function pushedTwice(records: readonly HospitalRecord[], { progress, signal }: BenchContext): Promise<Readonly<Record<string, number>>> {
  await using foreign = await ForeignServer.start();
  foreign.validates = false;
  const around = surroundings(records);
  const send = async (): Promise<number> => {
    const server = new FhirServer({ url: foreign.url, authorisation: { kind: 'none' } }, () => Millis(0));
    const nowhere = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const push = new FhirPush({ ...around, name: 'ehr', purpose: 'TREAT', server, log: nowhere, holder: 'this' });
    const began = performance.now();
    while (await push.step()) {
      signal.throwIfAborted();
      progress(`${foreign.resources.size} resources at the other server`);
    }
    await server.close();
    return (performance.now() - began) / 1000;
  };
  const seconds = await send();
  const there = foreign.resources.size;
  const refused = (await around.asides.list('ehr')).length;
  around.cursors.numbers.clear();
  await send();
  return { pushed_resources: there, pushed_records_per_s: records.length / seconds, refused, created_by_the_second_push: foreign.resources.size - there };
}
