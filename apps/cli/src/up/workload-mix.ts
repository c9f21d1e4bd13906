/** A command of the workload: its key decides the member of the cluster, so each has exactly one. */
export interface WorkloadCommand {
  key: string
  args: string[]
}

const KEYS = 2_000
const TTL_SECONDS = 600

/** Few keys get most of the traffic: the cube puts half of it on the first eighth. */
const skewed = (random: () => number, count: number): number => Math.floor(random() ** 3 * count)

const COMMANDS: readonly [weight: number, make: (random: () => number) => WorkloadCommand][] = [
  [40, (random) => on(`user:${skewed(random, KEYS)}:profile`, (key) => ['GET', key])],
  [
    18,
    (random) =>
      on(`user:${skewed(random, KEYS)}:profile`, (key) => ['SET', key, text(random, 120), 'EX', `${TTL_SECONDS}`]),
  ],
  [
    12,
    (random) => on(`cart:${skewed(random, 500)}`, (key) => ['HSET', key, `item:${skewed(random, 40)}`, amount(random)]),
  ],
  [8, (random) => on(`queue:${skewed(random, 8)}`, (key) => ['LPUSH', key, text(random, 60)])],
  [4, (random) => on(`queue:${skewed(random, 8)}`, (key) => ['LTRIM', key, '0', '199'])],
  [
    8,
    (random) =>
      on(`board:${skewed(random, 20)}`, (key) => ['ZADD', key, amount(random), `player:${skewed(random, 300)}`]),
  ],
  [7, (random) => on(`hits:${skewed(random, 200)}`, (key) => ['INCR', key])],
  [3, (random) => on(`cart:${skewed(random, 500)}`, (key) => ['EXPIRE', key, `${TTL_SECONDS}`])],
]
const TOTAL = COMMANDS.reduce((sum, [weight]) => sum + weight, 0)

const on = (key: string, args: (key: string) => string[]): WorkloadCommand => ({ key, args: args(key) })
const amount = (random: () => number): string => String(1 + Math.floor(random() * 1_000))
const text = (random: () => number, most: number): string =>
  `v${Math.floor(random() * 1e9).toString(36)}`.padEnd(8 + Math.floor(random() * most), '.')

/** The next command of the mix. `random` gives numbers from 0 up to 1. */
export const nextCommand = (random: () => number): WorkloadCommand => {
  let pick = random() * TOTAL
  for (const [weight, make] of COMMANDS) {
    if (pick < weight) return make(random)
    pick -= weight
  }
  return on('hits:0', (key) => ['INCR', key])
}
