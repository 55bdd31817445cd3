/** Rule packs over HTTP: which are in force, and putting others in force. */

import type { FastifyInstance } from 'fastify';
import { KiB } from '../quantity.ts';
import { askedBy } from './api-access.ts';
import { answer, list, NOTICE, object, ref, type Schema } from './api-schemas.ts';
import type { CareDesk } from './care-desk.ts';
import { RequestError } from './request-error.ts';

const MOST_PACKS = 100;
/** Of all packs together: a decision has to fit into one frame of the journal. */
const LARGEST_PACKS = KiB(512);
const errors = { '4xx': ref('Error'), '5xx': ref('Error') };

const pack: Schema = { anyOf: [{ type: 'string' }, { type: 'object' }], description: 'the text of a rule pack (YAML), or the same as JSON' };

export function addContracts(api: FastifyInstance, desk: CareDesk): void {
  const inForce = { 200: answer({ contracts: list(ref('Contract')) }), ...errors };

  api.get('/contracts', { config: { needs: 'see' }, schema: { summary: 'The rule packs in force', response: inForce } }, async () =>
    ({ notice: NOTICE, contracts: await desk.contracts() }));

  api.post<{ Body: { packs: readonly (string | object)[] } }>('/contracts', {
    config: { needs: 'activate' },
    bodyLimit: LARGEST_PACKS,
    schema: {
      summary: 'Puts these rule packs in force, and no others. With a mistake in one nothing changes',
      body: object({ packs: { type: 'array', items: pack, minItems: 1, maxItems: MOST_PACKS, description: `a list of 1 to ${MOST_PACKS} rule packs` } }),
      response: inForce,
    },
  }, async (request, reply) => {
    const { person, access } = askedBy(request);
    // JSON is YAML, and with line breaks a mistake has a line.
    const packs = request.body.packs.map((each) => (typeof each === 'string' ? each : JSON.stringify(each, null, 2)));
    const activation = await desk.activate(packs, { id: person, role: access });
    if ('activated' in activation) return { notice: NOTICE, contracts: activation.activated };
    if ('configured' in activation) throw new RequestError(409, 'configured', 'the configuration of the gateway names its rule packs (gateway.packs): change them there, or leave them out to let people decide');
    const { mistakes } = activation;
    const first = mistakes[0]?.message ?? '';
    return await reply.code(422).send({ error: 'bad_pack', message: `nothing was changed; ${mistakes.length === 1 ? first : `there are ${mistakes.length} mistakes, the first: ${first}`}`, mistakes });
  });
}
