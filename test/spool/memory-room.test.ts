// What uses hold of the room without a disk, when one write of several is not acknowledged whole: it comes back once.
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { bytesOf, readGroup, type StoredUse } from "../../src/spool/group-row.ts"
import { createMemorySpool, type MemorySpool } from "../../src/spool/memory-spool.ts"
import { createRecorder, type Recorder } from "../../src/spool/recorder.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { newBatch, useRecord } from "../support/batch.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const KEY = importSigningKey(generatePrivateJwk("ES256"))
const ACKNOWLEDGE_MILLISECONDS = 5000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const use = () => useRecord(0)

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** So many of the oldest uses in a batch. */
async function seal(spool: MemorySpool, sequence: number, count: number): Promise<void> {
  const groups = spool.oldestUses(count)
  const uses: StoredUse[] = groups.flatMap(readGroup)
  const shares = new Map(uses.map(({ head, tail }) => [head.task, bytesOf(head, tail)]))
  const batch = { ...newBatch(sequence, uses, KEY), shares }
  const taking = { groups, split: [], pieces: [], highest: uses.at(-1)?.seq ?? 0 }
  await spool.storeBatch(batch, taking, { from: spool.chain(), to: String(sequence) })
}

/** As the shipper does. */
async function acknowledge(spool: MemorySpool, recorder: Recorder): Promise<void> {
  const batch = spool.oldestBatch()
  if (!batch) throw new Error("no batch is under way")
  await spool.releaseBatch(batch.sequence)
  recorder.release(batch.shares)
}

const recorderOf = (spool: MemorySpool) =>
  createRecorder({ spool, clock: createFakeClock(), limitBytes: 8192, recording: "direct" })

/** How many uses there is room for. */
function fill(recorder: Recorder): number {
  let count = 0
  for (; !recorder.full(); count++) void recorder.allow(use())
  return count
}

test.each([
  { early: 0, late: 0 },
  { early: 1, late: 0 },
  { early: 0, late: 1 },
  { early: 2, late: 1 },
  { early: 1, late: 3 },
  { early: 4, late: 0 },
])(
  "of four written together $early are acknowledged in time, and $late too late",
  async ({ early, late }) => {
    const spool = createMemorySpool()
    const recorder = recorderOf(spool)
    const answers = Promise.all(Array.from({ length: 4 }, () => recorder.allow(use())))
    while (spool.oldestUses(4).length < 4) await turn()
    if (early > 0) {
      await seal(spool, 1, early)
      await acknowledge(spool, recorder)
    }
    if (late > 0) await seal(spool, 2, late)
    vi.advanceTimersByTime(ACKNOWLEDGE_MILLISECONDS)
    const refused = (await answers).filter((answer) => answer instanceof Refusal)
    expect(refused.length).toBe(early === 4 ? 0 : 4)
    if (late > 0) await acknowledge(spool, recorder)
    expect(fill(recorder)).toBe(fill(recorderOf(createMemorySpool())))
  },
)
