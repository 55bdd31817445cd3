import { describe, expect, it } from 'vitest';

import { type Activity, HOUR } from '../../firmware-sim/activity.ts';
import { Household } from '../../firmware-sim/household.ts';
import { profileOf } from '../../firmware-sim/profile.ts';
import { Random } from '../../firmware-sim/random.ts';
import { AIR_CHANGES, OUTDOOR_CO2, type RoomState, VirtualRoom } from '../../firmware-sim/room.ts';
import { at } from './at.ts';

const BEDROOM = { id: 'anna-bedroom', volume: 32, setPoint: 21, humidity: 45 };
const roomAt = (hour: number, seed = 1): VirtualRoom => new VirtualRoom(BEDROOM, new Random(seed), hour * HOUR);

function pass(room: VirtualRoom, seconds: number, occupant: Activity | undefined): RoomState[] {
  return Array.from({ length: seconds }, () => {
    room.step(occupant);
    return room.state;
  });
}

describe('carbon dioxide in a room', () => {
  it('settles where breathing and ventilation balance while somebody sleeps behind a closed door', () => {
    const room = roomAt(22);
    const settled = at(pass(room, 12 * HOUR, 'asleep'), -1).co2;
    expect(settled).toBeCloseTo(OUTDOOR_CO2 + (0.0034 * HOUR * 1000) / (BEDROOM.volume * AIR_CHANGES.doorClosed), -1);
  });

  it('decays towards outdoor air with the air change rate once everybody has left', () => {
    const room = roomAt(8);
    pass(room, 4 * HOUR, 'resting');
    pass(room, HOUR, undefined);
    const states = pass(room, 2 * HOUR, undefined);
    expect(states.every(({ doorOpen }) => !doorOpen)).toBe(true);
    const [first, last] = [at(states, 0).co2 - OUTDOOR_CO2, at(states, -1).co2 - OUTDOOR_CO2];
    expect(last / first).toBeCloseTo(Math.exp(-AIR_CHANGES.doorClosed * 2), 2);
  });

  it('rises faster the more its occupant does', () => {
    const after = (occupant: Activity | undefined): number => at(pass(roomAt(10), HOUR, occupant), -1).co2;
    expect(after(undefined)).toBeLessThan(after('asleep'));
    expect(after('asleep')).toBeLessThan(after('resting'));
    expect(after('resting')).toBeLessThan(after('walking'));
  });
});

describe('a room', () => {
  it('sees no movement and opens no door while it stays empty', () => {
    const states = pass(roomAt(10), HOUR, undefined);
    expect(states.some(({ motion, doorOpen }) => motion || doorOpen)).toBe(false);
  });

  it('opens its door when somebody comes or goes, and closes it again', () => {
    const room = roomAt(10);
    pass(room, 60, undefined);
    expect(at(pass(room, 1, 'walking'), 0).doorOpen).toBe(true);
    expect(at(pass(room, 3 * HOUR, 'resting'), -1).doorOpen).toBe(false);
    expect(at(pass(room, 1, undefined), 0).doorOpen).toBe(true);
  });

  it('sees a walker nearly always, somebody sitting often, a sleeper now and then', () => {
    const share = (occupant: Activity): number => pass(roomAt(10), 4 * HOUR, occupant).filter(({ motion }) => motion).length / (4 * HOUR);
    expect(share('walking')).toBeGreaterThan(0.99);
    expect(share('resting')).toBeGreaterThan(0.4);
    expect(share('asleep')).toBeLessThan(0.15);
    expect(share('asleep')).toBeGreaterThan(0);
  });

  it('is dark by night, bright at noon, and lit in the evening while somebody is awake', () => {
    const light = (hour: number, occupant: Activity | undefined): number => at(pass(roomAt(hour), 60, occupant), -1).illuminance;
    expect(light(2, 'asleep')).toBeLessThan(1);
    expect(light(13, undefined)).toBeGreaterThan(100);
    expect(light(21, 'resting')).toBeGreaterThan(50);
    expect(light(21, undefined)).toBeLessThan(1);
  });

  it('stays between 15 and 26 °C and 25 and 70 % over two days', () => {
    const household = new Household(profileOf(0, new Random(1)), ['bedroom'], new Random(1), 8 * HOUR);
    for (let hour = 9; hour <= 56; hour++) {
      household.advanceTo(hour * HOUR);
      const { temperature, humidity } = at(household.rooms, 0).state;
      expect(temperature).toBeGreaterThan(15);
      expect(temperature).toBeLessThan(26);
      expect(humidity).toBeGreaterThan(25);
      expect(humidity).toBeLessThan(70);
    }
  });
});

describe('a household', () => {
  const build = (): Household => new Household(profileOf(1, new Random(1)), ['bedroom', 'living-room'], new Random(5), 20 * HOUR);

  it('is the same whatever the steps it was advanced in', () => {
    const [slow, fast] = [build(), build()];
    for (let second = 20 * HOUR; second <= 21 * HOUR; second += 0.37) slow.advanceTo(second);
    slow.advanceTo(21 * HOUR);
    fast.advanceTo(21 * HOUR);
    expect(slow.patient.vitals).toEqual(fast.patient.vitals);
    expect(slow.rooms.map(({ state }) => state)).toEqual(fast.rooms.map(({ state }) => state));
  });

  it('has breath only in the room where its person is', () => {
    const household = build();
    const risen = new Map<string, number>();
    for (let second = 20 * HOUR; second < 34 * HOUR; second += 1) {
      const before = household.rooms.map(({ state }) => state.co2);
      household.advanceTo(second + 1);
      const here = household.patient.whereabouts.room;
      for (const [i, { profile, state }] of household.rooms.entries()) {
        const rises = state.co2 > at(before, i);
        const key = `${profile.id} ${profile.id === here ? 'occupied' : 'empty'}`;
        risen.set(key, (risen.get(key) ?? 0) + (rises ? 1 : 0));
      }
    }
    expect(risen.get('ben-bedroom empty')).toBe(0);
    expect(risen.get('ben-living-room empty')).toBe(0);
    expect(risen.get('ben-bedroom occupied')).toBeGreaterThan(4 * HOUR);
  });
});
