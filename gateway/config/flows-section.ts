/** The section `flows` of the configuration: Node-RED beside the gateway, and what flows may do. */

import { z } from 'zod';
import { MiB, Millis, Minutes, Seconds } from '../quantity.ts';
import { duration, line, size, word } from './fields.ts';
import { setting } from './setting.ts';

/** Nodes that reach beyond the flows: programs, files and ports of the machine. */
const RISKY_NODES = ['exec', 'file', 'watch', 'tcp', 'udp'] as const;

export const flowsSection = z
  .strictObject({
    enabled: z
      .boolean({ error: 'expected true or false' })
      .prefault(false)
      .describe('Whether Node-RED runs beside the gateway, in a process of its own, behind /flows/. Default false: it takes some 160 MiB and runs what people draw, so somebody should have asked for it.'),
    access: setting(word('viewer', 'caregiver', 'clinician'), 'caregiver', 'What flows in there may do: as somebody of alarms.people with this access, named flows. Where alarms.people has somebody of that name, what stands there counts.'),
    heap: setting(size(MiB(96), MiB(4096)), '256MiB', 'Most memory for JavaScript in Node-RED, a size; its whole process may take three times as much.'),
    stall: setting(duration(Seconds(1), Minutes(5)), '3s', 'Node-RED that does not answer for so long is killed and started again, a duration.'),
    settle: setting(duration(Millis(100), Minutes(10)), '10s', 'How long it has to run well after a failure until the alarm about it is over, a duration.'),
    allow: z
      .array(word(...RISKY_NODES), { error: 'expected a list of nodes' })
      .prefault([])
      .describe('Nodes of Node-RED that are off unless they stand here: exec (runs programs), file and watch (files), tcp and udp. Default: none.'),
    deny: z
      .array(line('the name of a node file or palette', 200), { error: 'expected a list of names' })
      .max(100, { error: 'expected at most 100 names' })
      .prefault([])
      .describe('Further nodes that are off, by the file of a core node such as "10-function.js" or the folder of a palette. Default: none.'),
    palettes: z
      .array(line('the path of a folder, absolute or relative to the working directory,', 4096), { error: 'expected a list of folders' })
      .max(20, { error: 'expected at most 20 folders' })
      .prefault([])
      .describe('Folders with further palettes. Nothing is ever installed from the editor. Default: none.'),
    testPatients: z
      .array(line('a patient id', 64), { error: 'expected a list of patient ids' })
      .max(50, { error: 'expected at most 50 patients' })
      .prefault([])
      .describe('Patients who are nobody: flows may simulate their values, and nobody else\'s. Default: none.'),
  })
  .prefault({})
  .describe('Node-RED for flows that people draw, beside the alarms of the gateway, which never depend on it.');
