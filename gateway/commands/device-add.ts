import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AddedDevice, DeviceOrder } from '../administration.ts';
import { UsageError, messageOf } from '../errors.ts';
import { nameOf, type DeviceId } from '../reading.ts';
import { administer } from './administer.ts';
import { textOf, type Arguments, type Environment } from './command.ts';
import { qrCodeOf } from './device-qr.ts';
import { subjectIfAny } from './device-words.ts';

export const ADD_USAGE = 'device add <id> [--patient ID | --room ID] [--password-file FILE | --certificate | --csr FILE] [--out FOLDER] [--qr] [--svg FILE] [--json]';

export const ADD_OPTIONS = {
  'password-file': { type: 'string', value: 'FILE', help: 'First line is the password (default: a strong one is made and printed)' },
  certificate: { type: 'boolean', help: 'Make a key and a certificate for the device, for MQTT over TLS' },
  csr: { type: 'string', value: 'FILE', help: 'Make a certificate for the key of this request (PKCS#10, PEM)' },
  out: { type: 'string', value: 'FOLDER', help: 'Write ca.crt, <id>.crt and <id>.key there' },
  qr: { type: 'boolean', help: 'Print everything the device needs as a QR code: keep it to yourself' },
  svg: { type: 'string', value: 'FILE', help: 'Write the QR code as SVG' },
} as const;

/** Registers a device, and hands over what only it may know. Everything that can be refused is refused before. */
export async function addDevice(args: Arguments, environment: Environment, device: DeviceId): Promise<number> {
  const subject = subjectIfAny(args);
  const order: DeviceOrder = { device, credential: credentialOf(args), ...(subject === undefined ? {} : { subject }) };
  const out = textOf(args, 'out');
  const svg = textOf(args, 'svg');
  if (out !== undefined) prepareFolder(out, device, order);
  if (svg !== undefined) refuseFile(svg);
  if (args.values['qr'] === true && args.values['json'] === true) throw new UsageError('--qr is for people and --json for programs: give one of them');
  const added = await administer(args, environment, (api) => api.addDevice(order));
  const written = out === undefined ? [] : writeFiles(out, added);
  if (args.values['json'] === true) environment.out(JSON.stringify(added));
  else for (const line of describe(added, written)) environment.out(line);
  if (args.values['qr'] === true) environment.out(await qrCodeOf(added, 'terminal'));
  if (svg !== undefined) writeFileSync(svg, await qrCodeOf(added, 'svg'), { flag: 'wx', mode: 0o600 });
  return 0;
}

/** Takes a device's credential and binding away; a gateway that runs closes its connections at once. */
export async function revokeDevice(args: Arguments, environment: Environment, device: DeviceId): Promise<number> {
  await administer(args, environment, (api) => api.revokeDevice(device));
  return 0;
}

function credentialOf(args: Arguments): DeviceOrder['credential'] {
  const passwordFile = textOf(args, 'password-file');
  const csr = textOf(args, 'csr');
  const wantsCertificate = args.values['certificate'] === true;
  if ([passwordFile !== undefined, csr !== undefined, wantsCertificate].filter(Boolean).length > 1) {
    throw new UsageError('by what does it prove itself? Give one of --password-file, --certificate and --csr');
  }
  if (csr !== undefined) return { kind: 'certificate', csr: textIn(csr, 'certificate request') };
  if (wantsCertificate) return { kind: 'certificate' };
  return { kind: 'password', ...(passwordFile === undefined ? {} : { password: passwordIn(passwordFile) }) };
}

function textIn(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`cannot read the ${what}: ${messageOf(cause)}`, { cause });
  }
}

function passwordIn(path: string): string {
  const [password = ''] = textIn(path, 'password file').split(/\r?\n/);
  if (password.length < 12) throw new UsageError(`the password in ${path} is shorter than 12 characters`);
  return password;
}

function refuseFile(path: string): void {
  if (existsSync(path)) throw new UsageError(`${path} exists already, and is not overwritten`);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new UsageError(`cannot write ${path}: ${messageOf(cause)}`, { cause });
  }
}

function prepareFolder(folder: string, device: DeviceId, { credential }: DeviceOrder): void {
  if (credential.kind === 'password') throw new UsageError('--out is for certificates: give --certificate or --csr too');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new UsageError(`cannot create the folder ${folder}: ${messageOf(cause)}`, { cause });
  }
  for (const name of [`${device}.crt`, `${device}.key`]) refuseFile(join(folder, name));
}

/** The key first: it is nowhere else. A `ca.crt` that is there already may be of this gateway, from another device. */
function writeFiles(folder: string, { device, certificate }: AddedDevice): readonly string[] {
  if (certificate === undefined) return [];
  const [key, crt, ca] = [join(folder, `${device}.key`), join(folder, `${device}.crt`), join(folder, 'ca.crt')];
  if (certificate.privateKey !== undefined) writeFileSync(key, certificate.privateKey, { flag: 'wx', mode: 0o600 });
  writeFileSync(crt, certificate.certificate, { flag: 'wx' });
  if (existsSync(ca) && readFileSync(ca, 'utf8') !== certificate.ca) {
    throw new UsageError(`${device} is registered and ${crt} is written, but ${ca} is the authority of another gateway and is not overwritten`);
  }
  writeFileSync(ca, certificate.ca);
  return [...(certificate.privateKey === undefined ? [] : [key]), crt, ca];
}

function describe({ device, subject, topic, urls, password, certificate }: AddedDevice, written: readonly string[]): readonly string[] {
  const pems = certificate === undefined || written.length > 0 ? [] : [certificate.certificate, certificate.privateKey ?? '', certificate.ca];
  return [
    `device    ${device}`,
    ...(password === undefined ? [] : [`password  ${password}   (shown once)`]),
    ...(certificate?.privateKey === undefined || written.length > 0 ? [] : ['key       below   (shown once)']),
    `topic     ${topic}`,
    `subject   ${subject === null ? '(not bound: see "vitalgate device bind")' : nameOf(subject)}`,
    ...urls.map((url) => `address   ${url}`),
    ...written.map((path) => `file      ${path}`),
    ...pems.filter((pem) => pem !== '').map((pem) => `\n${pem.trimEnd()}`),
  ];
}
