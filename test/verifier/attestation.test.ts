// An issuer's answer to a batch: what proves that the batch is in the ledger that was known, what does not yet, and what proves
// that the ledger is another.
import fc from "fast-check"
import { beforeEach, describe, expect, test } from "vitest"
import { batchDigest, type UseBatch } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import {
  type HeldCheckpoint,
  judgeAnswer,
  type SentBatch,
  type Trust,
} from "../../src/verifier/attestation.ts"
import { signBatch } from "../support/batch.ts"
import { useOf } from "../support/shared-spool.ts"
import { createSmallLog, newNoteSigner, type SmallLog } from "../support/small-log.ts"

const instance = newUuid()
const key = importSigningKey(generatePrivateJwk("ES256"))
const signer = newNoteSigner()
let log: SmallLog
let exchanged = 0
beforeEach(() => {
  log = createSmallLog(signer, ["begun", "a", "b", "c", "d"])
})

const USE = useOf()
function batch(sequence: number, uses: UseBatch["uses"] = [USE]) {
  const frame = {
    iss: "tickets",
    aud: "https://taskmint.internal",
    iat: 1,
    instance,
    sequence,
    previous: null,
  }
  const rest = { cursor: 0, applied_at: null, checkpoint: null, final: false, uses }
  const text = signBatch({ ...frame, ...rest }, key)
  const sent: SentBatch = { instance, sequence, digest: batchDigest(text), empty: uses.length === 0 }
  return { text, sent }
}
const heldOf = (note: string): HeldCheckpoint => {
  const [, size, root = ""] = note.split("\n")
  return { note, size: Number(size), root }
}
const trustIn = (note: string, changes: Partial<Trust> = {}): Trust => ({
  ...{ key: signer.vkey, held: heldOf(note), before: 0 },
  ...changes,
})
type Answer = Readonly<Record<string, unknown>>
/** Sends one batch to a log that goes on, from a checkpoint before it; `change` is what an attacker makes of the answer. */
function exchange(change: (answer: Answer) => Answer = (answer) => answer, uses?: UseBatch["uses"]) {
  const note = log.note()
  const { text, sent } = batch(++exchanged, uses)
  const answer = change(log.answer(text, note))
  return { note, found: judgeAnswer(trustIn(note), sent, JSON.stringify(answer)) }
}

describe("an answer proves a batch", () => {
  test("where the ledger continues the checkpoint that was held, and has the batch's entry", () => {
    for (let round = 0; round < 20; round++) {
      const { found, note } = exchange()
      expect(found.verdict).toBe("proved")
      expect(found).toHaveProperty("trust.held", heldOf(log.note()))
      expect(log.note()).not.toBe(note)
    }
  })

  test("of a heartbeat by continuing alone", () => {
    expect(exchange(undefined, []).found.verdict).toBe("proved")
  })

  test("not where there is no checkpoint yet to start from: then this one is the first", () => {
    const { text, sent } = batch(1)
    const answer = JSON.stringify(log.answer(text, null))
    const found = judgeAnswer({ ...trustIn(""), held: null }, sent, answer)
    expect(found).toEqual({
      verdict: "begun",
      trust: { key: signer.vkey, held: heldOf(log.note()), before: 0 },
    })
  })
})

describe("not proved, and nothing is contradicted:", () => {
  const cases: readonly [string, (answer: Answer) => Answer][] = [
    ["no checkpoint", ({ checkpoint: _, ...rest }) => rest],
    ["no proof of consistency", ({ consistency: _, ...rest }) => rest],
    ["a proof of another kind", (answer) => ({ ...answer, consistency: "AAAA" })],
    ["no place", (answer) => ({ ...answer, index: null })],
    ["no entry", (answer) => ({ ...answer, entry: null })],
    ["no proof of inclusion", ({ inclusion: _, ...rest }) => rest],
    ["H08: a checkpoint of a stranger", (answer) => ({ ...answer, checkpoint: createSmallLog().note() })],
    ["H08: a checkpoint without its end", (answer) => ({ ...answer, checkpoint: log.note().slice(0, -1) })],
    [
      "H08: of a log of another name",
      (answer) => ({ ...answer, checkpoint: createSmallLog(newNoteSigner("x")).note() }),
    ],
    ["no answer of the issuer at all", () => ({})],
  ]
  test.each(cases)("%s", (_what, change) => {
    expect(exchange(change).found).toEqual({ verdict: "unproved", why: expect.any(String) })
  })

  test("an answer that is no JSON", () => {
    expect(judgeAnswer(trustIn(log.note()), batch(1).sent, "<html>").verdict).toBe("unproved")
  })
})

describe("the ledger is another:", () => {
  test("H06: it ends before the checkpoint that was held", () => {
    const note = log.note()
    log = log.copy(3)
    const { text, sent } = batch(1)
    const found = judgeAnswer(trustIn(note), sent, JSON.stringify(log.answer(text, note)))
    expect(found).toEqual({ verdict: "contradicted", why: "shorter", theirs: log.note() })
  })

  test.each([0, 1, 2, 3, 40])("H04, H07: a copy of it went another way %i entries ago", (ago) => {
    const copy = log.copy()
    for (let at = 0; at <= ago; at++) log.append(`ours ${at}`)
    const note = log.note()
    for (let at = 0; at <= ago; at++) copy.append(`theirs ${at}`)
    const { text, sent } = batch(1)
    const found = judgeAnswer(trustIn(note), sent, JSON.stringify(copy.answer(text, note)))
    expect(found).toEqual({ verdict: "contradicted", why: "not_continued", theirs: copy.note() })
  })

  test("H16: the batch is not where it is said to be", () => {
    expect(exchange((answer) => ({ ...answer, index: 1 })).found).toMatchObject({ why: "not_included" })
    expect(exchange((answer) => ({ ...answer, entry: `${answer.entry} ` })).found).toMatchObject({
      why: "not_included",
    })
  })

  test("H16: the entry tells of another batch, however well it is included", () => {
    const other = batch(2)
    const told: Answer[] = [
      { kind: "verifier.joined", body: {} },
      { kind: "verifier.reported", body: { verifier: newUuid(), sequence: 1, digest: batch(1).sent.digest } },
      { kind: "verifier.reported", body: { verifier: instance, sequence: 2, digest: other.sent.digest } },
      { kind: "verifier.reported", body: { verifier: instance, sequence: 1, digest: other.sent.digest } },
    ]
    for (const entry of told) {
      const note = log.note()
      log.append(JSON.stringify(entry))
      const proof = log.answer(batch(1).text, note)
      const index = log.entries.indexOf(JSON.stringify(entry))
      const found = judgeAnswer(
        trustIn(note),
        batch(1).sent,
        JSON.stringify({ ...proof, ...log.include(index) }),
      )
      expect(found).toMatchObject({ verdict: "contradicted", why: "another_entry" })
    }
  })

  test("H09: no other hash in any proof passes, and none more or less", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("consistency" as const, "inclusion" as const),
        fc.nat(),
        fc.constantFrom("flip", "drop", "repeat"),
        (member, place, how) => {
          const { found } = exchange((answer) => {
            const told = answer[member]
            const proof: string[] = Array.isArray(told) ? [...told] : []
            const at = place % Math.max(1, proof.length)
            if (how === "drop") proof.splice(at, 1)
            else if (how === "repeat") proof.push(proof[at] ?? NO_HASH)
            else proof[at] = flip(proof[at] ?? "", place)
            return { ...answer, [member]: proof }
          })
          expect(found.verdict).toBe("contradicted")
        },
      ),
      { numRuns: 200 },
    )
  })
})

const NO_HASH = Buffer.alloc(32).toString("base64")
const flip = (text: string, place: number): string => {
  const bytes = Buffer.from(text, "base64")
  if (bytes.length === 0) return "AAAA"
  bytes.writeUInt8((bytes[place % bytes.length] ?? 0) ^ 1, place % bytes.length)
  return bytes.toString("base64")
}

describe("H19: the ledger's key", () => {
  test("is handed over by a checkpoint of both, however often, and the old one is over", () => {
    const note = log.note()
    const [second, third] = [newNoteSigner(), newNoteSigner()]
    log.handOver(second)
    log.append("e")
    log.handOver(third)
    const { text, sent } = batch(1)
    const answer = log.answer(text, note)
    const found = judgeAnswer(trustIn(note), sent, JSON.stringify(answer))
    expect(found).toMatchObject({ verdict: "proved", trust: { key: third.vkey } })
    const old = { ...answer, checkpoint: log.note(log.entries.length, [signer]) }
    expect(judgeAnswer(trustIn(note), sent, JSON.stringify(old)).verdict).toBe("unproved")
  })

  test("is not handed over by the new one's word, nor by one that says so of a stranger", () => {
    const note = log.note()
    const [second, stranger] = [newNoteSigner(), newNoteSigner()]
    const both = log.handOver(second)
    const { text, sent } = batch(1)
    const answer = log.answer(text, note)
    for (const handovers of [
      [],
      undefined,
      [{ checkpoint: log.note(log.entries.length, [second]), key: second.vkey }],
      [{ checkpoint: both, key: stranger.vkey }],
      [{ checkpoint: both, key: "second" }],
      [{ key: second.vkey }, "", null],
    ])
      expect(judgeAnswer(trustIn(note), sent, JSON.stringify({ ...answer, handovers })).verdict).toBe(
        "unproved",
      )
  })
})

test("an entry that no tree holds is taken from before a new log that the operator began, and only there", () => {
  const note = log.note()
  const { text, sent } = batch(3)
  const answer = JSON.stringify({ ...log.answer(text, note), index: null, inclusion: [], entry: null })
  expect(judgeAnswer(trustIn(note, { before: 3 }), sent, answer).verdict).toBe("proved")
  expect(judgeAnswer(trustIn(note, { before: 2 }), sent, answer).verdict).toBe("unproved")
})
