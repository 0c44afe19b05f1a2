// A house whose policy knows workloads: of a foreign issuer on loopback whose key stands in the policy, so that nobody has to
// be asked, and of one that is discovered. What each platform hands out is spelled as that platform spells it.

import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import {
  type ForeignIssuer,
  type ForeignSigner,
  foreignJwt,
  foreignSigner,
  startForeignIssuer,
} from "./foreign-issuer.ts"
import { ASSERTION_TYPE, type House, ISSUER, openHouse } from "./issuer-house.ts"

export const GITHUB = "https://token.actions.githubusercontent.com"
export const WORKFLOW = "acme/support/.github/workflows/agent.yml@refs/heads/main"
export const CLUSTER = "https://kubernetes.default.svc.cluster.local"

export interface Workloads {
  readonly house: House
  readonly key: ForeignSigner
  /** Discovered, on loopback. */
  readonly foreign: ForeignIssuer
  /** The JWT of a workflow run, as GitHub makes it. */
  github(changes?: object, header?: Record<string, unknown>): string
  /** The projected token of a service account, as a cluster makes it. */
  cluster(changes?: object): string
  /** The JWT of a workload of the discovered issuer. */
  discovered(changes?: object, signer?: ForeignSigner): string
  /** Posts a client assertion, with a proof unless told otherwise. */
  present(
    assertion: string,
    clientId: string,
    changes?: Record<string, string>,
    proofKey?: SigningKey | null,
  ): Promise<Response>
  /** The same, as status and error. */
  verdict(assertion: string, clientId: string): Promise<string>
  close(): Promise<void>
}

const policy = (
  key: ForeignSigner,
  foreign: ForeignIssuer,
  extra: string,
  more: string,
): string => `version: 1
identity_providers:
  github: { issuer: "${GITHUB}", jwks: { keys: [${JSON.stringify(key.jwk)}] } }
  cluster: { issuer: "${CLUSTER}", jwks: { keys: [${JSON.stringify(key.jwk)}] } }
  discovered: { issuer: "${foreign.issuer}", private_addresses: true${more} }
agents:
  helper:
    owner: a
    authenticate:
      - workload: { provider: cluster, subject: "system:serviceaccount:support:helper" }
orchestrators:
  pipeline:
    owner: a
    authenticate:
      - workload: { provider: github, claims: { repository_id: "1234", repository_owner_id: "56", workflow_ref: "${WORKFLOW}" } }
      - workload: { provider: cluster, subject: "system:serviceaccount:support:pipeline" }
  robot:
    owner: a
    authenticate:
      - workload: { provider: discovered, subject: robot }
${extra}`

/** `extra`: more of the policy; `more`: members of the issuer that is discovered. */
export async function openWorkloads(extra = "", more = ""): Promise<Workloads> {
  const key = foreignSigner("k1", "ES256")
  const foreign = await startForeignIssuer()
  foreign.publish(key)
  const house = await openHouse({ files: { "workloads.yaml": policy(key, foreign, extra, more) } })
  const now = () => toEpochSeconds(house.clock.now())
  const ownKey = importSigningKey(generatePrivateJwk("ES256"))
  let count = 0
  const times = () => ({ aud: ISSUER, iat: now(), nbf: now(), exp: now() + 300 })
  const present: Workloads["present"] = (assertion, clientId, changes = {}, proofKey = ownKey) => {
    const members = {
      grant_type: "client_credentials",
      client_id: clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: assertion,
      ...changes,
    }
    const proof = proofKey && signProof({ method: "POST", url: `${ISSUER}/token`, now: now() }, proofKey)
    return house.form(members, proof ? { dpop: proof } : {})
  }
  return {
    house,
    key,
    foreign,
    github: (changes = {}, header = {}) =>
      foreignJwt(
        key,
        {
          iss: GITHUB,
          ...times(),
          jti: `run-${count++}`,
          sub: "repo:acme/support:ref:refs/heads/main",
          repository: "acme/support",
          repository_id: "1234",
          repository_owner: "acme",
          repository_owner_id: "56",
          workflow_ref: WORKFLOW,
          event_name: "push",
          ...changes,
        },
        { x5t: "AA", ...header },
      ),
    cluster: (changes = {}) =>
      foreignJwt(
        key,
        {
          iss: CLUSTER,
          ...times(),
          aud: [ISSUER],
          exp: now() + 3600,
          sub: "system:serviceaccount:support:pipeline",
          "kubernetes.io": { namespace: "support", serviceaccount: { name: "pipeline", uid: "7f3c" } },
          ...changes,
        },
        { typ: undefined },
      ),
    discovered: (changes = {}, signer = key) =>
      foreignJwt(signer, { iss: foreign.issuer, ...times(), sub: "robot", jti: `j-${count++}`, ...changes }),
    present,
    async verdict(assertion, clientId) {
      const answer = await present(assertion, clientId)
      const body: unknown = await answer.json()
      const error =
        typeof body === "object" && body !== null && "error" in body ? ` ${String(body.error)}` : ""
      return `${answer.status}${error}`
    },
    async close() {
      await house.remove()
      await foreign.close()
    },
  }
}
