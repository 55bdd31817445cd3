import { request, type IncomingMessage } from 'node:http';
import { PeerError, UsageError } from '../errors.ts';

/** Asks the gateway behind a control socket. Throws {@link UsageError} for what it refused, {@link PeerError} without one. */
export async function call(socketPath: string, method: string, path: string, body?: object): Promise<unknown> {
  const { status, text } = await exchange(socketPath, method, path, body);
  const answer: unknown = JSON.parse(text);
  if (status < 400) return answer;
  const { error, message } = answer as { error: string; message: string };
  if (status < 500) throw new UsageError(message);
  throw new PeerError('VG_PEER_REFUSED', `the gateway could not do it (${error}): ${message}`);
}

function exchange(socketPath: string, method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => reject(new PeerError('VG_PEER_UNREACHABLE', `nothing answers on ${socketPath}`, { cause }));
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ socketPath, method, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }));
      response.on('error', failed);
    });
    sent.on('error', failed);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** What the gateway sends in answer to a request, as it comes. Throws {@link PeerError} when it breaks off. */
export async function follow(socketPath: string, path: string): Promise<AsyncIterable<Uint8Array>> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path }, resolve).on('error', (cause) => reject(new PeerError('VG_PEER_UNREACHABLE', `nothing answers on ${socketPath}`, { cause }))).end();
  });
  if (response.statusCode !== 200) throw new PeerError('VG_PEER_REFUSED', `the gateway could not do it: it answered ${response.statusCode}`);
  return whole(response);
}

async function* whole(response: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* response as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new PeerError('VG_PEER_UNREACHABLE', 'the gateway broke off before it had sent everything', { cause });
  }
}
