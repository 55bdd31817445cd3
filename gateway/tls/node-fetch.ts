import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { Seconds } from '../quantity.ts';
import { messageOf } from '../errors.ts';
import { connectToNode } from './connector.ts';

const agent = new Agent({
  connect: (target, callback) => {
    connectToNode(target, { peer: 'anyone', protocols: ['http/1.1'], timeout: Seconds(10) }).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error)), null),
    );
  },
  keepAliveTimeout: 1000,
});

/**
 * fetch for commands that read from a node, gateway or hospital: over TLS it takes any certificate, because whatever is read is judged by
 * its own signatures.
 */
export async function nodeFetch(url: string | URL, init: RequestInit = {}): Promise<Response> {
  return await fetch(url, { ...init, redirect: 'error', dispatcher: agent });
}
