/**
 * What must hold between settings. These checks also run while some settings are still wrong, so they look at values as
 * unknown and say nothing about what they cannot judge: the field itself is reported already.
 */

import type { z } from 'zod';

type Report = Readonly<{ addIssue: (issue: z.core.$ZodRawIssue<z.core.$ZodIssueCustom>) => void }>;
type Fields = Readonly<Record<string, unknown>>;

function report(to: Report, path: PropertyKey[], message: string): void {
  to.addIssue({ code: 'custom', message, path, params: { relation: true }, input: undefined });
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isText = (value: unknown): value is string => typeof value === 'string';

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** Reports every value that stands in the list a second time, at its own place. */
function reportRepeats(to: Report, values: readonly unknown[], path: (index: number) => PropertyKey[], what: string): void {
  const seen = new Set<unknown>();
  for (const [index, value] of values.entries()) {
    if (!isText(value)) continue;
    if (seen.has(value)) report(to, path(index), `${what} '${value}' is used twice`);
    seen.add(value);
  }
}

/** Somewhere devices must get in; and one message must not be more than a device may send in a second. */
export function checkMqtt(mqtt: unknown, to: Report): void {
  const { listen, tls, webSocket, maxPayload, maxRateBytes } = fieldsOf(mqtt);
  if (listen === 'none' && webSocket === undefined && (tls === undefined || fieldsOf(tls)['listen'] === 'none')) {
    report(to, ['listen'], "expected an address, because nothing else listens: neither 'tls' nor 'webSocket' has one");
  }
  if (fieldsOf(webSocket)['tls'] === true && tls === undefined) {
    report(to, ['webSocket', 'tls'], "expected the section 'tls' too, which the certificate comes from; its 'listen' may be none");
  }
  if (isNumber(maxPayload) && isNumber(maxRateBytes) && maxRateBytes < maxPayload) report(to, ['maxRateBytes'], "expected a size not below 'maxPayload'");
}

export function checkNames(names: unknown, to: Report): void {
  if (Array.isArray(names)) reportRepeats(to, names, (index) => [index], 'name');
}

export function checkPacks(packs: unknown, to: Report): void {
  if (Array.isArray(packs)) reportRepeats(to, packs, (index) => [index], 'pack');
}

export function checkPatients(patients: unknown, to: Report): void {
  if (!Array.isArray(patients)) return;
  reportRepeats(to, patients.map((patient) => fieldsOf(patient)['id']), (index) => [index, 'id'], 'patient');
}

/** Names are told to people; an address that stands for two devices would give one patient's readings to another. */
export function checkProfiles(profiles: unknown, to: Report): void {
  if (!Array.isArray(profiles)) return;
  reportRepeats(to, profiles.map((profile) => fieldsOf(profile)['name']), (index) => [index, 'name'], 'profile name');
  for (const [at, profile] of profiles.entries()) {
    const { devices } = fieldsOf(profile);
    if (!Array.isArray(devices)) continue;
    reportRepeats(to, devices.map((each) => fieldsOf(each)['address']), (index) => [at, 'devices', index, 'address'], 'address');
  }
}

export function checkSerialLine(line: unknown, to: Report): void {
  const { path, usb } = fieldsOf(line);
  if (path !== undefined && usb !== undefined) report(to, ['usb'], "expected only one of 'path' and 'usb'");
  if (path === undefined && usb === undefined) report(to, [], "expected one of 'path' and 'usb'");
}

export function checkLink(link: unknown, to: Report): void {
  const { interface: name, address } = fieldsOf(link);
  if (name !== undefined && address !== undefined) report(to, ['address'], "expected only one of 'interface' and 'address'");
  if (name === undefined && address === undefined) report(to, [], "expected one of 'interface' and 'address'");
}

/** What a link has cost is kept under its name. */
export function checkLinks(links: unknown, to: Report): void {
  if (!Array.isArray(links)) return;
  for (const what of ['name', 'interface', 'address']) reportRepeats(to, links.map((link) => fieldsOf(link)[what]), (index) => [index, what], `link ${what}`);
}

/** Two of one name would be one session at the broker, and throw each other out. */
export function checkBridges(bridges: unknown, to: Report): void {
  if (Array.isArray(bridges)) reportRepeats(to, bridges.map((each) => fieldsOf(each)['name']), (index) => [index, 'name'], 'bridge name');
}

/** Two lines of one device, or of one port, would take each other's bytes. */
export function checkSerialLines(lines: unknown, to: Report): void {
  if (!Array.isArray(lines)) return;
  for (const field of ['device', 'path']) {
    reportRepeats(to, lines.map((each) => fieldsOf(each)[field]), (index) => [index, field], field);
  }
}

export function checkRelay(relay: unknown, to: Report): void {
  const { retryBase, retryCap } = fieldsOf(relay);
  if (isNumber(retryBase) && isNumber(retryCap) && retryCap < retryBase) {
    report(to, ['retryCap'], "expected a duration not shorter than 'retryBase'");
  }
}

/** Nothing may silence an alarm for longer than its re-alarm time: what does not alarm again is forgotten by those who heard it. */
export function checkCourse(course: unknown, to: Report): void {
  const { realarm, levels, ...others } = fieldsOf(course);
  if (!isNumber(realarm)) return;
  const judge = (time: unknown, path: PropertyKey[]): void => {
    if (isNumber(time) && time > realarm) report(to, path, "expected a duration not longer than 'realarm'");
  };
  for (const name of ['delay', 'snooze', 'episode']) judge(others[name], [name]);
  if (Array.isArray(levels)) for (const [index, level] of levels.entries()) judge(fieldsOf(level)['within'], ['levels', index, 'within']);
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** A password that crosses a network in clear is one no more, and mail is about people. */
export function checkMail(server: unknown, to: Report): void {
  const { host, security, user, passwordFile } = fieldsOf(server);
  if (security === 'none' && isText(host) && !LOOPBACK.test(host)) report(to, ['security'], "expected starttls or tls, because 'host' is not this machine");
  if ((user === undefined) !== (passwordFile === undefined)) report(to, [user === undefined ? 'user' : 'passwordFile'], "expected both 'user' and 'passwordFile', or neither");
}

export function checkCommands(commands: unknown, to: Report): void {
  if (Array.isArray(commands)) reportRepeats(to, commands.map((each) => fieldsOf(each)['name']), (index) => [index, 'name'], 'name');
}

const PRIORITIES = ['high', 'medium', 'low'];

export function checkHl7(destinations: unknown, to: Report): void {
  const all = (Array.isArray(destinations) ? destinations : []).map((destination) => fieldsOf(destination));
  reportRepeats(to, all.map(({ name }) => name), (index) => [index, 'name'], 'destination name');
  for (const [index, { retryBase, retryCap }] of all.entries()) {
    if (isNumber(retryBase) && isNumber(retryCap) && retryCap < retryBase) report(to, [index, 'retryCap'], "expected a duration not shorter than 'retryBase'");
  }
}

/** A certificate is of no use without its key, and the other way round. */
export function checkHl7Tls(tls: unknown, to: Report): void {
  const { certificateFile, keyFile } = fieldsOf(tls);
  if ((certificateFile === undefined) !== (keyFile === undefined)) report(to, [certificateFile === undefined ? 'keyFile' : 'certificateFile'], "expected both 'certificateFile' and 'keyFile', or neither");
}

export function checkFhirPush(servers: unknown, to: Report): void {
  reportRepeats(to, (Array.isArray(servers) ? servers : []).map((server) => fieldsOf(server)['name']), (index) => [index, 'name'], 'server name');
}

/** What patients permit is not sent in clear, and a secret even less. */
export function checkFhirServer(server: unknown, to: Report): void {
  const { url, tokenFile, oauth } = fieldsOf(server);
  const { tokenUrl } = fieldsOf(oauth);
  if (tokenFile !== undefined && oauth !== undefined) report(to, ['oauth'], "expected either 'tokenFile' or 'oauth'");
  for (const [path, address] of [[['url'], url], [['oauth', 'tokenUrl'], tokenUrl]] as const) {
    if (isText(address) && /^http:/i.test(address) && !/^http:\/\/(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d+)?(?:\/|$)/i.test(address)) report(to, [...path], 'expected an https address; http only on the same machine');
  }
}

export function checkStaff(people: unknown, to: Report): void {
  const names = (Array.isArray(people) ? people : []).map((person) => fieldsOf(person)['name']);
  reportRepeats(to, names, (index) => [index, 'name'], 'name');
}

export function checkGatewayNames(gateways: unknown, to: Report): void {
  const all = (Array.isArray(gateways) ? gateways : []).map(fieldsOf);
  for (const field of ['key', 'name'] as const) reportRepeats(to, all.map((each) => each[field]), (index) => [index, field], field);
}

/** A level that reaches nobody would look like an escalation; a role that is called like a person would reach both. */
export function checkAlarms(alarms: unknown, to: Report): void {
  const sections = fieldsOf(alarms);
  const people = Array.isArray(sections['people']) ? sections['people'].map(fieldsOf) : [];
  const names = people.map(({ name }) => name);
  reportRepeats(to, names, (index) => ['people', index, 'name'], 'name');
  const roles = new Set(people.flatMap((person) => (Array.isArray(person['roles']) ? (person['roles'] as readonly unknown[]) : [])));
  for (const [index, name] of names.entries()) {
    if (isText(name) && (roles.has(name) || name === 'everyone')) report(to, ['people', index, 'name'], `'${name}' is a role, too`);
  }
  const known = new Set(['everyone', ...names, ...roles]);
  for (const kind of ['physiological', 'technical']) for (const priority of PRIORITIES) checkLevels(sections, [kind, priority], known, to);
}

function checkLevels(sections: Fields, [kind, priority]: [string, string], known: ReadonlySet<unknown>, to: Report): void {
  const { levels } = fieldsOf(fieldsOf(sections[kind])[priority]);
  if (!Array.isArray(levels)) return;
  for (const [index, level] of levels.entries()) {
    const { to: names } = fieldsOf(level);
    if (!Array.isArray(names)) continue;
    for (const [at, name] of names.entries()) {
      if (isText(name) && !known.has(name)) report(to, [kind, priority, 'levels', index, 'to', at], `'${name}' is neither a name nor a role in 'people'`);
    }
  }
}

export function checkQuiet(quiet: unknown, to: Report): void {
  const { hours } = fieldsOf(quiet);
  if (!Array.isArray(hours)) return;
  for (const [index, each] of hours.entries()) {
    const { from, until } = fieldsOf(each);
    if (isNumber(from) && (from === until || from === 24 * 60)) report(to, ['hours', index], "expected 'from' before 24:00 and not the same as 'until'");
  }
}

/** Names label metrics; a key counted twice would make a quorum of fewer nodes than it says. */
export function checkHospitals(gateway: unknown, to: Report): void {
  const { hospitals, chain } = fieldsOf(gateway);
  if (!Array.isArray(hospitals)) return;
  for (const field of ['name', 'key']) {
    reportRepeats(to, hospitals.map((each) => fieldsOf(each)[field]), (index) => ['hospitals', index, field], `hospital ${field}`);
  }
  const { quorum } = fieldsOf(chain);
  const members = hospitals.filter((each) => fieldsOf(each)['joining'] !== true).length;
  if (!isNumber(quorum) || quorum <= members) return;
  const range = `a quorum of 1 to ${members}, the number of hospitals`;
  const expected = members === 0 ? 'no quorum while no hospital is listed' : range;
  report(to, ['chain', 'quorum'], `expected ${expected}, got ${quorum}`);
}

export function checkPeers(peers: unknown, to: Report): void {
  if (!Array.isArray(peers)) return;
  for (const field of ['name', 'key']) reportRepeats(to, peers.map((each) => fieldsOf(each)[field]), (index) => [index, field], `peer ${field}`);
}

export function checkPublicKeys(gateways: unknown, to: Report): void {
  if (Array.isArray(gateways)) reportRepeats(to, gateways, (index) => [index], 'public key');
}

/** The smallest majority; 0 where there is nobody to ask. */
export function defaultQuorum(hospitals: number): number {
  return hospitals === 0 ? 0 : Math.floor(hospitals / 2) + 1;
}
