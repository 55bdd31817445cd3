/** Nodes of other hospitals that blocks are copied from. */

import { z } from 'zod';
import { Bytes, MiB, Minutes, Seconds } from '../quantity.ts';
import { count, duration, line, name, publicKey, size, webAddress, word } from './fields.ts';
import { checkPeers } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';

const MOST_PEERS = 100;

const peer = z
  .strictObject({
    name: name('a peer name').describe('Name for logs and status; unique in this file.'),
    url: webAddress().describe('Where its node listens, an https address; http only on the same machine.'),
    key: publicKey().describe('Its public key, printed by "vitalgate upstream --print-key" there: its connection has to be bound to it.'),
    caFile: line('the path of a file, absolute or relative to the working directory,', 4096).optional().describe('Certificate authority (PEM) of a node whose certificate is an ordinary one. Default: those of this machine.'),
    copy: word('own', 'all').prefault('own').describe('own: the chains whose parameters or authority name the key of this node. all: every chain the peer has; only those are countersigned that name this node. Default own.'),
    every: setting(duration(Seconds(1), Minutes(24 * 60)), '10s', 'How often it is asked what has changed there, a duration.'),
    parallel: setting(count('lanes', 1, 64), 4, 'Lanes that are copied from it at a time.'),
    budget: size(MiB(1), Bytes(1e13)).optional().describe('Most bytes read from it in a day (UTC), a size. Default: no limit.'),
  })
  .describe('The node of another hospital. What comes from it is verified as if a stranger had sent it.');

export const peersSection = z
  .array(peer, { error: 'expected a list of peers' })
  .max(MOST_PEERS, { error: `expected at most ${MOST_PEERS} peers` })
  .prefault([])
  .superRefine(checkPeers, ALWAYS)
  .describe('Nodes of other hospitals that copies of chains are made from, and that forks and receipts are heard of from. Default: none.');
