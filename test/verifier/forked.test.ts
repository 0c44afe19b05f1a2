// An API whose issuer's ledger turns out to be another: what callers and operator are told, and what becomes of the record.
import { join } from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { optionsOf, startGuardedApi } from "../support/guarded-api.ts"
import { json } from "../support/issuer-stub.ts"
import { createSmallLog, newNoteSigner } from "../support/small-log.ts"

async function open(more: Partial<VerifierOptions> = {}) {
  const api = await startGuardedApi(more)
  onTestFinished(() => api.close())
  return api
}
/** From now on an issuer on a copy of the ledger answers, made before its newest entry. */
function fork({ stub }: Awaited<ReturnType<typeof open>>) {
  const copy = stub.log.copy(stub.log.entries.length - 1)
  copy.append("theirs")
  copy.append("theirs")
  stub.setLog(copy)
}
const use = async (api: Awaited<ReturnType<typeof open>>, token: string) => {
  const answer = await api.get("/tickets/SUP-1042", token)
  return answer.ok ? "200" : `${answer.status} ${((await answer.json()) as { code: string }).code}`
}

test.each(["write-ahead", "batched"] as const)(
  "H07: is refused with 503, recorded, and told with the proof; nothing of it leaves the spool (%s)",
  async (recording) => {
    const api = await open({ recording })
    const token = api.stub.mint()
    expect(await use(api, token)).toBe("200")
    await api.verifier.flush()
    const held = api.stub.log.note()
    const warned = new Promise<string>((resolve) => {
      process.once("warning", (warning) => resolve(String(Object(warning).code)))
    })
    fork(api)
    expect(await use(api, token)).toBe("200")
    await expect.poll(() => use(api, token), { timeout: 5000, interval: 20 }).toBe("503 ledger_forked")
    expect(await warned).toBe("TASKMINT_LEDGER_FORKED")
    const { ready, reasons, fork: proof } = api.verifier.ready()
    expect([ready, proof]).toMatchObject([false, { why: "not_continued", held }])
    expect(reasons.join()).toContain("rolled back or forked")
    const served = api.handled.length
    const received = api.stub.received.length
    expect(await use(api, token)).toBe("503 ledger_forked")
    await new Promise((resolve) => setImmediate(resolve))
    expect([api.handled.length, api.stub.received.length]).toEqual([served, received])

    // After a restart it is as it was, and with the operator's word and the right ledger everything is told.
    await api.verifier.close()
    const path = join(api.folder, "uses.db")
    const again = await createVerifier(optionsOf(api.stub.issuer, path, { clock: api.clock }))
    expect(again.ready()).toMatchObject({ ready: false, fork: proof })
    await again.close()
  },
)

test("while the issuer says that its ledger is broken nothing is served; then everything goes on", async () => {
  const api = await open()
  const token = api.stub.mint()
  api.stub.overrides.set("/uses", () => json(503, { code: "ledger_broken" }))
  await use(api, token)
  await expect.poll(() => use(api, token), { timeout: 5000, interval: 20 }).toBe("503 ledger_forked")
  expect(api.verifier.ready()).not.toHaveProperty("fork")
  api.stub.overrides.delete("/uses")
  await expect.poll(() => use(api, token), { timeout: 20_000, interval: 50 }).toBe("200")
  await api.verifier.flush()
  expect(api.stub.uses().map(({ code }) => code)).toContain("ledger_forked")
})

test("H07: whoever asks only who they are is refused, too", async () => {
  const api = await open()
  const rawHeaders = ["authorization", `Bearer ${api.stub.mint()}`]
  const ask = () => api.verifier.recognize({ method: "POST", target: "/mcp", rawHeaders }, ["tickets:read"])
  expect(await ask()).toMatchObject({ outcome: "recognized" })
  expect(await use(api, api.stub.mint())).toBe("200")
  await api.verifier.flush()
  fork(api)
  expect(await use(api, api.stub.mint())).toBe("200")
  await expect.poll(() => api.verifier.ready().fork, { timeout: 5000, interval: 20 }).toBeDefined()
  expect(await ask()).toMatchObject({ outcome: "refused", code: "ledger_forked", answer: { status: 503 } })
})

test("with direct recording no handler runs for a use that is not proved", async () => {
  const api = await open({ recording: "direct" })
  expect(await use(api, api.stub.mint())).toBe("200")
  fork(api)
  const first = use(api, api.stub.mint())
  await expect.poll(() => api.verifier.ready().fork, { timeout: 4000, interval: 20 }).toBeDefined()
  expect(await use(api, api.stub.mint())).toBe("503 ledger_forked")
  await api.verifier.close()
  expect(await first).toBe("503 recording_unavailable")
  expect(api.handled).toHaveLength(1)
})

test("the key is the one that the issuer's metadata name at first, and no other afterwards", async () => {
  const api = await open()
  await use(api, api.stub.mint())
  await api.verifier.flush()
  const received = api.stub.received.length
  api.stub.setLog(createSmallLog(newNoteSigner("taskmint.internal/2026-11-28T06:44:00.000Z")))
  await use(api, api.stub.mint())
  const told = () => api.verifier.ready().reasons.join()
  await expect.poll(told, { timeout: 5000, interval: 20 }).toContain("give that one's key as ledgerKey")
  expect(api.verifier.ready().ready).toBe(true) // what is not proved stays here; nothing is contradicted
  expect(api.stub.received.length).toBeGreaterThan(received)
  await api.verifier.close()

  const { vkey: ledgerKey } = api.stub.log
  const path = join(api.folder, "uses.db")
  const again = await createVerifier(optionsOf(api.stub.issuer, path, { clock: api.clock, ledgerKey }))
  await again.flush()
  await again.close()
  expect(api.stub.uses()).toHaveLength(2)
})

test("H06: beside a log that was begun anew it serves on as long as it can keep its record, which then goes there whole", async () => {
  const api = await open({ spool: { limitBytes: 65_536 } })
  expect(await use(api, api.stub.mint())).toBe("200")
  await api.verifier.flush()
  api.stub.setLog(createSmallLog(newNoteSigner("taskmint.internal/2026-11-28T06:44:00.000Z")))
  let served = 1
  const fill = async (): Promise<string> => {
    for (; served < 1000; served++) {
      const code = await use(api, api.stub.mint({ txn: newId("task") }))
      if (code !== "200") return code
    }
    return "200"
  }
  expect(await fill()).toBe("503 recording_unavailable")
  expect(served).toBeGreaterThan(20)
  const why = /spool is full.*ledgerKey|ledgerKey.*spool is full/
  // What the answer to a batch says is known when one was sent since, which filling does not wait for.
  await vi.waitFor(() => expect(api.verifier.ready().reasons.join()).toMatch(why), 10_000)
  await api.verifier.close()
  expect(api.handled).toHaveLength(served)

  const { vkey: ledgerKey } = api.stub.log
  const path = join(api.folder, "uses.db")
  const again = await createVerifier(optionsOf(api.stub.issuer, path, { clock: api.clock, ledgerKey }))
  await again.flush()
  expect(again.ready().ready).toBe(true)
  await again.close()
  const told = new Set(api.stub.uses().map(({ id }) => id))
  expect(told.size).toBe(served)
})

test.each(["", "taskmint.internal", 7, "taskmint.internal+00000000+AQ=="])(
  "ledgerKey %j is refused",
  async (key) => {
    const options = optionsOf("https://taskmint.internal", "uses.db", { ledgerKey: key as string })
    await expect(createVerifier(options)).rejects.toThrow(TypeError)
  },
)
