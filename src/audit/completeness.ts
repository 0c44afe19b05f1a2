// Verifier instances whose reports can't be all there is, or can't be dated: batches are missing, a clock is off. It decides
// what is an alarm of them; gaps are told of when they are found (task/instance.ts), and these stand until they are over.
import type { Engine } from "../database/database.ts"
import type { Begun } from "./alarm.ts"
import {
  type DriftedRow,
  driftedVerifiers,
  type IncompleteRow,
  incompleteVerifiers,
  verifierStillDrifted,
  verifierStillIncomplete,
} from "./completeness-statements.ts"

/** Those without an alarm, up to `limit` of each kind. Throws Unavailable. */
export async function findIncomplete(engine: Engine, limit: number): Promise<readonly Begun[]> {
  const gaps = await engine.query(incompleteVerifiers, { limit })
  const drifted = await engine.query(driftedVerifiers, { limit })
  return [...gaps.map(ofGaps), ...drifted.map(ofDrift)]
}

const ofGaps = ({ instance, api, sequence, missing, since }: IncompleteRow): Begun => ({
  kind: "verifier_gap",
  value: instance,
  facts: { api, sequence, missing },
  since,
  guards: [{ statement: verifierStillIncomplete, values: { instance }, rows: 1 }],
})

const ofDrift = ({ instance, api, drift, since }: DriftedRow): Begun => ({
  kind: "verifier_drifted",
  value: instance,
  facts: { api, ...(drift !== null && { drift }) },
  since,
  guards: [{ statement: verifierStillDrifted, values: { instance, since }, rows: 1 }],
})
