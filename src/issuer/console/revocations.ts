// The pages of locks and revocations, and setting and lifting them as an operator. They translate; what a kind covers is the
// task room's to say.
import { z } from "@hono/zod-openapi"
import {
  FORM_HOURS,
  FORM_KINDS,
  REVOCATIONS_PATH,
  revocationPage,
  revocationPath,
  revocationsPage,
} from "../../console/revocations-page.ts"
import { Refusal } from "../../errors.ts"
import { LOCKS } from "../../task/revocation-view.ts"
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { plain } from "../task-schema.ts"
import { action, page } from "./route.ts"

const LIMIT = 25
/** Names that the form offers. */
const MOST_NAMES = 200
const HOUR_MILLISECONDS = 3_600_000

const kind = z.enum(FORM_KINDS.map(([one]) => one))

const ListQuery = z.strictObject({
  after: z
    .string()
    .regex(/^rev_[0-9a-f-]{36}$/, "a revocation id")
    .optional(),
  kind: kind.optional(),
  value: plain(256).optional(),
})

const RevokeForm = z.strictObject({
  kind,
  value: plain(256),
  hours: z.enum(FORM_HOURS.map(([one]) => one)).optional(),
  reason: plain(1000),
})

const LiftForm = z.strictObject({})

export const revocationPages = (rooms: Rooms): Endpoint[] => [
  list(rooms),
  show(rooms),
  revoke(rooms),
  lift(rooms),
]

const list = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: REVOCATIONS_PATH,
    summary: "Locks and revocations, and who has applied them",
    who: ["auditor", "operator"],
    query: ListQuery,
    async run({ query: { after, kind: of = "agent", value = "" } }, { caller }) {
      const { revocations, policies, ledger } = rooms
      const { agents, orchestrators, apis } = policies.inForce()
      const names = [agents, orchestrators, apis].flatMap((named) => [...named.keys()]).slice(0, MOST_NAMES)
      return revocationsPage({
        locks: await revocations.locks(),
        page: await revocations.page({ after, limit: LIMIT }),
        after,
        now: ledger.at(),
        ...(caller.scopes.has("operator") && { form: { kind: of, value, names } }),
      })
    },
  })

const show = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: `${REVOCATIONS_PATH}/{id}`,
    summary: "One revocation, and which verifier instances have applied it",
    who: ["auditor", "operator"],
    async run({ parameter }, { caller }) {
      const revocation = await rooms.revocations.show(parameter("id"))
      if (revocation instanceof Refusal) return revocation
      return revocationPage({ revocation, now: rooms.ledger.at(), operates: caller.scopes.has("operator") })
    },
  })

const revoke = (rooms: Rooms): Endpoint =>
  action(rooms, {
    path: REVOCATIONS_PATH,
    summary: "End tokens now; for names also a lock until it is lifted",
    who: ["operator"],
    form: RevokeForm,
    async run({ body: { hours = "", ...asked } }, { name }) {
      const until = rooms.ledger.at() + Number(hours) * HOUR_MILLISECONDS
      const set = await rooms.revocations.revoke(name, {
        ...asked,
        ...(hours !== "" && LOCKS.has(asked.kind) && { until }),
      })
      return set instanceof Refusal ? set : revocationPath(set.id)
    },
  })

const lift = (rooms: Rooms): Endpoint =>
  action(rooms, {
    path: `${REVOCATIONS_PATH}/{id}/lift`,
    summary: "Lift a lock; tokens that it ended stay ended",
    who: ["operator"],
    form: LiftForm,
    async run({ parameter }, { name }) {
      const lifted = await rooms.revocations.lift(name, parameter("id"))
      return lifted instanceof Refusal ? lifted : revocationPath(lifted.id)
    },
  })
