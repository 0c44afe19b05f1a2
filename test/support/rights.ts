// A ledger of rights given and used, event by event, and what a reader who goes through all of them counts: the oracle of the
// roll-ups, which knows nothing of windows, tables or tokens.
import { type Engine, type Step, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import type { Names } from "../../src/database/names.ts"
import type { Event } from "../../src/ledger/event.ts"
import type { Ledger } from "../../src/ledger/ledger.ts"

const p = sql.placeholder

export interface Right {
  readonly operation: string
  readonly rule: string
  readonly resource: string
}

export type Act =
  | {
      readonly act: "start"
      readonly type: string
      readonly agent: string
      readonly rights: readonly Right[]
    }
  | { readonly act: "delegate"; readonly agent: string; readonly rights: readonly Right[] }
  | {
      readonly act: "use"
      readonly operation: string
      readonly resource: string
      readonly allowed: boolean
      readonly count: number
    }

/** Epoch milliseconds of the first act; each comes five hours after the one before. */
const FIRST = 1_772_355_600_000
const APART = 5 * 3_600_000
const atOf = (index: number): number => FIRST + index * APART

const apiOf = (operation: string): string => operation.split(":")[0] ?? ""

const newSubject = statement("s", sql`INSERT INTO subject (text) VALUES ('somebody') ON CONFLICT DO NOTHING`)
const newTask = statement(
  "t",
  sql`INSERT INTO task (task_id, type, agent, instance, orchestrator, subject, state, started_at, deadline, request_digest,
      policy, authority) SELECT ${p("task")}, (SELECT id FROM name WHERE text = ${p("type")}), 1, 1, 1,
      (SELECT min(id) FROM subject), 'active', 1, 2, 'd', 'p', '[]'`,
)
const newToken = statement(
  "k",
  sql`INSERT INTO token (jti, task, api, iat, exp, kid, claims, generation)
    SELECT ${p("jti")}, (SELECT id FROM task WHERE task_id = ${p("task")}), 1, 1, 2, 1, ${p("claims")}, 0`,
)

const claimsOf = (rights: readonly Right[]): string =>
  JSON.stringify({
    authorization_details: rights.map(({ operation, rule, resource }) => ({
      actions: [operation],
      resources: [resource],
      rule,
    })),
  })

const grantsOf = (rights: readonly Right[]) =>
  rights.map(({ operation, rule }) => ({ operations: [operation], rule }))

/** Writes what happens, as the task room does; acts before the first start happen to nobody. */
export function createTeller({ engine, names, ledger }: { engine: Engine; names: Names; ledger: Ledger }) {
  let tasks = 0
  let tokens = 0
  let holder = { task: "", agent: "", jti: "" }
  let index = 0
  const token = (claims: string | null): Step => {
    tokens += 1
    holder = { ...holder, jti: `tok_${tokens}` }
    return { statement: newToken, values: { jti: holder.jti, task: holder.task, claims } }
  }
  const write = (steps: readonly Step[], ...events: Event[]) =>
    engine.atomically([...steps, ...events.flatMap((event) => ledger.steps(event, new Uint8Array(32), true))])
  return async (act: Act): Promise<void> => {
    const at = atOf(index++)
    if (act.act === "start") {
      await names.ensure([act.type, act.agent])
      tasks += 1
      holder = { task: `task_${tasks}`, agent: act.agent, jti: "" }
      const { task, agent } = holder
      const steps = [
        { statement: newSubject, values: {} },
        { statement: newTask, values: { task, type: act.type } },
        token(claimsOf(act.rights)),
      ]
      const body = { grants: grantsOf(act.rights) }
      await write(steps, {
        kind: "task.started",
        at,
        task,
        agent,
        outcome: "allowed",
        body: { ...body, type: act.type },
      })
    }
    if (act.act === "delegate" && holder.task !== "") {
      holder = { ...holder, agent: act.agent }
      // Erased: what is left is the entry.
      const steps = [token(null)]
      const { task, jti, agent } = holder
      const body = { grants: grantsOf(act.rights) }
      await write(steps, { kind: "token.delegated", at, task, jti, agent, outcome: "allowed", body })
    }
    if (act.act === "use" && holder.task !== "") {
      const { allowed, operation, resource, count } = act
      const kind = allowed ? "use.allowed" : "use.refused"
      const outcome = allowed ? "allowed" : "refused"
      const body = allowed ? {} : { count }
      await write([], { kind, at, ...holder, api: apiOf(operation), operation, resource, outcome, body })
    }
  }
}

/** Rows as they should be: `day type agent operation rule` and what was counted of it. */
export function countRights(acts: readonly Act[]): Map<string, string> {
  const counts = new Map<string, { granted: number; used: number; refused: number; last: number | null }>()
  const given = new Set<string>()
  let [task, type, agent] = [0, "", ""]
  let held: readonly Right[] = []
  let erased = false
  for (const [index, act] of acts.entries()) {
    const at = atOf(index)
    const line = (operation: string, rule: string) => {
      const key = [Math.floor(at / 86_400_000), type, agent, operation, rule].join(" ")
      const known = counts.get(key) ?? { granted: 0, used: 0, refused: 0, last: null }
      counts.set(key, known)
      return known
    }
    if (act.act === "start")
      [task, type, agent, held, erased] = [task + 1, act.type, act.agent, act.rights, false]
    if (task === 0) continue
    if (act.act === "delegate") [agent, held, erased] = [act.agent, act.rights, true]
    if (act.act === "use") {
      const granting = held.filter(({ operation }) => operation === act.operation)
      const fitting = erased ? undefined : granting.find(({ resource }) => resource === act.resource)
      const counted = line(act.operation, (fitting ?? granting[0])?.rule ?? "")
      counted.refused += act.allowed ? 0 : act.count
      counted.used += act.allowed ? 1 : 0
      if (act.allowed) counted.last = at
      continue
    }
    for (const { operation, rule } of act.rights) {
      const by = act.act === "start" ? "start" : `delegated to ${agent}`
      const key = [task, by, operation, rule].join(" ")
      if (!given.has(key)) line(operation, rule).granted += 1
      given.add(key)
    }
  }
  return new Map(
    [...counts].map(([key, { granted, used, refused, last }]) => [
      key,
      `${granted} ${used} ${refused} ${last}`,
    ]),
  )
}

/** Rows by hour, `hour agent starts uses refusals last_at`, and by API, `day api allowed refused`, as they should be. */
export function countTimes(acts: readonly Act[]): { readonly hours: string[]; readonly apis: string[] } {
  const hours: string[] = []
  const apis = new Map<string, { allowed: number; refused: number }>()
  let agent = ""
  for (const [index, act] of acts.entries()) {
    const at = atOf(index)
    if (act.act !== "use" && (act.act === "start" || agent !== "")) agent = act.agent
    if (agent === "") continue
    const allowed = act.act === "use" && act.allowed ? 1 : 0
    const refused = act.act === "use" && !act.allowed ? act.count : 0
    // Acts are hours apart, so each has a row of its own.
    hours.push(
      [Math.floor(at / 3_600_000), agent, act.act === "start" ? 1 : 0, allowed, refused, at].join(" "),
    )
    if (act.act !== "use") continue
    const key = `${Math.floor(at / 86_400_000)} ${apiOf(act.operation)}`
    const known = apis.get(key) ?? { allowed: 0, refused: 0 }
    apis.set(key, { allowed: known.allowed + allowed, refused: known.refused + refused })
  }
  return {
    hours,
    apis: [...apis].map(([key, { allowed, refused }]) => `${key} ${allowed} ${refused}`).sort(),
  }
}
