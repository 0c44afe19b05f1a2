// The page of the policy in force. It reads who put it there from the ledger, and who may do what from the policy itself.
import { z } from "@hono/zod-openapi"
import { POLICY_PATH, policyPage } from "../../console/policy-page.ts"
import { findBack } from "../../ledger/search-back.ts"
import { accessOf, accessPairs } from "../../policy/access-table.ts"
import type { PolicyState } from "../../policy/in-force.ts"
import { policiesBefore } from "../../policy/statements.ts"
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { page } from "./route.ts"

const LIMIT = 30
const MOST_EARLIER = 20

const name = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,63}$/, "a name of the policy")
  .optional()
const Query = z.strictObject({
  agent: name,
  type: name,
  from: z
    .string()
    .regex(/^(0|[1-9]\d{0,6})$/, "a number of lines")
    .transform(Number)
    .default(0),
})

export const policyPages = (rooms: Rooms): Endpoint[] => [
  page(rooms, {
    path: POLICY_PATH,
    summary: "The policy in force, and who may do what by it",
    who: ["auditor", "operator"],
    query: Query,
    async run({ query: { from, ...asked } }, { caller }) {
      const policy = rooms.policies.inForce()
      const state = rooms.policies.state()
      const pairs = accessPairs(policy, asked)
      const before = { before: state.since, limit: MOST_EARLIER }
      const earlier = await rooms.engine.query(policiesBefore, before)
      return policyPage({
        state,
        by: await whoPutInForce(rooms, state),
        counts: { files: policy.files.size, types: policy.tasks.size, agents: policy.agents.size },
        asked,
        names: { agents: [...policy.agents.keys()].sort(), types: [...policy.tasks.keys()].sort() },
        lines: pairs.slice(from, from + LIMIT).map((pair) => accessOf(policy, pair)),
        all: pairs.length,
        from,
        staff: [...policy.staff.values()],
        earlier: earlier.map(({ digest, loaded_at }) => ({ digest, loadedAt: loaded_at })),
        audits: caller.scopes.has("auditor"),
        now: rooms.ledger.at(),
      })
    },
  }),
]

/** As its entry says, which has the very time since when it is in force. */
async function whoPutInForce({ engine }: Rooms, { digest, since }: PolicyState): Promise<string | undefined> {
  for (const kind of ["policy.loaded", "policy.used"] as const) {
    const { entries } = await findBack(engine, { kind, from: since, to: since + 1 }, { limit: 5 })
    const told = entries.find(({ body }) => body?.digest === digest)
    if (typeof told?.body?.by === "string") return told.body.by
  }
  return undefined
}
