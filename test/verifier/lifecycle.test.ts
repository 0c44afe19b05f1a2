// What a verifier knows across its starts and the issuer's absences.
import { statSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import { createApp, type Handled, newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { type IssuerStub, json, startIssuerStub } from "../support/issuer-stub.ts"

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

const start = async () => {
  verifier = await createVerifier(optionsOf(stub.issuer, join(folder, "uses.db"), { clock }))
  return verifier
}
const startReady = async () => {
  const started = await start()
  await vi.waitFor(() => expect(started.ready()).toEqual({ ready: true, reasons: [] }), 5000)
  await vi.waitFor(() => expect(stub.requests).toContain("GET /catalogue"))
  return started
}
const ask = async (from: Verifier, token: string, path = "/tickets/SUP-1042", method = "GET") => {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await createApp(from, handled).request(path, { method, headers })
  const body = answer.status >= 400 ? ((await answer.json()) as { code: string }) : undefined
  return body ? `${answer.status} ${body.code}` : String(answer.status)
}
const COMMENT = ["/tickets/SUP-1042/comments", "POST"] as const
const CLOSE = ["/tickets/SUP-1042/close", "POST"] as const

describe("a first start", () => {
  test("without the issuer resolves, is not ready, and lets nothing through", async () => {
    stub.setDown(true)
    const started = await start()
    expect(started.ready().ready).toBe(false)
    expect(await ask(started, stub.mint())).toBe("503 keys_unavailable")
    expect(handled).toEqual([])
  })

  test("with keys but no feed lets nothing through, and does as soon as the feed answers", async () => {
    stub.overrides.set("/revocations", () => json(500, {}))
    const started = await start()
    await vi.waitFor(() => expect(started.ready().reasons[0]).toBe("revocations were never fetched"))
    expect(await ask(started, stub.mint())).toBe("503 revocations_stale")
    stub.overrides.clear()
    await vi.waitFor(() => expect(started.ready().ready).toBe(true), 5000)
    expect(await ask(started, stub.mint())).toBe("200")
  })

  test("makes its spool for its owner alone, and joins the issuer with the instance's key", async () => {
    const started = await startReady()
    expect(statSync(join(folder, "uses.db")).mode & 0o777).toBe(0o600)
    // Nothing was used, so nothing holds a flush back: the first word of an instance is a heartbeat of its own.
    await vi.waitFor(() => expect(stub.batches).not.toHaveLength(0), 5000)
    await started.flush()
    expect(stub.batches[0]).toMatchObject({
      sequence: 1,
      previous: null,
      uses: [],
      final: false,
      checkpoint: null,
    })
  })
})

describe("a restart", () => {
  test("without the issuer knows its keys, its feed and who it is, and ships what was left", async () => {
    const first = await startReady()
    const ended = stub.mint()
    stub.revoke({ kind: "task", value: taskOf(ended), code: "task_ended" })
    await vi.waitFor(async () => expect(await ask(first, ended)).toBe("401 task_ended"), 5000)
    await first.close()
    expect(stub.batches.at(-1)).toMatchObject({ final: true, uses: [] })
    const { instance } = stub.batches[0] ?? {}

    stub.setDown(true)
    clock.advance(20_000)
    const second = await start()
    expect(second.ready().ready).toBe(true)
    const token = stub.mint()
    expect(await ask(second, token)).toBe("200")
    expect(await ask(second, ended)).toBe("401 task_ended")
    await second.close()

    stub.setDown(false)
    const third = await startReady()
    await third.flush()
    const uses = stub.uses().filter((use) => use.task === taskOf(token))
    expect(uses).toMatchObject([{ decision: "allowed" }])
    expect(new Set(stub.batches.map((batch) => batch.instance))).toEqual(new Set([instance]))
    expect(stub.batches.map((batch) => batch.sequence)).toEqual(stub.batches.map((_, index) => index + 1))
  })

  test("while another process holds the spool is refused", async () => {
    await start()
    await expect(createVerifier(optionsOf(stub.issuer, join(folder, "uses.db")))).rejects.toThrow(/in use/)
  })
})

describe("without the issuer", () => {
  test("G04 each risk is served for as long as the contract says", async () => {
    const started = await startReady()
    stub.setDown(true)
    const token = stub.mint()
    const [mint] = [() => stub.mint()]
    expect(await ask(started, token, ...CLOSE)).toBe("204")
    clock.advance(40_000)
    expect(await ask(started, mint(), ...CLOSE)).toBe("503 revocations_stale")
    expect(await ask(started, mint(), ...COMMENT)).toBe("204")
    clock.advance(300_000)
    expect(await ask(started, mint(), ...COMMENT)).toBe("503 revocations_stale")
    expect(await ask(started, mint())).toBe("200")
  })

  test("a wall clock that steps changes nothing about how old knowledge is", async () => {
    const started = await startReady()
    stub.setDown(true)
    clock.step(-3_600_000)
    expect(await ask(started, stub.mint(), ...CLOSE)).toBe("204")
    clock.step(7_200_000)
    expect(await ask(started, stub.mint(), ...CLOSE)).toBe("204")
  })
})

describe("closing", () => {
  test("refuses what comes later, and is done once", async () => {
    const started = await startReady()
    await Promise.all([started.close(), started.close()])
    expect(await ask(started, stub.mint())).toBe("503 temporarily_unavailable")
  })
})

describe('with others: "next"', () => {
  const OTHER = "https://login.example"
  const unsigned = (payload: string) => `x.${Buffer.from(payload).toString("base64url")}.x`
  const judges = async () => {
    const next = await createVerifier(
      optionsOf(stub.issuer, join(folder, "uses.db"), { clock, others: "next" }),
    )
    verifier = next
    return async (authorization?: string, target = "/") => {
      const rawHeaders = authorization === undefined ? [] : ["Authorization", authorization]
      const decision = await next.check({ method: "GET", target, rawHeaders }, "tickets:read", [
        "tickets",
        "1",
      ])
      return decision.outcome
    }
  }

  test("only what names our issuer is judged", async () => {
    const check = await judges()
    const foreign = unsigned(`{"iss":"${OTHER}","aud":"taskmint"}`)
    for (const theirs of [undefined, "Basic eDp5", "Bearer opaque", `Bearer ${foreign}`])
      expect(await check(theirs)).toBe("not_ours")
    for (const ours of [stub.mint(), `  ${stub.mint()}`, `${stub.mint()}, Bearer x`])
      expect(await check(`Bearer ${ours}`)).toBe("refused")
  })

  test("every issuer that a reader could take from a token is looked at", async () => {
    const check = await judges()
    const [us, slashed] = [stub.issuer, stub.issuer.replaceAll("/", "\\/")]
    const escaped = us.replace("h", "\\u0068")
    for (const ours of [
      `{"iss":"${us}","iss":"${OTHER}"}`,
      `{"iss":"${OTHER}","iss":"${us}"}`,
      `{"i\\u0073s":"${us}","iss":"${OTHER}"}`,
      `{"\\u0069\\u0073\\u0073" : "${us}","iss":"${OTHER}"}`,
      `{"iss":"${escaped}","iss":"${OTHER}"}`,
      `{"iss":"${slashed}","iss":"${OTHER}"}`,
      `{"i\\u0073s":"${slashed}","iss":"${OTHER}"}`,
      `{"ISS":"${us}","iss":"${OTHER}"}`,
      `{"iss":"${us}","iss":`,
    ])
      expect([ours, await check(`Bearer ${unsigned(ours)}`)]).toEqual([ours, "refused"])
    for (const theirs of [
      `{"iss":"${OTHER}","note":"\\"iss\\":\\"${us}\\""}`,
      `{"iss":"${OTHER}","i\\\\u0073s":"${us}"}`,
      `{"iss":"${us}/other"}`,
    ])
      expect([theirs, await check(`Bearer ${unsigned(theirs)}`)]).toEqual([theirs, "not_ours"])
  })

  test("A29 so is a token in the query, however its name and itself are escaped", async () => {
    const check = await judges()
    const token = stub.mint()
    const every = [...token].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("")
    const foreign = unsigned(`{"iss":"${OTHER}"}`)
    for (const ours of [
      `access_token=${token}`,
      `%61ccess_token=${token}`,
      `access_token[]=${token}`,
      `access_token=${token.replace(".", "%2E")}`,
      `access_token=${token.replace(".", "%2e")}`,
      `access_token=${every}`,
      `access_token=Bearer+${token}`,
      `access_token=a.b%20${token}`,
      `access_token=a.b+${token}`,
      `access_token=${foreign}&access_token=${token}`,
      `${"a=&".repeat(20_000)}access_token=${token}`,
    ])
      for (const header of [undefined, "Basic eDp5", `Bearer ${foreign}`])
        expect([ours, await check(header, `/tickets/1?${ours}`)]).toEqual([ours, "refused"])
    for (const theirs of [`access_token=${foreign}`, "access_token=opaque", `other=${token}`])
      expect([theirs, await check(undefined, `/tickets/1?${theirs}`)]).toEqual([theirs, "not_ours"])
  })
})

function taskOf(token: string): string {
  const payload: { txn: string } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
  return payload.txn
}
