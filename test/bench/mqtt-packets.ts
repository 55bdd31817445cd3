/** The MQTT 3.1.1 packets of a publisher as bytes, made with so little effort that a load generator measures the broker. */

const CONNECT = 0x10;
const PUBLISH_QOS1 = 0x32;
const CLEAN_SESSION_WITH_LOGIN = 0xc2;
const PROTOCOL_LEVEL = 4;
const KEEP_ALIVE_SECONDS = 600;

/** A reading's length in bytes, as devices of the field send it. */
export const READING_BYTES = 120;
/** Sequences of this many digits keep every packet of a device equally long. */
export const FIRST_SEQUENCE = 1_000_000_000;

function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}

/** Fixed header (§2.2) and body. */
function packet(type: number, body: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = body.length; length.length === 0 || rest > 0; rest >>= 7) length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.concat([Buffer.of(type, ...length), body]);
}

/** CONNECT (§3.1) of a device whose client id is its user name. */
export function connectPacket(id: string, password: string): Buffer {
  const keepAlive = Buffer.alloc(2);
  keepAlive.writeUInt16BE(KEEP_ALIVE_SECONDS);
  return packet(CONNECT, Buffer.concat([text('MQTT'), Buffer.of(PROTOCOL_LEVEL, CLEAN_SESSION_WITH_LOGIN), keepAlive, text(id), text(id), text(password)]));
}

/** A native JSON reading of {@link READING_BYTES} bytes; `time` in Unix milliseconds. */
export function readingOf(sequence: number, time: number): string {
  const start = `{"seq":${sequence},"time":${time},"measurement":"heart_rate","value":${pulseAt(sequence)},"unit":"/min","firmware":"`;
  return `${start}${'0'.repeat(READING_BYTES - start.length - 2)}"}`;
}

/** 60 to 99: always two digits, and no rule raises an event for it. */
const pulseAt = (sequence: number): number => 60 + (sequence % 40);

/** PUBLISH (§3.3) with QoS 1 of one device: written once, then copied with its few changing digits. */
export class PublishPackets {
  readonly #template: Buffer;
  readonly #packetIdAt: number;
  readonly #sequenceAt: number;
  readonly #timeAt: number;
  readonly #valueAt: number;

  constructor(topic: string) {
    const reading = readingOf(FIRST_SEQUENCE, 1_000_000_000_000);
    this.#template = packet(PUBLISH_QOS1, Buffer.concat([text(topic), Buffer.alloc(2), Buffer.from(reading)]));
    const readingAt = this.#template.length - reading.length;
    this.#packetIdAt = readingAt - 2;
    this.#sequenceAt = readingAt + '{"seq":'.length;
    this.#timeAt = readingAt + reading.indexOf('"time":') + '"time":'.length;
    this.#valueAt = readingAt + reading.indexOf('"value":') + '"value":'.length;
  }

  next(packetId: number, sequence: number, time: number): Buffer {
    const bytes = Buffer.from(this.#template);
    bytes.writeUInt16BE(packetId, this.#packetIdAt);
    bytes.write(String(sequence), this.#sequenceAt, 'latin1');
    bytes.write(String(time), this.#timeAt, 'latin1');
    bytes.write(String(pulseAt(sequence)), this.#valueAt, 'latin1');
    return bytes;
  }
}
