import { parseArgs } from 'node:util'
import { openStage, printDrill, type Stage } from '@sonde/testing'
import { drillDeaths } from './drill/deaths.ts'
import { BREAKER_OFF, drillPause } from './drill/pause.ts'
import { play, type Scene } from './drill/scene.ts'
import { drillStorm } from './drill/storm.ts'

/**
 * What the registry promises of nodes when things go wrong, at the settings of production, each scene on a control plane and
 * a PostgreSQL of its own, all at the same time: about four minutes. Run by `sonde drill nodes`.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '10000' },
    pause: { type: 'string', default: '120' },
    only: { type: 'string' },
  },
})
const seed = Number(values.seed)
const forMs = Number(values.pause) * 1_000
const pause = (name: string, what: 'control plane' | 'PostgreSQL'): Scene => ({
  name,
  env: BREAKER_OFF,
  run: (stage) => drillPause(stage, { what, forMs, seed }),
})
const all: Scene[] = [
  pause('pause', 'control plane'),
  pause('database', 'PostgreSQL'),
  { name: 'deaths', run: (stage) => drillDeaths(stage, { seed }) },
  { name: 'storm', run: (stage) => drillStorm(stage, { seed, nodes: Number(values.nodes) }) },
]
const scenes = all.filter(({ name }) => values.only === undefined || values.only === name)
const note = (line: string): void => void process.stderr.write(`${line}\n`)

await using stages = new AsyncDisposableStack()
const set: { scene: Scene; stage: Stage }[] = []
// One after the other: what takes long to start would else be held against what is drilled.
for (const scene of scenes) set.push({ scene, stage: stages.use(await openStage(scene)) })
const checks = (await Promise.all(set.map(({ scene, stage }) => play(scene, stage, note)))).flat()
const ok = checks.length > 0 && checks.every((check) => check.ok)
printDrill({ name: 'nodes', seed, checks, ok }, values.json)
if (!ok) process.exitCode = 1
