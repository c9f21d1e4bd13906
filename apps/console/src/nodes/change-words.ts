import type { Role } from '@sonde/contracts'
import { mayDo } from '@sonde/contracts'

/** What people do to a node. */
export const CHANGES = ['cordon', 'uncordon', 'drain', 'remove', 'revoke'] as const
export type Change = (typeof CHANGES)[number]

interface ChangeWords {
  /** On the button that opens the dialog. */
  label: string
  title: (name: string) => string
  /** What will happen. */
  effect: string
  /** On the button that does it. */
  confirm: string
  isHarsh: boolean
}

export const CHANGE_WORDS: Record<Change, ChangeWords> = {
  cordon: {
    label: 'Cordon',
    title: (name) => `Cordon ${name}?`,
    effect: 'It is given no new work. What runs on it goes on, and it stays attached. Uncordon lifts it.',
    confirm: 'Cordon',
    isHarsh: false,
  },
  uncordon: {
    label: 'Uncordon',
    title: (name) => `Uncordon ${name}?`,
    effect: 'It may be given work again. A drain is called off.',
    confirm: 'Uncordon',
    isHarsh: false,
  },
  drain: {
    label: 'Drain…',
    title: (name) => `Drain ${name}?`,
    effect:
      'It is given no new work, finishes what runs, ships what it has and detaches when all is stored. Uncordon calls it off until then.',
    confirm: 'Drain',
    isHarsh: false,
  },
  remove: {
    label: 'Remove…',
    title: (name) => `Remove ${name} from the session?`,
    effect:
      'It is taken out of the session. A daemon of it that runs comes back by itself: stop it, or revoke the node to keep it out.',
    confirm: 'Remove',
    isHarsh: true,
  },
  revoke: {
    label: 'Revoke…',
    title: (name) => `Revoke ${name} for good?`,
    effect: 'This ends what runs there, and its id never comes back into this session. It cannot be undone.',
    confirm: 'Revoke for good',
    isHarsh: true,
  },
}

interface Asked {
  change: Change
  role: Role | undefined
  isOwn: boolean
}

/** Why the caller may not do it, in words; undefined where they may. The server has the last word. */
export const refusalOf = ({ change, role, isOwn }: Asked): string | undefined => {
  if (role === undefined) return 'Your role is not known yet.'
  if (change === 'revoke') return mayDo(role, 'node.revoke') ? undefined : 'Only an owner of the session revokes nodes.'
  if (!mayDo(role, 'node.attach')) return 'A viewer cannot change nodes.'
  return isOwn ? undefined : 'Only the member whose token the node came with can do this.'
}
