import { describe, expect, test } from "vitest"
import {
  batchDigest,
  envelopeOf,
  readUseBatch,
  rebuildUseBatch,
  recordedResource,
  signUseBatch,
  type UseBatch,
  type UseRecord,
} from "../../src/token/batch.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { publicHalf, verifySignature } from "../../src/token/signature.ts"
import { signBatch } from "../support/batch.ts"
import {
  API,
  compact,
  DIGEST,
  eddsa,
  es256,
  header,
  ID,
  ISSUER,
  NOW,
  stranger,
  tagOf,
} from "../support/forge.ts"

const use: UseRecord = {
  id: ID.use,
  at: "2026-09-21T10:13:20.123Z",
  task: ID.task,
  jti: ID.tok,
  actor: "triage-bot/pod-7f3c",
  client: "support-orchestrator",
  api: API,
  operation: "tickets:read",
  resource: ["tickets", "SUP-1042"],
  method: "GET",
  route: "/tickets/:id",
  decision: "allowed",
  status: 200,
  duration_ms: 3,
  trace_id: "0af7651916cd43dd8448eb211c80319c",
}
const batch: UseBatch = {
  iss: "tickets",
  aud: ISSUER,
  iat: NOW,
  instance: ID.uuid,
  sequence: 2,
  previous: DIGEST,
  cursor: 17,
  applied_at: "2026-09-21T10:13:20.000Z",
  checkpoint: null,
  final: false,
  uses: [use],
}
const key = publicHalf(es256)
const head = header({ typ: "use-batch+jwt" })
const wrong = (payload: object) => {
  const read = readUseBatch(compact(head, payload), key)
  return read instanceof Unreadable ? `${read.tag} ${read.member}` : "accepted"
}
const without = (object: object, name: string) =>
  Object.fromEntries(Object.entries(object).filter(([one]) => one !== name))

describe("a batch of uses", () => {
  test.each([
    ["ES256", es256],
    ["EdDSA", eddsa],
  ])("is read back as its instance signed it (%s)", (_alg, signer) => {
    const first: UseBatch = { ...batch, sequence: 1, previous: null, applied_at: null, final: true }
    const text = signBatch(first, signer)
    expect(readUseBatch(text, publicHalf(signer))).toEqual({ batch: first, digest: batchDigest(text) })
  })

  test("an empty one is a heartbeat", () => {
    expect(wrong({ ...batch, uses: [] })).toBe("accepted")
  })

  test("its digest stays when the same content is signed again", () => {
    const [one, other] = [signBatch(batch, es256), signBatch(batch, es256)]
    expect(one).not.toBe(other)
    expect(batchDigest(one)).toBe(batchDigest(other))
    expect(batchDigest(one)).not.toBe(batchDigest(signBatch({ ...batch, sequence: 3 }, es256)))
  })

  test("by another key, under another name or of another kind is refused", () => {
    expect(tagOf(readUseBatch(signBatch(batch, stranger), key))).toBe("kid")
    expect(tagOf(readUseBatch(compact(head, batch, stranger), key))).toBe("signature")
    expect(tagOf(readUseBatch(compact(header(), batch), key))).toBe("typ")
    expect(tagOf(readUseBatch(compact({ ...head, alg: "EdDSA" }, batch), key))).toBe("alg")
  })

  test("over 1 MiB is refused", () => {
    const uses = Array.from({ length: 2500 }, () => use)
    expect(wrong({ ...batch, uses })).toBe("size undefined")
    expect(wrong({ ...batch, uses: uses.slice(0, 1200) })).toBe("accepted")
  })

  test.each(Object.keys(batch))("without %s is refused", (name) => {
    expect(wrong(without(batch, name))).toBe(`claims ${name}`)
  })

  test.each<[string, unknown]>([
    ["iss", "Tickets"],
    ["aud", [ISSUER]],
    ["iat", "now"],
    ["instance", "pod-1"],
    ["sequence", 0],
    ["sequence", "1"],
    ["previous", "sha-256:short"],
    ["cursor", -1],
    ["applied_at", "yesterday"],
    ["checkpoint", 7],
    ["final", "false"],
    ["uses", { 0: use }],
    ["extra", true],
  ])("with %s %j is refused", (name, value) => {
    expect(wrong({ ...batch, [name]: value })).toBe(`claims ${name}`)
  })
})

describe("a use", () => {
  const optional = ["resource", "method", "route", "status", "duration_ms", "trace_id"]
  const required = Object.keys(use).filter((name) => !optional.includes(name))
  const one = (changed: object) => wrong({ ...batch, uses: [use, changed] })

  test.each(optional)("may be without %s", (name) => {
    expect(one(without(use, name))).toBe("accepted")
  })

  test.each(required)("without %s is refused, with the batch", (name) => {
    expect(one(without(use, name))).toBe(`claims uses/1/${name}`)
  })

  test.each<[string, unknown]>([
    ["id", ID.task],
    ["at", "2026-09-21"],
    ["task", ID.tok],
    ["jti", ID.task],
    ["actor", "triage-bot"],
    ["client", "Support"],
    ["operation", "tickets:read\n"],
    ["resource", "tickets/SUP-1042"],
    ["resource", ["x".repeat(513)]],
    ["resource", Array(32).fill(`${"漢".repeat(255)} `)],
    ["resource", Array(33).fill("a")],
    ["method", "GET /"],
    ["decision", "permitted"],
    ["code", "token_revoked"],
    ["status", 99],
    ["duration_ms", -1],
    ["trace_id", "x"],
    ["count", 0],
    ["token", "ey"],
  ])("with %s %j is refused", (name, value) => {
    expect(one({ ...use, [name]: value })).toBe(`claims uses/1/${name}`)
  })

  test("a fraction of a millisecond makes the batch unreadable", () => {
    expect(one({ ...use, duration_ms: 1.5 })).toBe("json undefined")
  })

  test("that was not allowed has a code", () => {
    expect(one({ ...use, decision: "refused" })).toBe("claims uses/1/code")
    expect(one({ ...use, decision: "refused", code: "token_expired", count: 40 })).toBe("accepted")
    expect(one({ ...use, decision: "observed", code: "resource_not_granted" })).toBe("accepted")
  })

  test("any request's segments can be recorded", () => {
    const strange = Array(28).fill(`${"漢".repeat(400)} `)
    const hostile = ["42/../43", "\ud800", "x".repeat(300), "\0", ...strange, ...Array(40).fill("a")]
    const resource = recordedResource(hostile)
    expect(one({ ...use, decision: "refused", code: "segment_invalid", resource })).toBe("accepted")
    expect(resource.slice(0, 2)).toEqual(["42/../43", "\ufffd"])
    expect(recordedResource([` ${"x".repeat(126)}😀`])[0]).toBe(` ${"x".repeat(126)}\ufffd`)
  })

  test("what is data is never cut, however it is counted", () => {
    const data = Array(32).fill("😀".repeat(256))
    expect(recordedResource(data)).toEqual(data)
    expect(one({ ...use, resource: data })).toBe("accepted")
  })
})

test("a batch of any length and any letters is signed as the text that it is, and made again of its parts", () => {
  for (const length of [0, 1, 2, 3, 48 * 1024 - 1, 48 * 1024, 150_000]) {
    const uses = [JSON.stringify("é".repeat(length)), JSON.stringify("x".repeat(length % 7))]
    const bytes = signUseBatch({ ...batch, sequence: 1 + length }, uses, es256)
    const parts = Buffer.from(bytes).toString("latin1").split(".")
    const [head = "", payload = "", signature = ""] = parts
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      sequence: 1 + length,
      uses: uses.map((use) => JSON.parse(use)),
    })
    expect(parts.map((part) => /^[A-Za-z0-9_-]+$/.test(part))).toEqual([true, true, true])
    expect(Buffer.from(payload, "base64url").toString("base64url")).toBe(payload)
    const input = Buffer.from(`${head}.${payload}`)
    expect(verifySignature(publicHalf(es256), input, Buffer.from(signature, "base64url"))).toBe(true)
    expect(batchDigest(bytes)).toBe(batchDigest(parts.join(".")))
    const envelope = envelopeOf({ ...batch, sequence: 1 + length }, bytes)
    expect(Buffer.compare(rebuildUseBatch(envelope, uses), bytes)).toBe(0)
  }
})
