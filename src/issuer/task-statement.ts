// A task's closing statement on the wire: JSON with the values beside what is signed, the bare JWS, or the page. It decides
// which of them, by `Accept`; what a statement says, the audit room, and when it is final, closing.ts.
import { z } from "@hono/zod-openapi"
import { inClear } from "../audit/opening.ts"
import { STATEMENT_POLICY, statementPage } from "../console/statement-page.ts"
import { Refusal, refuse } from "../errors.ts"
import { isId } from "../token/id.ts"
import type { ClosingStatement } from "./closing.ts"
import { type Endpoint, guarded, JSON_TYPE, json } from "./endpoint.ts"
import { INERT } from "./inert.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"
import { isStatement, StatementAnswer } from "./statement-schema.ts"

const JWS_TYPE = "application/jwt"
const PAGE_TYPE = "text/html"

const HEADERS = { "cache-control": "no-store", vary: "accept" }

export const statementEndpoints = ({ closings, ledger }: Rooms): Endpoint[] => [
  guarded({
    method: "get",
    path: "/tasks/{id}/statement",
    lane: "later",
    summary:
      "The closing statement of a task: granted, used, never used, refused, who reported. Provisional until its verifiers " +
      "have reported past its end, or a day after it",
    group: "tasks",
    who: ["orchestrator", "auditor", "operator"],
    answers: {
      200: {
        description: "Signed by the issuer",
        schema: StatementAnswer,
        others: { [JWS_TYPE]: z.string(), [PAGE_TYPE]: z.string() },
      },
    },
    async run({ request, parameter }, caller) {
      const id = parameter("id")
      if (!isId("task", id)) return refuse("not_found", "[task] no task id")
      const viewer = { clientId: caller.clientId, staff: caller.kind === "staff" }
      // An orchestrator looks at its own task.
      if (viewer.staff)
        await recordReading({ ledger }, caller, { report: "statement", parameters: { task: id } })
      const type = wantedType(request.headers.get("accept"))
      if (type === JWS_TYPE) {
        const jws = await closings.readSigned(viewer, id)
        return jws instanceof Refusal
          ? jws
          : new Response(jws, { headers: { ...HEADERS, ...INERT, "content-type": type } })
      }
      const made = await closings.read(viewer, id)
      if (made instanceof Refusal) return made
      return type === PAGE_TYPE ? statementAnswer(made) : json(200, onWire(made), HEADERS)
    },
  }),
]

const onWire = ({ state, number, jws, statement, opened, key }: ClosingStatement) => ({
  state,
  number,
  jws,
  statement,
  personal: {
    ...(key && { key: Buffer.from(key).toString("base64url") }),
    values: opened,
  },
})

/** The page, with a policy of its own. */
export function statementAnswer({ statement, opened }: ClosingStatement): Response {
  if (!isStatement(statement)) throw new TypeError("a statement that was kept is of another version")
  return new Response(statementPage(inClear(statement, opened)), {
    headers: {
      ...HEADERS,
      "content-type": `${PAGE_TYPE}; charset=utf-8`,
      "content-security-policy": STATEMENT_POLICY,
      ...INERT,
      "referrer-policy": "no-referrer",
    },
  })
}

/**
 * RFC 9110 section 12.5.1: of the three the one with the highest weight, the one named first among equals. JSON where none
 * is named: a client that says nothing is a program.
 */
export function wantedType(accept: string | null): typeof JSON_TYPE | typeof JWS_TYPE | typeof PAGE_TYPE {
  const asked = (accept ?? "").split(",").map((one) => {
    const [type = "", ...parameters] = one.split(";").map((part) => part.trim().toLowerCase())
    const weight = parameters.find((part) => part.startsWith("q="))?.slice(2)
    return { type, weight: weight === undefined ? 1 : Number(weight) }
  })
  const known = [JSON_TYPE, JWS_TYPE, PAGE_TYPE] as const
  let best: { type: (typeof known)[number]; weight: number } = { type: JSON_TYPE, weight: 0 }
  for (const { type, weight } of asked) {
    const one = known.find((each) => each === type)
    if (one && weight > best.weight) best = { type: one, weight }
  }
  return best.type
}
