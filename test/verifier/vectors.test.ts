// docs/verifier-vectors.json: what it says of each token, proof, order and batch is what our own verifier makes of it.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { createMemorySpool } from "../../src/spool/memory-spool.ts"
import { batchDigest, readUseBatch } from "../../src/token/batch.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { KeyFault, readPublicJwk, type VerificationKey } from "../../src/token/signature.ts"
import { judgeToken, judgeUse, openTaskToken } from "../../src/token/verify.ts"
import { createApprovedUses } from "../../src/verifier/approved.ts"
import { judgeAnswer, type SentBatch, type Trust } from "../../src/verifier/attestation.ts"
import { createIssuerTime } from "../../src/verifier/issuer-time.ts"
import { createPossession } from "../../src/verifier/possession.ts"
import { createRevocations } from "../../src/verifier/revocations.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { ROOT } from "../support/source.ts"

interface Vector {
  readonly name: string
  readonly token: string
  readonly scheme?: "Bearer" | "DPoP"
  readonly proof?: string
  readonly method?: string
  readonly url?: string
  readonly operation: string
  readonly resource: readonly string[]
  readonly parameters?: unknown
  readonly decision: string
}

interface Vectors {
  readonly issuer: string
  readonly resource: string
  readonly now: number
  readonly jwks: { readonly keys: readonly object[] }
  readonly tokens: readonly Vector[]
  readonly revocations: readonly { name: string; token: string; item: RevocationItem; decision: string }[]
  readonly attestations: readonly {
    readonly name: string
    readonly trust: Trust
    readonly sent: SentBatch
    readonly answer: object
    readonly verdict: string
  }[]
  readonly batches: {
    readonly key: object
    readonly texts: readonly string[]
    readonly digests: readonly string[]
  }
}

const vectors: Vectors = JSON.parse(readFileSync(join(ROOT, "docs/verifier-vectors.json"), "utf8"))
const { issuer, resource: audience, now } = vectors
const clock = createFakeClock(now * 1000)
const publicKey = (jwk: object): VerificationKey => {
  const key = readPublicJwk(JSON.parse(JSON.stringify(jwk)))
  if (key instanceof KeyFault) throw new Error("not a key")
  return key
}
const keys = new Map(vectors.jwks.keys.map((jwk) => [(jwk as { kid?: string }).kid ?? "", publicKey(jwk)]))
const open = (text: string) => openTaskToken(text, (kid) => keys.get(kid))

async function decide(vector: Vector): Promise<string> {
  const { scheme = "Bearer", proof, method = "GET", url = `${audience}/` } = vector
  const opened = open(vector.token)
  if (opened instanceof Unreadable) return "token_invalid"
  const { token } = opened
  const possession = createPossession({
    origin: audience,
    spool: createMemorySpool(),
    clock,
    nonces: undefined,
  })
  const request = { method, target: url.slice(audience.length) }
  const wrong =
    judgeToken(token, { issuer, audience, now }) ??
    (await possession.check(token, { credential: { scheme, token: vector.token }, proof }, request)) ??
    judgeUse(token, vector.operation, vector.resource)
  if (wrong instanceof Refusal) return wrong.code
  const { parameters: given } = vector
  const bound = { token, grant: wrong, use: "use_none", still: () => undefined }
  const approved = createApprovedUses(() => Promise.reject(new Error("nothing is for one use here")))
  return (await approved.judge(bound, given === undefined ? undefined : () => given))?.code ?? "allowed"
}

test.each(vectors.tokens.map((vector) => [vector.name, vector] as const))("token: %s", async (_, vector) => {
  expect(await decide(vector)).toBe(vector.decision)
})

test.each(vectors.revocations.map((vector) => [vector.name, vector] as const))(
  "an order: %s",
  async (_, { token, item, decision }) => {
    let items = [item]
    const calls = async () => {
      const text = JSON.stringify({ items, cursor: 1 })
      items = []
      return { status: 200, headers: new Headers(), text }
    }
    const streams = () => Promise.reject(new Error("not followed"))
    const revocations = createRevocations({
      calls,
      streams,
      spool: createMemorySpool(),
      clock,
      issuerTime: createIssuerTime(clock),
      succeeded: () => undefined,
    })
    await revocations.poll()
    const opened = open(token)
    if (opened instanceof Unreadable) throw new Error(opened.tag)
    expect(revocations.judge(opened.token, opened.kid)?.code ?? "allowed").toBe(decision)
  },
)

test.each(vectors.attestations.map((vector) => [vector.name, vector] as const))(
  "an answer to a batch: %s",
  (_, { trust, sent, answer, verdict }) => {
    expect(judgeAnswer(trust, sent, JSON.stringify(answer)).verdict).toBe(verdict)
  },
)

describe("batches", () => {
  const { key, texts, digests } = vectors.batches
  test("are read, numbered and chained by their digests", () => {
    const read = texts.map((text) => readUseBatch(text, publicKey(key)))
    const batches = read.flatMap((one) => (one instanceof Unreadable ? [] : [one.batch]))
    expect(batches.map(({ sequence, previous }) => [sequence, previous])).toEqual([
      [1, null],
      [2, digests[0]],
    ])
    expect(texts.map(batchDigest)).toEqual(digests)
  })
})
