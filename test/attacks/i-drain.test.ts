// Catalogue I24: SIGTERM under load. A real process, real sockets: whatever was begun is answered, whatever was answered
// is on disk, and the rest is told to ask again.
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { asRecord } from "../../src/client/issuer-call.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import { systemClock } from "../../src/time.ts"
import { startCli } from "../support/command-line.ts"
import { testPlace } from "../support/engine.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-drain-"))
const at = await testPlace(folder)
afterAll(async () => {
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})
const house = writeExampleFolder(join(folder, "house"), (text) =>
  text.replace(/limits: {.*}/, "limits: { active_tasks: 100000, starts_per_hour: 100000 }"),
)
const AT_ONCE = 32

const START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Be there when it ends",
  inputs: { ticket: "SUP-1" },
}

/** Starts tasks one after the other until nobody answers; every answer that came. */
async function load(address: string, authorization: string, answers: Response[], started: Set<string>) {
  for (;;) {
    const request = { method: "POST", headers: { authorization, "content-type": "application/json" } }
    const answer = await fetch(`${address}/tasks`, { ...request, body: JSON.stringify(START) }).catch(
      () => undefined,
    )
    if (!answer) return
    answers.push(answer)
    const body = asRecord(await answer.json())
    if (answer.status === 201) started.add(String(body.task_id))
  }
}

async function recordedStarts(): Promise<Set<string>> {
  const engine = await openDatabase(at.place)
  const ledger = await createLedger({ engine, names: createNames(engine), clock: systemClock })
  const found = new Set<string>()
  for (let after: string | null | undefined; after !== null; ) {
    const page = await ledger.read({
      kind: "task.started",
      limit: 1000,
      ...(after !== undefined && { after }),
    })
    for (const entry of page.entries) found.add(entry.task_id ?? "")
    after = page.next
  }
  await engine.close()
  return found
}

const startServing = async () => {
  const serving = startCli(["serve", "--port", "0"], {
    env: {
      TASKMINT_ISSUER: "https://taskmint.example",
      TASKMINT_POLICIES: house.policies,
      ...at.settings,
      TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
    },
  })
  const [, address = ""] = await serving.said(/"address":"([^"]+)".*"msg":"listening"/)
  return { serving, address }
}

test("I24 SIGTERM under load: within ten seconds everything begun is answered and on disk, the rest is refused", {
  timeout: 60_000,
}, async () => {
  const { serving, address } = await startServing()
  const tokens = createServiceTokens({
    issuer: "https://taskmint.example",
    issuerAddress: address,
    credential: { clientId: "support-orchestrator", privateJwkFile: house.keyFileOf("support-orchestrator") },
    clock: systemClock,
  })
  const { authorization = "" } = await tokens.headers("POST", "")
  const [answers, started]: [Response[], Set<string>] = [[], new Set()]
  const loading = Promise.all(
    Array.from({ length: AT_ONCE }, () => load(address, authorization, answers, started)),
  )
  while (started.size < 10 * AT_ONCE) await new Promise((resolve) => setTimeout(resolve, 7))
  const told = performance.now()
  serving.child.kill("SIGTERM")
  const { code } = await serving.ended
  expect([code, performance.now() - told < 10_000]).toEqual([0, true])
  await loading

  const unexpected = answers.filter(
    ({ status, headers }) => status !== 201 && !(status === 503 && headers.has("retry-after")),
  )
  expect(unexpected.map(({ status }) => status)).toEqual([])
  expect(existsSync(`${at.place}-wal`)).toBe(false)
  expect(await recordedStarts()).toEqual(started)
})

test("I24 SIGTERM while some have sent half a request or nothing: they are cut off, nobody waits for them", {
  timeout: 60_000,
}, async () => {
  const { serving, address } = await startServing()
  const texts = [
    "",
    "POST /tasks HTTP/1.1\r\nHost: x\r\nX",
    "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
  ]
  const closed = texts.map((text) => {
    const socket = connect(Number(new URL(address).port), "127.0.0.1", () => socket.write(text))
    socket.on("error", () => undefined).resume()
    return new Promise((resolve) => socket.once("close", resolve))
  })
  expect((await fetch(`${address}/livez`)).status).toBe(200)
  const told = performance.now()
  serving.child.kill("SIGTERM")
  const { code } = await serving.ended
  expect([code, performance.now() - told < 7000]).toEqual([0, true])
  await Promise.all(closed)
})
