// An issuer that does not write down what a verifier told it, or somebody who changes what is kept of that: the report whose uses
// are others than its instance signed is named.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Json } from "../../src/ledger/event.ts"
import type { Examined } from "../../src/ledger/verify.ts"
import type { Hashed } from "../../src/ledger/verify-entry.ts"
import { createReports } from "../../src/ledger/verify-reports.ts"
import { unpackBatch } from "../../src/token/batch-text.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { remove, shift } from "../support/ledger-edits.ts"
import { type LedgerFile, makeLedgerFile } from "../support/ledger-file.ts"

let ledger: LedgerFile
let examined: readonly Examined[]
let reports: { readonly seq: number; readonly sequence: number }[]
beforeAll(async () => {
  ledger = await makeLedgerFile(1)
  examined = await ledger.read()
  reports = ledger.database
    .prepare("SELECT entry AS seq, sequence FROM use_batch WHERE signed IS NOT NULL ORDER BY entry")
    .all() as typeof reports
})
afterAll(() => ledger.remove())

const run = (sql: string, ...values: unknown[]) => ledger.database.prepare(sql).run(...values)
const stranger = () => importSigningKey(generatePrivateJwk("ES256"))

test("there is a signature and what was signed of every report, and nothing but that", () => {
  expect(reports.length).toBeGreaterThan(5)
  const told = examined.filter(({ hashed }) => hashed?.kind === "verifier.reported")
  expect(told.length).toBe(reports.length)
  for (const { batch } of told) expect(batch?.text?.signed).toMatch(/^[\w-]+\.[\w-]+$/)
})

describe("H14: what is kept of a report", () => {
  const cases: readonly [string, string, (seq: number) => void][] = [
    ["is gone", "batch_missing", (seq) => run("UPDATE use_batch SET signed = NULL WHERE entry = ?", seq)],
    [
      "can't be unpacked",
      "batch_missing",
      (seq) => run("UPDATE use_batch SET signed = x'07' WHERE entry = ?", seq),
    ],
    ["is gone with its row", "batch_missing", (seq) => run("DELETE FROM use_batch WHERE entry = ?", seq)],
    [
      "is that of another report",
      "batch_differs",
      (seq) =>
        run(
          "UPDATE use_batch SET signed = (SELECT signed FROM use_batch WHERE entry <> ?) WHERE entry = ?",
          seq,
          seq,
        ),
    ],
  ]
  test.each(cases)("%s", async (_what, how, change) => {
    for (const { seq } of reports)
      expect(await ledger.changed(() => change(seq))).toEqual({ verdict: "broken", seq, how })
  })

  test("says something else", async () => {
    for (const { seq } of reports.slice(0, 2)) {
      const { signed } = ledger.database.prepare("SELECT signed FROM use_batch WHERE entry = ?").get(seq) as {
        signed: Buffer
      }
      for (let at = 0; at < signed.length; at += 97) {
        const changed = Buffer.from(signed)
        changed.writeUInt8(changed.readUInt8(at) ^ 0xff, at)
        const found = await ledger.changed(() =>
          run("UPDATE use_batch SET signed = ? WHERE entry = ?", changed, seq),
        )
        expect(found).toMatchObject({
          verdict: "broken",
          seq,
          how: expect.stringMatching(/^batch_(missing|differs)$/),
        })
      }
      expect(unpackBatch(signed)).toBeDefined()
    }
  })

  test("was signed by another key than the one that the instance joined with", async () => {
    const jwk = JSON.stringify(stranger().publicJwk)
    for (const text of [jwk, "{}", "no key"])
      expect(
        await ledger.changed(() => run("UPDATE verifier_instance SET public_jwk = ?", text)),
      ).toMatchObject({
        how: "batch_key_differs",
        seq: reports[0]?.seq,
      })
  })
})

test("H14: whichever entry is deleted and the rest moved up, no later place is named", async () => {
  for (let seq = 1; seq <= examined.length; seq++) {
    const found = await ledger.changed([...remove(seq), ...shift(seq + 1, -1)])
    if (found.verdict !== "broken") throw new Error(`entry ${seq} is not missed`)
    expect(found.seq ?? seq, `entry ${seq}: ${found.how}`).toBeLessThanOrEqual(seq)
  }
})

/** What is found of the entries, each as `change` makes it. */
function judge(change: (entry: Examined) => Examined | readonly Examined[], fromTheFirst = true) {
  const judged = createReports(fromTheFirst)
  for (const entry of examined.flatMap(change)) {
    const found = entry.hashed && judged.misfit(entry.hashed, entry)
    if (found) return found
  }
  return undefined
}
const isUse = ({ hashed }: Examined) => String(hashed?.kind).startsWith("use.")
const withHashed = (entry: Examined, members: Hashed): Examined => ({
  ...entry,
  hashed: { ...entry.hashed, ...members },
})
const withBody = (entry: Examined, members: Hashed): Examined =>
  withHashed(entry, { body: { ...(entry.hashed?.body as Hashed), ...members } as Json })

describe("H14, H16: an issuer that signs its own story", () => {
  test("is found by no untouched ledger", () => {
    expect(judge((entry) => entry)).toBeUndefined()
    expect(judge((entry) => (entry.hashed?.kind === "verifier.joined" ? [] : entry), false)).toBeUndefined()
  })

  const told: readonly [string, (entry: Examined) => Examined][] = [
    ["who used it", (entry) => withHashed(entry, { agent: "summarizer" })],
    ["which instance", (entry) => withHashed(entry, { instance: "pod-2" })],
    ["for whom", (entry) => withHashed(entry, { orchestrator: "release-orchestrator" })],
    ["which task", (entry) => withHashed(entry, { task_id: "task_0" })],
    ["which token", (entry) => withHashed(entry, { jti: "tok_0" })],
    ["what was done", (entry) => withHashed(entry, { operation: "tickets:close" })],
    ["to what", (entry) => ({ ...entry, resource: "tickets/SUP-9" })],
    ["whether it was allowed", (entry) => withHashed(entry, { kind: "use.refused" })],
    ["why not", (entry) => withHashed(entry, { code: "token_expired" })],
    ["when", (entry) => withBody(entry, { served_at: "2026-03-01T09:00:01.000Z" })],
    ["under which id", (entry) => withBody(entry, { use: "use_0" })],
    ["with which outcome", (entry) => withBody(entry, { status: 500 })],
    ["how often", (entry) => withBody(entry, { count: 9 })],
  ]
  test.each(told)("tells of a use otherwise than its verifier: %s", (_what, change) => {
    expect(judge((entry) => (isUse(entry) ? change(entry) : entry))).toBe("use_differs")
  })

  const isReport = ({ hashed }: Examined) => hashed?.kind === "verifier.reported"
  const other = publicHalf(stranger())
  const signed: readonly [string, string, (entry: Examined) => Examined | readonly Examined[]][] = [
    [
      "a signature is another",
      "batch_signature_wrong",
      (entry) => withBody(entry, { signature: "A".repeat(86) }),
    ],
    ["a signature is none", "batch_signature_wrong", (entry) => withBody(entry, { signature: 7 })],
    [
      "a digest is another",
      "batch_differs",
      (entry) => withBody(entry, { digest: `sha-256:${"A".repeat(43)}` }),
    ],
    ["the batch before is another", "batch_differs", (entry) => withBody(entry, { previous: "x" })],
    [
      "the key is another",
      "batch_key_differs",
      (entry) => ({ ...entry, batch: { text: entry.batch?.text, key: other } }),
    ],
  ]
  test.each(signed)("%s", (_what, how, change) => {
    expect(judge((entry) => (isReport(entry) ? change(entry) : entry))).toBe(how)
  })

  test("leaves signatures out from some report on", () => {
    let seen = 0
    const change = (entry: Examined) =>
      isReport(entry) && ++seen > 2 ? withBody(entry, { signature: undefined }) : entry
    expect(judge(change)).toBe("batch_unsigned")
  })

  test("never told of the instance's key", () => {
    expect(judge((entry) => (entry.hashed?.kind === "verifier.joined" ? [] : entry))).toBe("join_untold")
  })

  test("tells the uses of a report in another order", () => {
    const turned = [...examined]
    for (let at = 1; at < turned.length; at++) {
      const [one, next] = [turned[at - 1], turned[at]]
      if (one && next && isUse(one) && isUse(next)) [turned[at - 1], turned[at]] = [next, one]
    }
    const judged = createReports(true)
    const found = turned.map((entry) => entry.hashed && judged.misfit(entry.hashed, entry))
    expect(found).toContain("use_differs")
  })
})
