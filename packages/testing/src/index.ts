export { ManualClock } from './clock.ts'
export { startCluster, type ClusterNode, type RedisCluster, type StartClusterOptions } from './cluster.ts'
export { startDaemon, type DaemonProcess, type StartDaemonOptions } from './daemon.ts'
export { startFaultProxy, type FaultProxy } from './fault-proxy.ts'
export { ChaosKind, planChaos, type ChaosEvent, type ChaosOptions } from './fleet/chaos-plan.ts'
export { Fleet, type FleetOptions, type HeldSlot, type Returns } from './fleet/fleet.ts'
export { runFleet, type ControlPlaneControl, type FleetReport, type RunFleetOptions } from './fleet/run-fleet.ts'
export type { FleetPlace } from './fleet/simulated-node.ts'
export { freePort, portOf } from './free-port.ts'
export { guardProcess, type GuardOptions } from './guard.ts'
export {
  childrenOf,
  cpuOf,
  cpuOfTree,
  describeMachine,
  Latencies,
  median,
  memoryOf,
  seededRandom,
  spread,
  type Machine,
} from './measure.ts'
export { poll, type PollOptions } from './poll.ts'
export { startPostgres, type EmbeddedPostgres, type StartPostgresOptions } from './postgres.ts'
export type { ProcessEnd } from './process-end.ts'
export { startProgram, type Program, type StartProgramOptions } from './program.ts'
export { startRedis, type RedisProcess, type StartRedisOptions } from './redis.ts'
export type { RedisReply } from './redis-command.ts'
export { findRedisServer, type RedisServer, type RedisServerProgram } from './redis-server.ts'
export { printBench, printDrill, type BenchReport, type Check, type DrillReport } from './report.ts'
export { startControlPlane, type ControlPlaneProcess, type StartControlPlaneOptions } from './server.ts'
export { openStage, type Stage } from './stage.ts'
export { createWireLane, type WireAnswer, type WireLane, type WireLaneOptions } from './wire-lane.ts'
