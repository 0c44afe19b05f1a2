// The OpenAPI 3.1 document, made from the schemas that validate, so that it can't say anything else. It decides nothing.
import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi"
import { REFUSALS } from "../errors.ts"
import { type Documented, type Endpoint, JSON_TYPE } from "./endpoint.ts"
import { PROBLEM_TYPE } from "./problem.ts"

const CODES = Object.keys(REFUSALS)
const NEXT = ["renew", "wait", "ask_approval", "stop"] as const
const errors = z.array(z.strictObject({ pointer: z.string(), expected: z.string() })).optional()

const ProblemAnswer = z
  .strictObject({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    code: z.enum(CODES),
    next: z.enum(NEXT),
    errors,
    request_id: z.string(),
  })
  .openapi("Problem", { description: "RFC 9457; `next` is what to do now" })

const OAuthErrorAnswer = z
  .strictObject({
    error: z.string(),
    error_description: z.string(),
    code: z.enum(CODES),
    next: z.enum(NEXT),
    errors,
    request_id: z.string(),
  })
  .openapi("OAuthError", { description: "RFC 6749 section 5.2" })

const INFO = {
  title: "taskmint issuer",
  version: "1",
  description:
    "Starts tasks and mints their tokens, takes in their uses, answers auditors. Scopes of service tokens are the roles: " +
    "`orchestrator`, `api`, `auditor`, `approver`, `operator`.",
}

/** The document as JSON. Made when it is first asked for. */
export function describeSurface(issuer: string, endpoints: readonly Endpoint[]): string {
  const registry = new OpenAPIHono()
  registry.openAPIRegistry.registerComponent("securitySchemes", "service_token", {
    type: "oauth2",
    flows: { clientCredentials: { tokenUrl: `${issuer}/token`, scopes: scopesOf(endpoints) } },
  })
  for (const endpoint of endpoints) registry.openAPIRegistry.registerPath(toRoute(endpoint))
  return JSON.stringify(
    registry.getOpenAPI31Document({ openapi: "3.1.0", info: INFO, servers: [{ url: issuer }] }),
  )
}

const scopesOf = (endpoints: readonly Endpoint[]): Record<string, string> =>
  Object.fromEntries(endpoints.flatMap(({ who }) => who.map((scope) => [scope, `The role ${scope}`])))

function toRoute(endpoint: Endpoint): RouteConfig {
  const { method, path, summary, group, who, query, body, answers, headers } = endpoint
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [name, z.string()])
  return {
    method,
    path,
    summary,
    tags: [group],
    ...(who.length > 0 && { security: who.map((scope) => ({ service_token: [scope] })) }),
    request: {
      ...(parameters.length > 0 && { params: z.object(Object.fromEntries(parameters)) }),
      ...(query instanceof z.ZodObject && { query }),
      ...(headers && { headers }),
      ...(body && {
        body: { required: body.optional !== true, content: { [body.type]: { schema: body.schema } } },
      }),
    },
    responses: { ...mapAnswers(answers), default: refusalOf(endpoint) },
  }
}

const mapAnswers = (answers: Readonly<Record<number, Documented>>): RouteConfig["responses"] =>
  Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, others }]) => [
      status,
      schema || others
        ? { description, content: contentOf({ ...(schema && { [JSON_TYPE]: schema }), ...others }) }
        : { description },
    ]),
  )

const contentOf = (schemas: Readonly<Record<string, z.ZodType>>) =>
  Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]))

const refusalOf = ({ group }: Endpoint) =>
  group === "token"
    ? { description: "An OAuth error", content: { [JSON_TYPE]: { schema: OAuthErrorAnswer } } }
    : { description: "A refusal", content: { [PROBLEM_TYPE]: { schema: ProblemAnswer } } }
