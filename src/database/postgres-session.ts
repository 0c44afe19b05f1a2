// One connection to PostgreSQL, and what its failures are called. It decides how long anything may take and that every
// connection speaks in the same schema; whether a database may be relied on is postgres-checks.ts's to say.
import type { Client, ClientBase, ClientConfig } from "pg"
import { Unavailable } from "./database.ts"

/** A connection is given up when it isn't there after this. */
const CONNECT_MILLISECONDS = 2000
const OPEN_MILLISECONDS = 10_000
/** A statement that takes longer is ended by the server. */
const STATEMENT_MILLISECONDS = 5000

/** Said to every connection. Who has begun and stands still lets others pass soon. Tables are looked for in one place, whatever a role or a database has set. */
const SETTINGS = `SET search_path TO public; SET statement_timeout TO ${STATEMENT_MILLISECONDS};
  SET lock_timeout TO 4000; SET idle_in_transaction_session_timeout TO 1500; SET bytea_output TO hex;
  SET default_transaction_isolation TO 'read committed'`

/** How soon the server notices that we are gone without a word. Not every system has all of them. */
const KEEPALIVES = `SET tcp_keepalives_idle TO 5; SET tcp_keepalives_interval TO 2; SET tcp_keepalives_count TO 3;
  SET tcp_user_timeout TO 10000`

const INT8 = 20

export type Driver = Pick<typeof import("pg"), "Client" | "Pool" | "types">

/** Loads `pg`, which only those who use PostgreSQL need to install. Throws TypeError where it is missing. */
export async function loadDriver(): Promise<Driver> {
  try {
    return (await import("pg")).default
  } catch (error) {
    if (codeOf(error) !== "ERR_MODULE_NOT_FOUND") throw error
    throw new TypeError("PostgreSQL needs the package pg: npm install pg")
  }
}

/** What every connection to this address is made with. */
export const configOf = ({ types }: Driver, address: string): ClientConfig => ({
  connectionString: address,
  application_name: "taskmint",
  connectionTimeoutMillis: CONNECT_MILLISECONDS,
  keepAlive: true,
  keepAliveInitialDelayMillis: 5000,
  types: {
    getTypeParser: (oid, format) => (oid === INT8 ? toNumber : types.getTypeParser(oid, format)),
  },
})

/** Whole numbers come as texts. One that JavaScript can't hold is a fault, never another number. */
function toNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError("a number of the database is too large")
  return number
}

export async function settle(client: ClientBase): Promise<void> {
  await client.query(SETTINGS)
  await client.query(KEEPALIVES).catch((error: unknown) => {
    if (sqlStateOf(error) === undefined) throw error
  })
}

/** Of an address. Throws TypeError where it can't be one, without showing it: it may hold a password. */
function createClient(driver: Driver, address: string, use: string): Client {
  try {
    // Statements are sent without waiting for the answers to earlier ones.
    return new driver.Client({
      ...configOf(driver, address),
      application_name: `taskmint ${use}`,
      pipeline: true,
    })
  } catch {
    throw new TypeError("the database's address can't be read: write postgres://user@host/database")
  }
}

/**
 * Connects, settles and lets `prepare` look at it (`use` is how the server's own tables name it), all within ten seconds. Throws TypeError on an address that can't be
 * one, else Unavailable.
 */
export async function connect(
  driver: Driver,
  address: string,
  use: "writer" | "listener",
  prepare: (client: Client) => Promise<void> = async () => undefined,
): Promise<Client> {
  const client = createClient(driver, address, use)
  // Whoever uses the connection is told by what it asked; nobody asks an idle one.
  client.on("error", () => undefined)
  const timer = setTimeout(() => cut(client), OPEN_MILLISECONDS)
  try {
    await client.connect()
    await settle(client)
    await prepare(client)
    return client
  } catch (error) {
    cut(client)
    throw unreachable(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Lets go of a connection at once, whatever it is doing. */
export const cut = (client: Client): void => {
  client.connection.stream.destroy()
}

/** Says goodbye, but not for ever. */
export async function part(client: Client): Promise<void> {
  const timer = setTimeout(() => cut(client), 1000)
  await client.end().catch(() => undefined)
  clearTimeout(timer)
}

export const unreachable = (error: unknown): Unavailable =>
  error instanceof Unavailable ? error : new Unavailable(`the database can't be used (${codeOf(error)})`)

/**
 * Commits; false where that is not certain. A COMMIT of a transaction that had failed is answered by ROLLBACK, and one that
 * was told to wait no longer for the standby by COMMIT and a warning.
 */
export async function commit(client: Client): Promise<boolean> {
  let warned = false
  const warn = () => {
    warned = true
  }
  client.on("notice", warn)
  try {
    const { command } = await client.query("COMMIT")
    return command === "COMMIT" && !warned
  } finally {
    client.off("notice", warn)
  }
}

/** PostgreSQL's or the system's name of a failure; never its text, which may quote a value. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return typeof code === "string" ? code : "connection lost"
}

/** The five characters of PostgreSQL's own failures; undefined for those of the connection. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error)
  return /^[0-9A-Z]{5}$/.test(code) && code !== "EPIPE" ? code : undefined
}

/** What a failure says about the statement it met; undefined when it says something about the database. */
export function ownFault(error: unknown): "duplicate" | "unexpected" | "misuse" | undefined {
  const state = sqlStateOf(error)
  if (state === undefined) return undefined
  if (state === "23505" || state === "23514") return "duplicate"
  if (state.startsWith("23")) return "unexpected"
  // Data that doesn't fit, a statement that isn't right (but not a missing right), limits of the program.
  return /^(22|54|42(?!501))/.test(state) ? "misuse" : undefined
}
