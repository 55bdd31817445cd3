/** A device family: a decoder with what its channels usually are, or one whose payloads name measurements themselves. */

import type { Decoder, DecoderInput, Notice } from './decoder.ts';
import { readDiscovery, type Announced } from './home-assistant.ts';
import type { Message } from './native-json.ts';
import { messageFrom, type ChannelMap, type KnownDevice, type Profile } from './profile.ts';

/** What one frame of a device meant. */
export type Interpretation = Readonly<{
  message: Message;
  notices: readonly Notice[];
  /** Which device behind the connection is meant, in the source's words; absent when it is the connection's own. */
  address?: string;
  /** What the profile knows of that address; absent when it is a stranger. */
  known?: KnownDevice;
  /** What devices of others are said to be; none of it is a reading. */
  announced?: readonly Announced[];
  /** For the next frame of this connection; absent: as before. */
  memory?: unknown;
}>;

export type Family = Readonly<{
  /** What stands as `decoder` in a profile. */
  name: string;
  version: number;
  /** Throws DecodeError when nothing of the payload can be used. Pure, as Decoder.decode is. */
  interpret: (input: DecoderInput, memory: unknown, profile: Profile) => Interpretation;
}>;

/** A family whose payloads say which measurement a value is, in the unit we keep. */
export function nativeFamily(name: string, version: number, decode: (payload: Uint8Array) => Message): Family {
  return { name, version, interpret: ({ payload }) => ({ message: decode(payload), notices: [] }) };
}

/** A family with channels of its own names. `channels`: what they usually are; a profile may say otherwise. */
export function channelFamily<Memory>({ name, version, decode }: Decoder<Memory>, channels: ChannelMap): Family {
  return {
    name,
    version,
    interpret: (input, memory, profile) => {
      // Whoever keeps it hands back what this decoder gave, or nothing.
      const decoded = decode(input, memory as Memory | undefined);
      const { address, notices } = decoded;
      const known = address === undefined ? undefined : profile.devices?.find((each) => each.address === address);
      return {
        message: messageFrom(decoded, [known?.channels, profile.channels, channels]),
        notices,
        ...(address === undefined ? {} : { address }),
        ...(known === undefined ? {} : { known }),
        ...(decoded.memory === undefined ? {} : { memory: decoded.memory }),
      };
    },
  };
}

/** Messages below the discovery prefix that say what the devices of others are (home-assistant.ts); none, when one is taken back. */
export function discoveryFamily(name: string, version: number): Family {
  return {
    name,
    version,
    interpret: ({ topic, payload }) => {
      // Home Assistant says there, too, when it starts.
      if (!topic.endsWith('/config')) return { message: { readings: [], rejected: [] }, notices: [] };
      const { id, announced, rejected } = readDiscovery({ topic: `${name}/${topic}`, payload });
      return { message: { readings: [], rejected }, notices: [], address: id, announced };
    },
  };
}
