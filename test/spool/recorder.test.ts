// When a use is on disk, who waits for that, and what happens when it can't be written.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { readGroup, type UseGroup } from "../../src/spool/group-row.ts"
import { createRecorder, type Recording } from "../../src/spool/recorder.ts"
import { openSpool, type Spool, type Unserved } from "../../src/spool/spool.ts"
import type { UseRecord } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"

let folder: string
let spool: Spool
/** Groups that were given to the disk, and the gate before it: closed it holds them, broken it fails them. */
let groups: UseGroup[]
let gate: "open" | "closed" | "broken"
let reopen: () => void

beforeEach(async () => {
  folder = newFolder()
  spool = await openSpool(join(folder, "uses.db"))
  groups = []
  gate = "open"
})
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})

const recorderOf = (recording: Recording, limitBytes = 1024 ** 3) =>
  createRecorder({
    spool: { ...spool, addUses: throughGate },
    clock: createFakeClock(),
    limitBytes,
    recording,
  })

async function throughGate(group: UseGroup): Promise<Unserved> {
  groups.push(group)
  if (gate === "broken") throw new Unavailable("no room on the disk")
  if (gate === "closed") await new Promise<void>((resolve) => (reopen = resolve))
  return spool.addUses(group)
}

const use = (): UseRecord => ({
  id: newId("use"),
  at: new Date(0).toISOString(),
  task: newId("task"),
  jti: newId("tok"),
  actor: "triage-bot/pod-1",
  client: "support-orchestrator",
  api: API,
  operation: "tickets:read",
  decision: "allowed",
})
const codeOf = (answer: unknown) => (answer instanceof Refusal ? answer.reason : "recorded")
const states = (answers: readonly Promise<unknown>[]) => {
  const done = answers.map(() => false)
  for (const [at, answer] of answers.entries()) void answer.then(() => (done[at] = true))
  return done
}
const turn = () => new Promise((resolve) => setTimeout(resolve, 20))

describe("write-ahead", () => {
  test("nobody goes on before the use is on disk", async () => {
    gate = "closed"
    const recorder = recorderOf("write-ahead")
    const answers = [recorder.allow(use()), recorder.allow(use())]
    const done = states(answers)
    await turn()
    expect(done).toEqual([false, false])
    expect(spool.oldestUses(10)).toEqual([])
    reopen()
    expect((await Promise.all(answers)).map(codeOf)).toEqual(["recorded", "recorded"])
    expect(spool.oldestUses(10)).toHaveLength(1)
  })

  test("what comes together is one row, what comes meanwhile the next, and none is too large", async () => {
    const recorder = recorderOf("write-ahead")
    await Promise.all(Array.from({ length: 100 }, () => recorder.allow(use())))
    gate = "closed"
    const first = recorder.allow(use())
    await turn()
    gate = "open"
    const later = Array.from({ length: 300 }, () => recorder.allow(use()))
    reopen()
    await Promise.all([first, ...later])
    expect(groups.map((group) => group.count)).toEqual([100, 1, 256, 44])
    expect(groups.flatMap(readGroup).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 401 }, (_, at) => at + 1),
    )
  })

  test("who comes in the turns before a write joins it, and one who is alone waits for no other turn", async () => {
    const recorder = recorderOf("write-ahead")
    const answers: Promise<unknown>[] = []
    const come = () => answers.push(recorder.allow(use()))
    const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
    come()
    await nextTurn()
    expect(groups.map((group) => group.count)).toEqual([1])
    await Promise.all(answers)
    for (let turns = 0; turns < 5; turns++) {
      come()
      come()
      await nextTurn()
    }
    expect(groups).toHaveLength(1)
    await nextTurn()
    expect(groups.map((group) => group.count)).toEqual([1, 10])
    await Promise.all(answers)
  })

  test("but not for ever: where each turn brings others, they are written all the same", async () => {
    const recorder = recorderOf("write-ahead")
    const answers: Promise<unknown>[] = []
    for (let turns = 0; turns < 40; turns++) {
      answers.push(recorder.allow(use()), recorder.allow(use()))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(groups.length).toBeGreaterThan(0)
    await Promise.all(answers)
    expect(groups.flatMap(readGroup)).toHaveLength(80)
  })

  test("what can't be written is refused, each of those who waited, and its room is free again", async () => {
    gate = "broken"
    const recorder = recorderOf("write-ahead")
    const answers = await Promise.all([recorder.allow(use()), recorder.allow(use())])
    expect(answers.map(codeOf)).toEqual(["spool_unwritable", "spool_unwritable"])
    expect(recorder.openUses()).toBe(0)
    gate = "open"
    expect(codeOf(await recorder.allow(use()))).toBe("recorded")
  })

  test.each(["write-ahead", "batched"] as const)(
    "a task has the room that it had before what could not be written (%s)",
    async (recording) => {
      const recorder = recorderOf(recording, 4000) // a tenth of it holds one use, and no two
      const { task } = use()
      const ask = async () => {
        const answer = codeOf(await recorder.allow({ ...use(), task }))
        await recorder.settled()
        return answer
      }
      gate = "broken"
      for (let times = 0; times < 3; times++) expect(await ask()).not.toBe("task_share")
      gate = "open"
      if (recording === "batched") await recorder.allow(use())
      await recorder.settled()
      expect([await ask(), await ask(), await ask()]).toContain("task_share")
      expect(spool.oldestUses(10).flatMap(readGroup).length).toBeGreaterThan(0)
    },
  )

  test("settled waits for all that was given before, written or not", async () => {
    gate = "closed"
    const recorder = recorderOf("write-ahead")
    void recorder.allow(use())
    await turn()
    recorder.refuse({ ...use(), decision: "refused", code: "token_expired", status: 401 })
    const settled = recorder.settled()
    const done = states([settled])
    await turn()
    expect(done).toEqual([false])
    gate = "broken"
    reopen()
    await settled
    expect(recorder.dropped()).toBe(1)
  })
})

describe("batched", () => {
  test("nobody waits for the disk, and the use is there soon after", async () => {
    gate = "closed"
    const recorder = recorderOf("batched")
    expect(codeOf(await recorder.allow(use()))).toBe("recorded")
    expect(spool.oldestUses(10)).toEqual([])
    await turn()
    reopen()
    await recorder.settled()
    expect(spool.oldestUses(10).flatMap(readGroup)).toHaveLength(1)
  })

  test("what nobody waits for gathers beyond its turn, and goes at once with the first that somebody waits for", async () => {
    const recorder = recorderOf("batched")
    const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
    let gathered = 0
    for (let tries = 0; tries < 20; tries++) {
      void recorder.allow(use())
      await nextTurn()
      if (groups.length === 0) gathered++ // not each time: this process may stand still for long
      await recorder.settled()
      groups = []
    }
    expect(gathered).toBeGreaterThan(0)
    void recorder.allow(use())
    recorder.refuse({ ...use(), decision: "refused", code: "token_expired", status: 401 })
    await nextTurn()
    expect(groups.map((group) => group.count)).toEqual([2])
    await recorder.settled()
  })

  test("a loss is counted, and from then on each waits until a write succeeds", async () => {
    gate = "broken"
    const recorder = recorderOf("batched")
    expect(codeOf(await recorder.allow(use()))).toBe("recorded")
    await recorder.settled()
    await turn()
    expect([recorder.lost(), recorder.openUses()]).toEqual([1, 0])
    expect(codeOf(await recorder.allow(use()))).toBe("spool_unwritable")
    gate = "open"
    expect(codeOf(await recorder.allow(use()))).toBe("recorded")
    expect(recorder.lost()).toBe(1)
    gate = "closed"
    expect(codeOf(await recorder.allow(use()))).toBe("recorded")
    await turn()
    reopen()
  })
})
