// Whether a database still has what this process was told is committed. One that was put back, or a standby that took over,
// may have lost the last of it, and others may have committed as much since. So beside the number of all commits, which is
// the turn as well, each process keeps the number of its own last one in a row of its own: lost with it, or not at all.
import { randomInt } from "node:crypto"
import type { ClientBase } from "pg"

/** Waits for its turn: whoever wrote the row before has committed or is gone. */
export const COUNT = {
  name: "count",
  text: "UPDATE commit_count SET commits = commits + 1 WHERE id = 1 RETURNING commits",
}

const MARK = "UPDATE commit_count SET commits = (SELECT commits FROM commit_count WHERE id = 1) WHERE id = $1"

/** Rows of processes are forgotten so many commits after their last one. */
const FORGOTTEN = 1_000_000

export interface Told {
  /** Transactions committed in this database ever. */
  readonly commits: number
  /** The number of the last one that this process is known for; undefined: of none. */
  readonly own: number | undefined
}

export class History {
  readonly #id = randomInt(2, 2 ** 47)
  #commits = 0
  #own = 0

  /** Says in a transaction, once its turn has come, that it is this process's. Changes no row where that was forgotten. */
  mark(): { name: string; text: string; values: unknown[] } {
    return { name: "mark", text: MARK, values: [this.#id] }
  }

  /** Over a connection of its own, by one process at a time. */
  async read(client: ClientBase): Promise<Told> {
    await client.query("INSERT INTO commit_count (id, commits) VALUES (1, 0) ON CONFLICT DO NOTHING")
    const { rows } = await client.query("SELECT id, commits FROM commit_count WHERE id IN (1, $1)", [
      this.#id,
    ])
    const commits = Number(rows.find(({ id }) => id === 1)?.commits)
    const own = rows.find(({ id }) => id === this.#id)?.commits
    await client.query("DELETE FROM commit_count WHERE id <> 1 AND commits < $1", [commits - FORGOTTEN])
    await client.query("INSERT INTO commit_count (id, commits) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
      this.#id,
      commits,
    ])
    return { commits, own: own === undefined ? undefined : Number(own) }
  }

  /** Whether nothing is missing that this process knows of; then it goes on from there. */
  takes({ commits, own = 0 }: Told): boolean {
    const lost = own < this.#own && commits - this.#own < FORGOTTEN
    if (lost || commits < this.#commits) return false
    this.#commits = commits
    return true
  }

  /** `marked`: the row of this process was changed with it. */
  committed(commits: number, marked: boolean): void {
    this.#commits = commits
    if (marked) this.#own = commits
  }
}
