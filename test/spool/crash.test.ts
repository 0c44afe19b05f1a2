// What a process that is killed at any instant leaves behind: nothing happened that is not in the spool.
import { type ChildProcess, fork } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { systemClock } from "../../src/time.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { API_PRIVATE_JWK, type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"
import { ROOT } from "../support/source.ts"

let stub: IssuerStub
let folder: string
let child: ChildProcess | undefined
beforeEach(async () => {
  stub = await startIssuerStub(systemClock)
  folder = newFolder()
})
afterEach(async () => {
  child?.kill("SIGKILL")
  await stub.close()
  removeFolder(folder)
})

async function startChild(): Promise<string> {
  const started = fork(
    join(ROOT, "test/support/guarded-child.ts"),
    [stub.issuer, JSON.stringify(API_PRIVATE_JWK), join(folder, "uses.db"), join(folder, "handled.log")],
    { execPath: process.execPath },
  )
  child = started
  return new Promise((resolve, reject) => {
    started.once("message", (address) => resolve(String(address)))
    started.once("exit", (code) => reject(new Error(`the child ended with ${code}`)))
  })
}

/** Sixteen clients at once until the process is gone; it is killed after so many answers, whatever is under way. */
async function killUnderLoad(address: string, answers: number): Promise<void> {
  const gone = new Promise((resolve) => child?.once("exit", resolve))
  let seen = 0
  const client = async () => {
    const token = stub.mint()
    for (;;) {
      const answer = await fetch(`${address}/tickets/SUP-1042`, {
        headers: { authorization: `Bearer ${token}` },
      })
      expect(answer.status).toBe(200)
      if (++seen === answers) child?.kill("SIGKILL")
    }
  }
  await Promise.allSettled(Array.from({ length: 16 }, client))
  await gone
}

const handledIds = () =>
  existsSync(join(folder, "handled.log"))
    ? readFileSync(join(folder, "handled.log"), "utf8").trim().split("\n")
    : []

test("L10 every handler that ran has its use at the issuer, once, however often the process is killed", async () => {
  for (const [round, answers] of [40, 1, 173, 90].entries()) {
    stub.setDown(false)
    const address = await startChild()
    stub.setDown(round % 2 === 1)
    await killUnderLoad(address, answers)
  }
  stub.setDown(false)
  const verifier = await createVerifier(optionsOf(stub.issuer, join(folder, "uses.db")))
  await verifier.flush()
  await verifier.close()
  const shipped = stub.uses().map((use) => use.id)
  expect(handledIds().length).toBeGreaterThanOrEqual(300)
  expect(handledIds().filter((id) => !shipped.includes(id))).toEqual([])
  expect(new Set(shipped).size).toBe(shipped.length)
  expect(stub.batches.map((batch) => batch.sequence)).toEqual(stub.batches.map((_, index) => index + 1))
}, 60_000)
