// What a policy file looks like: the one definition, from which the reader and the JSON Schema for editors both come. It
// checks each file by itself; whether names lead anywhere is resolve.ts's.
import { z } from "zod"
import { anomalies } from "./anomaly-schema.ts"
import { openid, workload } from "./identity-schema.ts"
import { count, duration, list, members, name, operation, text } from "./schema-words.ts"

/** A key file: inside the policy folder or beside it, never absolute. */
const KEY_PATH = /^(\.\.\/)?([A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/

const enabled = z.boolean().default(true).describe("false: nothing is minted for this name")
const owner = text(200).describe("Who answers for it: a mailing list or a team")

const when = z.string().min(1, "expected a condition").max(2000, "expected at most 2000 characters")

const KEY_SET =
  "expected the relative path of a key file, inside the policy folder or beside it (../keys/...), or a key set inline"

const keySet = z.union(
  [
    z.string().regex(KEY_PATH, KEY_SET),
    z.looseObject({
      keys: z
        .array(z.looseObject({}))
        .min(1, "expected at least one key")
        .max(16, "expected at most 16 keys"),
    }),
  ],
  KEY_SET,
)

const url = z.string().max(512, "expected at most 512 characters")

const identityProvider = z.strictObject({
  issuer: url.describe("Its iss, compared byte for byte"),
  jwks: keySet.optional().describe("Its keys; absent: asked for where its OpenID discovery says"),
  jwks_uri: url.optional().describe("Where its keys are, when discovery is not to be asked"),
  private_addresses: z.boolean().default(false).describe("true: it is on a private network or on this host"),
  audience: text(200).optional().describe("The aud of its tokens for people: what it calls taskmint"),
  name_claim: text(128).optional().describe("The claim that names a person; absent: sub"),
  enabled: z.boolean().default(true).describe("false: it vouches for nobody"),
})

const way = {
  private_key_jwt: z
    .strictObject({ jwks: keySet.describe("The public keys: a path, or the key set inline") })
    .optional()
    .describe("A key of its own, for assertions (RFC 7523)"),
  workload: workload.optional(),
}
const ways = <Way extends z.ZodType<object>>(one: Way) =>
  z
    .array(one.refine((each) => Object.keys(each).length === 1, "expected exactly one way in an item"))
    .min(1, "expected at least one way to authenticate")

const authenticate = ways(z.strictObject(way))
const authenticateStaff = ways(z.strictObject({ ...way, openid: openid.optional() }))

const api = z.strictObject({
  resource: z
    .string()
    .max(200, "expected at most 200 characters")
    .describe("RFC 8707 resource URL, the aud of its tokens"),
  owner,
  authenticate: authenticate.optional().describe("How its verifier proves that it is this API"),
  operations: members(
    operation,
    z.strictObject({
      risk: z
        .enum(["low", "moderate", "high"])
        .describe("How stale revocations may be: high 30 s, moderate 5 min, low until the token ends"),
      enabled,
    }),
    1,
  ).describe("What can be done there: the API's name, a colon, a word"),
  foreign: z
    .boolean()
    .default(false)
    .describe("true: its verifier is not taskmint's; its tokens name their place in a Token Status List"),
  openid: z
    .boolean()
    .default(false)
    .describe("true: a cloud that looks at sub and aud alone; sub of its tokens names task type and agent"),
  enabled,
})

const agent = z.strictObject({
  owner,
  at_most: list(operation)
    .optional()
    .describe("Whatever tasks grant, nothing beyond these; absent: all that they grant"),
  authenticate: authenticate.optional().describe("For agents that collect their own tokens"),
  enabled,
})

const orchestrator = z.strictObject({
  owner,
  authenticate: authenticate.optional().describe("How it proves who it is; without, it can't start anything"),
  enabled,
})

const staff = z.strictObject({
  roles: list(z.enum(["auditor", "approver", "operator"])).describe("Who reads, who agrees, who operates"),
  authenticate: authenticateStaff.optional().describe("How they prove who they are; approvers are people"),
  enabled,
})

const user = z
  .strictObject({
    ...openid.shape,
    at_most: list(operation).optional().describe("Tasks for them may do nothing beyond these"),
    enabled,
  })
  .describe("People for whom tasks may run: their provider's token comes with the start")

const bound = z.int("expected a whole number")

const inputRule = z
  .strictObject({
    pattern: z.string().min(1, "expected a pattern").optional().describe("RE2, anchored at both ends"),
    enum: list(z.string()).optional().describe("One of these"),
    integer: z
      .strictObject({ min: bound.describe("The least"), max: bound.describe("The most") })
      .optional()
      .describe("Canonical decimal, as a JSON string"),
  })
  .refine((rule) => Object.keys(rule).length === 1, "expected exactly one of pattern, enum, integer")

const grant = z.strictObject({
  api: name.describe("A name in apis"),
  operations: list(operation).describe("Of this API; there are no patterns"),
  resources: list(text(500)).describe(
    "Paths: a segment is a text, an {input} or * for any one; a last ** is one or more",
  ),
  approval: z
    .strictObject({
      by: list(name).describe("Staff of whom one person decides"),
      valid: duration("1m", "24h").describe("How long a granted approval lasts, and what is collected of it"),
      once: z.boolean().default(true).describe("false: for any number of uses while it is valid"),
    })
    .optional()
    .describe("A person decides first: it is not in the tokens of a start"),
  when: when.optional().describe("A condition in CEL: where it does not hold, a mint leaves the grant out"),
})

/** `act` names at most six holders, one of them the task's own agent. */
const MAX_DEPTH = 5

const delegation = z.strictObject({
  max_depth: z
    .int("expected a whole number")
    .min(1, "expected at least 1")
    .max(MAX_DEPTH, `expected at most ${MAX_DEPTH}`)
    .default(1)
    .describe("How many delegations may stand below each other"),
  max_children: count
    .max(1000, "expected at most 1000")
    .default(1)
    .describe("How many sub-agents one holder may have at a time"),
  to: members(name, list(operation), 1).describe(
    "The agents that may be delegated to, and what to each at most",
  ),
})

const limits = z.strictObject({
  active_tasks: count.default(100).describe("Of this type at a time"),
  starts_per_hour: count.default(1000).describe("Of this type"),
  uses: count.optional().describe("Of one task, of all its holders, as APIs report them"),
  uses_of: members(operation, count, 1).optional().describe("The same, of single operations"),
  at_limit: z
    .enum(["pause", "revoke"])
    .optional()
    .describe("What becomes of a task that reaches its uses; absent: pause"),
})

const BEHALF = "expected a list of names in users, or { users: [...], required: true }"
const behalf = z
  .union(
    [
      list(name),
      z.strictObject({
        users: list(name).describe("Rules in users: the first that fits decides"),
        required: z.boolean().default(false).describe("true: never without a user"),
      }),
    ],
    BEHALF,
  )
  .describe("Whom it may run for; absent: a subject_token is refused")

const task = z.strictObject({
  description: text(1000).optional().describe("What it is for: approvers and auditors read it"),
  orchestrators: list(name).describe("Who may start it"),
  agents: list(name).describe("Who may act in it"),
  on_behalf_of: behalf.optional(),
  token_lifetime: duration("5m", "30m").default("10m").describe("Of each token; 5m to 30m"),
  deadline: duration("1s", "7d").describe("Of the task; nothing passes it"),
  inputs: members(name, inputRule).default({}).describe("What the start must give: data, put into resources"),
  grants: z.array(grant).min(1, "expected at least one item").describe("What its tokens may do"),
  when: when
    .optional()
    .describe("A condition in CEL: where it does not hold, nothing is minted for the task"),
  proof_of_possession: z
    .enum(["optional", "required"])
    .default("optional")
    .describe("required: every token is bound to a key of the agent (DPoP)"),
  delegation: delegation.optional().describe("Absent: nobody hands it down"),
  renew: z
    .enum(["orchestrator", "agent", "none"])
    .default("orchestrator")
    .describe("agent: the agent may renew too, with its own token and key"),
  renewal_grace: duration("0s", "30m")
    .default("0s")
    .describe("For how long the agent's own token still renews after it has run out; renew: agent only"),
  limits: limits.default({ active_tasks: 100, starts_per_hour: 1000 }).describe("How many, and how often"),
  enabled,
})

export const policyFile = z
  .strictObject({
    version: z.literal(1).describe("Of the format"),
    identity_providers: members(name, identityProvider)
      .default({})
      .describe("Other issuers whose word is taken for who somebody is"),
    apis: members(name, api).default({}).describe("Services behind a verifier, and their operations"),
    agents: members(name, agent).default({}).describe("The software that acts"),
    orchestrators: members(name, orchestrator).default({}).describe("The callers that start tasks"),
    users: members(name, user).default({}).describe("The people that tasks may run for"),
    staff: members(name, staff)
      .default({})
      .describe("The people and pipelines that watch, approve or operate"),
    tasks: members(name, task).default({}).describe("Task types: what may be started, and what it may do"),
    anomalies,
  })
  .describe("A taskmint policy file")

export type PolicyFile = z.output<typeof policyFile>
export type IdentityProviderRule = z.output<typeof identityProvider>
export type ApiRule = z.output<typeof api>
export type AgentRule = z.output<typeof agent>
export type OrchestratorRule = z.output<typeof orchestrator>
export type UserDeclaration = z.output<typeof user>
export type StaffRule = z.output<typeof staff>
export type TaskRule = z.output<typeof task>
export type GrantRule = z.output<typeof grant>
export type InputDeclaration = z.output<typeof inputRule>
export type KeySetRule = z.output<typeof keySet>

/** The JSON Schema (draft-07, which editors read best) of a policy file. */
export const policyJsonSchema = (): Record<string, unknown> => ({
  title: "taskmint policy",
  ...z.toJSONSchema(policyFile, { target: "draft-7", io: "input" }),
})

/** The keys that are known at a path: what a mistyped one is compared with. */
export function keysAt(
  path: readonly PropertyKey[],
  schema: z.core.$ZodType = policyFile,
): readonly string[] {
  let at = schema
  for (const member of path) {
    const next = memberOf(bare(at), member)
    if (!next) return []
    at = next
  }
  const found = bare(at)
  return found instanceof z.ZodObject ? Object.keys(found.shape) : []
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return bare(schema.unwrap())
  return schema
}

function memberOf(schema: z.core.$ZodType, member: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[String(member)]
  if (schema instanceof z.ZodRecord) return schema.valueType
  return schema instanceof z.ZodArray ? schema.element : undefined
}
