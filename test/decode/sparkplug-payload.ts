/** Payloads by their field numbers (Sparkplug 3.0 §6.4.1), written without the descriptor that reads them. */

import protobuf from 'protobufjs/light.js';

export type TestMetric = Readonly<{ name?: string; alias?: number; datatype?: number; double?: number }>;

function metricBytes({ name, alias, datatype, double }: TestMetric): Uint8Array {
  const writer = protobuf.Writer.create();
  if (name !== undefined) writer.uint32(1 << 3 | 2).string(name);
  if (alias !== undefined) writer.uint32(2 << 3).uint64(alias);
  if (datatype !== undefined) writer.uint32(4 << 3).uint32(datatype);
  if (double !== undefined) writer.uint32(13 << 3 | 1).double(double);
  return writer.finish();
}

export function payloadBytes(seq: number | undefined, metrics: readonly TestMetric[], bdSeq?: number): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const metric of metrics) writer.uint32(2 << 3 | 2).bytes(metricBytes(metric));
  if (bdSeq !== undefined) {
    const metric = protobuf.Writer.create().uint32(1 << 3 | 2).string('bdSeq').uint32(4 << 3).uint32(8).uint32(11 << 3).uint64(bdSeq);
    writer.uint32(2 << 3 | 2).bytes(metric.finish());
  }
  if (seq !== undefined) writer.uint32(3 << 3).uint64(seq);
  return writer.finish();
}
