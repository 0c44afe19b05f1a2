// `verifier trust`: an operator's word on a spool that found the ledger to be another.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openSpool } from "../../src/spool/spool.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { createSmallLog, openWitnessOf } from "../support/small-log.ts"

const newFolder = createFolders()

test("settles what was found, once, and keeps the proof; a spool that is in use is left alone", async () => {
  const path = join(newFolder(), "uses.db")
  const log = createSmallLog()
  const spool = await openSpool(path)
  const witness = await openWitnessOf(log, spool)
  const other = createSmallLog(log.signer, ["another", "history"])
  const heartbeat = { instance: "", sequence: 1, digest: "", empty: true }
  const answer = { ...other.newest(), ...other.prove(log.note()) }
  await expect(witness.judge(heartbeat, JSON.stringify(answer))).rejects.toThrow("forked")

  const inUse = await runCli(["verifier", "trust", path])
  expect([inUse.code, inUse.stderr]).toEqual([3, expect.stringContaining("is in use")])
  await spool.close()

  const settled = await runCli(["verifier", "trust", path])
  expect(settled.code).toBe(0)
  expect(settled.stdout).toMatch(/^settled {2}not_continued, found \d{4}-/)
  expect(settled.stdout).toContain(log.note().split("\n")[2])
  const again = await runCli(["verifier", "trust", path, "--json"])
  expect([again.code, JSON.parse(again.stdout)]).toEqual([0, { settled: null, ledger_key: log.vkey }])

  const opened = await openSpool(path)
  expect(JSON.parse(opened.latest("ledger") ?? "")).toMatchObject({
    fork: null,
    settled: [{ why: "not_continued", held: log.note(), theirs: other.note() }],
  })
  await opened.close()
})

test("is wrong use without a spool, and touches no other file", async () => {
  const folder = newFolder()
  const missing = await runCli(["verifier", "trust", join(folder, "none.db")])
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("There is no spool")])
  const path = join(folder, "text")
  writeFileSync(path, "not a spool")
  expect((await runCli(["verifier", "trust", path])).code).toBe(3)
})
