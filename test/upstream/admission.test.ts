import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { enrolledIn } from '../../gateway/enrolment-file.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { fingerprint } from '../../gateway/ledger/es256k.ts';
import { createLog } from '../../gateway/operations/log.ts';
import { EnrolledGateways, readEnrolled } from '../../gateway/upstream/admission.ts';
import { until } from '../path/program.ts';
import { ChainWriter, keyOf, parametersOf } from './gateway-chain.ts';
import { offerFrom, startHospital } from './hospital.ts';

const [anna, otto] = [keyOf('anna'), keyOf('otto')];
const chainOf = async (name: string, nonce = 0): Promise<ChainWriter> =>
  await ChainWriter.of(1, 'record', { ...parametersOf(['north'], keyOf(name)), nonce: new Uint8Array(16).fill(nonce) }, keyOf(name));

describe('the list of gateways', () => {
  it('names them by key or fingerprint, with the chain they may have, and remarks', () => {
    const chain = 'ab'.repeat(16);
    const text = `# ward 3\n${toHex(anna.publicKey)}   # by the window\n\n  ${fingerprint(otto.publicKey).toUpperCase()}\t${chain}\r\n`;
    expect(readEnrolled(text, 'list')).toEqual([{ gateway: toHex(anna.publicKey) }, { gateway: fingerprint(otto.publicKey), chain }]);
  });

  it('names every line that is none of this', () => {
    expect(() => readEnrolled(`${toHex(anna.publicKey)}\nward 3\n02${'00'.repeat(32)}\n${fingerprint(anna.publicKey)} too short\n`, 'gateways.txt')).toThrow(
      /gateways\.txt: expected a gateway's public key .* found line 2: "ward 3"; line 3: .*; line 4: /,
    );
  });

  it('lets a gateway begin the chain it was enrolled with, and no other', async () => {
    const [enrolled, other] = [await chainOf('anna', 1), await chainOf('anna', 2)];
    const admission = new EnrolledGateways([{ gateway: fingerprint(anna.publicKey), chain: toHex(enrolled.id.chain) }]);
    await using hospital = await startHospital('north', { gateways: admission });
    expect((await offerFrom(hospital.address, other, 0)).status).toBe(403);
    expect((await offerFrom(hospital.address, enrolled, 0)).status).toBe(201);
  });

  it('is read again when it changes, and a change that cannot be read changes nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vitalgate-enrolment-'));
    const path = join(folder, 'gateways');
    const write = async (text: string): Promise<void> => {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    await write(`${toHex(anna.publicKey)}\n`);
    const { admission, stop } = enrolledIn(path, createLog('silent', 'test'));
    const chain = new Uint8Array(16);
    try {
      expect([anna, otto].map(({ publicKey }) => admission.admits(chain, publicKey))).toEqual([true, false]);
      await write('nonsense\n');
      await write(`${toHex(otto.publicKey)}\n`);
      await until('the new list', () => admission.admits(chain, otto.publicKey));
      expect(admission.admits(chain, anna.publicKey)).toBe(false);
      expect(() => enrolledIn(`${path}.none`, createLog('silent', 'test'))).toThrow(/cannot be read/);
    } finally {
      stop();
      await rm(folder, { recursive: true });
    }
  });
});
