// The operator's two acts on policy: read the folder again, and bring back one that was in force before. What takes
// force and when is the policy room's to decide.
import { z } from "@hono/zod-openapi"
import { Refusal } from "../errors.ts"
import { type Endpoint, guarded, json, jsonBody, optionalJsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"

const InForce = z
  .strictObject({ result: z.enum(["unchanged", "loaded", "used"]), digest: z.string() })
  .openapi("PolicyInForce")

const UseBody = z
  .strictObject({
    digest: z.string().regex(/^sha-256:[A-Za-z0-9_-]{43}$/, "a policy digest: sha-256: and 43 characters"),
  })
  .openapi("UsePolicy")

const Nothing = z.strictObject({}).openapi("Nothing")

export const policyEndpoints = ({ policies }: Rooms): Endpoint[] => [
  guarded({
    method: "post",
    path: "/policy/reload",
    summary: "Read the policy folder now",
    group: "policy",
    who: ["operator"],
    body: optionalJsonBody(Nothing),
    answers: { 200: { description: "The policy in force", schema: InForce } },
    async run(_call, caller) {
      const result = await policies.reload(caller.clientId)
      return result instanceof Refusal ? result : json(200, { result, digest: policies.inForce().digest })
    },
  }),
  guarded({
    method: "post",
    path: "/policy/use",
    summary: "Bring back a policy that was in force before",
    group: "policy",
    who: ["operator"],
    body: jsonBody(UseBody),
    answers: { 200: { description: "The policy in force", schema: InForce } },
    async run({ body }, caller) {
      const result = await policies.use(body.digest, caller.clientId)
      return result instanceof Refusal ? result : json(200, { result, digest: policies.inForce().digest })
    },
  }),
]
