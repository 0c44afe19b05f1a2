// What is told outwards of approvals and alarms: to whom, of what, how often, and that it arrives whatever happens in
// between. Receivers listen on loopback, which is why each is listed as private.
import { createLocalJWKSet, jwtVerify } from "jose"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { WebhookOptions } from "../../src/issuer/webhook.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { approvalTexts } from "../support/approvals.ts"
import { type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"
import { type Receiver, startReceiver } from "../support/receiver.ts"

const DAY = 86_400_000
const HOUR = 3_600_000
/** A look that has nothing to do is over by then. */
const EARLY_MILLISECONDS = 300
let receiver: Receiver
let house: House

const options = (...receivers: readonly Receiver[]): WebhookOptions => ({
  addresses: receivers.map(({ url }) => `${url}/events?of=taskmint`),
  privateHosts: ["127.0.0.1"],
})
const open = (webhooks?: WebhookOptions) =>
  openHouse({ dev: true, files: approvalTexts(POLICIES), ...(webhooks && { webhooks }) })
beforeEach(async () => {
  receiver = await startReceiver()
  house = await open(options(receiver))
})
afterEach(async () => {
  await house.remove()
  await receiver.close()
})

const post = (path: string, json: object, as: "support-orchestrator" | "operations-team") =>
  house.ask("POST", path, { as, json })
const question = (task_id: string) => ({
  task_id,
  operation: "tickets:close",
  resource: "tickets/SUP-1042",
  reason: "Ana said so",
  parameters: { resolution: "canary-parameter" },
})
/** Asks for an approval of a new task. */
async function ask() {
  const started = await post("/tasks", { ...START, purpose: "canary-purpose" }, "support-orchestrator")
  const task = String(started.body.task_id)
  const { body } = await post("/approvals", question(task), "support-orchestrator")
  house.clock.advance(1) // ids sort by time
  return { task, approval: String(body.id) }
}
const decide = (approval: string, decision: "grant" | "deny") =>
  post(`/approvals/${approval}`, { decision, reason: "canary-decision" }, "operations-team")
const kinds = (of = receiver) => of.told().map(({ kind }) => kind)
const later = async (milliseconds: number) => {
  house.clock.advance(milliseconds)
  await house.issuer.sweep()
}
const warnings = async () => (await house.ask("GET", "/readyz")).body.warnings

describe("what is told", () => {
  test("each change of an approval, signed for the receiver, with ids and codes alone", async () => {
    const { task, approval } = await ask()
    await decide(approval, "grant")
    const other = await ask()
    await decide(other.approval, "deny")
    await later(1000)
    const ids = { task, agent: "triage-bot", instance: "pod-1", orchestrator: "support-orchestrator" }
    const what = { approval, api: "tickets", operation: "tickets:close" }
    expect(receiver.told().filter(({ facts }) => facts.task === task)).toMatchObject([
      { kind: "approval.requested", facts: { ...ids, ...what } },
      { kind: "approval.granted", facts: { ...ids, ...what } },
    ])
    expect(kinds().filter((kind) => kind === "approval.denied")).toHaveLength(1)
    const [first] = receiver.got
    expect(first).toMatchObject({
      path: "/events?of=taskmint",
      headers: { "content-type": "application/secevent+jwt" },
    })
    const keys = createLocalJWKSet(
      JSON.parse(await (await house.call("GET", "/.well-known/jwks.json")).text()),
    )
    for (const { token } of receiver.got) {
      const { payload } = await jwtVerify(token, keys, {
        issuer: ISSUER,
        audience: receiver.url,
        typ: "secevent+jwt",
        currentDate: new Date(house.clock.now()),
      })
      expect(Object.keys(payload).sort()).toEqual(["aud", "events", "iat", "iss", "jti", "txn"])
      expect(JSON.stringify([payload, first?.headers])).not.toMatch(/canary|Ana|SUP-1042|by"/)
    }
    expect(new Set(receiver.told().map(({ jti }) => jti)).size).toBe(4)
  })

  test("what nobody decided, and no other entry", async () => {
    await ask()
    await later(3 * HOUR)
    expect(kinds()).toEqual(["approval.requested", "approval.expired"])
  })

  test("an alarm, and its end", async () => {
    for (let index = 0; index < 5; index++)
      await post("/tasks", { ...START, type: "nonsense" }, "support-orchestrator")
    await house.issuer.sweep()
    await later(400_000)
    const facts = { agent: "triage-bot", instance: "pod-1", code: "agent_refused" }
    expect(receiver.told()).toMatchObject([
      { kind: "alarm.raised", facts },
      { kind: "alarm.cleared", facts },
    ])
  })

  test("to each address the same event under an id of its own, whichever of them is away", async () => {
    const second = await startReceiver()
    await house.restart({ webhooks: options(receiver, second) })
    receiver.answer(503)
    await ask()
    await later(1000)
    expect([kinds(), kinds(second)]).toEqual([["approval.requested"], ["approval.requested"]])
    expect(second.told()[0]?.jti).not.toBe(receiver.told()[0]?.jti)
    await later(HOUR)
    expect([kinds().length, kinds(second).length]).toEqual([2, 1])
    await second.close()
  })

  test("nobody, where nobody is named", async () => {
    await house.restart({ webhooks: { addresses: [] } })
    await ask()
    await house.restart({ webhooks: options(receiver) })
    await later(HOUR)
    expect(kinds()).toEqual([])
  })
})

describe("what is not taken is told again", () => {
  test.each<[string, Parameters<Receiver["answer"]>[0]]>([
    ["500", 500],
    ["404", 404],
    ["a redirect", (response) => void response.writeHead(307, { location: "/elsewhere" }).end()],
    ["nothing", (response) => void response.destroy()],
    ["half a head", (response) => void response.socket?.end("HTTP/1.1 202 Acc")],
    [
      "a head without end",
      (response) =>
        void response
          .writeHead(
            202,
            Object.fromEntries(
              Array(300)
                .fill(0)
                .map((_, at) => [`x-${at}`, "x".repeat(100)]),
            ),
          )
          .end(),
    ],
  ])("after %s, the same event, until it is", async (_what, how) => {
    receiver.answer(how)
    await ask()
    await house.issuer.sweep()
    expect(receiver.got).toHaveLength(1)
    await house.issuer.sweep()
    expect(receiver.got, "not before its time").toHaveLength(1)
    receiver.answer(204)
    await later(20_000)
    await later(DAY)
    expect(receiver.told()).toMatchObject([{ kind: "approval.requested" }, receiver.told()[0], {}])
    expect(receiver.got.map(({ path }) => path)).not.toContain("/elsewhere")
  })

  test("less and less often, for a day, and then that is written down and told to the log", async () => {
    receiver.answer(500)
    const { task } = await ask()
    await house.issuer.sweep()
    expect(await warnings()).toEqual([])
    let within = receiver.got.length
    for (let minutes = 0; minutes < 24 * 60; minutes += 10) {
      await later(600_000)
      if (minutes === 10) expect(await warnings()).toContain("webhook_late")
      if (minutes === 120) within = receiver.got.length
    }
    const asked = receiver.told().filter(({ kind }) => kind === "approval.requested").length
    expect(within).toBeGreaterThan(8)
    expect(asked).toBeGreaterThan(30)
    expect(asked).toBeLessThan(80)
    const [{ jti } = { jti: "" }] = receiver.told()
    await later(1000)
    const query = "/ledger/entries?kind=webhook.abandoned"
    const { body } = await house.ask("GET", query, { as: "audit-team" })
    expect(body.entries).toMatchObject([
      { kind: "webhook.abandoned", body: { event: jti, host: new URL(receiver.url).host } },
    ])
    expect(house.faults.map(String)).toEqual([
      expect.stringMatching(/webhook at 127\.0\.0\.1:\d+ did not take 1 /),
    ])
    expect(JSON.stringify(body)).not.toContain("of=taskmint")
    expect(task).toMatch(/^task_/)
  }, 60_000)

  test("over restarts, by whichever issuer runs then", async () => {
    receiver.answer((response) => void response.destroy())
    await ask()
    await house.issuer.sweep()
    await house.restart()
    receiver.answer(202)
    await later(HOUR / 2)
    await later(HOUR / 2)
    expect(kinds()).toEqual(["approval.requested", "approval.requested"])
  })

  test("not to an address that is named no more", async () => {
    receiver.answer(500)
    await ask()
    const second = await startReceiver()
    await house.restart({ webhooks: options(second) })
    await later(HOUR)
    expect([receiver.got.length, kinds(second)]).toEqual([0, []])
    await second.close()
  })
})

describe("J20 a webhook that answers badly holds nothing up", () => {
  test("one that drips is given three seconds, and the rest goes on meanwhile", async () => {
    const drip = await startReceiver()
    drip.answer((response) => {
      const timer = setInterval(() => response.socket?.write("H"), 200)
      response.socket?.on("close", () => clearInterval(timer))
    })
    await house.restart({ webhooks: options(drip, receiver) })
    await ask()
    const began = performance.now()
    house.clock.advance(1000)
    await vi.waitFor(() => expect(kinds()).toEqual(["approval.requested"]), { timeout: 2900 })
    expect((await house.ask("GET", "/livez")).status).toBe(200)
    await house.issuer.sweep()
    expect(performance.now() - began).toBeLessThan(8000)
    await drip.close()
  })

  test("an endless answer is not read, and what it says is not believed", async () => {
    let written = 0
    receiver.answer((response) => {
      response.writeHead(202, { "content-type": "application/json" })
      const more = () => {
        while (written < 64 * 1024 ** 2 && response.write(Buffer.alloc(65_536, 0x20))) written += 65_536
      }
      response.on("drain", more)
      more()
    })
    await ask()
    await house.issuer.sweep()
    await later(HOUR)
    expect(kinds()).toEqual(["approval.requested"])
    expect(written).toBeLessThan(32 * 1024 ** 2)
  })

  test("whoever asks for another look meanwhile waits for the one under way", async () => {
    const { promise, resolve: release } = Promise.withResolvers<void>()
    receiver.answer((response) => void promise.then(() => response.writeHead(202).end()))
    await ask()
    const ended: string[] = []
    const first = house.issuer.sweep().then(() => ended.push("first"))
    await vi.waitFor(() => expect(receiver.got).toHaveLength(1))
    const second = house.issuer.sweep().then(() => ended.push("second"))
    const early = vi.waitFor(() => expect(ended).not.toEqual([]), { timeout: EARLY_MILLISECONDS })
    await expect(early).rejects.toThrow()
    release()
    await Promise.all([first, second])
    expect(ended).toEqual(["first", "second"])
  })

  test("closing does not wait for one that says nothing, and loses nothing", async () => {
    const held = new Promise<number>((resolve) =>
      receiver.answer((response) => {
        const came = performance.now()
        response.once("close", () => resolve(performance.now() - came))
      }),
    )
    await ask()
    const looking = house.issuer.sweep().catch(() => undefined)
    await vi.waitFor(() => expect(receiver.got).toHaveLength(1))
    await house.restart()
    expect(await held).toBeLessThan(2500) // one that is waited for is held for three seconds
    await looking
    receiver.answer(202)
    await later(HOUR)
    expect(kinds()).toEqual(["approval.requested", "approval.requested"])
  })
})

test("what was told is dated by when it happened", async () => {
  const at = toEpochSeconds(house.clock.now())
  await ask()
  await later(HOUR / 2)
  const [{ token } = { token: "" }] = receiver.got
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))
  expect(claims.iat).toBe(at)
})
