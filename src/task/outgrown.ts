// Live tokens that the policy in force would not give any more: what was disabled, or lost a grant, ends with its policy
// and not when its tokens run out. It decides which tokens that are, by the gate that minted them; what has been minted
// since is by the new policy already, for every mint expects it. Limits and proof of possession end nothing: they hold at
// the next mint.
import { setImmediate } from "node:timers/promises"
import { committed } from "../database/database.ts"
import { readSetting } from "../database/setting.ts"
import { Refusal } from "../errors.ts"
import { toEpochSeconds } from "../time.ts"
import { type Authority, contains } from "../token/authority.ts"
import { parseGrants } from "../token/grant.ts"
import type { JsonValue } from "../token/json.ts"
import { chainOf } from "./delegation-statements.ts"
import { type Passed, passGate } from "./gate.ts"
import {
  endToken,
  feedToken,
  type LiveRow,
  liveTokens,
  tellOfToken,
  writeReviewed,
} from "./outgrown-statements.ts"
import { apiOf, assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { factsOf, holderOf } from "./renew.ts"
import { linkOf } from "./subject.ts"
import { circumstancesOf } from "./usage.ts"

export interface Outgrown {
  /**
   * Where the policy in force is another than at the last look, by whichever issuer: ends the live tokens that it does not
   * cover, each with its entry. Costs nothing else. Throws Unavailable; what is left is done at the next look.
   */
  look(): Promise<void>
}

const REVIEWED = "policy_reviewed"
/** Looked at in one go; between two of them others get their turn. */
const AT_ONCE = 500

export function createOutgrown(options: TaskOptions): Outgrown {
  const parts = assembleParts(options)
  let reviewed: string | undefined
  return {
    async look() {
      const { digest } = parts.policies.inForce()
      if (digest === reviewed || parts.mayMint() !== undefined) return
      const [row] = await parts.engine.query(readSetting, { key: REVIEWED })
      if (row?.value !== digest) {
        await review(parts)
        if (!(await isWritten(parts, digest))) return
      }
      reviewed = digest
    },
  }
}

/** False where another policy has taken force meanwhile. */
async function isWritten(parts: Parts, digest: string): Promise<boolean> {
  if (parts.policies.inForce().digest !== digest) return false
  return committed(parts.engine, [
    parts.policies.guard(),
    { statement: writeReviewed, values: { key: REVIEWED, digest } },
  ])
}

async function review(parts: Parts): Promise<void> {
  const now_seconds = toEpochSeconds(parts.ledger.at())
  let [exp, token] = [0, 0]
  for (;;) {
    const rows = await parts.engine.query(liveTokens, { now_seconds, exp, token, limit: AT_ONCE })
    const held = new Map<string, Promise<Passed | Refusal>>()
    await Promise.all(
      rows.map(async (row) => {
        const holder = `${row.task_id} ${row.delegation}`
        const known = held.get(holder) ?? mayHaveNow(parts, row)
        held.set(holder, known)
        const why = objectionTo(row, await known)
        if (why !== undefined) await end(parts, row, why)
      }),
    )
    const last = rows.at(-1)
    if (!last || rows.length < AT_ONCE) return
    ;[exp, token] = [last.token_exp, last.token]
    await setImmediate()
  }
}

/** What the token's holder would get now, with whatever key. */
async function mayHaveNow(parts: Parts, row: LiveRow): Promise<Passed | Refusal> {
  const chain =
    row.delegation === null ? [] : await parts.engine.query(chainOf, { delegation: row.delegation })
  const circumstances = await circumstancesOf(parts, row)
  return passGate(parts, {
    now: parts.ledger.at(),
    holder: holderOf(row),
    links: chain.map(linkOf),
    inputs: JSON.parse(row.inputs ?? "{}"),
    circumstances,
    jkt: row.jkt ?? undefined,
    keyLater: true,
    ceiling: JSON.parse(row.authority),
    deadline: row.deadline,
  })
}

/** Why the policy does not cover the token any more; undefined where it does. */
function objectionTo(row: LiveRow, now: Passed | Refusal): string | undefined {
  if (now instanceof Refusal) return now.reason
  const grants = grantsOf(row)
  const approved = grants.filter((grant) => grant.parameters !== undefined)
  const free = grants.filter((grant) => grant.parameters === undefined)
  if (!contains(now.authority, free)) return "[authority] less is granted, or an approval is wanted"
  return contains(now.approvable, approved) ? undefined : "[approval] what was approved is granted no more"
}

function grantsOf({ claims }: LiveRow): Authority {
  const { aud, authorization_details }: { aud: string; authorization_details: JsonValue } = JSON.parse(
    claims ?? "{}",
  )
  const grants = parseGrants(authorization_details, aud)
  if (!grants) throw new TypeError("a token's claims rest in another form than they were written in")
  return grants
}

/** Once: where it has ended otherwise, or another issuer was first, nothing happens. */
async function end(parts: Parts, row: LiveRow, why: string): Promise<void> {
  const { ledger, policies } = parts
  const at = ledger.at()
  const { jti } = row
  const { aud }: { aud?: string } = JSON.parse(row.claims ?? "{}")
  const api = aud === undefined ? undefined : apiOf(policies.inForce(), aud)?.name
  const event = {
    ...factsOf("token.revoked", row),
    at,
    jti,
    ...(api !== undefined && { api }),
    body: { by: "policy", policy: policies.inForce().digest, why },
  } as const
  await committed(parts.engine, [
    policies.guard(),
    { statement: feedToken, values: { jti }, rows: 1 },
    { statement: tellOfToken, values: { jti } },
    { statement: endToken, values: { jti, now: at }, rows: 1 },
    ...ledger.steps(event, row.key ?? "erased"),
  ])
}
