// An auditor's copy is asked as the issuer is: the same filters find the same entries, with hashes where values were.
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { queryCopy } from "../../src/cli/ledger-query-copy.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { openDatabase } from "../../src/database/open.ts"
import { type AuditCopy, openToFollow } from "../../src/ledger/audit-copy.ts"
import { EMPTY_FRONTIER, extend, leafHash } from "../../src/ledger/merkle.ts"
import { readEntries } from "../../src/ledger/resting.ts"
import type { EntryFilter } from "../../src/ledger/search.ts"
import { type CopyFilter, findInCopy } from "../../src/ledger/search-copy.ts"
import { CANARIES, createCanaryWorld, play, type Visit } from "../support/canary-world.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
let copy: AuditCopy
let path: string
let visits: { readonly vera: Visit; readonly otto: Visit }
let signed: number
beforeAll(async () => {
  world = await createCanaryWorld(newFolder())
  visits = await play(world)
  const head = await world.sequence.newest()
  signed = head?.size ?? 0
  const entries = await readEntries(world.engine, 0, signed)
  path = join(newFolder(), "audit.db")
  copy = openToFollow(path, "taskmint.internal")
  copy.take(entries, extend(EMPTY_FRONTIER, entries.map(leafHash)))
  copy.sign(head?.note ?? "", 0)
})
afterAll(async () => {
  copy.close()
  await world.leave()
})

const filters: readonly (readonly [string, () => CopyFilter])[] = [
  ["everything", () => ({})],
  ["a task, and what names its token alone", () => ({ task: visits.vera.task })],
  ["a task without such entries", () => ({ task: visits.otto.task })],
  ["a token", () => ({ jti: visits.otto.jti })],
  ["an agent", () => ({ agent: "triage-bot" })],
  ["an instance", () => ({ instance: "pod-1" })],
  ["an orchestrator", () => ({ orchestrator: "support-orchestrator" })],
  ["an API and an operation", () => ({ api: "tickets", operation: "tickets:read" })],
  ["a kind", () => ({ kind: "task.started" })],
  ["an outcome of a task", () => ({ outcome: "allowed", task: visits.otto.task })],
  ["nothing that is there", () => ({ agent: "nobody" })],
  ["a time", () => ({ from: world.clock.now() - 3000, to: world.clock.now() })],
]
test.each(filters)("%s", async (_what, filter) => {
  const asked: EntryFilter = { ...filter(), limit: 1000 }
  const told = await world.ledger.read(asked)
  const found = await findInCopy(copy, asked)
  expect(found.entries.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual(
    told.entries.map(({ seq, kind }) => `${seq} ${kind}`),
  )
  expect(found.next).toBeNull()
})

test("a page at a time, by cursors, is all of it; values stand as their hashes", async () => {
  const whole = (await findInCopy(copy, { task: visits.vera.task, limit: 1000 })).entries
  const paged: typeof whole = []
  for (let after: string | undefined; ; ) {
    const page = await findInCopy(copy, {
      task: visits.vera.task,
      limit: 2,
      ...(after !== undefined && { after }),
    })
    paged.push(...page.entries)
    if (page.next === null) break
    after = page.next
  }
  expect(paged).toEqual(whole)
  expect(whole.length).toBeGreaterThan(5)
  expect(whole[0]).toMatchObject({
    sub: { hmac: expect.any(String) },
    body: { purpose: { hmac: expect.any(String) } },
  })
  expect(CANARIES.filter((value) => JSON.stringify(whole).includes(value))).toEqual([])
})

test("a copy is asked for what it can tell, and the issuer's own database is none", async () => {
  const context = {
    terminal: createTerminal(process.stdout, process.stderr),
    settings: createSettings({}, undefined),
  }
  const ask = (flags: object, database = `sqlite:${path}`) =>
    queryCopy(context, { limit: 100, database, ...flags })
  expect(
    (await ask({ kind: "task.started", outcome: "allowed", from: "2026-01-01T00:00:00Z" })).entries,
  ).toHaveLength(3)
  for (const [flags, says] of [
    [{ sub: "people/vera" }, /--sub is personal/],
    [{ kind: "task.stopped" }, /--kind task.stopped is none/],
    [{ to: "noon" }, /no RFC 3339 time/],
  ] as const)
    await expect(ask(flags)).rejects.toThrow(says)
  const own = join(newFolder(), "issuer.db")
  await (await openDatabase(own)).close()
  await expect(ask({}, `sqlite:${own}`)).rejects.toThrow("the issuer's own database")
})

test("a cursor or a limit that can't be is refused, and so is a copy that is not whole", async () => {
  for (const wrong of [{ after: "x" }, { limit: 0 }, { limit: 1001 }])
    await expect(findInCopy(copy, wrong)).rejects.toThrow(TypeError)
  const short = { ...copy, entries: (from: number, to: number) => copy.entries(from, to).slice(0, 4) }
  await expect(findInCopy(short, {})).rejects.toThrow("no entry 5")
  const bent = {
    ...copy,
    entries: (from: number, to: number) => copy.entries(from, to).fill(Buffer.from("{}"), 2, 3),
  }
  await expect(findInCopy(bent, {})).rejects.toThrow("entry 3")
})
