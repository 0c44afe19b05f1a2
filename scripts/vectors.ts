// Writes docs/verifier-vectors.json: tokens, proofs, orders and a batch with what a verifier in any language must make of
// them. New keys each time; the decisions are held by test/verifier/vectors.test.ts.
import { writeFileSync } from "node:fs"
import { batchDigest } from "../src/token/batch.ts"
import { canonicalParameters } from "../src/token/parameters.ts"
import { signProof } from "../src/token/proof.ts"
import { signBatch } from "../test/support/batch.ts"
import {
  API,
  claims,
  compact,
  eddsa,
  es256,
  header,
  ID,
  ISSUER,
  NOW,
  stranger,
  validToken,
} from "../test/support/forge.ts"
import { createSmallLog, newNoteSigner } from "../test/support/small-log.ts"

const READ = { operation: "tickets:read", resource: ["tickets", "SUP-1042"] }
const one = (name: string, decision: string, token: string, more: object = {}) => ({
  name,
  token,
  ...READ,
  ...more,
  decision,
})
const signed = (changes: Record<string, unknown>) => compact(header(), claims(changes))
const url = `${API}/tickets/SUP-1042`
const bound = signed({ cnf: { jkt: eddsa.thumbprint } })
const proof = (changes: object = {}) =>
  signProof({ method: "GET", url, accessToken: bound, now: NOW, ...changes }, eddsa)
const proven = (name: string, decision: string, dpop: string | undefined, scheme = "DPoP") =>
  one(name, decision, bound, { scheme, method: "GET", url, ...(dpop && { proof: dpop }) })
const grants = (changes: object) => [{ ...(claims().authorization_details as object[])[0], ...changes }]
const SHOWN = { resolution: "gelöst", notify: ["ana"] }
/** What comes, held against what a person approved. */
const approved = (name: string, decision: string, given: unknown, ...shown: unknown[]) => {
  const parameters = canonicalParameters(shown.length > 0 ? shown[0] : SHOWN)?.digest
  const token = signed({ authorization_details: grants({ parameters }) })
  return one(name, decision, token, given === undefined ? {} : { parameters: given })
}
const [head = "", body = "", signature = ""] = validToken().split(".")

const tokens = [
  one("granted", "allowed", validToken()),
  one("granted, EdDSA", "allowed", validToken(eddsa)),
  one("another operation", "operation_not_granted", validToken(), { operation: "tickets:close" }),
  one("another resource", "resource_not_granted", validToken(), { resource: ["tickets", "SUP-1043"] }),
  one("a resource above", "resource_not_granted", validToken(), { resource: ["tickets"] }),
  one("a segment that is no data", "segment_invalid", validToken(), { resource: ["tickets", "SUP-1042/.."] }),
  one("any one segment", "allowed", signed({ authorization_details: grants({ resources: ["tickets/*"] }) })),
  one(
    "one or more segments",
    "allowed",
    signed({ authorization_details: grants({ resources: ["tickets/**"] }) }),
  ),
  one(
    "one or more is not none",
    "resource_not_granted",
    signed({ authorization_details: grants({ resources: ["tickets/SUP-1042/**"] }) }),
  ),
  one("expired five seconds ago", "allowed", signed({ iat: NOW - 605, nbf: NOW - 605, exp: NOW - 5 })),
  one("expired six seconds ago", "token_expired", signed({ iat: NOW - 606, nbf: NOW - 606, exp: NOW - 6 })),
  one("of the future", "token_invalid", signed({ iat: NOW + 6, nbf: NOW + 6, exp: NOW + 600 })),
  one("another API's", "token_invalid", signed({ aud: "https://other.example" })),
  one("an audience in a list", "token_invalid", signed({ aud: [API] })),
  one("another issuer's", "token_invalid", signed({ iss: "https://other.example" })),
  one("the issuer with a slash", "token_invalid", signed({ iss: `${ISSUER}/` })),
  one("longer than 30 minutes", "token_invalid", signed({ exp: NOW + 1801 })),
  one(
    "a grant with an unknown member",
    "token_invalid",
    signed({ authorization_details: grants({ locations: [API] }) }),
  ),
  approved("approved parameters", "allowed", SHOWN),
  approved("approved parameters, in another order", "allowed", { notify: ["ana"], resolution: "gelöst" }),
  approved("another value than was approved", "parameters_not_granted", { ...SHOWN, resolution: "deleted" }),
  approved("a member more than was approved", "parameters_not_granted", { ...SHOWN, force: true }),
  approved("none where some were approved", "parameters_not_granted", undefined),
  approved("none, as was approved", "allowed", undefined, undefined),
  approved("some where none were approved", "parameters_not_granted", SHOWN, undefined),
  one(
    "parameters that are no digest",
    "token_invalid",
    signed({ authorization_details: grants({ parameters: {} }) }),
  ),
  one("once that is not true", "token_invalid", signed({ authorization_details: grants({ once: false }) })),
  one("signed by a stranger", "token_invalid", compact(header(), claims(), stranger)),
  one("of another type", "token_invalid", compact(header({ typ: "JWT" }), claims())),
  one("alg none", "token_invalid", compact(header({ alg: "none" }), claims())),
  one("a key in its own header", "token_invalid", compact(header({ jwk: es256.publicJwk }), claims())),
  one(
    "a member twice",
    "token_invalid",
    compact(header(), JSON.stringify(claims()).replace("{", '{"exp":1,')),
  ),
  one("padded", "token_invalid", `${head}.${body}.${signature}=`),
  one("with a fourth part", "token_invalid", `${validToken()}.`),
  proven("bound, with its proof", "allowed", proof()),
  proven("bound, without", "proof_invalid", undefined),
  proven("bound, as Bearer", "token_invalid", proof(), "Bearer"),
  proven("a proof of another method", "proof_invalid", proof({ method: "POST" })),
  proven("a proof for another path", "proof_invalid", proof({ url: `${API}/tickets/SUP-1043` })),
  proven("a proof for another token", "proof_invalid", proof({ accessToken: validToken() })),
  proven("a proof of a minute and a second ago", "proof_invalid", proof({ now: NOW - 61 })),
]

const order = { cursor: 1, before: NOW, until: NOW + 1800, code: "token_revoked" }
const revocations = [
  { name: "of the task", item: { ...order, kind: "task", value: ID.task }, decision: "token_revoked" },
  { name: "of the agent", item: { ...order, kind: "agent", value: "triage-bot" }, decision: "token_revoked" },
  {
    name: "paused",
    item: { ...order, kind: "task", value: ID.task, code: "task_paused" },
    decision: "task_paused",
  },
  {
    name: "minted after the order",
    item: { ...order, kind: "task", value: ID.task, before: NOW - 1 },
    decision: "allowed",
  },
  {
    name: "of another task",
    item: { ...order, kind: "task", value: ID.task.replace("task_01", "task_02") },
    decision: "allowed",
  },
].map((each) => ({ ...each, token: validToken() }))

const use = {
  id: ID.use,
  at: new Date(NOW * 1000).toISOString(),
  task: ID.task,
  jti: ID.tok,
  actor: "triage-bot/pod-7f3c",
  client: "support-orchestrator",
  api: API,
  ...READ,
  method: "GET",
  route: "/tickets/{id}",
  decision: "allowed",
  status: 200,
  duration_ms: 3,
} as const
const frame = {
  iss: "tickets",
  aud: ISSUER,
  iat: NOW,
  instance: ID.uuid,
  cursor: 1,
  applied_at: use.at,
  checkpoint: null,
  final: false,
}
const first = signBatch({ ...frame, sequence: 1, previous: null, uses: [use] }, eddsa)
const second = signBatch({ ...frame, sequence: 2, previous: batchDigest(first), uses: [] }, eddsa)
const batches = { key: eddsa.publicJwk, texts: [first, second], digests: [first, second].map(batchDigest) }

/** What the issuer answers to a batch, from a log that was begun before. */
const log = createSmallLog()
for (const text of ["a", "b", "c"]) log.append(text)
const note = log.note()
const fork = log.copy(3)
const { instance, sequence } = JSON.parse(Buffer.from(first.split(".")[1] ?? "", "base64url").toString())
const sent = { instance, sequence, digest: batchDigest(first), empty: false }
const [, size, root] = note.split("\n")
const trust = { key: log.vkey, held: { note, size: Number(size), root }, before: 0 }
const short = log.copy(2).newest()
for (const text of ["x", "y"]) fork.append(text)
const answer = log.answer(first, note)
const before = { ...trust, held: null }
const next = newNoteSigner()
const successor = log.copy()
successor.handOver(next)
const handed = successor.answer(first, note)
const attestation = (name: string, verdict: string, answered: object, changes: object = {}) => ({
  ...{ name, trust, sent, answer: { acknowledged: sequence, ...answered }, verdict },
  ...changes,
})
const attestations = [
  attestation("continues the checkpoint and holds the batch", "proved", answer),
  attestation(
    "a heartbeat has no entry",
    "proved",
    { ...answer, index: null, inclusion: [], entry: null },
    {
      sent: { ...sent, empty: true },
    },
  ),
  attestation("nothing was held", "begun", log.newest(), { trust: before }),
  attestation("another key, which the one before handed over to", "proved", handed),
  attestation("another key, by its own word", "unproved", { ...handed, handovers: [] }),
  attestation("no proof of the batch", "unproved", { ...answer, index: null, inclusion: [], entry: null }),
  attestation("a checkpoint of another log", "unproved", {
    ...answer,
    ...createSmallLog(newNoteSigner("other.internal")).newest(),
  }),
  attestation("a shorter log", "contradicted", { ...answer, ...short }),
  attestation("a copy that went another way", "contradicted", fork.answer(first, note)),
  attestation("another place", "contradicted", { ...answer, index: 1 }),
  attestation("an entry of something else", "contradicted", { ...answer, ...log.include(1) }),
]

const vectors = {
  issuer: ISSUER,
  resource: API,
  now: NOW,
  jwks: { keys: [es256.publicJwk, eddsa.publicJwk] },
  tokens,
  revocations,
  batches,
  attestations,
}
const target = new URL("../docs/verifier-vectors.json", import.meta.url)
writeFileSync(target, `${JSON.stringify(vectors, null, 2)}\n`)
