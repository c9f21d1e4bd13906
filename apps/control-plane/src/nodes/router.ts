import {
  attachInput,
  capabilityUpdateInput,
  cordonInput,
  detachInput,
  drainInput,
  enrollmentCreateInput,
  heartbeatInput,
  nodeShowInput,
  removeInput,
  revokeInput,
  rosterInput,
} from '@sonde/contracts'
import { anyProcedure, personProcedure, router } from '../core/trpc.ts'
import { attach } from './attach.ts'
import { capabilityUpdate } from './capability-update.ts'
import { detach } from './detach.ts'
import { createEnrollment } from './enrollment.ts'
import type { Outside } from './outside.ts'
import { beatOn } from './quick-beat.ts'
import { remove } from './remove.ts'
import { revoke } from './revoke.ts'
import { roster } from './roster.ts'
import { cordon, drain, uncordon } from './schedule.ts'
import { show } from './show.ts'

/** `runtimeNode.*`: the life of a node in a session. A person may call it for a node of their own. */
export const createNodesRouter = (outside: Outside) =>
  router({
    attach: anyProcedure
      .input(attachInput)
      .mutation(({ ctx: { resources, principal }, input }) => attach({ resources, principal, input })),
    heartbeat: anyProcedure
      .input(heartbeatInput)
      .mutation(({ ctx, input }) => beatOn(ctx, { principal: ctx.principal, input })),
    capabilityUpdate: anyProcedure
      .input(capabilityUpdateInput)
      .mutation(({ ctx: { resources, principal }, input }) => capabilityUpdate({ resources, principal, input })),
    detach: anyProcedure
      .input(detachInput)
      .mutation(({ ctx: { resources, principal }, input }) => detach({ resources, principal, input })),
    createEnrollment: personProcedure
      .input(enrollmentCreateInput)
      .mutation(({ ctx: { resources, principal }, input }) => createEnrollment({ resources, principal, input })),
    revoke: personProcedure
      .input(revokeInput)
      .mutation(({ ctx: { resources, principal }, input }) => revoke({ resources, principal, input })),
    cordon: personProcedure
      .input(cordonInput)
      .mutation(({ ctx: { resources, principal }, input }) => cordon({ resources, principal, input })),
    uncordon: personProcedure
      .input(cordonInput)
      .mutation(({ ctx: { resources, principal }, input }) => uncordon({ resources, principal, input })),
    drain: personProcedure
      .input(drainInput)
      .mutation(({ ctx: { resources, principal }, input }) => drain({ resources, principal, input }, outside)),
    remove: personProcedure
      .input(removeInput)
      .mutation(({ ctx: { resources, principal }, input }) => remove({ resources, principal, input }, outside)),
    roster: personProcedure
      .input(rosterInput)
      .query(({ ctx: { resources, principal }, input }) => roster({ resources, principal, input })),
    show: personProcedure
      .input(nodeShowInput)
      .query(({ ctx: { resources, principal }, input }) => show({ resources, principal, input })),
  })
