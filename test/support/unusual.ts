// A world with a month of ordinary work behind it, in which time passes with counting and a look every five seconds. Closed and
// removed by the test that made it.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { standingAnomalies } from "../../src/audit/anomaly/report.ts"
import { createRollups } from "../../src/audit/rollup.ts"
import { Refusal } from "../../src/errors.ts"
import { createWatch } from "../../src/issuer/watch.ts"
import { ANOMALY_RULES } from "../../src/policy/anomaly-rules.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createReporter } from "./batch-reporter.ts"
import { createFakeClock } from "./fake-clock.ts"
import { createWork } from "./work.ts"
import { createWorld, SUPPORT_START, type WorldOptions } from "./world.ts"

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
/** A Monday, in working hours. */
const MONDAY = Date.parse("2026-03-30T10:20:00.250Z")
/** Hours of a working day in which a task is run. */
const HOURS = [8, 9, 10, 11, 13, 14, 16]
const HISTORY_DAYS = 28

/** A task and its first token. */
export interface Held {
  readonly task: string
  readonly jti: string
}

export type Unusual = Awaited<ReturnType<typeof createUnusual>>

export async function createUnusual(options: WorldOptions & { readonly history?: boolean } = {}) {
  const world = await createWorld({ clock: createFakeClock(MONDAY), ...options })
  const work = createWork(world)
  if (options.history !== false) await writeHistory(work)
  const rollups = createRollups(world)
  await rollups.advance()
  const unusual = {
    world,
    work,
    rollups,
    watch: createWatch(world),
    reporter: createReporter(world),
    async pass(seconds: number) {
      for (let passed = 0; passed < seconds; passed += 5) {
        world.clock.advance(5000)
        await unusual.look()
      }
    },
    async look() {
      await rollups.advance()
      await unusual.watch.look()
    },
    raised: async () => (await world.ledger.read({ kind: "alarm.raised", limit: 1000 })).entries,
    standing: async (rule: string) =>
      (await standingAnomalies(world.engine, { rule: ANOMALY_RULES.find((one) => one === rule) })).anomalies,
    codes: async () => (await unusual.raised()).map(({ code }) => code),
    async stateOf(task: string): Promise<string> {
      const shown = await world.tasks.show({ clientId: "audit-team", staff: true }, task)
      return shown instanceof Refusal ? shown.code : shown.state
    },
    /** Says so in the policy from now on. */
    async say(anomalies: string) {
      const text = `version: 1\nanomalies:\n${anomalies.replace(/^/gm, "  ")}\n`
      writeFileSync(join(world.policyFolder, "anomalies.yaml"), text, { mode: 0o644 })
      const reloaded = await world.policies.reload()
      if (reloaded !== "loaded") throw new Error(JSON.stringify(world.policies.state().refused))
    },
    async start(changed: object = {}, by = "support-orchestrator"): Promise<Held> {
      const started = await world.tasks.start(by, { ...SUPPORT_START, ...changed })
      if (started instanceof Refusal) throw new Error(started.reason)
      const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
      return { task: started.taskId, jti: "token" in opened ? opened.token.jti : "" }
    },
    async remove() {
      await world.leave()
    },
  }
  return unusual
}

/** Each working day a task in each of seven hours, of three to five uses, some of them comments; of it a sub-agent reads, too. */
async function writeHistory(work: ReturnType<typeof createWork>) {
  const today = Math.floor(MONDAY / DAY)
  for (let day = today - HISTORY_DAYS; day < today; day++) {
    if ([0, 6].includes((day + 4) % 7)) continue
    for (const [index, hour] of HOURS.entries()) {
      const at = day * DAY + hour * HOUR + 60_000 * (index + 5)
      const task = work.start(at, "triage-ticket", "triage-bot")
      const ticket = `tickets/SUP-${day}${index}`
      for (let use = 0; use < 3 + (index % 3); use++) {
        const operation = use === 2 ? "tickets:comment" : "tickets:read"
        const resource = use === 2 ? `${ticket}/comments` : ticket
        work.use(at + 1000 * (use + 1), task, { operation, resource })
      }
      work.use(at + 10_000, task, { operation: "tickets:read", resource: ticket, agent: "summarizer" })
      if (index === 3)
        work.use(at + 11_000, task, { operation: "tickets:read", resource: "x", refused: true })
      work.end(at + 60_000, task)
    }
  }
  await work.flush()
}
