import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { originOf } from '../../gateway/ledger/checkpoint.ts';
import { fingerprintBytes } from '../../gateway/ledger/es256k.ts';
import { noteKey } from '../../gateway/ledger/note-keys.ts';
import { formatPolicy } from '../../gateway/ledger/policy.ts';
import { signerOf } from '../../gateway/ledger/receipt.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { makeNodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { Channel } from '../../gateway/uplink/channel.ts';
import { HospitalClient, over } from '../../gateway/uplink/hospital-client.ts';
import { ChainWriter, GATEWAY, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { keepAll } from '../upstream/peer-node.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { freePorts, Program, until, vitalgate } from './program.ts';

const NAMES = ['north', 'south', 'west'] as const;
type Name = (typeof NAMES)[number];

const LONG = 3000;

/** Three hospitals of one chain, each a process with a folder of its own. */
class Hospitals implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'vitalgate-hospitals-'));
  readonly #ports = new Map<Name, number>();
  readonly #programs: Program[] = [];

  static async prepare(): Promise<Hospitals> {
    const hospitals = new Hospitals();
    const ports = await freePorts(NAMES.length);
    for (const [index, name] of NAMES.entries()) {
      hospitals.#ports.set(name, ports[index] ?? 0);
      mkdirSync(hospitals.data(name), { mode: 0o700 });
      writeFileSync(join(hospitals.data(name), 'hospital.key'), `${toHex(keyOf(name).secret)}\n`, { mode: 0o600 });
      hospitals.configure(name, []);
    }
    return hospitals;
  }

  data(name: Name): string {
    return join(this.folder, name);
  }

  config(name: Name): string {
    return join(this.folder, `${name}.yaml`);
  }

  url(name: Name): string {
    return `https://127.0.0.1:${this.#ports.get(name)}`;
  }

  configure(name: Name, peers: readonly Name[]): void {
    const upstream = {
      name, data: this.data(name), listen: `127.0.0.1:${this.#ports.get(name)}`, gateways: 'open',
      peers: peers.map((peer) => ({ name: peer, url: this.url(peer), key: toHex(keyOf(peer).publicKey), every: '1s' })),
    };
    writeFileSync(this.config(name), stringify({ upstream }), { mode: 0o600 });
  }

  launch(...words: readonly string[]): Program {
    const program = new Program(words);
    this.#programs.push(program);
    return program;
  }

  async start(name: Name): Promise<Program> {
    const program = this.launch('upstream', '--config', this.config(name));
    await program.ready();
    return program;
  }

  /** What lies in the folder of a node that does not run. */
  async stored<T>(name: Name, use: (blocks: BlockStore) => Promise<T>): Promise<T> {
    const store = await openRocksStore(join(this.data(name), 'store'));
    try {
      return await use(new StoredBlocks(store, { removePending: false }));
    } finally {
      await store.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('three hospitals that copy from each other', () => {
  let hospitals: Hospitals;
  const parameters = parametersOf([...NAMES]);
  let long: ChainWriter;

  beforeAll(async () => {
    hospitals = await Hospitals.prepare();
    long = await ChainWriter.of(LONG, 'record', parameters);
    await hospitals.stored('north', (blocks) => keepAll(blocks, long));
    hospitals.configure('south', ['north']);
    hospitals.configure('west', ['north', 'south']);
    await Promise.all([hospitals.start('north'), hospitals.start('south')]);
  });
  afterAll(() => hospitals[Symbol.asyncDispose]());

  it('are complete after a while, the one that was empty too', async () => {
    const verdict = await until('south has all', async () => {
      const { stdout } = await vitalgate('verify', 'chain', hospitals.url('south'));
      return stdout.includes(`record to height ${LONG - 1}`) && stdout;
    });
    expect(verdict).toContain(`: good, ${LONG} blocks`);
  });

  it('let one join late: "vitalgate upstream sync" copies everything, and goes on after kill -9', async () => {
    const first = hospitals.launch('upstream', 'sync', '--config', hospitals.config('west'), '--from', 'north');
    await first.hears('stderr', /[1-9][\d,]* of 3,000 blocks/);
    await first.kill();
    const kept = await hospitals.stored('west', async (blocks) => ((await blocks.head(long.id))?.height ?? -1) + 1);
    expect(kept).toBeGreaterThan(0);
    const second = await vitalgate('upstream', 'sync', '--config', hospitals.config('west'));
    expect([second.code, second.stdout]).toEqual([0, expect.stringContaining(`copied ${LONG - kept} block`)]);
    expect(await vitalgate('verify', 'chain', hospitals.data('west'))).toMatchObject({ code: 0, stdout: expect.stringContaining(`good, ${LONG} blocks`) as string });
    const signers = await hospitals.stored('west', async (blocks) => (await blocks.receipts(long.id, LONG - 1)).map((receipt) => toHex(signerOf(receipt))));
    expect(signers).toEqual(expect.arrayContaining(['south', 'west'].map((name) => toHex(fingerprintBytes(keyOf(name).publicKey)))));
    const again = await vitalgate('upstream', 'sync', '--config', hospitals.config('west'));
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('copied 0 blocks')]);
  });

  it('say what is in the way of a copy', async () => {
    const running = await vitalgate('upstream', 'sync', '--config', hospitals.config('south'));
    expect([running.code, running.stderr]).toEqual([2, expect.stringContaining('runs: it copies from its peers by itself')]);
    const alone = await vitalgate('upstream', 'sync', '--config', hospitals.config('north'));
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('there are no peers')]);
    const unknown = await vitalgate('upstream', 'sync', '--config', hospitals.config('west'), '--from', 'east');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('there is no peer east; there are north, south')]);
    const impostor = join(hospitals.folder, 'impostor.yaml');
    writeFileSync(impostor, stringify({ upstream: { data: join(hospitals.folder, 'impostor'), gateways: 'open', peers: [{ name: 'north', url: hospitals.url('north'), key: toHex(keyOf('south').publicKey) }] } }), { mode: 0o600 });
    const other = await vitalgate('upstream', 'sync', '--config', impostor);
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/north: .*the node there has key [0-9a-f]{32}, expected/)]);
  });
});

describe('a gateway that shows another history to each of two hospitals', () => {
  it('is found by what they tell each other: both stop, and both have the evidence', async () => {
    await using hospitals = await Hospitals.prepare();
    hospitals.configure('north', ['south']);
    hospitals.configure('south', ['north']);
    await Promise.all([hospitals.start('north'), hospitals.start('south')]);
    const certificate = await makeNodeCertificate(GATEWAY, countingBytes());
    const writer = await ChainWriter.of(4, 'record', parametersOf(['north', 'south']));
    const twin = writer.copy(1);
    await twin.seal('another story');
    const offer = async (name: Name, { id, blocks }: Pick<ChainWriter, 'id' | 'blocks'>): Promise<string> => {
      using channel = new Channel({ url: hospitals.url(name), peer: keyOf(name).publicKey, certificate: () => Promise.resolve(certificate) });
      return (await new HospitalClient(over(channel)).putAll(id, blocks.map(({ bytes }) => bytes), new AbortController().signal)).outcome;
    };
    expect([await offer('north', writer), await offer('south', twin)]).toEqual(['accepted', 'accepted']);
    const files = (['north', 'south'] as const).map((name) => join(hospitals.data(name), 'evidence', `${toHex(writer.id.chain)}-record-3.fork`));
    await until('both have the evidence', () => files.every((file) => existsSync(file)));
    const policy = join(hospitals.folder, 'policy');
    writeFileSync(policy, formatPolicy({ logs: [noteKey('header', originOf(writer.id), GATEWAY.publicKey)], witnesses: [], needed: 0 }));
    for (const file of files) {
      expect(await vitalgate('verify', 'fork', file, '--policy', policy)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^PROVEN: .* cannot both stand at height 3/) as string });
    }
    await writer.seal();
    await twin.seal('another story');
    const newest = ({ id, blocks }: ChainWriter): Pick<ChainWriter, 'id' | 'blocks'> => ({ id, blocks: blocks.slice(-1) });
    const offered = [await offer('north', newest(writer)), await offer('south', newest(twin))];
    expect(offered).toEqual(['forked', 'forked']);
  });
});
