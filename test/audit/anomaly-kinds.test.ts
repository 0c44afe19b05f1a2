// The kinds of misuse that docs/anomalies.md describes: each is found within a minute of the fake clock, and told in words. One world
// with a month of ordinary work behind it, in which they happen one after the other.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toInstant } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { ROOT } from "../support/source.ts"
import { createUnusual, DAY, type Held, HOUR, type Unusual } from "../support/unusual.ts"
import { TICKETS } from "../support/world.ts"

let at: Unusual

beforeAll(async () => {
  at = await createUnusual()
})
afterAll(() => at.remove())

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const ticket = (number: number) => ["tickets", `SUP-${number}`]
const end = ({ task }: Held) => at.world.tasks.change("support-orchestrator", task, "complete")
/** Until that time of a day of that week; 1 is its Monday. */
const waitUntil = (weekday: number, hour: number) => {
  const now = at.world.clock.now()
  const monday = Math.floor((Math.floor(now / DAY) + 3) / 7) * 7 - 3
  at.world.clock.advance((monday + weekday - 1) * DAY + hour * HOUR - now)
}

const KINDS: readonly [said: string, code: string, misuse: () => Promise<unknown>, words: RegExp][] = [
  [
    "A text that an agent read makes it close a ticket",
    "new_operation",
    async () => at.reporter.report({ ...(await at.start()), operation: "tickets:close" }),
    /the first use of tickets:close/,
  ],
  [
    "A sub-agent that only reads begins to write",
    "new_operation",
    async () => {
      const now = at.world.clock.now()
      const task = at.work.start(now, "triage-ticket", "triage-bot")
      at.work.use(now, task, { operation: "tickets:comment", resource: "x", agent: "summarizer" })
      await at.work.flush()
    },
    /the first use of tickets:comment/,
  ],
  [
    "Stolen tokens are used in many tasks, a little in each",
    "unusual_rate",
    async () => {
      for (let task = 0; task < 12; task++) {
        const held = await at.start()
        await at.reporter.report(...times(9, () => held))
        await end(held)
      }
    },
    /^\d{3} uses in the hour from 2026-03-30T10:00:00.000Z$/,
  ],
  [
    "One task goes through ticket after ticket",
    "unusual_spread",
    async () => {
      const held = await at.start()
      await at.reporter.report(...times(40, (index) => ({ ...held, resource: ticket(index) })))
    },
    /^40 resources in one task$/,
  ],
  [
    "An agent is caught in a loop",
    "unusual_uses",
    async () => {
      const held = await at.start()
      await at.reporter.report(...times(80, () => held))
    },
    /^80 uses in one task$/,
  ],
  [
    "Somebody with an orchestrator's key starts one task after the other",
    "unusual_starts",
    async () => {
      for (let task = 0; task < 30; task++) await end(await at.start())
    },
    /tasks started in the hour/,
  ],
  [
    "An agent tries what it was not granted",
    "unusual_refusals",
    async () => {
      const held = await at.start()
      const refused = { ...held, decision: "refused", code: "resource_not_granted", status: 403 } as const
      await at.reporter.report(...times(12, (index) => ({ ...refused, resource: ticket(index) })))
    },
    /^12 refusals in the hour/,
  ],
  [
    "A token still works after its task has ended",
    "use_after_task_end",
    async () => {
      const held = await at.start()
      await end(held)
      at.world.clock.advance(1000)
      await at.reporter.report(held)
    },
    /let through later/,
  ],
  [
    "A token still works after it was revoked",
    "use_after_token_end",
    async () => {
      const held = await at.start()
      const request = { kind: "token", value: held.jti, reason: "it leaked" } as const
      await at.world.revocations.revoke("operations-team", request)
      at.world.clock.advance(31_000)
      await at.reporter.report({ ...held, operation: "tickets:close" })
    },
    /let through later/,
  ],
  [
    "A token still works after it has run out",
    "use_after_expiry",
    async () => {
      const held = await at.start()
      const late = toInstant(at.world.clock.now() + 610_000)
      at.world.clock.advance(620_000)
      await at.reporter.report({ ...held, at: late })
    },
    /let through later/,
  ],
  [
    "A token that nobody minted: a signing key was stolen",
    "use_of_unknown_token",
    async () => {
      const held = await at.start()
      await at.reporter.report({ ...held, jti: newId("tok", at.world.clock.now()) })
    },
    /a token that never was/,
  ],
  [
    "A token is used at an API that it is not for",
    "use_at_other_api",
    async () => {
      const inputs = { environment: "staging", service: "web" }
      const start = { type: "deploy-service", agent: { id: "deploy-bot", instance: "pod-1" }, inputs }
      const held = await at.start(start, "release-orchestrator")
      await at.reporter.report({
        ...held,
        api: TICKETS,
        client: "release-orchestrator",
        actor: "deploy-bot/pod-1",
      })
    },
    /a use at another API/,
  ],
  [
    "Work at night, when there never was any",
    "unusual_hour",
    async () => {
      waitUntil(3, 2)
      await at.start()
    },
    /^work in the hour from 2026-04-01T02:00:00.000Z$/,
  ],
  [
    "Work at noon on a day of the weekend, when there never was any",
    "unusual_hour",
    async () => {
      waitUntil(6, 12)
      await at.start()
    },
    /^work in the hour from 2026-04-04T12:00:00.000Z$/,
  ],
]

test("ordinary work raises nothing", async () => {
  const held = await at.start()
  await at.reporter.report(held, { ...held, operation: "tickets:comment" }, held)
  await at.pass(60)
  expect(await at.codes()).toEqual([])
})

describe("found within a minute", () => {
  test.each(KINDS)("%s: %s", async (_, code, misuse, words) => {
    const before = (await at.raised()).length
    await misuse()
    const began = at.world.clock.now()
    let found: Awaited<ReturnType<Unusual["raised"]>>[number] | undefined
    while (!found && at.world.clock.now() < began + 60_000) {
      await at.pass(5)
      found = (await at.raised()).slice(before).find((entry) => entry.code === code)
    }
    expect(found, `${code} was not raised`).toBeDefined()
    const standing = await at.standing(code)
    expect(standing.some(({ facts }) => words.test(facts.happened ?? ""))).toBe(true)
    expect(standing.every(({ facts }) => facts.usual)).toBe(true)
  })
})

test("docs/anomalies.md describes each of them", () => {
  const page = readFileSync(join(ROOT, "docs/anomalies.md"), "utf8")
  const described = KINDS.filter(([said, code]) => page.includes(`| ${said} | \`${code}\` |`))
  expect(described).toHaveLength(KINDS.length)
})
