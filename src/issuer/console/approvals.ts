// The approvals' pages and the answer of a person. The same functions decide as at POST /approvals/{id}; who may see what is
// the same, too. It decides how lately whoever answers must have signed in, and what hinders a reader.
import { z } from "@hono/zod-openapi"
import { APPROVALS_PATH, approvalPath } from "../../console/approval-parts.ts"
import { approvalPage, type Hindrance, inboxPage } from "../../console/approvals-page.ts"
import { Refusal } from "../../errors.ts"
import { isOwnQuestion } from "../../task/approval-decide.ts"
import type { Approval, ApprovalViewer } from "../../task/approval-view.ts"
import { toEpochSeconds } from "../../time.ts"
import { DecideBody, deciderOf, viewerOf } from "../approvals.ts"
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { plain } from "../task-schema.ts"
import { action, page, signInFor } from "./route.ts"
import { callerAs, isFresh, type Visitor } from "./visitor.ts"

const LIMIT = 15
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
      const { approvals, next } = await rooms.approvals.list(viewerFor(visitor), {
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
      const found = await rooms.approvals.show(viewerFor(visitor), parameter("id"))
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
    fresh: true,
    form: DecideForm,
    async run({ parameter, body: { decision, reason = "" } }, visitor) {
      const id = parameter("id")
      const asked = await rooms.approvals.show(viewerFor(visitor), id)
      if (asked instanceof Refusal) return asked
      const decider = deciderOf(callerAs(visitor, asked.by))
      const decided = await rooms.approvals.decide(decider, id, decision, reason === "" ? undefined : reason)
      if (!(decided instanceof Refusal)) return approvalPath(id)
      return decided.code === "approval_decided" ? `${approvalPath(id)}?late=yes` : decided
    },
  })

/** A person who is several entries of staff sees what any of them decides. */
function viewerFor({ caller, entries }: Visitor): ApprovalViewer {
  const viewer = viewerOf(caller)
  return viewer.deciders && entries ? { ...viewer, deciders: entries } : viewer
}

const questionOf = (rooms: Rooms, visitor: Visitor, approval: Approval) => ({
  approval,
  hindrance: hindranceOf(rooms, visitor, approval),
})

function hindranceOf(rooms: Rooms, visitor: Visitor, approval: Approval): Hindrance | undefined {
  const caller = callerAs(visitor, approval.by)
  if (!caller.scopes.has("approver")) return { why: "role" }
  if (!approval.by.includes(caller.clientId)) return { why: "not_named" }
  if (isOwnQuestion(deciderOf(caller), approval)) return { why: "own" }
  if (isFresh(visitor, toEpochSeconds(rooms.clock.now()))) return undefined
  return { why: "sign_in_again", signIn: signInFor(APPROVALS_PATH, { again: "yes" }) }
}
