// How long tasks went on, by type, entry by entry: from their start to the last that they did, or to the end that somebody told
// of; one that ran into its deadline needed all of it. Only tasks that have ended count, for others may take longer yet.
import type { Entry } from "../ledger/entry.ts"
import type { Lasted } from "../policy/evidence.ts"

export interface Lasting {
  /** The next entry of the ledger, in its order. */
  take(entry: Entry): void
  report(): readonly Lasted[]
}

interface Running {
  readonly type: string
  readonly began: number
  last: number
  ended: boolean
}

const ENDS = ["task.completed", "task.failed", "task.canceled", "task.expired"]
const DOINGS = ["use.allowed", "approval.requested", "approval.granted", ...ENDS]

export function createLasting(): Lasting {
  const tasks = new Map<string, Running>()
  return {
    take({ kind, at, task_id: id = "", body = {} }) {
      const moment = Date.parse(at)
      if (kind === "task.started")
        tasks.set(id, { type: String(body.type), began: moment, last: moment, ended: false })
      const task = tasks.get(id)
      if (!task || !DOINGS.includes(kind)) return
      const done = typeof body.served_at === "string" ? Date.parse(body.served_at) : moment
      task.last = Math.max(task.last, done)
      task.ended ||= ENDS.includes(kind)
    },
    report: () => reportOf([...tasks.values()].filter(({ ended }) => ended)),
  }
}

function reportOf(tasks: readonly Running[]): readonly Lasted[] {
  const types = new Map<string, Lasted>()
  for (const { type, began, last } of tasks) {
    const known = types.get(type) ?? { type, tasks: 0, longest_seconds: 0 }
    const longest = Math.max(known.longest_seconds, (last - began) / 1000)
    types.set(type, { type, tasks: known.tasks + 1, longest_seconds: longest })
  }
  return [...types.values()]
}
