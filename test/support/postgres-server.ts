// Starts a PostgreSQL server in a process of its own, which ends with this one.
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { ROOT } from "./source.ts"

export interface PostgresServer {
  /** Of its superuser. */
  readonly address: string
  /** Stops it at once, as if its machine had stopped. */
  kill(): Promise<void>
  start(): Promise<void>
  /** From now on it is a standby. */
  demote(): Promise<void>
  /** Stops it and removes what it wrote. */
  remove(): Promise<void>
}

export async function startPostgres(): Promise<PostgresServer> {
  const child = fork(join(ROOT, "test/support/postgres-child.ts"), { stdio: "ignore" })
  const ended = once(child, "exit")
  const [first] = await Promise.race([once(child, "message"), ended])
  if (typeof first !== "object" || typeof first?.address !== "string")
    throw new Error(`PostgreSQL can't be started: ${first?.failed ?? `exit ${first}`}`)
  const say = async (message: "kill" | "start" | "demote") => {
    child.send(message)
    await Promise.race([once(child, "message"), ended])
  }
  return {
    address: first.address,
    kill: () => say("kill"),
    start: () => say("start"),
    demote: () => say("demote"),
    async remove() {
      child.disconnect()
      await ended
    },
  }
}
