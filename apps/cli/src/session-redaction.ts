import { KeyPattern, policySetInput, RedactionLevel, type Policy } from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { LEVEL_WORDS } from './capture-view.ts'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { connected, withExamples, type CommonFlags } from './core/options.ts'
import { print, printJson } from './print/output.ts'
import { formatInstant } from './print/units.ts'

interface RedactionFlags extends CommonFlags {
  level?: string
  maskInKeys?: string[]
  keepKeyPrefix?: boolean
  strict?: boolean
}

/** Adds `sonde session redaction` to the session commands. */
export const addRedactionCommand = (group: Command): void => {
  withExamples(
    connected(group.command('redaction'))
      .description('show what captures keep of each line, or set it for those that start from now on')
      .addOption(
        new Option('--level <level>', 'full: keys only; values: mask common values; keys: mask keys too; none').choices(
          Object.values(RedactionLevel),
        ),
      )
      .addOption(
        new Option('--mask-in-keys <patterns...>', 'what is masked inside of keys').choices(Object.values(KeyPattern)),
      )
      .option('--keep-key-prefix', 'with --level keys: keep keys up to their first ":"')
      .option('--strict', 'also end running captures under older rules, and drop what of them is not stored yet')
      .action(redaction),
    'sonde session redaction',
    'sonde session redaction --level full --mask-in-keys email token',
    'sonde session redaction --level keys --keep-key-prefix --strict',
  )
}

const redaction = async (flags: RedactionFlags): Promise<void> => {
  const { level, maskInKeys, keepKeyPrefix, strict } = flags
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const current = await connection.call((rpc) => rpc.policies.get.query({ sessionId }))
  if (level === undefined && maskInKeys === undefined && keepKeyPrefix === undefined && strict === undefined) {
    return show(current, flags)
  }
  const rules = { level: level ?? current.rules.level, keyPatterns: maskInKeys, keepKeyPrefix }
  const input = checkInput(policySetInput, { sessionId, rules, strict })
  await show(await connection.call((rpc) => rpc.policies.set.mutate(input)), flags)
}

const show = async (policy: Policy, flags: CommonFlags): Promise<void> => {
  if (flags.json === true) return printJson(policy)
  const { revision, rules, minRevision, createdBy, createdAt } = policy
  await print(
    `level ${rules.level} (revision ${revision}, ${createdBy === null ? 'the default' : `set ${formatInstant(createdAt)}`})`,
  )
  await print(`values: ${LEVEL_WORDS[rules.level]}`)
  if (rules.keyPatterns.length > 0) await print(`masked inside of keys: ${rules.keyPatterns.join(', ')}`)
  if (rules.keepKeyPrefix) await print('keys are kept up to their first ":"')
  if (minRevision > 0) await print(`chunks of revisions before ${minRevision} are refused`)
}
