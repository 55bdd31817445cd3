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

/** The hospital node's Prometheus metrics. */
export class UpstreamMetrics {
  readonly registry = new Registry();
  readonly blocks = new Counter<'outcome'>({
    name: 'vitalgate_upstream_blocks_total',
    help: 'Blocks offered by gateways, by outcome',
    labelNames: ['outcome'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
