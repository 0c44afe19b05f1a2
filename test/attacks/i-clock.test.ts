// Catalogue I22 and I23: clocks that are set while the issuer runs, and timers that are told to wait longer than they can.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, test } from "vitest"
import { createBackoff } from "../../src/remote/backoff.ts"
import { ASSERTION_TYPE, type House, openHouse, START } from "../support/issuer-house.ts"
import { listSources, ROOT } from "../support/source.ts"

const HOUR = 3_600_000
const YEAR = 365 * 24 * HOUR

let house: House
const start = () => house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
const ready = async () => (await house.call("GET", "/readyz")).status
const order = (value: string) =>
  house.ask("POST", "/revocations", {
    as: "operations-team",
    json: { kind: "agent", value, reason: "drill" },
  })

/** The times of all entries, in the ledger's order. */
async function timesOf(): Promise<number[]> {
  const { body } = await house.ask("GET", "/ledger/entries?limit=1000", { as: "audit-team" })
  return (body.entries as { at: string }[]).map(({ at }) => Date.parse(at))
}
const isSorted = (times: readonly number[]) => times.every((time, at) => time >= (times[at - 1] ?? 0))

describe("I22 a clock that is set", () => {
  afterEach(() => house.remove())

  test.each([
    ["an hour back", -HOUR],
    ["six seconds back", -6000],
    ["six seconds forward", 6000],
    ["an hour forward", HOUR],
    ["a year forward", YEAR],
  ])("I22 %s: nothing is minted until it is right again, and then at once", async (_, step) => {
    house = await openHouse()
    expect((await start()).status).toBe(201)
    house.clock.step(step)
    // A service token that has run out meanwhile is not made anew either.
    const told = await start().then(
      ({ body }) => body.code,
      (error: unknown) => /"code":"(\w+)"/.exec(String(error))?.[1],
    )
    expect([told, await ready()]).toEqual(["clock_stepped", 503])
    house.clock.step(-step)
    expect([(await start()).status, await ready()]).toEqual([201, 200])
    expect(isSorted(await timesOf())).toBe(true)
  })

  test.each([
    ["a second back", -1000],
    ["a second forward", 1000],
  ])("I22 %s, as time services do: tasks go on, and the ledger's time never goes back", async (_, step) => {
    house = await openHouse()
    for (let count = 0; count < 3; count++) {
      expect((await start()).status).toBe(201)
      house.clock.step(step)
    }
    expect(await ready()).toBe(200)
    expect(isSorted(await timesOf())).toBe(true)
  })

  test("I22 by a clock that is an hour ahead no lock lifts, no task ends, and nothing spent can be spent again", async () => {
    house = await openHouse()
    const { body: task } = await start()
    const until = new Date(house.clock.now() + HOUR / 2).toISOString()
    const lock = { kind: "agent", value: "deploy-bot", reason: "drill", until }
    const asked = await house.ask("POST", "/revocations", { as: "operations-team", json: lock })
    expect(asked.status).toBe(201)
    const assertion = house.assertion("release-orchestrator")
    const spend = () =>
      house.form({
        grant_type: "client_credentials",
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
      })
    expect((await spend()).status).toBe(200)

    house.clock.step(HOUR)
    await house.issuer.sweep()
    house.clock.step(-HOUR)
    await house.issuer.sweep()
    const standing = await house.ask("GET", "/locks", { as: "operations-team" })
    expect(standing).toMatchObject({ status: 200, body: { locks: [{ value: "deploy-bot" }] } })
    const shown = await house.ask("GET", `/tasks/${task.task_id}`, { as: "support-orchestrator" })
    expect(shown.body.state).toBe("active")
    expect((await spend()).status).toBe(401)
  })

  test("I22 a machine that slept and woke has lost no time: it goes on", async () => {
    house = await openHouse()
    await start()
    house.clock.advance(8 * HOUR)
    expect([(await start()).status, await ready()]).toEqual([201, 200])
  })

  test("I22 a start on a clock that is behind what was written: the ledger's time goes on where it stopped", async () => {
    house = await openHouse()
    await order("triage-bot")
    house.clock.step(-60_000)
    await house.restart()
    await order("deploy-bot")
    const times = await timesOf()
    expect(isSorted(times)).toBe(true)
    expect(times.at(-1)).toBeGreaterThan(house.clock.now())
  })
})

describe("I23 timers, which fire at once when they are told to wait for longer than 24 days", () => {
  const LONGEST = 2 ** 31 - 1
  /** Whose waits are neither a number nor a constant, and what bounds them. */
  const BOUNDED: Readonly<Record<string, string>> = {
    "src/cli/browser.ts": "the time that a person has to sign in, a constant of sign-in.ts",
    "src/cli/demo/actor.ts": "the demo's own steps",
    "src/cli/demo/agent.ts": "the demo's own steps",
    "src/cli/patience.ts": "refuses to wait for more than its patience of ten seconds",
    "src/cli/ledger-follow.ts": "its own rhythm",
    "src/cli/terminal.ts": "its own rhythm",
    "src/cli/server.ts": "grace periods and time-outs of its own limits",
    "src/client/approval.ts": "a backoff below its limit",
    "src/client/session-call.ts": "gives up instead where the call's own limit is nearer",
    "src/client/surroundings.ts": "of the keeper an hour at most, of the others as here",
    "src/client/with-task.ts": "gives up instead where the ending's own limit is nearer",
    "src/database/postgres-writer.ts": "doubles up to a second",
    "src/issuer/under-way.ts": "the grace period of the command",
    "src/issuer/admission.ts": "an eighth of its own limit",
    "src/issuer/timers.ts": "its own rhythms",
    "src/policy/load.ts": "its own time-out",
    "src/remote/backoff.ts": "rhythms of its callers, or a backoff below its limit",
    "src/remote/stream.ts": "time-outs of its callers",
    "src/verifier/work.ts": "rhythms of its callers",
  }
  const WAIT = /\b(setTimeout|setInterval|sleep|pause)\(/
  const CONSTANT = /\b([A-Z]+_)+MILLISECONDS\b|\b\d[\d_]*[,)]/

  test("I23 nobody waits for as long as somebody else says", () => {
    const free = listSources("src")
      .filter((path) => !(path in BOUNDED))
      .flatMap((path) =>
        readFileSync(join(ROOT, path), "utf8")
          .split("\n")
          .map((line) => `${path}: ${line.trim()}`),
      )
      .filter((line) => WAIT.test(line) && !CONSTANT.test(line))
      .filter((line) => !/import |: pause\(|pause\(reason/.test(line))
    expect(free).toEqual([])
  })

  test("I23 a backoff never reaches what a timer can't hold, however often it failed", () => {
    const backoff = createBackoff(1000, 60_000, () => 1)
    for (let failures = 0; failures < 2000; failures++) expect(backoff.next()).toBeLessThan(LONGEST)
  })
})
