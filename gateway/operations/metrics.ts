import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { READING_STATES, type ReadingState } from '../reading.ts';

/** The part of derivation's totals that is counted. */
type DerivedTotals = Readonly<{
  readings: number;
  duplicates: number;
  events: number;
  implausibleDeviceClocks: number;
  quarantined: Readonly<Record<string, number>>;
}>;

/** The part of what is known of the disk that is shown: bytes. `amplification`: bytes written for each byte accepted. */
export type DiskShown = Readonly<{ used: number; free: number; limit: number; level: string; dropped: Readonly<Record<string, number>>; written: number | null; amplification: number | null }>;

/** The part of what modems say of themselves that is shown: dBm and dB. */
export type ModemsShown = readonly Readonly<{
  link: string;
  state: string;
  technology: string | null;
  signal: Readonly<{ rsrp?: number; rsrq?: number; sinr?: number; rssi?: number }>;
  resets: Readonly<Record<string, number>>;
  smsSent: number;
}>[];

/** The part of what links say of themselves that is shown. Times in ms; `left` is null for a link without a budget. */
type LinksShown = Readonly<{
  links: readonly Readonly<{
    link: string;
    counted: Readonly<Record<string, Readonly<{ sent: number; received: number }>>>;
    dayBytes: number;
    monthBytes: number;
    left: number | null;
  }>[];
  paths: readonly Readonly<{ link: string; hospital: string; state: string; rtt: number | null; loss: number; clockAhead: number | null }>[];
}>;

/** The gateway's Prometheus metrics. Labels are reasons, states and lanes: never a patient, never a device. */
export class GatewayMetrics {
  readonly registry = new Registry();

  readonly messages = new Counter<'state'>({
    name: 'vitalgate_messages_total',
    help: 'Device messages (each holds one or more readings) that reached a state: received, accepted, sealed, relayed, receipted',
    labelNames: ['state'],
    registers: [this.registry],
  });
  readonly sequence = new Gauge<'state'>({
    name: 'vitalgate_sequence',
    help: 'Journal sequence up to which every frame has reached the state',
    labelNames: ['state'],
    registers: [this.registry],
  });
  readonly refused = new Counter<'reason'>({
    name: 'vitalgate_refused_total',
    help: 'Connections and messages turned away before acceptance, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly quarantined = new Counter<'reason'>({
    name: 'vitalgate_quarantined_total',
    help: 'Accepted messages, or parts of them, that could not be understood, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly readings = new Counter({
    name: 'vitalgate_readings_total',
    help: 'Readings that were derived',
    registers: [this.registry],
  });
  readonly duplicates = new Counter({
    name: 'vitalgate_duplicates_total',
    help: 'Messages recognised as repetitions and counted once',
    registers: [this.registry],
  });
  readonly deviceClocks = new Counter({
    name: 'vitalgate_implausible_device_clocks_total',
    help: 'Messages whose device time cannot be right; they are kept',
    registers: [this.registry],
  });
  readonly events = new Counter({ name: 'vitalgate_events_total', help: 'Health events that were raised or cleared', registers: [this.registry] });
  readonly blocks = new Counter<'lane'>({
    name: 'vitalgate_blocks_total',
    help: 'Blocks sealed',
    labelNames: ['lane'],
    registers: [this.registry],
  });
  readonly ackSeconds = new Histogram({
    name: 'vitalgate_ack_seconds',
    help: 'Time from the arrival of a QoS 1 or 2 message until it was durable and could be acknowledged',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [this.registry],
  });
  readonly connections = new Gauge({ name: 'vitalgate_mqtt_connections', help: 'MQTT clients connected', registers: [this.registry] });
  readonly serialAccepted = new Counter({
    name: 'vitalgate_serial_accepted_bytes_total',
    help: 'Bytes of serial lines that became messages and are durable, without what only frames them',
    registers: [this.registry],
  });
  readonly throttled = new Counter({
    name: 'vitalgate_throttled_seconds_total',
    help: 'Seconds for which connections were left unread because their device sends faster than maxRate or maxRateBytes',
    registers: [this.registry],
  });
  readonly serialLost = new Counter<'reason'>({
    name: 'vitalgate_serial_lost_bytes_total',
    help: 'Bytes of serial lines that became no message, or a message that could not be kept, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly serialLines = new Gauge({ name: 'vitalgate_serial_lines_open', help: 'Serial lines that are open', registers: [this.registry] });
  readonly bridges = new Gauge({ name: 'vitalgate_bridges_connected', help: 'Other brokers the gateway is connected to', registers: [this.registry] });
  readonly rebirths = new Counter({
    name: 'vitalgate_rebirth_requests_total',
    help: 'Sparkplug edge nodes that were asked to say their births again',
    registers: [this.registry],
  });
  readonly queue = new Gauge<'queue'>({
    name: 'vitalgate_queue_depth',
    help: 'Frames waiting: for the disk (accept), for derivation (derive)',
    labelNames: ['queue'],
    registers: [this.registry],
  });
  readonly storeHealthy = new Gauge({
    name: 'vitalgate_store_healthy',
    help: '1 while the store takes writes; 0 while everything is refused',
    registers: [this.registry],
  });
  readonly hospitalLag = new Gauge<'hospital' | 'lane'>({
    name: 'vitalgate_hospital_lag_blocks',
    help: 'Blocks a hospital has not countersigned yet',
    labelNames: ['hospital', 'lane'],
    registers: [this.registry],
  });
  readonly pathUp = new Gauge<'link' | 'hospital' | 'state'>({
    name: 'vitalgate_path_state',
    help: '1 for the state a hospital is in over a link: absent, probing, up, degraded, down',
    labelNames: ['link', 'hospital', 'state'],
    registers: [this.registry],
  });
  readonly pathRtt = new Gauge<'link' | 'hospital'>({
    name: 'vitalgate_path_rtt_seconds',
    help: 'Smoothed round trip to a hospital over a link',
    labelNames: ['link', 'hospital'],
    registers: [this.registry],
  });
  readonly pathLoss = new Gauge<'link' | 'hospital'>({
    name: 'vitalgate_path_loss_ratio',
    help: 'Share of what a hospital was asked lately over a link that it did not answer',
    labelNames: ['link', 'hospital'],
    registers: [this.registry],
  });
  readonly linkBytes = new Counter<'link' | 'traffic' | 'direction'>({
    name: 'vitalgate_link_bytes_total',
    help: 'Bytes of requests and answers over a link, by kind of traffic, without what TLS, TCP and IP add',
    labelNames: ['link', 'traffic', 'direction'],
    registers: [this.registry],
  });
  readonly linkSwitches = new Counter<'hospital' | 'traffic' | 'from' | 'to'>({
    name: 'vitalgate_link_switches_total',
    help: 'Times that requests to a hospital, or answers to alarms, went over another link than before; "vitalgate links" says why',
    labelNames: ['hospital', 'traffic', 'from', 'to'],
    registers: [this.registry],
  });
  readonly payloadLag = new Gauge<'hospital' | 'part'>({
    name: 'vitalgate_payload_lag_blocks',
    help: 'Blocks at a hospital whose payloads it has not been given yet, as far as it may have them',
    labelNames: ['hospital', 'part'],
    registers: [this.registry],
  });
  readonly clockAhead = new Gauge<'hospital'>({
    name: 'vitalgate_hospital_clock_ahead_seconds',
    help: 'How far a hospital\'s clock is ahead of the gateway\'s; negative: behind. One of them is wrong',
    labelNames: ['hospital'],
    registers: [this.registry],
  });
  readonly linkUsed = new Gauge<'link' | 'period'>({
    name: 'vitalgate_link_used_bytes',
    help: 'Bytes that went over the interface of a link, both ways, on this day and in this month',
    labelNames: ['link', 'period'],
    registers: [this.registry],
  });
  readonly linkLeft = new Gauge<'link'>({
    name: 'vitalgate_link_budget_left_bytes',
    help: 'Bytes left of the budget of a link; below 0 when alarms went over it',
    labelNames: ['link'],
    registers: [this.registry],
  });

  readonly modemState = new Gauge<'link' | 'state'>({
    name: 'vitalgate_modem_state',
    help: '1 for the state that the modem of a link is in',
    labelNames: ['link', 'state'],
    registers: [this.registry],
  });
  readonly modemTechnology = new Gauge<'link' | 'technology'>({
    name: 'vitalgate_modem_technology',
    help: '1 for the radio technology in use: LTE, 5G NSA, 5G SA and older ones; none while there is no network',
    labelNames: ['link', 'technology'],
    registers: [this.registry],
  });
  readonly modemSignal = new Gauge<'link' | 'measure'>({
    name: 'vitalgate_modem_signal',
    help: 'Radio signal: rsrp and rssi in dBm, rsrq and sinr in dB; absent where the modem does not tell',
    labelNames: ['link', 'measure'],
    registers: [this.registry],
  });
  readonly modemResets = new Counter<'link' | 'rung'>({
    name: 'vitalgate_modem_resets_total',
    help: 'Resets of a modem over which nothing got through: session, radio, restart',
    labelNames: ['link', 'rung'],
    registers: [this.registry],
  });
  readonly smsSent = new Counter<'link'>({
    name: 'vitalgate_modem_sms_sent_total',
    help: 'Short messages that alarms wait, as the last resort',
    labelNames: ['link'],
    registers: [this.registry],
  });

  readonly diskBytes = new Gauge<'what'>({
    name: 'vitalgate_disk_bytes',
    help: 'Bytes: used by the data folder, limit of it, free on its file system',
    labelNames: ['what'],
    registers: [this.registry],
  });
  readonly diskLevel = new Gauge<'level'>({
    name: 'vitalgate_disk_level',
    help: '1 for how full the disk is: roomy; tight, the least important goes; full, readings are refused',
    labelNames: ['level'],
    registers: [this.registry],
  });
  readonly diskDropped = new Counter<'what'>({
    name: 'vitalgate_disk_dropped_total',
    help: 'What was dropped to make room or by its age, as gap entries of the chain say: payloads of summaries, raw frames',
    labelNames: ['what'],
    registers: [this.registry],
  });
  readonly diskWritten = new Gauge({
    name: 'vitalgate_disk_written_bytes',
    help: 'Bytes written to the disk since the gateway was set up',
    registers: [this.registry],
  });
  readonly diskAmplification = new Gauge({
    name: 'vitalgate_disk_write_amplification_ratio',
    help: 'Bytes written to the disk for each byte of messages accepted, since the start',
    registers: [this.registry],
  });

  readonly #counted = new Map<ReadingState, number>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.storeHealthy.set(1);
    for (const state of READING_STATES) this.messages.inc({ state }, 0);
  }

  /** Takes over how far the states are; `messages` counts up from the start of the process. */
  countStates(states: Readonly<Record<ReadingState, Readonly<{ messages: number; through: number }>>>): void {
    for (const state of READING_STATES) {
      const { messages, through } = states[state];
      this.messages.inc({ state }, messages - (this.#counted.get(state) ?? 0));
      this.#counted.set(state, messages);
      if (state !== 'received') this.sequence.set({ state }, through);
    }
  }

  showPayloads(all: readonly Readonly<{ hospital: string; behind: Readonly<Record<string, number>> }>[]): void {
    for (const { hospital, behind } of all) for (const [part, blocks] of Object.entries(behind)) this.payloadLag.set({ hospital, part }, blocks);
  }

  countSwitch({ hospital, traffic, from, to }: Readonly<{ hospital: string; traffic: string; from: string | null; to: string }>): void {
    this.linkSwitches.inc({ hospital, traffic, from: from ?? '', to });
  }

  /** Takes over what links say of themselves. `states`: all that a path can be in. */
  showLinks({ links, paths }: LinksShown, states: readonly string[]): void {
    // Links count from the start of the process, too.
    this.linkBytes.reset();
    for (const { link, counted, dayBytes, monthBytes, left } of links) {
      for (const [traffic, { sent, received }] of Object.entries(counted)) {
        this.linkBytes.inc({ link, traffic, direction: 'sent' }, sent);
        this.linkBytes.inc({ link, traffic, direction: 'received' }, received);
      }
      this.linkUsed.set({ link, period: 'day' }, dayBytes);
      this.linkUsed.set({ link, period: 'month' }, monthBytes);
      if (left !== null) this.linkLeft.set({ link }, left);
    }
    for (const { link, hospital, state, rtt, loss, clockAhead } of paths) {
      if (clockAhead !== null) this.clockAhead.set({ hospital }, clockAhead / 1000);
      for (const each of states) this.pathUp.set({ link, hospital, state: each }, each === state ? 1 : 0);
      if (rtt !== null) this.pathRtt.set({ link, hospital }, rtt / 1000);
      this.pathLoss.set({ link, hospital }, loss);
    }
  }

  /** Takes over what modems say of themselves. `states`: all that one can be in. */
  showModems(modems: ModemsShown, states: readonly string[]): void {
    // What is not told any more must not stay.
    for (const metric of [this.modemTechnology, this.modemSignal, this.modemResets, this.smsSent]) metric.reset();
    for (const { link, state, technology, signal, resets, smsSent } of modems) {
      for (const each of states) this.modemState.set({ link, state: each }, each === state ? 1 : 0);
      if (technology !== null) this.modemTechnology.set({ link, technology }, 1);
      for (const measure of ['rsrp', 'rsrq', 'sinr', 'rssi'] as const) {
        const value = signal[measure];
        if (value !== undefined) this.modemSignal.set({ link, measure }, value);
      }
      for (const [rung, count] of Object.entries(resets)) this.modemResets.inc({ link, rung }, count);
      this.smsSent.inc({ link }, smsSent);
    }
  }

  /** Takes over what is known of the disk; nothing before it was measured. `levels`: all that there are. */
  showDisk(disk: DiskShown | null, levels: readonly string[]): void {
    if (disk === null) return;
    for (const what of ['used', 'limit', 'free'] as const) this.diskBytes.set({ what }, disk[what]);
    for (const level of levels) this.diskLevel.set({ level }, level === disk.level ? 1 : 0);
    this.diskDropped.reset();
    for (const [what, count] of Object.entries(disk.dropped)) this.diskDropped.inc({ what }, count);
    if (disk.written !== null) this.diskWritten.set(disk.written);
    if (disk.amplification !== null) this.diskAmplification.set(disk.amplification);
  }

  /** Counts what derivation did between two totals. */
  countDerived(before: DerivedTotals, after: DerivedTotals): void {
    this.readings.inc(after.readings - before.readings);
    this.duplicates.inc(after.duplicates - before.duplicates);
    this.events.inc(after.events - before.events);
    this.deviceClocks.inc(after.implausibleDeviceClocks - before.implausibleDeviceClocks);
    for (const [reason, count] of Object.entries(after.quarantined)) {
      this.quarantined.inc({ reason }, count - (before.quarantined[reason] ?? 0));
    }
  }
}

/** The part of what is known of outputs that is shown. `behind`: null where it is not known. */
type OutputsShown = readonly Readonly<{ name: string; kind: string; state: string; behind: number | null }>[];

const QUICK_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** The hospital node's Prometheus metrics. Labels are reasons, states, lanes and names of systems: never a patient, a device or a gateway. */
export class UpstreamMetrics {
  readonly registry = new Registry();
  readonly blocks = new Counter<'outcome'>({
    name: 'vitalgate_upstream_blocks_total',
    help: 'Blocks offered by gateways, by outcome',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly rejected = new Counter<'reason'>({
    name: 'vitalgate_upstream_rejected_total',
    help: 'Offers that were not taken: "gap" (blocks before it are missing), the rule of the chain that a block broke, or why its gateway may not',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly verificationSeconds = new Histogram({
    name: 'vitalgate_upstream_verification_seconds',
    help: 'Time to ask every rule of the chain of one block',
    buckets: QUICK_SECONDS,
    registers: [this.registry],
  });
  readonly appendSeconds = new Histogram({
    name: 'vitalgate_upstream_append_seconds',
    help: 'Time until blocks that were offered together were durable in the store',
    buckets: QUICK_SECONDS,
    registers: [this.registry],
  });
  readonly taken = new Counter<'lane'>({ name: 'vitalgate_upstream_taken_total', help: 'Blocks that became durable here', labelNames: ['lane'], registers: [this.registry] });
  readonly takenBytes = new Counter<'what'>({
    name: 'vitalgate_upstream_taken_bytes_total',
    help: 'Bytes of blocks and of sealed payloads that became durable here',
    labelNames: ['what'],
    registers: [this.registry],
  });
  readonly countersignatures = new Counter<'lane'>({
    name: 'vitalgate_upstream_countersignatures_total',
    help: 'Receipts signed; one covers every block below it',
    labelNames: ['lane'],
    registers: [this.registry],
  });
  readonly forks = new Counter<'lane'>({
    name: 'vitalgate_upstream_forks_total',
    help: 'Forks that this process has seen: two histories under one key',
    labelNames: ['lane'],
    registers: [this.registry],
  });
  readonly releases = new Counter({ name: 'vitalgate_upstream_releases_total', help: 'Releases taken: keys and payloads beside the blocks', registers: [this.registry] });
  readonly payloads = new Counter({ name: 'vitalgate_upstream_payloads_total', help: 'Sealed payloads taken', registers: [this.registry] });
  readonly inFlight = new Gauge({ name: 'vitalgate_upstream_requests_in_flight', help: 'Requests that are being answered', registers: [this.registry] });
  readonly requests = new Counter<'status'>({
    name: 'vitalgate_upstream_requests_total',
    help: 'Requests answered, by class of status; 429 (too many from one) and 503 (too many altogether, or the store fails) by themselves',
    labelNames: ['status'],
    registers: [this.registry],
  });
  readonly gateways = new Gauge<'state'>({
    name: 'vitalgate_upstream_gateways',
    help: 'Gateways of which there is a block, by state: current, silent, forked',
    labelNames: ['state'],
    registers: [this.registry],
  });
  readonly outputBehind = new Gauge<'output' | 'kind'>({
    name: 'vitalgate_upstream_output_behind',
    help: 'Records, messages or blocks that an output has not got yet',
    labelNames: ['output', 'kind'],
    registers: [this.registry],
  });
  readonly outputState = new Gauge<'output' | 'kind' | 'state'>({
    name: 'vitalgate_upstream_output_state',
    help: '1 for the state an output is in: working, waiting, failing, off',
    labelNames: ['output', 'kind', 'state'],
    registers: [this.registry],
  });
  readonly storeHealthy = new Gauge({ name: 'vitalgate_upstream_store_healthy', help: '1 while the store takes writes; 0 after one failed', registers: [this.registry] });
  readonly hl7Messages = new Counter<'destination' | 'outcome'>({
    name: 'vitalgate_hl7_messages_total',
    help: 'HL7 v2 messages to integration engines, by what became of them: acknowledged, refused, unanswered, set_aside, withheld',
    labelNames: ['destination', 'outcome'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.storeHealthy.set(1);
  }

  /** What stores tell of themselves (oversight/observed-stores.ts). */
  readonly observer = {
    took: ({ lane, blocks, bytes }: Readonly<{ lane: string; blocks: number; bytes: number }>): void => {
      this.taken.inc({ lane }, blocks);
      this.takenBytes.inc({ what: 'blocks' }, bytes);
    },
    appended: (milliseconds: number): void => this.appendSeconds.observe(milliseconds / 1000),
    countersigned: ({ lane }: Readonly<{ lane: string }>): void => this.countersignatures.inc({ lane }),
    forked: ({ lane }: Readonly<{ lane: string }>): void => this.forks.inc({ lane }),
    released: ({ payloads, bytes }: Readonly<{ payloads: number; bytes: number }>): void => {
      this.releases.inc();
      this.payloads.inc(payloads);
      this.takenBytes.inc({ what: 'payloads' }, bytes);
    },
    wrote: (fault: Error | undefined): void => this.storeHealthy.set(fault === undefined ? 1 : 0),
  };

  answered(status: number): void {
    this.requests.inc({ status: status === 429 || status === 503 ? String(status) : `${Math.floor(status / 100)}xx` });
  }

  /** Shows how many blocks wait for a thread that verifies them; without a call there is no such metric. */
  watchQueue(length: () => number): void {
    const registers = [this.registry];
    const queue: Gauge = new Gauge({ name: 'vitalgate_upstream_worker_queue', help: 'Blocks that wait for a thread to verify them', registers, collect: () => queue.set(length()) });
  }

  showGateways(gateways: Readonly<Record<'current' | 'silent' | 'forked', number>>): void {
    for (const state of ['current', 'silent', 'forked'] as const) this.gateways.set({ state }, gateways[state]);
  }

  /** Takes over how outputs do. `states`: all that one can be in. */
  showOutputs(outputs: OutputsShown, states: readonly string[]): void {
    this.outputBehind.reset();
    this.outputState.reset();
    for (const { name: output, kind, state, behind } of outputs) {
      if (behind !== null) this.outputBehind.set({ output, kind }, behind);
      for (const each of states) this.outputState.set({ output, kind, state: each }, each === state ? 1 : 0);
    }
  }
}
