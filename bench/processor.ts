// How much of the processors a process has used, as Linux tells it in /proc: what a machine that is busy with something else
// changes least.
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

const MICROSECONDS_PER_TICK = 10_000
const LOOK_MILLISECONDS = 250
/** Of one processor, which an idle server's timers and heartbeats stay below. */
const QUIET_SHARE = 0.04
const MOST_LOOKS = 240

export interface ProcessorTime {
  /** Of its program, as the system shortens it. */
  readonly name: string
  /** Microseconds of all its threads, and of its children that ended. */
  readonly used: number
}

/** Undefined where there is no such process, or no /proc. */
export function processorTime(pid: number | string): ProcessorTime | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number)
    const used = (user + system + childUser + childSystem) * MICROSECONDS_PER_TICK
    return { name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), used }
  } catch {
    return undefined // it ended meanwhile
  }
}

/** Waits until the processes have done what they had left to do, a minute at most. */
export async function settle(pids: readonly number[]): Promise<void> {
  const used = () => pids.reduce((sum, pid) => sum + (processorTime(pid)?.used ?? 0), 0)
  for (let look = 0, quiet = 0, before = used(); look < MOST_LOOKS && quiet < 2; look++) {
    await sleep(LOOK_MILLISECONDS)
    const now = used()
    quiet = now - before <= LOOK_MILLISECONDS * 1000 * QUIET_SHARE * pids.length ? quiet + 1 : 0
    before = now
  }
}
