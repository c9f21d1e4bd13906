#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Half of the time of a short command goes into compiling what it imports: 0.5 s without the cache, 0.26 s with it. Where the
// folder cannot be written, Node goes on without one.
enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/sonde', import.meta.url)))
await import('./run.ts')
