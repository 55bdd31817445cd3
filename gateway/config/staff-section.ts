/** Who at the hospital may ask its node for something, and what gateways are called there. */

import { z } from 'zod';
import { ACCESSES, type Person } from '../people/access.ts';
import { name, publicKey, word } from './fields.ts';
import { checkGatewayNames, checkStaff } from './relations.ts';
import { ALWAYS } from './setting.ts';

const MOST_STAFF = 2000;

const member = z
  .strictObject({
    name: name('a name').describe('Name of the person, or of a program, in the record of who looked; unique in this file. A short one, or a number of your own.'),
    role: word(...ACCESSES).describe(
      'What they may do with a token: viewer, caregiver and clinician see data of patients as far as consent permits it (clinician: also break the glass); administrator sees how the node does, and nothing of patients.'),
  })
  .describe('Somebody of the staff, or a program that asks for them.');

export const staffSection = z
  .array(member, { error: 'expected a list of people' })
  .max(MOST_STAFF, { error: `expected at most ${MOST_STAFF} people` })
  .prefault([])
  .superRefine(checkStaff, ALWAYS)
  .transform((members): readonly Person[] => members.map(({ name: who, role }) => ({ name: who, access: role })))
  .describe('Who may ask this node for something with a token ("vitalgate upstream token"). Default: nobody.');

const MOST_NAMES = 100_000;

const gatewayName = z
  .strictObject({
    key: publicKey().describe('Public key with which the gateway began its chain, as "vitalgate key show" on the gateway tells it.'),
    name: name('a name').describe('What it is called, for example kit-17. Of the machine, not of the patient: it stands on pages that show nothing of patients.'),
  })
  .describe('What a gateway is called.');

export const gatewayNamesSection = z
  .array(gatewayName, { error: 'expected a list of keys and names' })
  .max(MOST_NAMES, { error: `expected at most ${MOST_NAMES} names` })
  .prefault([])
  .superRefine(checkGatewayNames, ALWAYS)
  .describe('What gateways are called in the status of this node and on its page. Default: by their keys.');
