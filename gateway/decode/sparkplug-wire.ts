/** The bytes of a Sparkplug B payload (Sparkplug 3.0 §6.4.1), bounded before anything is built. */

import protobuf from 'protobufjs/light.js';
import { DecodeError } from '../errors.ts';

const MAX_PAYLOAD_BYTES = 65_536;
/** Metrics in one message. */
const MAX_METRICS = 1024;

/** Up to 64 bits: a number, or its two halves of 32 bits. */
export type Wide = number | Readonly<{ low: number; high: number }>;
export type Property = Readonly<{ is_null?: boolean; int_value?: number; string_value?: string }>;
/** Fields that did not come are absent, whatever their default is. */
export type Metric = Readonly<{
  name?: string;
  alias?: Wide;
  timestamp?: Wide;
  datatype?: number;
  is_historical?: boolean;
  is_null?: boolean;
  properties?: Readonly<{ keys: readonly string[]; values: readonly Property[] }>;
  int_value?: number;
  long_value?: Wide;
  float_value?: number;
  double_value?: number;
  boolean_value?: boolean;
}>;
export type Payload = Readonly<{ timestamp?: Wide; metrics: readonly Metric[]; seq?: Wide }>;

/**
 * What is read of the messages of Sparkplug 3.0 §6.4.1, by their field numbers. Metadata, text, bytes, data sets, templates and
 * nested properties are not: they are passed over by their length, so that nothing nests deeper than a property.
 * Edition 2023 tells an absent field from a zero, as the specification's proto2 does, and refuses text that is not UTF-8.
 */
const ROOT = protobuf.Root.fromJSON({
  nested: {
    Payload: {
      edition: '2023',
      fields: {
        timestamp: { type: 'uint64', id: 1 },
        metrics: { rule: 'repeated', type: 'Metric', id: 2 },
        seq: { type: 'uint64', id: 3 },
      },
    },
    Metric: {
      edition: '2023',
      oneofs: { value: { oneof: ['int_value', 'long_value', 'float_value', 'double_value', 'boolean_value'] } },
      fields: {
        name: { type: 'string', id: 1 },
        alias: { type: 'uint64', id: 2 },
        timestamp: { type: 'uint64', id: 3 },
        datatype: { type: 'uint32', id: 4 },
        is_historical: { type: 'bool', id: 5 },
        is_null: { type: 'bool', id: 7 },
        properties: { type: 'PropertySet', id: 9 },
        int_value: { type: 'uint32', id: 10 },
        long_value: { type: 'uint64', id: 11 },
        float_value: { type: 'float', id: 12 },
        double_value: { type: 'double', id: 13 },
        boolean_value: { type: 'bool', id: 14 },
      },
    },
    PropertySet: {
      edition: '2023',
      fields: {
        keys: { rule: 'repeated', type: 'string', id: 1 },
        values: { rule: 'repeated', type: 'PropertyValue', id: 2 },
      },
    },
    PropertyValue: {
      edition: '2023',
      fields: {
        is_null: { type: 'bool', id: 2 },
        int_value: { type: 'uint32', id: 3 },
        string_value: { type: 'string', id: 8 },
      },
    },
  },
});
const PAYLOAD = ROOT.lookupType('Payload');
const METRICS_FIELD = 2;

/** Throws {@link DecodeError} for bytes that are no payload, or one with more than the decoder looks at. */
export function readPayload(payload: Uint8Array): Payload {
  if (payload.length === 0) throw new DecodeError('empty_payload', 'the payload has no bytes');
  if (payload.length > MAX_PAYLOAD_BYTES) throw new DecodeError('too_complex', `a payload of ${payload.length} bytes; at most ${MAX_PAYLOAD_BYTES}`);
  try {
    refuseTooManyMetrics(payload);
    const { timestamp, metrics, seq } = PAYLOAD.toObject(PAYLOAD.decode(payload), { arrays: true }) as Payload;
    return { metrics, ...(timestamp === undefined ? {} : { timestamp }), ...(seq === undefined ? {} : { seq }) };
  } catch (cause) {
    if (cause instanceof DecodeError) throw cause;
    throw new DecodeError('wrong_shape', 'the payload is no Sparkplug B payload', { cause });
  }
}

/** Counts before anything is built: an empty metric takes two bytes. Groups, which could nest, are no part of the format. */
function refuseTooManyMetrics(payload: Uint8Array): void {
  const reader = protobuf.Reader.create(payload);
  let metrics = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wireType] = [tag >>> 3, tag & 7];
    if (wireType === 3) throw new DecodeError('too_complex', 'the payload holds a group');
    if (field === METRICS_FIELD) metrics += 1;
    if (metrics > MAX_METRICS) throw new DecodeError('too_complex', `more than ${MAX_METRICS} metrics in one message`);
    reader.skipType(wireType);
  }
}

/** `payload` in the names of its fields, as above. */
export const encodePayload = (payload: object): Uint8Array => Uint8Array.from(PAYLOAD.encode(payload).finish());
