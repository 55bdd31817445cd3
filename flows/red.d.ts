/** What this palette uses of Node-RED's runtime (https://nodered.org/docs/api/), and the shapes its files share. */

export type Status = Readonly<{ fill: 'red' | 'green' | 'yellow' | 'blue' | 'grey'; shape: 'ring' | 'dot'; text: string }>;
export type Subject = Readonly<{ kind: 'patient' | 'room'; id: string }>;

/** What flows pass on; anybody may have put anything into it. */
export type FlowMessage = { _msgid?: string; [member: string]: unknown };
export type Send = (message: FlowMessage | readonly (FlowMessage | readonly FlowMessage[] | null)[]) => void;

export interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  readonly credentials?: Readonly<Record<string, string | undefined>>;
  /** Nothing of it: it is blank. */
  status(status: Partial<Status>): void;
  error(text: string, message?: FlowMessage): void;
  warn(text: string): void;
  send: Send;
  receive(message: FlowMessage): void;
  on(event: 'input', listener: (message: FlowMessage, send: Send, done: (error?: string) => void) => void): void;
  on(event: 'close', listener: (removed: boolean, done: () => void) => void): void;
}

/** As it was filled in; what an older version did not have is not there. */
export type Config = Readonly<Record<string, unknown>>;

export type Hooks = Readonly<{ add(name: string, listener: (event: HookEvent) => void): void; remove(name: string): void }>;
export type HookEvent = Readonly<{ msg?: FlowMessage; node?: Readonly<{ id: string }>; destination?: Readonly<{ id: string }> }>;

type Handler = (request: Readonly<{ query: Readonly<Record<string, unknown>>; params: Readonly<Record<string, string>>; body?: unknown }>, response: Response, next: () => void) => unknown;
interface Response {
  json(value: unknown): void;
  status(code: number): Response;
}

export interface Red {
  /** The text of a key of locales/, with its places filled in. */
  _(key: string, values?: Readonly<Record<string, unknown>>): string;
  readonly nodes: Readonly<{
    createNode(node: FlowNode, config: Config): void;
    getNode(id: string): FlowNode | null;
    registerType(type: string, constructor: unknown, options?: object): void;
  }>;
  /** `vitalgate`: inside a gateway's own Node-RED, where it is and by which token. */
  readonly settings: Readonly<{ vitalgate?: Place; available?: () => boolean; get?: (name: string) => unknown }>;
  readonly hooks: Hooks;
  readonly httpAdmin: Readonly<{ get(path: string, ...handlers: Handler[]): void; post(path: string, ...handlers: Handler[]): void }>;
  readonly auth: Readonly<{ needsPermission(permission: string): Handler }>;
  readonly comms: Readonly<{ publish(topic: string, data: unknown, retain?: boolean): void }>;
}

export type Place = Readonly<{ url: string; token: string }>;

/** A message of the contract (gateway/flows/schemas/messages.schema.json); within a version members may be added. */
/** `test`: made up by a flow, to try itself out. */
export type GatewayMessage = Readonly<{ contract: number; id: string; redelivered: boolean; test?: boolean }> &
  (
    | Readonly<{ topic: 'alarm'; alarm: AlarmStep }>
    | Readonly<{ topic: 'vital'; vital: Measured }>
    | Readonly<{ topic: 'room'; room: Measured }>
    | Readonly<{ topic: 'device'; device: DeviceNow }>
    | Readonly<{ topic: 'block'; block: Block }>
  );
export type Topic = GatewayMessage['topic'];
/** What there is to choose from. */
export type Lists = Readonly<{
  patients: readonly string[];
  rooms: readonly string[];
  devices: readonly string[];
  people: readonly Readonly<{ name: string; roles: readonly string[] }>[];
  measurements: readonly Readonly<{ name: string; unit: string }>[];
  testPatients: readonly string[];
  /** IANA name of where the gateway stands; an older gateway does not say. */
  timeZone?: string;
}>;
export type AlarmStep = Readonly<{
  step: number;
  alarm: number;
  revision: number;
  why: string;
  to: string;
  subject: Subject | null;
  rule: string | null;
  priority: 'high' | 'medium' | 'low' | null;
  message: string | null;
  told: Readonly<{ level: number; levels: number; to: readonly string[] }> | null;
}>;
export type Measured = Readonly<{ subject: Subject; measurement: string; value: number; unit: string; measuredAt: string; device: string | null; doubt: string | null; skipped: number }>;
export type DeviceNow = Readonly<{ device: string; subject: Subject | null; lastSeen: string | null; battery: number | null; signal: number | null; silent: readonly string[]; notices: readonly string[] }>;
export type Block = Readonly<{ event: 'sealed' | 'receipted'; lane: 'alarm' | 'record'; height: number; hash: string; entries: number; time: string }>;
