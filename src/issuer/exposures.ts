// The endpoints of tokens that are where they should not be: those that somebody found, and canaries that are put there on
// purpose. They translate and decide nothing; what a canary is and what is known of a token, the task room says.
import { z } from "@hono/zod-openapi"
import { Refusal } from "../errors.ts"
import type { Exposed } from "../task/exposure.ts"
import { toInstant } from "../time.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import { plain, StartBody } from "./task-schema.ts"

const jti = z.string().regex(/^tok_[0-9a-f-]{36}$/, "a token's id, never the token")
const instant = z.string().openapi({ format: "date-time" })

const Place = z.strictObject({ file: plain(400), line: z.int().min(1) })

const TellBody = z
  .strictObject({
    exposures: z
      .array(
        z.strictObject({
          jti,
          places: z.array(Place).min(1).max(5).openapi({ description: "The first of them" }),
          found: z.int().min(1).openapi({ description: "How many places there are" }),
          standing: z.enum(["genuine", "unchecked", "cut"]).openapi({
            description: "`genuine`: its signature was checked; `cut`: what was found is not whole",
          }),
        }),
      )
      .min(1)
      .max(20),
  })
  .openapi("TellExposures")

const TellAnswer = z
  .strictObject({
    exposures: z.array(
      z.strictObject({
        jti,
        state: z.enum(["live", "expired", "ended", "unknown"]).openapi({
          description: "`unknown`: no token of a task has this id here; nothing is written down of it",
        }),
        recorded: z.boolean().openapi({ description: "False: this was known, or there is no such token" }),
        expires_at: instant.optional(),
        task_id: z.string().optional(),
        task_state: z.string().optional(),
        agent: z.strictObject({ id: z.string(), instance: z.string() }).optional(),
        orchestrator: z.string().optional(),
        canary: z
          .boolean()
          .optional()
          .openapi({ description: "It grants nothing and was put there, perhaps" }),
      }),
    ),
  })
  .openapi("Exposures")

const CanaryBody = z
  .strictObject({
    type: StartBody.shape.type,
    agent: StartBody.shape.agent,
    inputs: StartBody.shape.inputs,
    api: StartBody.shape.type.optional().openapi({ description: "Default: the first of the task" }),
    reason: plain(1000).openapi({ description: "Where it is planted, or why" }),
    live: z.boolean().optional().openapi({
      description: "For a drill: it has not run out, and names an operation that nobody serves",
    }),
  })
  .openapi("MintCanary")

const CanaryAnswer = z
  .strictObject({
    task_id: z.string(),
    jti,
    resource: z.string(),
    access_token: z.string(),
    expires_at: instant,
    kid: z.string().openapi({ description: "It is known for a canary as long as this key is published" }),
  })
  .openapi("Canary")

export const exposureEndpoints = (rooms: Rooms): Endpoint[] => [tell(rooms), mintCanary(rooms)]

const tell = ({ exposures }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/exposures",
    lane: "later",
    summary:
      "Tokens that were found where they should not be, by id: what each is, and an entry that it was found",
    group: "exposures",
    who: ["auditor", "operator"],
    body: jsonBody(TellBody),
    answers: { 200: { description: "In the same order", schema: TellAnswer } },
    run: async ({ body }, caller) =>
      json(200, { exposures: (await exposures.record(caller.clientId, body.exposures)).map(exposedOnWire) }),
  })

const mintCanary = ({ canaries }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/canaries",
    summary: "Mint a token that looks like a task's and grants nothing: any use of it is an alarm",
    group: "exposures",
    who: ["operator"],
    body: jsonBody(CanaryBody),
    answers: { 201: { description: "The canary", schema: CanaryAnswer } },
    async run({ body }, caller) {
      const minted = await canaries.mint(caller.clientId, body)
      if (minted instanceof Refusal) return minted
      const { taskId, jti, resource, accessToken, exp, kid } = minted
      const expires = { expires_at: toInstant(exp * 1000), kid }
      return json(201, { task_id: taskId, jti, resource, access_token: accessToken, ...expires })
    },
  })

function exposedOnWire({ jti, token, recorded }: Exposed) {
  if (!token) return { jti, state: "unknown", recorded }
  const { state, exp, taskId, taskState, agent, orchestrator, canary } = token
  const task = { task_id: taskId, task_state: taskState, agent, orchestrator, canary }
  return { jti, state, recorded, expires_at: toInstant(exp * 1000), ...task }
}
