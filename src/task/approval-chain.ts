// For whom an approval is: the task's own agent, or a holder below it. It decides that the delegations to that holder still
// stand, and names the guards of it; what the holder may ask is the gate's.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Refusing } from "./commit.ts"
import { chainOf, delegationStands } from "./delegation-statements.ts"
import type { Link } from "./gate.ts"
import type { Parts } from "./parts.ts"
import { factsOf, refusingOf } from "./renew.ts"
import type { TaskRow } from "./statements.ts"
import { aliveUntil, linkOf } from "./subject.ts"

export interface Chain {
  /** Outermost first; none: the task's own agent. */
  readonly links: readonly Link[]
  /** Of the holder's key. */
  readonly jkt: string | null
  /** That it still stands when it is written. */
  readonly guards: readonly Step[]
}

export async function chainTo(
  parts: Pick<Parts, "engine">,
  task: TaskRow,
  delegation: string | null | undefined,
): Promise<Chain | Refusal> {
  if (!delegation) return { links: [], jkt: task.jkt, guards: [] }
  const rows = await parts.engine.query(chainOf, { delegation })
  if (rows.length === 0 || rows.some((row) => row.ended_at !== null))
    return refuse("delegation_ended", "[delegation] it or one above it has ended")
  return {
    links: rows.map(linkOf),
    jkt: rows.at(-1)?.jkt ?? null,
    guards: rows.map((row) => ({
      statement: delegationStands,
      values: { delegation: row.delegation_id },
      rows: 1,
    })),
  }
}

/** The same, for a mint: no token outlives the holder above. */
export async function chainAlive(
  parts: Parts,
  task: TaskRow,
  delegation: string | null | undefined,
): Promise<(Chain & { readonly until?: number }) | Refusal> {
  const chain = await chainTo(parts, task, delegation)
  if (chain instanceof Refused || chain.links.length === 0) return chain
  const above = await aliveUntil(parts, { task }, chain.links.at(-2)?.delegationId, parts.ledger.at())
  if (above instanceof Refused) return above
  return { ...chain, until: above.until, guards: [...chain.guards, ...above.guards] }
}

type Named = Pick<Link, "agent" | "instance">

/** Facts of an entry about an approval: they name who holds, where that is not the task's own agent. */
export const factsFor = <K extends string>(kind: K, task: TaskRow, holder: Named | undefined) => ({
  ...factsOf(kind, task),
  ...(holder && { agent: holder.agent, instance: holder.instance }),
})

export const refusingFor = (
  kind: "token.refused" | "task.refused",
  task: TaskRow,
  holder: Named | undefined,
): Refusing => ({ ...refusingOf(kind, task), facts: factsFor(kind, task, holder) })
