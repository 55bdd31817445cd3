/** Patients over HTTP: what is known now, what people enter by hand, and what a clinician prescribes. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { purposeOf } from '../people/access.ts';
import { Seconds } from '../quantity.ts';
import { askedBy } from './api-access.ts';
import { answer, list, NOTICE, object, ref, text, word, type Schema } from './api-schemas.ts';
import type { CareDesk, SubjectView } from './care-desk.ts';
import { mayReach } from './reach.ts';
import { RequestError } from './request-error.ts';

const errors = { '4xx': ref('Error'), '5xx': ref('Error') };
const params = object({ id: text('what the links of /api/patients call a patient: addresses are kept by proxies and browsers, so no id of a person is in one') });
type ById = Readonly<{ Params: { id: string } }>;

/** What somebody with access to the gateway may look for. */
const PURPOSES = ['TREAT', 'ETREAT', 'HOPERAT', 'HPAYMT', 'HRESCH', 'PATRQT', 'PUBHLTH', 'BTG'] as const;

/** What people measure by hand, beside consciousness and oxygen: the name here and in the table of measurements. */
const BY_HAND: Readonly<Record<string, string>> = {
  respiratoryRate: 'respiratory_rate',
  heartRate: 'heart_rate',
  spo2: 'spo2',
  bodyTemperature: 'body_temperature',
  systolicPressure: 'systolic_pressure',
  diastolicPressure: 'diastolic_pressure',
  bodyWeight: 'body_weight',
  glucose: 'glucose',
};

/** ACVPU of NEWS2 (Royal College of Physicians, 2017), in the order in which the table of measurements counts them. */
const CONSCIOUSNESS = ['A', 'C', 'V', 'P', 'U'] as const;

type Observation = Readonly<{ consciousness?: (typeof CONSCIOUSNESS)[number]; oxygen?: 'air' | Readonly<{ litresPerMinute: number }> }> & Readonly<Record<string, unknown>>;

function measured(measurement: string): Schema {
  const known = MEASUREMENTS.get(measurement);
  if (known === undefined) throw new Error(`${measurement} is not in the table of measurements`);
  const [minimum, maximum] = known.plausible;
  return { type: known.integer === true ? 'integer' : 'number', minimum, maximum, description: `${measurement} in ${known.unit}, ${minimum} to ${maximum}` };
}

const observation: Schema = {
  type: 'object',
  minProperties: 1,
  additionalProperties: false,
  description: `at least one of consciousness, oxygen, ${Object.keys(BY_HAND).join(', ')}`,
  properties: {
    consciousness: { type: 'string', enum: CONSCIOUSNESS, description: 'A, C, V, P or U: A alert, C new confusion, V responds to voice, P to pain, U unresponsive (ACVPU)' },
    oxygen: {
      anyOf: [{ type: 'string', enum: ['air'] }, object({ litresPerMinute: { ...measured('oxygen_flow'), minimum: undefined, exclusiveMinimum: 0 } })],
      description: '"air", or {"litresPerMinute": above 0 to 100}',
    },
    ...Object.fromEntries(Object.entries(BY_HAND).map(([name, measurement]) => [name, measured(measurement)])),
  },
};

export function addPatients(api: FastifyInstance, desk: CareDesk): void {
  api.get('/patients', {
    config: { needs: 'see' },
    schema: { summary: 'The patients', response: { 200: answer({ patients: list(object({ id: text('Id of the patient'), link: text('Where more is') })) }), ...errors } },
  }, async (request) => ({ notice: NOTICE, patients: (await desk.patients()).filter((id) => mayReach(desk, askedBy(request), { kind: 'patient', id })).map((id) => ({ id, link: `/api/patients/${desk.handleOf(id)}` })) }));

  api.get<ById & Readonly<{ Querystring: { purpose?: string } }>>('/patients/:id', {
    config: { needs: 'see' },
    schema: { summary: 'What is known of a patient now, without what the patient does not permit', params, querystring: object({ purpose: word(PURPOSES, `why you look, one of ${PURPOSES.join(', ')} (HL7 ActReason). BTG, breaking the glass, needs an open episode. Default TREAT; HOPERAT for administrators`) }, ['purpose']), response: { 200: answer({ patient: ref('Subject') }), ...errors } },
  }, async (request) => {
    const { subject } = await patientAt(desk, request);
    const { person: id, access: role } = askedBy(request);
    const page = await desk.pageFor(subject.id, { person: id, access: role, purpose: request.query.purpose ?? purposeOf(role) });
    if (page === undefined) throw unknownPatient();
    await desk.disclose({ id, role }, [page.basis], 'denied' in page ? 'nothing: denied' : 'values');
    if ('denied' in page) throw new RequestError(403, 'not_permitted', `the patient does not permit this: ${page.denied}. In an emergency a clinician may break the glass (POST ${request.url.split('?')[0]}/break-glass)`);
    return { notice: NOTICE, patient: page.page };
  });

  api.post<ById & Readonly<{ Body: Observation }>>('/patients/:id/observations', {
    config: { needs: 'observe' },
    schema: {
      summary: 'What somebody saw or measured by hand',
      params,
      body: observation,
      response: { 201: answer({ patient: text('Id of the patient'), values: { type: 'object', additionalProperties: { type: 'number' }, description: 'By measurement, in its unit' } }), ...errors },
    },
  }, async (request, reply) => {
    const { subject } = await patientAt(desk, request);
    const { person, access } = askedBy(request);
    const values = valuesOf(request.body);
    await desk.observe(subject.id, values, { id: person, role: access });
    return await reply.code(201).send({ notice: NOTICE, patient: subject.id, values });
  });

  api.post<ById & Readonly<{ Body: { measurement: string; seconds: number } }>>('/patients/:id/waveforms', {
    config: { needs: 'observe' },
    schema: {
      summary: 'Every sample of a waveform from now on, as entries beside the summaries, for ten minutes at most',
      params,
      body: object({
        measurement: { type: 'string', enum: [...MEASUREMENTS.keys()], description: 'the name of a measurement, such as ppg' },
        seconds: { type: 'integer', minimum: 1, maximum: 600, description: 'whole seconds, 1 to 600' },
      }),
      response: { 202: answer({ patient: text('Id of the patient'), measurement: text('What is recorded'), seconds: { type: 'integer' } }), ...errors },
    },
  }, async (request, reply) => {
    const { subject } = await patientAt(desk, request);
    const { person, access } = askedBy(request);
    const { measurement, seconds } = request.body;
    await desk.wantWaveform(subject.id, measurement, Seconds(seconds), { id: person, role: access });
    return await reply.code(202).send({ notice: NOTICE, patient: subject.id, measurement, seconds });
  });

  api.put<ById & Readonly<{ Body: { scale: 1 | 2 } }>>('/patients/:id/spo2-scale', {
    config: { needs: 'prescribe' },
    schema: {
      summary: 'The SpO2 scale of NEWS2. Scale 2 (88 to 92 %) is for hypercapnic respiratory failure, and a clinician decides it',
      params,
      body: object({ scale: { type: 'integer', enum: [1, 2], description: 'scale 1 or 2' } }),
      response: { 200: answer({ patient: text('Id of the patient'), scale: { type: 'integer' } }), ...errors },
    },
  }, async (request) => {
    const { subject } = await patientAt(desk, request);
    const { person, access } = askedBy(request);
    await desk.prescribe(subject.id, request.body.scale, { id: person, role: access });
    return { notice: NOTICE, patient: subject.id, scale: request.body.scale };
  });
}

/** A patient nobody told the gateway of is a slip of the pen. */
export async function patientAt(desk: CareDesk, request: FastifyRequest<ById>): Promise<SubjectView> {
  const id = await desk.patientOf(request.params.id);
  const view = id === undefined || !mayReach(desk, askedBy(request), { kind: 'patient', id }) ? undefined : await desk.view({ kind: 'patient', id });
  if (view === undefined) throw unknownPatient();
  return view;
}

const unknownPatient = (): RequestError => new RequestError(404, 'unknown_patient', 'the gateway knows no patient of this address; follow the links of /api/patients');

function valuesOf({ consciousness, oxygen, ...measuredByHand }: Observation): Readonly<Record<string, number>> {
  const others = Object.entries(measuredByHand).map(([name, value]) => [BY_HAND[name] ?? name, value as number] as const);
  return {
    ...(consciousness === undefined ? {} : { consciousness: CONSCIOUSNESS.indexOf(consciousness) }),
    ...(oxygen === undefined ? {} : { oxygen_flow: oxygen === 'air' ? 0 : oxygen.litresPerMinute }),
    ...Object.fromEntries(others),
  };
}
