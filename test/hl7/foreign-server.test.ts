import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hl7Server, type Hl7Connection, type Hl7MessageEvent } from '@medplum/hl7';
import { describe, expect, it } from 'vitest';
import { controlIdOf } from '../../gateway/hl7/header.ts';
import type { EngineTls } from '../../gateway/hl7/line.ts';
import { needs } from '../debian-packages.ts';
import { Folder } from '../ingest/certificates.ts';
import { freePorts } from '../path/program.ts';
import { acknowledgement, frame, RawEngine, Sender } from './engine.ts';
import { ADDRESSING, alarmStep, quarter, statistics } from './records.ts';

const needed = needs('openssl');

type Taken = Readonly<{ id: string; type: string; /** PID-3.1 of every PID there is. */ patients: readonly string[] }>;
const IDENTITY = { system: 'urn:oid:2.16.840.1.113883.19', value: '4711', name: 'O|Brien^\u00C4rztin\r\nOBX|1' };

/** A server that takes messages, answers the nth with a code, and, where it is in enhanced mode, says first that it has kept them. */
class ForeignServer implements AsyncDisposable {
  readonly taken: Taken[] = [];
  readonly #server: Hl7Server;
  readonly #connections: Hl7Connection[] = [];

  constructor(codes: readonly ('AA' | 'AE')[]) {
    this.#server = new Hl7Server((connection) => {
      this.#connections.push(connection);
      connection.addEventListener('message', ({ message }: Hl7MessageEvent) => {
        const code = codes[this.taken.length] ?? 'AA';
        const read = (field: number): string => message.getSegment('MSH')?.getField(field)?.toString() ?? '';
        this.taken.push({ id: read(10), type: read(9), patients: message.getAllSegments('PID').map((segment) => segment.getField(3)?.getComponent(1) ?? '') });
        connection.send(message.buildAck({ ackCode: code }));
      });
    });
  }

  async listen(port: number, isEnhanced: boolean): Promise<this> {
    await this.#server.start(port, 'utf-8', isEnhanced);
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) await connection.close();
    await this.#server.stop();
  }
}

describe('an HL7 server by others', () => {
  it.each([
    ['application', false],
    ['original', false],
    ['both', true],
    ['commit', true],
  ] as const)('takes what is sent, in its order, and its acknowledgements are understood: %s', async (mode, isEnhanced) => {
    const [port = 0] = await freePorts(1);
    await using server = await new ForeignServer(mode === 'commit' ? [] : ['AA', 'AE']).listen(port, isEnhanced);
    await using sender = await new Sender(port, { addressing: { ...ADDRESSING, acknowledgement: mode } }, { identities: { identifierOf: () => Promise.resolve(IDENTITY) } }).started();
    const observations = Array.from({ length: 20 }, (_, i) => quarter(i + 3, { heart_rate: statistics('/min', 70 + i) }));
    sender.log.add(alarmStep(1), quarter(2, { spo2: statistics('%', 96) }), ...observations);
    await sender.counted('acknowledged', 22);
    const ids = [alarmStep(1), quarter(2, {}), ...(mode === 'commit' ? [] : [quarter(2, {})]), ...observations].map(controlIdOf);
    expect(server.taken.map(({ id }) => id)).toEqual(ids);
    expect([server.taken[0]?.type, server.taken[1]?.type]).toEqual(['ORU^R40^ORU_R40', 'ORU^R01^ORU_R01']);
    expect(server.taken.every(({ patients }) => patients.join(' ') === '4711')).toBe(true);
    expect(await sender.setAside()).toEqual([]);
  });
});

/** An authority, and what it has signed for a name. */
function certificates(folder: Folder): Readonly<{ ca: string; signed: (name: string) => Readonly<{ certificate: string; key: string }> }> {
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  folder.openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=hospital', '-days', '2');
  const text = (name: string): string => readFileSync(join(folder.path, name), 'utf8');
  return {
    ca: text('ca.crt'),
    signed: (name) => {
      execFileSync('openssl', ['req', '-x509', ...newKey, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE', '-days', '2'], { cwd: folder.path, stdio: 'pipe' });
      return { certificate: text(`${name}.crt`), key: text(`${name}.key`) };
    },
  };
}

describe.skipIf(needed.missing)(`over TLS${needed.note}`, () => {
  it('both sides have to know each other', async () => {
    using folder = new Folder();
    const { ca, signed } = certificates(folder);
    const [server, own] = [signed('engine'), signed('vitalgate')];
    await using engine = await RawEngine.listen(({ id, socket }) => void socket.write(frame(acknowledgement('AA', id))), { tls: { cert: server.certificate, key: server.key, ca, requestCert: true, rejectUnauthorized: true } });
    const attempt = async (tls: EngineTls): Promise<string | null> => {
      await using sender = await new Sender(engine.port, { address: { host: '127.0.0.1', port: engine.port, tls } }).started();
      sender.log.add(quarter(1, { spo2: statistics('%', 96) }));
      const status = () => sender.outputs.status()[0];
      while (status()?.sent === 0 && status()?.lastError === null) await new Promise((resolve) => setImmediate(resolve));
      return status()?.lastError ?? null;
    };
    expect(await attempt({ ca, own })).toBeNull();
    expect(engine.received).toHaveLength(1);
    expect(await attempt({ own })).toMatch(/certificate/);
    expect(await attempt({ ca })).toMatch(/certificate|closed|reset/i);
    expect(engine.received).toHaveLength(1);
  });
});
