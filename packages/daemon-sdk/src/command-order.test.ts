import { newId, type CommandResult, type DeliveredCommand } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommandOrder } from './command-order.ts'

const captureId = newId()
const command = (number: number, segmentNo = 0): DeliveredCommand => ({
  commandId: newId(),
  number,
  body: { kind: 'segment.begin', captureId, segmentNo },
})
const acknowledged: CommandResult = { kind: 'acknowledged' }

test('commands of a segment run in the order of their numbers', () => {
  const order = new CommandOrder()
  const [first, second, third] = [command(0), command(1), command(2)]
  expect(order.deliver(first)).toEqual({ kind: 'run', commands: [first] })
  expect(order.deliver(third)).toEqual({ kind: 'held' })
  expect(order.deliver(second)).toEqual({ kind: 'run', commands: [second, third] })
})

test('a gap of one segment does not hold another segment back', () => {
  const order = new CommandOrder()
  order.deliver(command(0))
  expect(order.deliver(command(2))).toEqual({ kind: 'held' })
  const other = command(0, 1)
  expect(order.deliver(other)).toEqual({ kind: 'run', commands: [other] })
})

test('a held command that is delivered again runs without the missing one', () => {
  const order = new CommandOrder()
  order.deliver(command(0))
  const late = command(2)
  expect(order.deliver(late)).toEqual({ kind: 'held' })
  expect(order.deliver(late)).toEqual({ kind: 'run', commands: [late] })
})

test('the first command seen of a segment begins its order, whatever its number', () => {
  const begin = command(7)
  expect(new CommandOrder().deliver(begin)).toEqual({ kind: 'run', commands: [begin] })
})

test('a command that runs is not run twice, and one that was answered is answered the same again', () => {
  const order = new CommandOrder()
  const begin = command(0)
  order.deliver(begin)
  expect(order.deliver(begin)).toEqual({ kind: 'known' })
  order.answered(begin.commandId, acknowledged)
  expect(order.deliver(begin)).toEqual({ kind: 'answered', result: acknowledged })
})

test('the memory of answers is bounded, and the oldest go first', () => {
  const order = new CommandOrder()
  const all = Array.from({ length: 4097 }, (_, number) => command(number))
  for (const each of all) {
    order.deliver(each)
    order.answered(each.commandId, acknowledged)
  }
  expect(order.deliver(all[0]!).kind).toBe('run')
  expect(order.deliver(all[2]!).kind).toBe('answered')
})

test('in whatever order and however often they come, all run, each once, in order after the first', () => {
  const count = 8
  const deliveries = fc.array(fc.nat(count - 1), { maxLength: 40 })
  fc.assert(
    fc.property(deliveries, (indices) => {
      const order = new CommandOrder()
      const all = Array.from({ length: count }, (_, number) => command(number))
      const ran: number[] = []
      const deliver = (index: number) => {
        const delivery = order.deliver(all[index]!)
        if (delivery.kind === 'run') ran.push(...delivery.commands.map((each) => each.number))
      }
      deliver(0)
      for (const index of indices) deliver(index)
      // A whole delivery, as after a reconnect.
      for (let index = 0; index < count; index += 1) deliver(index)
      expect([...ran].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    }),
  )
})
