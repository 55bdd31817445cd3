import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { Seconds } from '../quantity.ts';
import { nodeConnector } from './connector.ts';

const agent = new Agent({ connect: nodeConnector({ peer: 'anyone', timeout: Seconds(10) }), keepAliveTimeout: 1000 });

/**
 * fetch for commands that read from a node, gateway or hospital: over TLS it takes any certificate, because whatever is read is judged by
 * its own signatures.
 */
export async function nodeFetch(url: string | URL, init: RequestInit = {}): Promise<Response> {
  return await fetch(url, { ...init, redirect: 'error', dispatcher: agent });
}
