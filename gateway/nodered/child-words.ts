/** What the gateway and its Node-RED say to each other. */

/** File descriptor on which the child is told {@link StartWords}: nothing secret is in its environment or its arguments. */
export const START_FD = 4;
/** Header by which the child knows the gateway, and whom it speaks for. */
export const DOOR_HEADER = 'x-vitalgate-flows';
/** Header by which a page that is drawn in flows is told who looks at it. */
export const PERSON_HEADER = 'x-vitalgate-person';

export type StartWords = Readonly<{
  folder: string;
  palettes: readonly string[];
  /** Files of core nodes and folders of palettes that are not loaded. */
  exclude: readonly string[];
  /** Under which Node-RED encrypts the credentials of nodes. */
  credentialSecret: string;
  /** By which the child knows requests of the gateway. */
  doorSecret: string;
  /** Where nodes of our palette find the gateway, and with what. */
  api: Readonly<{ url: string; token: string }>;
  /** Longest that a Function node may run, in seconds: shorter than it takes to be killed. */
  functionTimeout: number;
}>;

export type ToChild = Readonly<{ ping: number }>;
export type FromChild =
  | Readonly<{ type: 'loading' }>
  | Readonly<{ type: 'listening'; port: number }>
  /** `rss`: bytes. */
  | Readonly<{ type: 'pong'; ping: number; rss: number }>
  | Readonly<{ type: 'started' }>
  | Readonly<{ type: 'log'; level: 'error' | 'warn' | 'info'; message: string }>;

/** `secret.permission.person`, the last in base64url. */
export const passFor = (doorSecret: string, mayEdit: boolean, person: string): string => `${doorSecret}.${mayEdit ? '*' : 'read'}.${Buffer.from(person, 'utf8').toString('base64url')}`;
