// L24 A flood of tokens that are none: what each costs is counted, not timed. Nothing is verified, written, fetched or
// recorded for it, and good requests are answered in between.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, expect, test } from "vitest"
import { generatePrivateJwk, importSigningKey, type VerificationKey } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { type GuardedApi, startGuardedApi } from "../support/guarded-api.ts"

let api: GuardedApi
beforeAll(async () => {
  api = await startGuardedApi()
})
afterAll(() => api.close())

const FLOOD = 50_000
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** Each of another text, by kinds in turn; none is signed by anybody, but some look so until the key is asked for. */
function junk(good: string): string[] {
  const [header = "", payload = "", signature = ""] = good.split(".")
  const withHeader = (changes: object) =>
    [
      part({ ...JSON.parse(Buffer.from(header, "base64url").toString()), ...changes }),
      payload,
      signature,
    ].join(".")
  const KINDS: ((n: number) => string)[] = [
    (n) => `junk-${n}`,
    (n) => `${n}.`,
    (n) => `${header}.${payload}.${n}`,
    (n) => `${header}.${payload}${n}`,
    (n) => `${good}${"=".repeat(1 + (n % 2))}${n}`,
    (n) => `${"x".repeat(6145)}${n}`,
    (n) => `${part([n])}.${payload}.${signature}`,
    (n) => withHeader({ alg: "none", n }),
    (n) => withHeader({ alg: `HS${n}` }),
    (n) => withHeader({ typ: `JWT${n}` }),
    (n) => withHeader({ crit: [`${n}`] }),
    (n) => withHeader({ jku: `https://evil.example/${n}` }),
    (n) => withHeader({ kid: undefined, n }),
    (n) => withHeader({ kid: `unknown-${n}` }),
    (n) => `${header}.${Buffer.from(`{"n":${n}`).toString("base64url")}.${signature}`,
    (n) => `${header}.${Buffer.from(`[${n}]`).toString("base64url")}.${signature}`,
    (n) => `${header}.${Buffer.from(`{"a":${n},"a":1}`).toString("base64url")}.${signature}`,
    (n) => `${header}.${payload}.${Buffer.from(`short${n}`).toString("base64url")}`,
  ]
  return Array.from({ length: FLOOD }, (_, n) => KINDS[n % KINDS.length]?.(n) ?? "")
}

test("L24 no signature is verified of what is malformed, or names a key that there is not", () => {
  const good = api.stub.mint()
  const [key = importSigningKey(generatePrivateJwk("ES256"))] = api.stub.signing
  let found = 0
  const keyOf = (kid: string): VerificationKey | undefined => {
    if (kid !== key.kid) return undefined
    found += 1 // only with a key can a signature be verified
    return undefined
  }
  for (const text of junk(good)) expect("tag" in openTaskToken(text, keyOf)).toBe(true)
  expect(found).toBe(0)
  openTaskToken(good, keyOf)
  expect(found).toBe(1)
})

test("L24 a flood of it writes nothing, fetches nothing but keys once, and good requests pass in between", async () => {
  const good = api.stub.mint()
  const rows = () => {
    const spool = new Sqlite(join(api.folder, "uses.db"), { readonly: true })
    const counts = ["proof", "revocation"].map((table) =>
      spool.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
    )
    spool.close()
    return counts
  }
  await api.verifier.flush()
  const keyRequests = () => api.stub.requests.filter((one) => one.includes("jwks")).length
  const before = { rows: rows(), uses: api.stub.uses().length, keys: keyRequests() }
  const view = (text: string) => {
    const rawHeaders = ["Authorization", `Bearer ${text}`]
    return { method: "GET", target: "/tickets/SUP-1042", rawHeaders }
  }
  const texts = junk(good)
  const codes = new Map<string, number>()
  let served = 0
  for (let at = 0; at < texts.length; at += 1000) {
    const flood = texts
      .slice(at, at + 1000)
      .map((text) => api.verifier.check(view(text), "tickets:read", ["x"]))
    const answer = await api.get("/tickets/SUP-1042", good)
    if (answer.status === 200) served += 1
    for (const decision of await Promise.all(flood)) {
      const code = decision.outcome === "refused" ? decision.code : decision.outcome
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
  }
  expect([...codes]).toEqual([["token_invalid", FLOOD]])
  expect(served).toBe(FLOOD / 1000)
  await api.verifier.flush()
  expect({ rows: rows(), uses: api.stub.uses().length, keys: keyRequests() - before.keys <= 1 }).toEqual({
    rows: before.rows,
    uses: before.uses + served,
    keys: true,
  })
}, 60_000)

test("L24 proofs that are none are not remembered, and cost no row", async () => {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const token = api.stub.mint({ jkt: key.thumbprint })
  const before = api.stub.uses().length
  for (let n = 0; n < 2000; n += 1) {
    const rawHeaders = ["Authorization", `DPoP ${token}`, "DPoP", `junk-${n}.x.y`]
    const view = { method: "GET", target: "/tickets/SUP-1042", rawHeaders }
    const decision = await api.verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])
    expect(decision).toMatchObject({ outcome: "refused", code: "proof_invalid" })
  }
  await api.verifier.flush()
  // The token is genuine, so its refusals are recorded, folded.
  const uses = api.stub.uses().slice(before)
  expect(uses.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(2000)
  expect(uses.length).toBeLessThan(100)
  const spool = new Sqlite(join(api.folder, "uses.db"), { readonly: true })
  expect(spool.prepare("SELECT count(*) FROM proof").pluck().get()).toBe(0)
  spool.close()
})
