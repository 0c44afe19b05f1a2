// One issuer for each database: a lock that lives as long as the connection that writes. Whoever holds it is the only one
// who numbers entries, so places in the ledger have no gaps and follow the order of commits. It is the only module with
// SQL that databases which merely speak PostgreSQL's language may not know.
import { setTimeout as pause } from "node:timers/promises"
import type { ClientBase } from "pg"
import { Unavailable } from "./database.ts"

/** The eight bytes of "taskmint" as a number: nobody else's lock. */
const LOCK = "8386110886374895220"
/** The server of an issuer that was killed notices within moments. */
const PATIENCE_MILLISECONDS = 1000
const PAUSE_MILLISECONDS = 50

/** Ends the backend that holds the lock if it is this one. */
const END_HOLDER = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) + objid::bigint = $2::bigint`

/**
 * Takes the lock, or throws Unavailable: another issuer runs on this database. `previous`: the backend of our own that
 * held it and that we no longer hear from; what it was doing was answered as unavailable.
 */
export async function takeLease(client: ClientBase, previous?: number): Promise<void> {
  if (previous !== undefined) await client.query(END_HOLDER, [previous, LOCK])
  const until = performance.now() + PATIENCE_MILLISECONDS
  for (;;) {
    const { rows } = await client.query("SELECT pg_try_advisory_lock($1::bigint) AS taken", [LOCK])
    if (rows[0]?.taken === true) return
    if (performance.now() > until)
      throw new Unavailable("the database is in use by another issuer: one issuer runs on a database")
    await pause(PAUSE_MILLISECONDS)
  }
}
