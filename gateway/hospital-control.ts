/** How commands reach a hospital node that runs: JSON over HTTP on a Unix socket in its data folder, for whoever may read that folder. */

import { ConfigError } from './errors.ts';
import { formatStatusQuery, type StatusParams } from './oversight/status-query.ts';
import type { StatusAnswer } from './oversight/node-status.ts';
import { call } from './web/control-call.ts';
import { controlAnswers } from './web/control.ts';
import { addFhirOutputRoutes, fhirOutputClient, type FhirOutputApi } from './web/control-fhir.ts';
import { addHl7OutputRoutes, hl7OutputClient, type Hl7OutputApi } from './web/control-hl7.ts';
import { addPatientRoutes, patientClient, type PatientApi } from './web/control-patients.ts';
import { startControlSocket, type Control } from './web/control-socket.ts';
import { addTokenRoutes, tokenClient, type TokenApi } from './web/control-tokens.ts';

/** What commands may ask of a hospital node. */
export type HospitalApi = TokenApi & PatientApi & FhirOutputApi & Hl7OutputApi & Readonly<{ status: (asked: StatusParams) => Promise<StatusAnswer> }>;

/** Throws {@link ConfigError} when a node answers there already: a folder belongs to one process. */
export async function startHospitalControl(path: string, api: HospitalApi): Promise<Control> {
  if (await controlAnswers(path)) throw new ConfigError(`a hospital node runs on this data folder already: it answers on ${path}`);
  return await startControlSocket(path, (app) => {
    addTokenRoutes(app, api);
    addPatientRoutes(app, api);
    addFhirOutputRoutes(app, api);
    addHl7OutputRoutes(app, api);
    app.get<{ Querystring: StatusParams }>('/status', ({ query }) => api.status(query));
  });
}

/** The node behind a control socket. Its methods throw {@link UsageError} for what it refused, {@link PeerError} without one. */
export function hospitalClient(path: string): HospitalApi {
  return { ...tokenClient(path), ...patientClient(path), ...fhirOutputClient(path), ...hl7OutputClient(path), status: async (asked) => (await call(path, 'GET', `/status${formatStatusQuery(asked)}`)) as StatusAnswer };
}
