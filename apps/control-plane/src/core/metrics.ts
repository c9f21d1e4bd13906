import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The service's own metrics. Labels are procedures, codes, states and outcomes: never an id, so their number is bounded. */
export interface Metrics {
  registry: Registry
  rpcDuration: Histogram<'procedure' | 'code'>
  rpcInFlight: Gauge
  chunksIngested: Counter<'outcome'>
  ingestBytes: Counter
  ingestLag: Histogram
  uploadMemory: Gauge
  heartbeats: Counter<'outcome'>
  transitions: Counter<'to'>
  sweepLastRun: Gauge
  cloneAlarms: Counter
  breakerOpened: Counter
  heldVerdicts: Gauge
  tailViewers: Gauge
  notifyHealthy: Gauge
}

/** Makes one registry, so that several control planes in one process, as in tests, do not share counters. */
export const createMetrics = (): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  return {
    registry,
    rpcDuration: new Histogram({
      name: 'rpc_duration_seconds',
      help: 'Time to answer one procedure call.',
      labelNames: ['procedure', 'code'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    rpcInFlight: new Gauge({ name: 'rpc_in_flight', help: 'Procedure calls that are being answered.', registers }),
    chunksIngested: new Counter({
      name: 'chunks_ingested_total',
      help: 'Chunks received on the data lane.',
      labelNames: ['outcome'],
      registers,
    }),
    ingestBytes: new Counter({ name: 'ingest_bytes_total', help: 'Stored bytes of chunk bodies.', registers }),
    ingestLag: new Histogram({
      name: 'ingest_lag_seconds',
      help: 'From the last line of a chunk to its commit; includes the clock difference of the target.',
      buckets: [0.1, 0.3, 1, 3, 10, 60],
      registers,
    }),
    uploadMemory: new Gauge({
      name: 'upload_memory_bytes',
      help: 'Memory that bodies of uploads are given; the rest of the data lane waits.',
      registers,
    }),
    heartbeats: new Counter({
      name: 'heartbeats_total',
      help: 'Heartbeats by verdict.',
      labelNames: ['outcome'],
      registers,
    }),
    transitions: new Counter({
      name: 'node_transitions_total',
      help: 'Announced changes of liveness.',
      labelNames: ['to'],
      registers,
    }),
    sweepLastRun: new Gauge({
      name: 'sweep_last_run_seconds',
      help: 'Unix time of the last completed staleness sweep of this replica.',
      registers,
    }),
    cloneAlarms: new Counter({
      name: 'node_clone_alarms_total',
      help: 'Times that two daemons were found to share one node id.',
      registers,
    }),
    breakerOpened: new Counter({
      name: 'node_breaker_opened_total',
      help: 'Times that so many nodes fell silent at once that their verdicts were withheld.',
      registers,
    }),
    heldVerdicts: new Gauge({
      name: 'node_verdicts_held',
      help: 'Silent nodes whose verdict is withheld, at the last sweep of this replica.',
      registers,
    }),
    tailViewers: new Gauge({ name: 'tail_viewers', help: 'Open tails.', registers }),
    notifyHealthy: new Gauge({
      name: 'notify_healthy',
      help: '1 while LISTEN works; 0 means that polling is what wakes this replica.',
      registers,
    }),
  }
}
