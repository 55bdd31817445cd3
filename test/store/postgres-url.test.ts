import { describe, expect, it } from 'vitest';
import { messageOf } from '../../gateway/errors.ts';
import { hostsIn, nameOfPostgres } from '../../gateway/store/postgres-url.ts';

describe('the URL of a PostgreSQL store', () => {
  it('names one server, several, or leaves that to the environment', () => {
    expect(hostsIn('postgres://u:p@a:5433/db?sslmode=require')).toEqual([{ name: 'a:5433', connection: 'postgres://u:p@a:5433/db?sslmode=require' }]);
    expect(hostsIn('postgresql://u@a,b:2,[::1]:3/db')).toEqual([
      { name: 'a', connection: 'postgres://u@a/db' }, { name: 'b:2', connection: 'postgres://u@b:2/db' }, { name: '[::1]:3', connection: 'postgres://u@[::1]:3/db' },
    ]);
    expect(hostsIn('postgres:///db').map(({ connection }) => connection)).toEqual(['postgres:///db']);
    expect(hostsIn('postgres://').map(({ connection }) => connection)).toEqual(['postgres:///']);
  });

  it('is called by its hosts and its database, and by nothing that opens it', () => {
    expect(nameOfPostgres('postgres://u:secret@a:1,b/db?password=secret')).toBe('postgres://a:1,b/db');
  });

  it.each(['mysql://u:secret@a/db', 'postgres://u:secret@a@b/db', 'postgres://u:secret@a:port/db', 'secret'])('is refused without its password: %s', (url) => {
    let told = '';
    try {
      hostsIn(url);
    } catch (thrown) {
      told = messageOf(thrown);
    }
    expect(told).toContain('the URL of a PostgreSQL store');
    expect(told).not.toContain('secret');
  });
});
