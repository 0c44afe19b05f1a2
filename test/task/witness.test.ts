// Verifier instances as witnesses: what a batch that names a checkpoint is answered with, and what happens when the ledger
// does not continue one that it signed.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { NoCheckpoint, openCheckpoint, readVkey, signCheckpoint } from "../../src/ledger/checkpoint.ts"
import { leafHash, provesConsistency, provesInclusion } from "../../src/ledger/merkle.ts"
import { createSequence } from "../../src/ledger/sequence.ts"
import { createTasks } from "../../src/task/task.ts"
import type { Taken } from "../../src/task/use.ts"
import { batchDigest, type UseBatch } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { signBatch, useBatch, useRecord } from "../support/batch.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
const key = importSigningKey(generatePrivateJwk("ES256"))
const instance = newUuid()
let sent: { sequence: number; digest: string | null }

beforeEach(async () => {
  world = await createWorld()
  sent = { sequence: 0, digest: null }
})
afterEach(async () => {
  await world.leave()
})

const use = () => useRecord(world.clock.now(), { resource: undefined })

/** The next batch of the instance. */
const sign = (change: Partial<UseBatch>): string =>
  signBatch(
    useBatch(world.clock.now(), {
      instance,
      sequence: sent.sequence + 1,
      previous: sent.digest,
      uses: [use(), use()],
      ...change,
    }),
    key,
  )
async function take(text: string, beside?: string): Promise<Taken | Refusal> {
  const taken = await world.uses.take({ api: "tickets", key: publicHalf(key) }, text, beside)
  if (!(taken instanceof Refusal)) sent = { sequence: taken.acknowledged, digest: batchDigest(text) }
  return taken
}
const answer = async (text: string, beside?: string) => {
  const taken = await take(text, beside)
  if (taken instanceof Refusal) throw new Error(taken.reason)
  return (taken.attested ?? world.uses.newest)()
}
const attested = async (text: string, beside?: string) => {
  const {
    checkpoint = "",
    consistency = [],
    index = null,
    inclusion = [],
    entry = null,
    ...rest
  } = await answer(text, beside)
  return { checkpoint, consistency, index, inclusion, entry, ...rest }
}
const held = async () => (await world.sequence.covering(0)).note
const open = async (note: string) => {
  const opened = openCheckpoint(note, "taskmint.internal", await world.ledgerKeys.verifiers())
  if (opened instanceof NoCheckpoint) throw new Error(opened.tag)
  return opened
}
const start = () => world.tasks.start("support-orchestrator", SUPPORT_START)
const bytes = (hashes: readonly string[]) => hashes.map((hash) => Buffer.from(hash, "base64"))
/** What only the holder of the ledger's key can sign. */
const forge = async (change: { size?: number; root?: Uint8Array }): Promise<string> => {
  const { signers } = await world.ledgerKeys.signing()
  return signCheckpoint({ ...(await open(await held())), ...change }, signers)
}

describe("a batch that names a checkpoint", () => {
  test("is answered with the newest one, and proofs that it continues that and holds the batch", async () => {
    let note = await held()
    for (let round = 0; round < 3; round++) {
      const text = sign({ checkpoint: note })
      const { checkpoint, consistency, index, inclusion, entry } = await attested(text)
      const [older, newer] = [await open(note), await open(checkpoint)]
      expect(provesConsistency(older, newer, bytes(consistency))).toBe(true)
      expect(newer.size).toBeGreaterThan(older.size)
      const claim = { ...newer, index: index ?? -1, leaf: leafHash(Buffer.from(entry ?? "")) }
      expect(provesInclusion(claim, bytes(inclusion))).toBe(true)
      const { kind, body } = JSON.parse(entry ?? "{}")
      expect([kind, body.digest, body.uses]).toEqual(["verifier.reported", batchDigest(text), 2])
      note = checkpoint
    }
  })

  test("is answered the same way when it comes again", async () => {
    const text = sign({ checkpoint: await held() })
    const first = await attested(text)
    const again = await attested(text)
    expect([again.index, again.entry]).toEqual([first.index, first.entry])
    expect(provesConsistency(await open(first.checkpoint), await open(again.checkpoint), [])).toBe(true)
  })

  test("and has no uses has no entry, and is answered with consistency", async () => {
    const note = await held()
    const { checkpoint, consistency, index, inclusion, entry } = await attested(
      sign({ checkpoint: note, uses: [] }),
    )
    expect([index, inclusion, entry]).toEqual([null, [], null])
    expect(provesConsistency(await open(note), await open(checkpoint), bytes(consistency))).toBe(true)
  })

  test("that was signed before its instance knew a newer one is proved from the newer, told beside it", async () => {
    const note = await held()
    const { checkpoint: newer } = await attested(sign({ checkpoint: note }))
    for (const checkpoint of [note, null, newer]) {
      const text = sign({ checkpoint })
      const answered = await attested(text, newer)
      const heads = [await open(newer), await open(answered.checkpoint)] as const
      expect(provesConsistency(...heads, bytes(answered.consistency))).toBe(true)
      expect(JSON.parse(answered.entry ?? "{}").body.digest).toBe(batchDigest(text))
    }
  })

  test("that names none, with none beside it, is answered the newest one without waiting for its own", async () => {
    const newest = await held()
    expect(await answer(sign({}))).toEqual({ checkpoint: newest })
    expect((await world.sequence.newest())?.note).toBe(newest)
  })

  test("is told how the ledger's key was handed over since, as often as it was", async () => {
    const note = await held()
    const keys = [world.ledgerKeys.current()]
    for (let turn = 0; turn < 2; turn++) {
      world.clock.advance(1000)
      await world.ledgerKeys.rotate("test")
      await world.sequence.advance()
      keys.unshift(world.ledgerKeys.current())
      await world.ledger.append([{ kind: "policy.loaded", at: world.ledger.at() }])
      await world.sequence.advance()
    }
    const { handovers = [], checkpoint } = await attested(sign({ checkpoint: note }))
    expect(handovers.map((one) => one.key)).toEqual([keys[1], keys[0]])
    for (const [at, one] of handovers.entries())
      for (const vkey of [keys[2 - at], keys[1 - at]]) {
        const by = readVkey(vkey ?? "")
        expect(openCheckpoint(one.checkpoint, "taskmint.internal", by ? [by] : [])).toHaveProperty("root")
      }
    expect(await attested(sign({ checkpoint }))).not.toHaveProperty("handovers")
    expect(await answer(sign({}))).toHaveProperty("handovers", handovers)
  })

  test("H08: of a stranger, or no checkpoint at all, is refused and stops nothing", async () => {
    const stranger = importSigningKey(generatePrivateJwk("EdDSA"))
    const [own] = await world.ledgerKeys.verifiers()
    if (!own) throw new Error("no key")
    const strange = signCheckpoint(await open(await held()), [
      { ...own, sign: (text) => stranger.sign(text) },
    ])
    for (const checkpoint of [strange, "checkpoint", "", (await held()).slice(0, -1)])
      expect(await take(sign({ checkpoint }))).toMatchObject({ code: "batch_invalid" })
    expect(await start()).not.toBeInstanceOf(Refusal)
  })
})

describe("a checkpoint that the ledger does not continue", () => {
  const cases: readonly [string, string, () => Promise<string>, "beside"?][] = [
    [
      "H06, I11: told beside a batch that names an older one",
      "rollback",
      () => forge({ size: 5000 }),
      "beside",
    ],
    ["H06, I11: of a ledger that went further than this copy", "rollback", () => forge({ size: 5000 })],
    [
      "H04, H07: of another ledger of the same size",
      "fork",
      () => forge({ root: leafHash(Buffer.from("x")) }),
    ],
    [
      "H03: of a tree that was made anew",
      "fork",
      async () => forge({ size: 2, root: leafHash(Buffer.from("y")) }),
    ],
  ]
  test.each(cases)(
    "%s stops every mint, for good, and leaves both as proof",
    async (_what, why, make, how) => {
      const ours = await held()
      const theirs = await make()
      const named = how === "beside" ? [sign({ checkpoint: ours }), theirs] : [sign({ checkpoint: theirs })]
      expect(await take(named[0] ?? "", named[1])).toMatchObject({ code: "ledger_broken" })
      expect(await start()).toMatchObject({ code: "ledger_broken" })
      expect(world.tasks.unready()).toMatchObject({ code: "ledger_broken" })
      const { entries } = await world.ledger.read({ kind: "alarm.raised" })
      expect(entries.map(({ code, body }) => ({ code, ...body }))).toEqual([
        { code: "ledger_broken", why, verifier: instance, theirs, ours },
      ])
      // Uses are still taken in, so that nothing is lost; but nothing is signed any more.
      expect(await take(sign({}))).toEqual({ acknowledged: 1 })
      expect(await take(sign({ checkpoint: ours }))).toMatchObject({ code: "ledger_broken" })
      await world.sequence.advance()
      expect((await world.sequence.newest())?.note).toBe(ours)
      const codes = (await world.ledger.read({ kind: "alarm.raised" })).entries.map(({ code }) => code)
      expect(codes.filter((code) => code === "ledger_broken")).toHaveLength(1)

      const { folder, keyEncryptionKey, clock } = world
      await world.close()
      world = await createWorld({ folder, keyEncryptionKey, clock })
      expect(await start()).toMatchObject({ code: "ledger_broken" })
    },
  )

  test("stops the other issuers of the database too, with their next look at it", async () => {
    const sequence = createSequence({
      ...world,
      origin: world.sequence.origin,
      signing: world.ledgerKeys.signing,
    })
    const other = createTasks({ ...world, sequence })
    expect(other.unready()).toBeUndefined()
    await take(sign({ checkpoint: await forge({ size: 5000 }) }))
    await sequence.advance()
    expect(other.unready()).toMatchObject({ code: "ledger_broken" })
    expect(await other.start("support-orchestrator", SUPPORT_START)).toMatchObject({ code: "ledger_broken" })
  })
})
