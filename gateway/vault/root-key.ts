import { ConfigError } from '../errors.ts';
import { SECRET_BYTES } from './kdf.ts';
import type { RootKeyPlace } from './keyring-file.ts';

/** Text files for their owner alone, replaced as a whole and durably. */
export type PrivateFiles = Readonly<{ read: (name: string) => string | undefined; write: (name: string, text: string) => void; remove: (name: string) => void; pathOf: (name: string) => string }>;

const ROOT_KEY_FILE = 'vault.key';

/** The root key in `vault.key`: its generation, a space, and 64 hexadecimal digits. */
export function rootKeyIn(files: PrivateFiles): RootKeyPlace {
  return {
    read: () => {
      const text = files.read(ROOT_KEY_FILE);
      if (text === undefined) return undefined;
      const [, generation, hex] = /^(\d+) ([0-9a-f]{64})\n?$/.exec(text) ?? [];
      if (generation === undefined || hex === undefined) throw new ConfigError(`the key file ${files.pathOf(ROOT_KEY_FILE)} must hold a number and ${SECRET_BYTES * 2} hexadecimal digits`);
      return { generation: Number(generation), secret: Buffer.from(hex, 'hex') };
    },
    write: ({ generation, secret }) => files.write(ROOT_KEY_FILE, `${generation} ${Buffer.from(secret).toString('hex')}\n`),
  };
}
