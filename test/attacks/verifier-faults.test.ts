// Faults around the guard: the issuer gone, keys that change, a spool that is full, foreign, damaged or taken.
import { chmodSync, closeSync, copyFileSync, openSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import { createApp, type Handled, newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"

const MINUTE = 60_000
let clock: FakeClock
let stub: IssuerStub
let folder: string
let verifier: Verifier | undefined
const handled: Handled[] = []

beforeEach(async () => {
  clock = createFakeClock()
  stub = await startIssuerStub(clock)
  folder = newFolder()
  handled.length = 0
})
afterEach(async () => {
  await verifier?.close()
  verifier = undefined
  await stub.close()
  removeFolder(folder)
})

const spoolPath = () => join(folder, "uses.db")
const start = async (more: Partial<VerifierOptions> = {}) => {
  verifier = await createVerifier(optionsOf(stub.issuer, spoolPath(), { clock, ...more }))
  return verifier
}
const startReady = async (more: Partial<VerifierOptions> = {}) => {
  const started = await start(more)
  await vi.waitFor(() => expect(started.ready().ready).toBe(true), 5000)
  await vi.waitFor(() => expect(isKept("catalogue")).toBe(true), 5000)
  return started
}
/** Whether the verifier has taken an answer in, not only asked for it. */
function isKept(key: string): boolean {
  const spool = new Sqlite(spoolPath(), { readonly: true })
  const found = spool.prepare("SELECT count(*) FROM setting WHERE key = ?").pluck().get(key)
  spool.close()
  return found === 1
}
const ask = async (from: Verifier, token: string) => {
  const answer = await createApp(from, handled).request("/tickets/SUP-1042", {
    headers: { authorization: `Bearer ${token}` },
  })
  const { code } = (await answer.json()) as { code?: string }
  return code === undefined ? String(answer.status) : `${answer.status} ${code}`
}
const keyRequests = () => stub.requests.filter((one) => one.includes("jwks")).length

test("L01 a restart with the issuer away serves what it knew, until that is too old", async () => {
  const first = await startReady()
  expect(await ask(first, stub.mint())).toBe("200")
  await first.close()
  stub.setDown(true)
  clock.advance(50 * MINUTE)
  const second = await start()
  expect(await ask(second, stub.mint())).toBe("200")
  await second.close()
  clock.advance(11 * MINUTE)
  const third = await start()
  expect(await ask(third, stub.mint())).toBe("503 keys_unavailable")
})

test.each([
  [1, "200"],
  [10, "200"],
  [60, "200"],
  [61, "503 keys_unavailable"],
  [1440, "503 keys_unavailable"],
])("L02 keys out of reach for %i minutes: %s", async (minutes, expected) => {
  const started = await startReady()
  stub.setDown(true)
  clock.advance(minutes * MINUTE)
  expect(await ask(started, stub.mint())).toBe(expected)
})

test("L03 a new key is found by the first token that names it, the old one stays good while published", async () => {
  const started = await startReady()
  const old = stub.mint()
  const fresh = importSigningKey(generatePrivateJwk("ES256"))
  stub.signing.push(fresh)
  clock.advance(31_000)
  expect(await ask(started, stub.mint({}, fresh))).toBe("200")
  expect(await ask(started, old)).toBe("200")
  stub.signing.shift()
  const newest = importSigningKey(generatePrivateJwk("ES256"))
  stub.signing.push(newest)
  clock.advance(31_000)
  expect(await ask(started, stub.mint({}, newest))).toBe("200")
  expect(await ask(started, old)).toBe("401 token_invalid")
})

test("L06 ten thousand unknown keys make one fetch, and good tokens pass meanwhile", async () => {
  const started = await startReady()
  const good = stub.mint()
  clock.advance(31_000)
  const before = keyRequests()
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const token = stub.mint({}, key)
  const unknown = (number: number) => {
    const header = { typ: "at+jwt", alg: "ES256", kid: `unknown-${number}` }
    return [Buffer.from(JSON.stringify(header)).toString("base64url"), ...token.split(".").slice(1)].join(".")
  }
  const junk = Array.from({ length: 10_000 }, (_, number) => unknown(number))
  const view = (text: string) => ({
    method: "GET",
    target: "/",
    rawHeaders: ["authorization", `Bearer ${text}`],
  })
  const answers = await Promise.all(
    junk.map((text) => started.check(view(text), "tickets:read", ["tickets", "SUP-1042"])),
  )
  expect(answers.every((one) => one.outcome === "refused" && one.answer.status === 401)).toBe(true)
  expect(await ask(started, good)).toBe("200")
  expect(keyRequests() - before).toBe(1)
})

test("L06 an unknown key while the issuer is away is not invalid, it can't be told", async () => {
  const started = await startReady()
  const fresh = importSigningKey(generatePrivateJwk("ES256"))
  stub.setDown(true)
  clock.advance(31_000)
  expect(await ask(started, stub.mint({}, fresh))).toBe("503 keys_unavailable")
})

describe("L11 a spool without room", () => {
  test("one task holds a tenth at most, others go on, and it heals when the issuer is back", async () => {
    const started = await startReady({ spool: { limitBytes: 65_536 } })
    await started.flush()
    stub.setDown(true)
    const greedy = stub.mint({ txn: newId("task") })
    const answers: string[] = []
    for (let at = 0; at < 30; at++) answers.push(await ask(started, greedy))
    const served = answers.filter((one) => one === "200").length
    expect(served).toBeGreaterThan(5)
    expect(answers.slice(served)).toEqual(Array(30 - served).fill("503 recording_unavailable"))
    expect(handled.length).toBe(served)
    expect(await ask(started, stub.mint())).toBe("200")
    stub.setDown(false)
    await started.flush()
    expect(await ask(started, greedy)).toBe("200")
  })

  test("L14 many tasks together fill it: half and nearly full are told; then nobody is served, and nothing recorded is lost", async () => {
    const started = await startReady({ spool: { limitBytes: 65_536 } })
    stub.setDown(true)
    let served = 0
    let refused = 0
    const told: string[] = []
    for (let at = 0; at < 200; at++) {
      if ((await ask(started, stub.mint())) === "200") served++
      else refused++
      told.push(...started.ready().reasons.filter((one) => one.startsWith("the spool")))
    }
    expect([...new Set(told)]).toEqual([
      "the spool is half full: uses wait until the issuer takes them",
      "the spool is 80 % full: uses wait until the issuer takes them",
      "the spool is full",
    ])
    expect(handled.length).toBe(served)
    expect(refused).toBeGreaterThan(0)
    expect(started.ready().reasons).toContain("the spool is full")
    stub.setDown(false)
    await started.flush()
    expect(stub.uses().filter((use) => use.decision === "allowed").length).toBe(served)
    expect(await ask(started, stub.mint())).toBe("200")
  })

  test("a spool that can't be written serves nobody, and heals", async () => {
    const started = await startReady()
    const other = new Sqlite(spoolPath())
    other.exec("BEGIN EXCLUSIVE")
    expect(await ask(started, stub.mint())).toBe("503 recording_unavailable")
    expect(handled).toEqual([])
    other.exec("COMMIT")
    other.close()
    expect(await ask(started, stub.mint())).toBe("200")
  })
})

describe("L12 a spool that is not ours to write", () => {
  test("of another program is left alone", async () => {
    const other = new Sqlite(spoolPath())
    other.exec("CREATE TABLE theirs (x)")
    other.close()
    await expect(start()).rejects.toThrow(/not a spool/)
    writeFileSync(spoolPath(), "not a database, but a text that is long enough to be read as one".repeat(100))
    await expect(start()).rejects.toThrow()
  })

  test("that is damaged is not written over", async () => {
    const first = await startReady()
    stub.setDown(true)
    for (let at = 0; at < 60; at++) await ask(first, stub.mint())
    await first.close()
    copyFileSync(spoolPath(), `${spoolPath()}.whole`)
    const file = openSync(spoolPath(), "r+")
    for (let page = 2; page < 8; page++) writeSync(file, Buffer.alloc(64, 0xff), 0, 64, page * 4096)
    closeSync(file)
    await expect(start()).rejects.toThrow(/damaged|malformed/)
    copyFileSync(`${spoolPath()}.whole`, spoolPath())
    chmodSync(spoolPath(), 0o600)
    stub.setDown(false)
    const second = await start()
    await second.flush()
    expect(stub.uses().length).toBe(60)
  })

  test("that another process holds is refused, without a word to the issuer", async () => {
    await startReady()
    const before = stub.requests.filter((one) => one === "POST /token").length
    await expect(createVerifier(optionsOf(stub.issuer, spoolPath()))).rejects.toThrow(/in use/)
    expect(stub.requests.filter((one) => one === "POST /token").length).toBe(before)
  })
})
