import { z } from 'zod';
import { askSchema } from './asks.ts';
import { CONTRACT, messageSchema } from './messages.ts';

const TARGET = { target: 'draft-2020-12', io: 'input', reused: 'inline' } as const;

/** The contract as JSON Schema: of messages, and of asks. The files in schemas/ are these (`vitalgate flows contract`). */
export const SCHEMAS = {
  messages: { title: `Vitalgate messages for flows, version ${CONTRACT}`, ...z.toJSONSchema(messageSchema, TARGET) },
  asks: { title: `Vitalgate asks of flows, version ${CONTRACT}`, ...z.toJSONSchema(askSchema, TARGET) },
};
