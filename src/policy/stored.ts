// Policies as they rest: texts by digest, and the one row that names the policy in force. It decides that a digest never
// seen takes force and one that was seen does not; when that is asked is in-force.ts's.
import { committed, type Engine, type Step } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { PolicyFaults } from "./fault.ts"
import { loadStoredPolicy } from "./load.ts"
import type { Policy } from "./policy.ts"
import { loaded } from "./policy-events.ts"
import type { LoadOptions } from "./resolve.ts"
import { inForceRow, insertInForce, insertPolicy, replaceInForce, storedFiles } from "./statements.ts"

/** Another replica may move the row between reading and writing it, this often in a row. */
export const ATTEMPTS = 5

/** Where policies rest, and how they are read back. */
interface Resting extends LoadOptions {
  readonly engine: Engine
  readonly ledger: Ledger
}

export interface InForceRow {
  readonly digest: string
  readonly since: number
}

/** Puts a policy in force when its digest was never seen. Answers the row that stands then. */
export async function settle(rest: Resting, policy: Policy, by?: string): Promise<InForceRow> {
  const { engine, ledger } = rest
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const [row] = await engine.query(inForceRow)
    const [seen] = await engine.query(storedFiles, { digest: policy.digest })
    if (row && (row.digest === policy.digest || seen)) return row
    const at = ledger.at()
    const { digest } = policy
    const steps: Step[] = [
      { statement: insertPolicy, values: { digest, files: JSON.stringify([...policy.files]), at }, rows: 1 },
      row
        ? { statement: replaceInForce, values: { digest, previous: row.digest, at }, rows: 1 }
        : { statement: insertInForce, values: { digest, at }, rows: 1 },
      ...ledger.steps(loaded(at, policy, row?.digest, by)),
    ]
    if (await committed(engine, steps)) return { digest, since: at }
  }
  throw new Error("The policy in force changed again and again while it was read")
}

export async function readStored(rest: Resting, digest: string): Promise<Policy | PolicyFaults> {
  const texts = await storedTexts(rest.engine, digest)
  if (!texts) throw new Error("The stored policy in force has no texts")
  return loadStoredPolicy(texts, rest)
}

/** The texts of a policy that was loaded once; undefined where it never was. */
export async function storedTexts(
  engine: Engine,
  digest: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const [row] = await engine.query(storedFiles, { digest })
  // Written by settle() above, of a policy's own files.
  return row && new Map(JSON.parse(row.files) as [string, string][])
}
