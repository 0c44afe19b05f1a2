// Work as the ledger has it, written entry by entry without tokens being signed: what agents did over weeks, in moments. It decides
// nothing; its callers say who does what and when.
import { type Engine, type Step, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import type { Names } from "../../src/database/names.ts"
import type { Event } from "../../src/ledger/event.ts"
import type { Ledger } from "../../src/ledger/ledger.ts"
import { newId } from "../../src/token/id.ts"

const p = sql.placeholder
const nameId = (name: string) => sql`(SELECT id FROM name WHERE text = ${p(name)})`

const newSubject = statement(
  "work.subject",
  sql`INSERT INTO subject (text) VALUES ('worker') ON CONFLICT DO NOTHING`,
)
const newTask = statement(
  "work.task",
  sql`INSERT INTO task (task_id, type, agent, instance, orchestrator, subject, state, started_at, deadline, request_digest,
      policy, authority) SELECT ${p("task")}, ${nameId("type")}, ${nameId("agent")}, ${nameId("instance")}, ${nameId("orchestrator")},
      (SELECT id FROM subject WHERE text = 'worker'), 'active', ${p("at")}, ${p("at")}, 'd', 'p', '[]'`,
)
const newToken = statement(
  "work.token",
  sql`INSERT INTO token (jti, task, api, iat, exp, kid, generation)
    VALUES (${p("jti")}, (SELECT id FROM task WHERE task_id = ${p("task")}), 1, 0, ${p("exp")}, 1, 0)`,
)
const endTask = statement(
  "work.end",
  sql`UPDATE task SET state = 'completed', ended_at = ${p("at")} WHERE task_id = ${p("task")}`,
)

export interface WorkTask {
  readonly task: string
  readonly type: string
  readonly agent: string
}

export interface WorkUse {
  readonly operation: string
  readonly resource: string
  readonly refused?: boolean
  /** Of a sub-agent; the task's own where absent. */
  readonly agent?: string
  /** When its token ran out; where absent it has none. */
  readonly ranOutAt?: number
}

export type Work = ReturnType<typeof createWork>

const KEY = new Uint8Array(32)
const AT_ONCE = 4000

export function createWork({
  engine,
  names,
  ledger,
}: {
  readonly engine: Engine
  readonly names: Names
  readonly ledger: Ledger
}) {
  const buffer: { readonly at: number; readonly steps: () => readonly Step[] }[] = []
  const texts = new Set<string>()
  const known = (...all: readonly string[]) => {
    for (const text of all) texts.add(text)
  }
  const tell = (event: Event, before: readonly Step[] = []) =>
    buffer.push({ at: event.at, steps: () => [...before, ...ledger.steps(event, KEY, true)] })
  let entries = 0
  let isBegun = false
  return {
    /** Everything that was written so far. */
    entries: () => entries,
    start(at: number, type: string, agent: string, instance = "pod-1"): WorkTask {
      const task = newId("task", at)
      const orchestrator = "runner"
      known(type, agent, instance, orchestrator)
      const row = { task, type, agent, instance, orchestrator, at }
      tell(
        {
          kind: "task.started",
          at,
          task,
          agent,
          instance,
          orchestrator,
          outcome: "allowed",
          body: { grants: [] },
        },
        [{ statement: newTask, values: row }],
      )
      return { task, type, agent }
    },
    use(at: number, of: WorkTask, { operation, resource, refused = false, agent, ranOutAt }: WorkUse): void {
      const [kind, outcome] = refused
        ? (["use.refused", "refused"] as const)
        : (["use.allowed", "allowed"] as const)
      known(operation)
      const jti = ranOutAt === undefined ? undefined : newId("tok", at)
      const token = { jti: jti ?? "", task: of.task, exp: Math.floor((ranOutAt ?? 0) / 1000) }
      const event: Event = {
        kind,
        at,
        task: of.task,
        agent: agent ?? of.agent,
        instance: "pod-1",
        operation,
        resource,
        outcome,
        body: {},
        ...(jti !== undefined && { jti }),
      }
      tell(event, jti === undefined ? [] : [{ statement: newToken, values: token }])
    },
    end(at: number, { task, agent }: WorkTask): void {
      tell({ kind: "task.completed", at, task, agent }, [{ statement: endTask, values: { task, at } }])
    },
    /** Writes what was told up to then, in the order of time. */
    async flush(until = Number.POSITIVE_INFINITY): Promise<void> {
      buffer.sort((one, other) => one.at - other.at)
      const due = buffer.findIndex(({ at }) => at > until)
      const now = buffer.splice(0, due < 0 ? buffer.length : due)
      await names.ensure([...texts])
      texts.clear()
      if (!isBegun) await engine.atomically([{ statement: newSubject, values: {} }])
      isBegun = true
      for (let from = 0; from < now.length; from += AT_ONCE) {
        const part = now.slice(from, from + AT_ONCE)
        await engine.atomically(part.flatMap(({ steps }) => steps()))
        entries += part.length
      }
    },
  }
}
