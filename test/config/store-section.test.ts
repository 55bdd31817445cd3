import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../gateway/config/load.ts';
import { messageOf } from '../../gateway/errors.ts';

const upstreamOf = (settings: string): ReturnType<typeof parseConfig>['upstream'] => parseConfig(`upstream: { gateways: open, ${settings} }`, 'hospital.yaml').upstream;

describe('where a hospital keeps what it is given', () => {
  it('is its data folder, a database, or several', () => {
    expect(parseConfig('upstream: { gateways: open }', 'hospital.yaml').upstream).toMatchObject({ store: 'rocksdb', durability: 'replicated' });
    expect(upstreamOf('store: "postgres://vitalgate@a:5432,b/vitalgate?sslmode=verify-full", durability: local')).toMatchObject({ store: ['postgres://vitalgate@a:5432,b/vitalgate?sslmode=verify-full'], durability: 'local' });
    expect(upstreamOf('store: "nats://a:4222,b:4222?monitor=8222"')).toMatchObject({ store: ['nats://a:4222,b:4222?monitor=8222'] });
    expect(upstreamOf('store: ["postgres:///one", "postgresql://b/two"]')).toMatchObject({ store: ['postgres:///one', 'postgresql://b/two'] });
  });

  it.each(['store: sqlite', 'store: "mysql://a/b"', 'store: []', 'store: [rocksdb]', 'store: ["nats://a"]', 'store: "nats://"', 'store: "postgres://a/b c"', 'durability: some'])('is nothing else: %s', (settings) => {
    expect(() => upstreamOf(settings)).toThrow(/expected/);
  });

  it('is told of without a password when it is wrong', () => {
    for (const url of ['postgres://user:s3cret@a/b c', 'mysql://user:s3cret@a/b', 'postgres://user:s3c/s3cret@a/b c', `postgres://${'u'.repeat(90)}:s3cret@a/ b`]) {
      let told = '';
      try {
        upstreamOf(`store: "${url}"`);
      } catch (thrown) {
        told = messageOf(thrown);
      }
      expect(told).toContain('upstream.store: expected');
      expect(told).not.toContain('s3c');
    }
  });
});
