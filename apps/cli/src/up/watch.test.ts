import { expect, test } from 'vitest'
import { Interrupted, LocalFailure } from '../core/failure.ts'
import { Watch } from './watch.ts'

const setup = () => {
  const stop = new AbortController()
  const watch = new Watch(stop.signal)
  const server = Promise.withResolvers<string>()
  watch.needed(server.promise, (how) => new LocalFailure(`The server ended (${how})`))
  return { stop, watch, end: server.resolve }
}

test('the end of a process that the rest needs ends the work with its failure', async () => {
  const { watch, end } = setup()
  const work = watch.orFailure(new Promise<never>(() => {}))
  end('killed by SIGKILL')
  await expect(work).rejects.toThrow('The server ended (killed by SIGKILL)')
  await expect(watch.untilAborted()).rejects.toThrow('The server ended')
})

test('a call that fails a moment before the end of its server is known is told as that end', async () => {
  const { watch, end } = setup()
  const cause = watch.causeOf(new Error('connection refused'))
  end('exit code 1')
  expect(await cause).toMatchObject({ message: 'The server ended (exit code 1)' })
  const { watch: other } = setup()
  const failure = new Error('connection refused')
  expect(await other.causeOf(failure)).toBe(failure)
})

test('a stop wins over what it makes fail, and leaves the work to put things in order', async () => {
  const { watch, stop, end } = setup()
  const work = watch.orFailure(new Promise<string>((resolve) => setTimeout(() => resolve('in order'), 10)))
  stop.abort(new Interrupted())
  expect(await watch.causeOf(new Error('no answer'))).toBeInstanceOf(Interrupted)
  watch.isStopping = true
  end('exit code 0')
  expect(await work).toBe('in order')
  expect(watch.signal.reason).toBeInstanceOf(Interrupted)
})

test('the end of another process is told, unless everything is being stopped', async () => {
  const { watch } = setup()
  const ends: string[] = []
  const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  watch.told(first.promise, (how) => ends.push(how))
  watch.told(second.promise, (how) => ends.push(how))
  first.resolve('exit code 2')
  await first.promise
  watch.isStopping = true
  second.resolve('exit code 0')
  await second.promise
  expect(ends).toEqual(['exit code 2'])
})
