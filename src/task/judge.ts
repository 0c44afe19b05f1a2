// The uses of one batch, held against the tasks and tokens that they name: what is read for that, and what is raised about
// it. It decides how alarms are folded; what is wrong, misuse.ts says.

import type { Step } from "../database/database.ts"
import type { TaskKey } from "../ledger/entry.ts"
import type { Event } from "../ledger/event.ts"
import { parseInstant } from "../time.ts"
import type { UseBatch, UseRecord } from "../token/batch.ts"
import { CANARY_TYPE } from "../token/name.ts"
import type { Fold } from "./fold.ts"
import { type Anomaly, anomaliesOf } from "./misuse.ts"
import type { Parts } from "./parts.ts"
import { tokenOfUse, type UsedRow } from "./use-statements.ts"

interface Judged {
  /** Of the task's commitments. */
  readonly key: TaskKey | undefined
  readonly reference: string | undefined
  readonly anomalies: readonly Anomaly[]
}

interface Alarms {
  readonly steps: readonly Step[]
  /** They are durable. */
  said(): void
}

interface Judge {
  /** The type of a task that a use names; undefined: there is no such task. */
  typeOf(task: string): string | undefined
  judge(use: UseRecord): Judged
  /** One for each token and cause among the uses that were judged, and no more than one in a minute. */
  alarms(): Alarms
}

const UNKNOWN: UsedRow = {
  known_task: 0,
  key: null,
  reference: null,
  type: null,
  iat: null,
  exp: null,
  same_task: 0,
  token_api: null,
  token_ended_at: null,
  task_ended_at: null,
}

interface Found {
  readonly anomaly: Anomaly
  readonly use: UseRecord
  readonly taskKey: TaskKey | undefined
  uses: number
}

/** Reads what there is of every task and token named. `drift`: what the instance's clock is ahead of ours, where known. */
export async function createJudge(
  parts: Parts & { readonly fold: Fold },
  api: string,
  batch: UseBatch,
  drift = 0,
): Promise<Judge> {
  const rows = await readNamed(parts, batch)
  const heardAt = parts.ledger.at()
  const operations = parts.policies.inForce().apis.get(api)?.operations
  const found = new Map<string, Found>()
  const types = new Map(batch.uses.map((use) => [use.task, rows.get(nameOf(use))?.type ?? undefined]))
  return {
    typeOf: (task) => types.get(task),
    judge(use) {
      const row = rows.get(nameOf(use)) ?? UNKNOWN
      const key = row.known_task === 0 ? undefined : (row.key ?? "erased")
      // A clock that is ahead must not make uses late.
      const at = (parseInstant(use.at) ?? heardAt) - Math.max(0, drift)
      const served = { api, at, heardAt, risk: operations?.get(use.operation)?.risk }
      // Whatever a verifier decided: nobody has any business with one.
      const anomalies: readonly Anomaly[] =
        row.type === CANARY_TYPE ? ["canary_used"] : anomaliesOf(use, row, served)
      for (const anomaly of anomalies) {
        // Tokens that nobody minted are as many as whoever names them likes.
        const who = row.iat === null ? batch.instance : use.jti
        const same = found.get(`${anomaly} ${who}`)
        if (same) same.uses += use.count ?? 1
        else found.set(`${anomaly} ${who}`, { anomaly, use, taskKey: key, uses: use.count ?? 1 })
      }
      return { key, reference: row.reference ?? undefined, anomalies }
    },
    alarms() {
      const fresh = [...found].filter(([name]) => parts.fold.isNew(name, heardAt))
      const about = { at: heardAt, api, verifier: batch.instance, sequence: batch.sequence }
      return {
        // Behind those of the uses, which see to it that the task stands.
        steps: fresh.flatMap(([, one]) => parts.ledger.steps(alarmOf(one, about), one.taskKey, true)),
        said() {
          for (const [name] of fresh) parts.fold.said(name, heardAt)
        },
      }
    },
  }
}

const nameOf = ({ task, jti }: UseRecord): string => `${task} ${jti}`

async function readNamed({ engine }: Parts, { uses }: UseBatch): Promise<ReadonlyMap<string, UsedRow>> {
  const rows = new Map<string, UsedRow>()
  for (const use of uses) {
    const name = nameOf(use)
    if (rows.has(name)) continue
    const [row] = await engine.query(tokenOfUse, { task_id: use.task, jti: use.jti })
    rows.set(name, row ?? UNKNOWN)
  }
  return rows
}

interface About {
  readonly at: number
  readonly api: string
  readonly verifier: string
  readonly sequence: number
}

/** The first of the uses stands for all. */
function alarmOf({ anomaly, use, uses }: Found, { at, api, verifier, sequence }: About): Event {
  const { id, task, jti, actor, client, operation } = use
  const [agent = "", instance = ""] = actor.split("/")
  return {
    kind: "alarm.raised",
    at,
    task,
    jti,
    agent,
    instance,
    orchestrator: client,
    api,
    operation,
    code: anomaly,
    body: { alarm: anomaly, use: id, served_at: use.at, uses, verifier, sequence },
  }
}
