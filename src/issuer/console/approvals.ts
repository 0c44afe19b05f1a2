// The approvals' pages and the answer of a person. The same functions decide as at POST /approvals/{id}; who may see what is
// the same, too. It decides how lately whoever answers must have signed in, and what hinders a reader.
import { z } from "@hono/zod-openapi"
import { APPROVALS_PATH, approvalPath } from "../../console/approval-parts.ts"
import { approvalPage, type Hindrance, inboxPage } from "../../console/approvals-page.ts"
import { Refusal, refuse } from "../../errors.ts"
import { isOwnQuestion } from "../../task/approval-decide.ts"
import type { Approval } from "../../task/approval-view.ts"
import { toEpochSeconds } from "../../time.ts"
import { DecideBody, deciderOf, viewerOf } from "../approvals.ts"
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { plain } from "../task-schema.ts"
import { action, page, SIGN_IN_PATH } from "./route.ts"
import type { Visitor } from "./visitor.ts"

const LIMIT = 15
const FRESH_SECONDS = 900
const WHO = ["approver", "auditor", "operator"] as const

const ListQuery = z.strictObject({
  shows: z.enum(["waiting", "decided"]).default("waiting"),
  after: z
    .string()
    .regex(/^apr_[0-9a-f-]{36}$/, "an approval id")
    .optional(),
})

const ShowQuery = z.strictObject({ late: z.literal("yes").optional() })

/** A form sends a field that was left empty. */
const DecideForm = z.strictObject({
  decision: DecideBody.shape.decision,
  reason: z.union([z.literal(""), plain(1000)]).optional(),
})

export const approvalPages = (rooms: Rooms): Endpoint[] => [inbox(rooms), show(rooms), decide(rooms)]

const inbox = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: APPROVALS_PATH,
    summary: "What waits for a person, and what was decided",
    who: [...WHO],
    query: ListQuery,
    async run({ query: { shows, after } }, visitor) {
      const state = shows === "waiting" ? "requested" : "decided"
      const { approvals, next } = await rooms.approvals.list(viewerOf(visitor.caller), {
        state,
        after,
        limit: LIMIT,
      })
      const questions = approvals.map((approval) => questionOf(rooms, visitor, approval))
      return inboxPage({ shows, questions, after, next, now: rooms.ledger.at() })
    },
  })

const show = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: `${APPROVALS_PATH}/{id}`,
    summary: "One approval: what is asked, and what became of it",
    who: [...WHO],
    query: ShowQuery,
    async run({ parameter, query: { late } }, visitor) {
      const found = await rooms.approvals.show(viewerOf(visitor.caller), parameter("id"))
      if (found instanceof Refusal) return found
      const question = questionOf(rooms, visitor, found)
      return approvalPage({ ...question, now: rooms.ledger.at(), late: late !== undefined })
    },
  })

const decide = (rooms: Rooms): Endpoint =>
  action(rooms, {
    path: `${APPROVALS_PATH}/{id}/decide`,
    summary: "Approve or deny, as a person that the policy names",
    who: ["approver"],
    form: DecideForm,
    async run({ parameter, body: { decision, reason = "" } }, visitor) {
      if (!isFresh(rooms, visitor)) return refuse("sign_in_again", "[signed_in_at] too long ago")
      const id = parameter("id")
      const decider = deciderOf(visitor.caller)
      const decided = await rooms.approvals.decide(decider, id, decision, reason === "" ? undefined : reason)
      if (!(decided instanceof Refusal)) return approvalPath(id)
      return decided.code === "approval_decided" ? `${approvalPath(id)}?late=yes` : decided
    },
  })

/** A service token shows who it is at each request. */
const isFresh = ({ clock }: Rooms, { signedInAt }: Visitor): boolean =>
  signedInAt === undefined || toEpochSeconds(clock.now()) - signedInAt < FRESH_SECONDS

const questionOf = (rooms: Rooms, visitor: Visitor, approval: Approval) => ({
  approval,
  hindrance: hindranceOf(rooms, visitor, approval),
})

function hindranceOf(rooms: Rooms, visitor: Visitor, approval: Approval): Hindrance | undefined {
  const { caller } = visitor
  if (!caller.scopes.has("approver")) return { why: "role" }
  if (!approval.by.includes(caller.clientId)) return { why: "not_named" }
  if (isOwnQuestion(deciderOf(caller), approval)) return { why: "own" }
  return isFresh(rooms, visitor) ? undefined : { why: "sign_in_again", signIn: SIGN_IN_PATH }
}
