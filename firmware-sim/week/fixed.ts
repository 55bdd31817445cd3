/** What hangs on walls and doors of a home. */

import { type Person, type RoomKind } from './cast.ts';
import { rounded, Speaker, type Gadget, type Scene, type Value, type Wire } from './gadget.ts';
import type { WeekRoom } from './home.ts';
import { roomId } from './script.ts';

const HOUR = 3600;
const HAS_AIR: readonly RoomKind[] = ['bedroom', 'bathroom', 'living_room'];
const HAS_DOOR: readonly RoomKind[] = ['bathroom', 'hall'];

/** All that is fixed in one home. */
export function fixedIn(person: Person, wire: Wire): readonly Gadget[] {
  return person.rooms.flatMap((room) => [
    make(person, room, 'motion', wire, onChange('motion', ({ motion }) => motion)),
    ...(HAS_AIR.includes(room) ? [make(person, room, 'air', wire, air)] : []),
    ...(HAS_DOOR.includes(room) ? [make(person, room, 'door', wire, onChange('door', ({ doorOpen }) => doorOpen))] : []),
  ]);
}

type Sampler = (wire: Wire) => (room: WeekRoom, scene: Scene, speaker: Speaker) => readonly Value[];

function make(person: Person, kind: RoomKind, what: string, wire: Wire, sampler: Sampler): Gadget {
  const id = roomId(person.id, kind);
  const device = `${id}-${what}`;
  const own = wire.random.split(device);
  const speaker = new Speaker(device, wire, { lostEvery: 250 * HOUR, keeps: false });
  const sample = sampler({ ...wire, random: own });
  const [full, lasts] = [own.between(45, 100), own.between(300, 700) * 24 * HOUR];
  return {
    device,
    subject: `room/${id}`,
    look: (scene) => {
      const room = scene.rooms().find((each) => each.kind === kind);
      if (room === undefined) return;
      const values = [...sample(room, scene, speaker)];
      if (speaker.due(scene, 12 * HOUR)) values.push(['battery', rounded(full - (100 * scene.now) / lasts)]);
      speaker.say(scene, values);
    },
  };
}

/** Speaks when what it watches changes, and every half hour all the same. */
const onChange = (measurement: 'motion' | 'door', read: (room: WeekRoom) => boolean): Sampler => () => {
  let before: boolean | undefined;
  return (room, scene, speaker) => {
    const on = read(room);
    const changed = on !== before;
    before = on;
    return changed || speaker.due(scene, 1800) ? [[measurement, on ? 1 : 0]] : [];
  };
};

/** Every five minutes; the gas sensor scatters by some ppm. */
const air: Sampler = ({ random }) => ({ temperature, humidity, co2 }, scene, speaker) => speaker.due(scene, 300)
  ? [
    ['room_temperature', rounded(temperature + 0.08 * random.gaussian(), 1)],
    ['humidity', rounded(Math.min(100, humidity + 0.6 * random.gaussian()))],
    ['co2', rounded(co2 + 12 * random.gaussian())],
  ]
  : [];
