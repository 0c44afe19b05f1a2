// A house whose support policy lets agents renew and delegate, and the agents' side of it: keys, own tokens, exchanges. What
// is asked goes over HTTP as it would from outside.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { type House, ISSUER, openHouse, START, TICKETS } from "./issuer-house.ts"
import { ROOT } from "./source.ts"

export const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
export const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

export interface CrewRules {
  /** The member `delegation` of the task type; "" for none. */
  readonly delegation?: string
  /** Further members of the task type, one a line. */
  readonly members?: readonly string[]
}

const DELEGATION =
  "delegation: { max_depth: 2, max_children: 3, to: { summarizer: [tickets:read], checker: [tickets:read, tickets:comment] } }"
const RENEWAL = ["renew: agent", "renewal_grace: 10m"]

/** The shipped support policy with one more agent and what the rules say. */
export function crewPolicy({ delegation = DELEGATION, members = RENEWAL }: CrewRules = {}): string {
  const shipped = readFileSync(join(ROOT, "policies", "support.yaml"), "utf8")
  const lines = [delegation, ...members].filter((line) => line !== "").map((line) => `    ${line}\n`)
  return shipped
    .replace("\norchestrators:", "\n  checker: { owner: ml-platform@example.com }\n\norchestrators:")
    .replace("    deadline: 2h\n", `    deadline: 2h\n${lines.join("")}`)
}

export const newKey = (): SigningKey => importSigningKey(generatePrivateJwk("ES256"))

export type Answer = Readonly<Record<string, unknown>>

/** A holder: its key, its own token and the one for the tickets API. */
export interface Member {
  readonly key: SigningKey
  readonly own: string
  readonly tickets: string
  readonly delegation?: string
}

export interface Crew {
  readonly house: House
  /** Starts a task for an agent with a key. */
  start(more?: object): Promise<Member & { readonly taskId: string }>
  /** Posts an exchange, with a proof by the key where there is one. */
  exchange(
    members: Readonly<Record<string, string>> | string,
    key?: SigningKey,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ readonly status: number; readonly body: Answer }>
  /** As `exchange`, of an own token for the tickets API, with whatever else is asked. */
  renew(
    member: Pick<Member, "own" | "key">,
    more?: Readonly<Record<string, string>>,
  ): ReturnType<Crew["exchange"]>
  delegate(
    member: Pick<Member, "own" | "key">,
    actor: string,
    more?: Readonly<Record<string, string>>,
    key?: SigningKey,
  ): Promise<Member & { readonly status: number; readonly body: Answer }>
  proof(key: SigningKey, changes?: Partial<Parameters<typeof signProof>[0]>): string
  remove(): Promise<void>
}

export async function openCrew(rules: CrewRules = {}): Promise<Crew> {
  const house = await openHouse({ files: { "support.yaml": crewPolicy(rules) } })
  const proof: Crew["proof"] = (key, changes = {}) =>
    signProof(
      { method: "POST", url: `${ISSUER}/token`, now: toEpochSeconds(house.clock.now()), ...changes },
      key,
    )
  const exchange: Crew["exchange"] = async (members, key, headers = {}) => {
    const dpop: Record<string, string> = key === undefined ? {} : { dpop: proof(key) }
    const answer = await house.form(members, { ...dpop, ...headers })
    const body: unknown = JSON.parse(await answer.text())
    return { status: answer.status, body: isAnswer(body) ? body : {} }
  }
  const asking = (own: string, more: Readonly<Record<string, string>>) => ({
    grant_type: EXCHANGE,
    subject_token: own,
    subject_token_type: ACCESS_TOKEN,
    resource: TICKETS,
    ...more,
  })
  return {
    house,
    proof,
    exchange,
    renew: ({ own, key }, more = {}) => exchange(asking(own, more), key),
    async start(more = {}) {
      const key = newKey()
      const json = { ...START, dpop_jkt: key.thumbprint, ...more }
      const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
      const tokens = Array.isArray(body.tokens) ? body.tokens : []
      const of = (resource: string) => String(tokens.find((one) => one.resource === resource)?.access_token)
      return { key, own: of(ISSUER), tickets: of(TICKETS), taskId: String(body.task_id) }
    },
    async delegate(member, actor, more = {}, key = newKey()) {
      const asked = { requested_actor: actor, dpop_jkt: key.thumbprint, ...more }
      const { status, body } = await exchange(asking(member.own, asked), member.key)
      const own = typeof body.own_token === "object" ? Reflect.get(body.own_token ?? {}, "access_token") : ""
      const got = { own: String(own), tickets: String(body.access_token), key }
      return { ...got, delegation: String(body.delegation_id), status, body }
    },
    remove: () => house.remove(),
  }
}

/** The claims of a token, unverified. */
export const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString("utf8"))

const isAnswer = (value: unknown): value is Answer => typeof value === "object" && value !== null
