import type { Target } from '@sonde/contracts'
import { TargetTable } from './target-table.tsx'

/** Servers that a cluster names but no attached node reads. */
export const OrphanTargets = ({ targets, sessionId }: { targets: Target[]; sessionId: string }) => (
  <section aria-labelledby="orphans">
    <h2 id="orphans">Targets that no node reads</h2>
    <p className="quiet">They are known from their cluster. A daemon that can reach them makes them capturable.</p>
    <div className="scroll-x">
      <TargetTable targets={targets} sessionId={sessionId} />
    </div>
  </section>
)
