/** How commands reach a hospital node that runs: JSON over HTTP on a Unix socket in its data folder, for whoever may read that folder. */

import { ConfigError } from '../errors.ts';
import { controlAnswers } from './control.ts';
import { startControlSocket, type Control } from './control-socket.ts';
import { addFhirOutputRoutes, type FhirOutputApi } from './control-fhir.ts';
import { addPatientRoutes, type PatientApi } from './control-patients.ts';
import { addTokenRoutes, type TokenApi } from './control-tokens.ts';

/** What commands may ask of a hospital node. */
export type HospitalApi = TokenApi & PatientApi & FhirOutputApi;

/** Throws {@link ConfigError} when a node answers there already: a folder belongs to one process. */
export async function startHospitalControl(path: string, api: HospitalApi): Promise<Control> {
  if (await controlAnswers(path)) throw new ConfigError(`a hospital node runs on this data folder already: it answers on ${path}`);
  return await startControlSocket(path, (app) => {
    addTokenRoutes(app, api);
    addPatientRoutes(app, api);
    addFhirOutputRoutes(app, api);
  });
}
