import { attachInput, capabilityUpdateInput, detachInput, heartbeatInput, rosterInput } from '@sonde/contracts'
import { anyProcedure, personProcedure, router } from '../core/trpc.ts'
import { attach } from './attach.ts'
import { capabilityUpdate } from './capability-update.ts'
import { detach } from './detach.ts'
import { heartbeat } from './heartbeat.ts'
import { roster } from './roster.ts'

/** `runtimeNode.*`: the life of a node in a session. A person may call it for a node of their own. */
export const nodesRouter = router({
  attach: anyProcedure
    .input(attachInput)
    .mutation(({ ctx: { resources, principal }, input }) => attach({ resources, principal, input })),
  heartbeat: anyProcedure
    .input(heartbeatInput)
    .mutation(({ ctx: { resources, principal }, input }) => heartbeat({ resources, principal, input })),
  capabilityUpdate: anyProcedure
    .input(capabilityUpdateInput)
    .mutation(({ ctx: { resources, principal }, input }) => capabilityUpdate({ resources, principal, input })),
  detach: anyProcedure
    .input(detachInput)
    .mutation(({ ctx: { resources, principal }, input }) => detach({ resources, principal, input })),
  roster: personProcedure
    .input(rosterInput)
    .query(({ ctx: { resources, principal }, input }) => roster({ resources, principal, input })),
})
