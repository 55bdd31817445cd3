import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UpstreamConfig } from '../config/schema.ts';
import { messageOf, StoreError } from '../errors.ts';
import { hospitalSocketIn } from '../hospital-staff.ts';
import { controlAnswers } from '../web/control.ts';
import { isLoopback } from '../web/shown-secret.ts';
import { STORE_FOLDER } from './chain-source.ts';
import { checkPort, clockFinding, diskFinding, finding, keyFindings, type Finding } from './check-machine.ts';
import { counted, type Environment } from './command.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Time to get another certificate. */
const WARNED_BEFORE_END_MS = 30 * DAY_MS;

/** Whether a hospital node can run here, and be reached and seen. */
export async function* checkHospitalNode(config: UpstreamConfig, { openBlocks }: Environment): AsyncIterable<Finding> {
  const { data, listen, people, gateways } = config;
  yield clockFinding();
  yield diskFinding(data);
  yield* keyFindings(data);
  yield* hospitalKeyFinding(data);
  yield await storeFinding(data, openBlocks);
  yield (await controlAnswers(hospitalSocketIn(data))) ? finding('ok', 'ports', 'a hospital node runs on this data folder') : await checkPort('the hospital node', listen);
  yield certificateFinding(config);
  if (gateways === 'open') yield finding('warning', 'gateways', 'any new chain is taken (gateways: open): for demonstrations only');
  if (!people.some(({ access }) => access === 'administrator')) yield finding('warning', 'people', 'upstream.people names no administrator: nobody can see how the node does on its page');
}

/** Receipts under another key are worth nothing to gateways, and the first run would make one. */
function hospitalKeyFinding(data: string): readonly Finding[] {
  const isMissing = existsSync(join(data, STORE_FOLDER)) && !existsSync(join(data, 'hospital.key'));
  return isMissing ? [finding('FAILED', 'keys', `there is a store in ${data} and no hospital.key: put it back from its copy before the node makes another, which no gateway knows`)] : [];
}

async function storeFinding(data: string, openBlocks: Environment['openBlocks']): Promise<Finding> {
  if (!existsSync(join(data, STORE_FOLDER))) return finding('ok', 'store', 'empty');
  try {
    const { blocks, close } = await openBlocks(data, { readOnly: true });
    try {
      const [chains, forks] = [await blocks.chains(), await blocks.forks()];
      const text = `readable, ${counted(chains.length, 'chain')}`;
      return forks.length === 0 ? finding('ok', 'store', text) : finding('warning', 'store', `${text}; ${counted(forks.length, 'lane')} with two histories: "vitalgate upstream status --state forked"`);
    } finally {
      await close();
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return finding('FAILED', 'store', error.message);
  }
}

function certificateFinding({ tls, listen }: UpstreamConfig): Finding {
  if (tls === 'own') return finding('ok', 'tls', 'with a certificate of its own, bound to the key of this node: it has no end that anybody heeds');
  if (tls === 'none') {
    return isLoopback(listen.host)
      ? finding('ok', 'tls', `none, for this machine alone: who comes from elsewhere needs a proxy here that speaks it`)
      : finding('FAILED', 'tls', `none, on ${listen.host}: what gateways and people send could be read on the way, and tokens are refused. Set tls: own`);
  }
  try {
    return ofFiles(new X509Certificate(readFileSync(tls.certificateFile)), createPrivateKey(readFileSync(tls.keyFile)), tls.certificateFile);
  } catch (error) {
    return finding('FAILED', 'tls', `the certificate in ${tls.certificateFile} or its key in ${tls.keyFile} cannot be read: ${messageOf(error)}`);
  }
}

function ofFiles(certificate: X509Certificate, key: ReturnType<typeof createPrivateKey>, file: string): Finding {
  if (!certificate.checkPrivateKey(key)) return finding('FAILED', 'tls', `the private key is not that of the certificate in ${file}`);
  const left = certificate.validToDate.getTime() - Date.now();
  const day = certificate.validToDate.toISOString().slice(0, 10);
  if (left <= 0) return finding('FAILED', 'tls', `the certificate in ${file} ended on ${day}`);
  const verdict = left < WARNED_BEFORE_END_MS ? 'warning' : 'ok';
  return finding(verdict, 'tls', `the certificate in ${file} is good until ${day}, ${counted(Math.floor(left / DAY_MS), 'day')} from now`);
}
