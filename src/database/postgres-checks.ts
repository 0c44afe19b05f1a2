// Whether a database may be relied on with what was acknowledged. It reads the settings that this rests on, and refuses
// in words an operator can act on. It is asked at every connection that writes: the server may be another one by then.
import type { ClientBase } from "pg"
import { Unavailable } from "./database.ts"

/** A setting, what it may be, and what is lost otherwise. */
export const WANTED = [
  ["fsync", ["on"], "it loses what it acknowledged, or all of it, when its machine stops"],
  ["full_page_writes", ["on"], "a page that was half written when its machine stops is damaged"],
  [
    "synchronous_commit",
    ["on", "remote_apply"],
    "it acknowledges before a commit is on disk here and on its synchronous standbys",
  ],
  ["server_encoding", ["UTF8"], "it can't hold every text"],
] as const

/** Throws Unavailable with the setting and the reason. */
export async function refuseUnsafe(client: ClientBase): Promise<void> {
  for (const [name, allowed, loss] of WANTED) {
    const { rows } = await client.query("SELECT current_setting($1, true) AS value", [name])
    const value: unknown = rows[0]?.value
    if (!allowed.some((one) => one === value))
      throw new Unavailable(
        `the database has ${name} = ${typeof value === "string" ? value : "(not told)"}: ${loss}. Set it to ${allowed.join(" or ")}`,
      )
  }
  await refuseStandby(client)
}

/** A standby answers with what was true a while ago, and takes no writes. */
export async function refuseStandby(client: ClientBase): Promise<void> {
  const { rows } = await client.query("SELECT pg_is_in_recovery() AS standby")
  if (rows[0]?.standby !== false)
    throw new Unavailable("the database is a standby (pg_is_in_recovery()): give the address of its primary")
}
