import type { Command } from 'commander'
export const addUpCommand = (_program: Command): void => {}
