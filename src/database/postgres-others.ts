// What several issuers on one database need of it beside their transactions: the schema is changed by one of them at a
// time, a connection that we lost ends, and each hears what others have committed. It is the only module with SQL that
// databases which merely speak PostgreSQL's language may not know; where they don't, an issuer looks instead of listening.
import type { ClientBase } from "pg"
import { Unavailable } from "./database.ts"

/** The eight bytes of "taskmint" as a number: nobody else's lock. */
const LOCK = "8386110886374895220"
const CHANNEL = "taskmint"

/** A connection of ours, as the server knows it: numbers of processes are used again, moments are not. */
export interface Backend {
  readonly pid: number
  readonly startedAt: string
}

const OWN_BACKEND = `SELECT pid, backend_start::text AS started FROM pg_stat_activity WHERE pid = pg_backend_pid()`
const END_BACKEND = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE pid = $1 AND backend_start::text = $2`

/** Tells of the rows that every issuer must know at once: in the transaction that wrote them, so never too early. */
const TELL = `CREATE OR REPLACE FUNCTION taskmint_tell() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('${CHANNEL}', TG_TABLE_NAME); RETURN NULL; END $$`
const TOLD = ["feed", "policy_in_force", "signing_key"]
const TELLING = "SELECT count(*) AS telling FROM pg_trigger WHERE tgname = 'taskmint_tell'"

/** Does the work while no other issuer does such work on this database. */
export async function alone<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("SELECT pg_advisory_lock($1::bigint)", [LOCK])
  try {
    return await work()
  } finally {
    // A connection that has failed has let go of it.
    await client.query("SELECT pg_advisory_unlock($1::bigint)", [LOCK]).catch(() => undefined)
  }
}

export async function ownBackend(client: ClientBase): Promise<Backend> {
  const { rows } = await client.query(OWN_BACKEND)
  const { pid, started }: { pid?: unknown; started?: unknown } = rows[0] ?? {}
  if (typeof pid !== "number" || typeof started !== "string")
    throw new Unavailable("the database does not tell of its connections")
  return { pid, startedAt: started }
}

/** Ends a connection from which we no longer hear: what it was doing was answered as unavailable, and it may hold the turn. */
export async function endBackend(client: ClientBase, { pid, startedAt }: Backend): Promise<void> {
  await client.query(END_BACKEND, [pid, startedAt])
}

/** Has the database tell of them, where it does not yet. */
export async function prepareNotices(client: ClientBase): Promise<void> {
  const { rows } = await client.query(TELLING)
  if (Number(rows[0]?.telling) === TOLD.length) return
  await client.query(TELL)
  for (const table of TOLD)
    await client.query(`CREATE OR REPLACE TRIGGER taskmint_tell AFTER INSERT OR UPDATE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION taskmint_tell()`)
}

/** From now on the connection hears of them, as its event "notification". */
export async function listen(client: ClientBase): Promise<void> {
  await client.query(`LISTEN ${CHANNEL}`)
}
