import { describe, expect, it } from 'vitest';
import { freePorts, until } from '../path/program.ts';
import { Site } from '../path/site.ts';
import { moments, rounds, SEED } from './chance.ts';
import { CuttingWire } from './cutting-wire.ts';
import { Load } from './load.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';

const CUTS = rounds(2);
const CUT_MS = 5000;

describe(`a connection that is cut between the hospital's persisting and its answer (seed ${SEED})`, () => {
  it(`makes no fork in ${CUTS} cuts: the block is recognised and countersigned when it comes again`, async () => {
    const [port = 0] = await freePorts(1);
    await using site = await Site.prepare({ hospitalBehind: port, gateway: { seal: { age: '20ms' } } });
    await using wire = await CuttingWire.between(port, site.ports.hospital, moments('wire'));
    await Promise.all([site.startHospital(), site.startGateway()]);
    using load = await Load.start(site);
    await until(`${CUTS} answers were cut off`, () => wire.cuts >= CUTS, CUTS * CUT_MS);
    wire.badness = 0;
    await load.more(100);
    expect(await (await nodeFetch(`${site.hospitalUrl}/v1/forks`)).json()).toEqual({ forks: [] });
    expect(await (await nodeFetch(`${site.hospitalUrl}/metrics`)).text()).not.toMatch(/outcome="(forked|rejected)"/);
    await load.finish(`${wire.cuts} answers of the hospital node cut off`);
  }, 60_000 + CUTS * CUT_MS);
});
