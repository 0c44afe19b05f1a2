// A ledger as large as one likes: the newest task of an issuer's database, with its tokens and its entries, is told again
// under ids of its own. Each row has the shape that the issuer gave it, and each entry hashes to its leaf. No issuer may
// run on the database meanwhile.
import { hash } from "node:crypto"
import Sqlite from "better-sqlite3"
import { Client } from "pg"
import { isPostgres } from "../../src/database/database.ts"
import { leafHash } from "../../src/ledger/merkle.ts"

interface Database {
  run(text: string, values?: readonly (number | string)[]): Promise<Record<string, unknown>[]>
  /** `FROM` this there is a row with a column `g` for each number between the two. */
  series(from: number, to: number): string
  columnsOf(table: string): Promise<string[]>
  /** Once all is written. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface Filled {
  /** Ids of the told tasks, in order. */
  readonly tasks: number
  readonly entries: number
}

/** Tasks in one transaction. */
const PART = 20_000

export interface FillOptions {
  /**
   * How much later each is in its rows, which then say another time than the hashed bytes (a ledger to search, not to verify);
   * by default none is.
   */
  readonly apartMilliseconds?: number
  /** As if the roll-ups had counted all of it: to do so takes longer than to fill. */
  readonly isCounted?: boolean
}

/** Tells the newest task so many times. */
export async function fillLedger(
  place: string,
  tasks: number,
  { apartMilliseconds = 0, isCounted = false }: FillOptions = {},
): Promise<Filled> {
  const database = isPostgres(place) ? await openServer(place) : openFile(place)
  try {
    const [task] = await database.run("SELECT id, task_id FROM task ORDER BY id DESC LIMIT 1")
    const [token] = await database.run("SELECT max(id) AS id, min(jti) AS jti FROM token WHERE task = $1", [
      Number(task?.id),
    ])
    const places = await database.run("SELECT seq FROM entry WHERE task = $1 ORDER BY seq", [
      Number(task?.id),
    ])
    const [end] = await database.run("SELECT max(seq) AS seq FROM entry")
    const shape: Shape = {
      task: Number(task?.id),
      taskId: String(task?.task_id),
      jti: String(token?.jti),
      places: places.map(({ seq }) => Number(seq)),
      end: Number(end?.seq),
      apartMilliseconds,
    }
    const statements: string[] = []
    for (const table of TABLES) statements.push(await tellAgain(database, table, shape))
    for (let done = 0; done < tasks; done += PART) {
      const to = Math.min(tasks, done + PART)
      const series = database.series(done + 1, to)
      await database.run("BEGIN")
      for (const text of statements) await database.run(text.replace("SERIES", series))
      await database.run("COMMIT")
    }
    const entries = shape.end + tasks * shape.places.length
    if (isCounted)
      await database.run(
        `INSERT INTO rollup_place (id, seq) VALUES (1, ${entries}) ON CONFLICT (id) DO UPDATE SET seq = ${entries}`,
      )
    await database.settle()
    return { tasks, entries }
  } finally {
    await database.close()
  }
}

interface Shape {
  readonly task: number
  readonly taskId: string
  readonly jti: string
  /** Of its entries; others may lie between them. */
  readonly places: readonly number[]
  /** The newest place. */
  readonly end: number
  readonly apartMilliseconds: number
}

/** The id of the task that was told as number `n`, from 1. */
export const taskIdOf = (n: number): string => `task_${uuidOf(2 * n)}`

const TABLES = ["task", "token", "entry", "entry_bytes"] as const

async function tellAgain(database: Database, table: (typeof TABLES)[number], shape: Shape): Promise<string> {
  const { task, taskId, jti, places, end, apartMilliseconds } = shape
  const nth = places.map((seq, n) => `WHEN ${seq} THEN ${n + 1}`).join(" ")
  const place = `${end} + (g - 1) * ${places.length} + CASE t.seq ${nth} END`
  const bytes = `retold(t.bytes, '${taskId}', 'task_' || uuid_of(2 * g), '${jti}', 'tok_' || uuid_of(2 * g + 1))`
  const changed: Readonly<Record<(typeof TABLES)[number], Readonly<Record<string, string>>>> = {
    task: { id: "t.id + g", task_id: "'task_' || uuid_of(2 * g)", reference: "'told-' || g" },
    token: { id: "t.id + g", jti: "'tok_' || uuid_of(2 * g + 1)", task: "t.task + g" },
    entry: { seq: place, at: `t.at + g * ${apartMilliseconds}`, task: "t.task + g", token: "t.token + g" },
    entry_bytes: { seq: place, bytes, leaf: `leaf_of(${bytes})` },
  }
  const which = {
    task: `t.id = ${task}`,
    token: `t.task = ${task}`,
    entry: `t.task = ${task}`,
    entry_bytes: `t.seq IN (${places.join()})`,
  }[table]
  const columns = await database.columnsOf(table)
  const list = columns.map((column) => changed[table][column] ?? `t."${column}"`)
  const order = table === "task" || table === "token" ? "g" : `g, t.seq`
  return `INSERT INTO ${table} (${columns.map((one) => `"${one}"`).join(", ")}) SELECT ${list.join(", ")}
    FROM SERIES CROSS JOIN ${table} t WHERE ${which} ORDER BY ${order}`
}

const BEGAN = 1_700_000_000_000

/** A UUIDv7, always the same for a number, and later for a later one. */
function uuidOf(n: number): string {
  const time = (BEGAN + Math.floor(n / 10)).toString(16).padStart(12, "0")
  const rest = hash("md5", String(n))
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-8${rest.slice(3, 6)}-${rest.slice(6, 18)}`
}

function openFile(path: string): Database {
  const database = new Sqlite(path, { fileMustExist: true })
  database.pragma("synchronous = OFF")
  database.pragma("cache_size = -500000")
  database.function("uuid_of", (n) => uuidOf(Number(n)))
  database.function("leaf_of", (bytes) => (bytes instanceof Uint8Array ? leafHash(bytes) : null))
  database.function("retold", { varargs: true }, (bytes, ...[task, newTask, jti, newJti]) =>
    bytes instanceof Uint8Array
      ? Buffer.from(
          Buffer.from(bytes)
            .toString()
            .replaceAll(String(task), String(newTask))
            .replaceAll(String(jti), String(newJti)),
        )
      : null,
  )
  return {
    async run(text, values = []) {
      const prepared = database.prepare<unknown[], Record<string, unknown>>(text.replaceAll(/\$\d/g, "?"))
      if (prepared.reader) return prepared.all(...values)
      prepared.run(...values)
      return []
    },
    series: (from, to) =>
      `(WITH RECURSIVE s(g) AS (SELECT ${from} UNION ALL SELECT g + 1 FROM s WHERE g < ${to}) SELECT g FROM s)`,
    async columnsOf(table) {
      return database.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table).map(String)
    },
    async settle() {
      database.pragma("synchronous = FULL")
      database.pragma("wal_checkpoint(TRUNCATE)")
    },
    close: async () => void database.close(),
  }
}

const FUNCTIONS = `
  CREATE FUNCTION pg_temp.uuid_of(n bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7' || substr(h, 1, 3) || '-8' || substr(h, 4, 3) || '-' || substr(h, 7, 12)
    FROM (SELECT lpad(to_hex(${BEGAN} + n / 10), 12, '0') AS t, md5(n::text) AS h) AS parts $$;
  CREATE FUNCTION pg_temp.leaf_of(b bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT sha256('\\x00'::bytea || b) $$;
  CREATE FUNCTION pg_temp.retold(b bytea, a1 text, b1 text, a2 text, b2 text) RETURNS bytea IMMUTABLE LANGUAGE sql AS
    $$ SELECT convert_to(replace(replace(convert_from(b, 'UTF8'), a1, b1), a2, b2), 'UTF8') $$`

async function openServer(address: string): Promise<Database> {
  const client = new Client(address)
  await client.connect()
  await client.query(`${FUNCTIONS}; SET synchronous_commit TO off`)
  const run: Database["run"] = async (text, values = []) =>
    (await client.query(text.replaceAll(/\b(uuid_of|leaf_of|retold)\(/g, "pg_temp.$1("), [...values])).rows
  return {
    run,
    series: (from, to) => `generate_series(${from}::bigint, ${to}::bigint) AS s(g)`,
    async columnsOf(table) {
      const rows = await run(
        `SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1 AND table_schema = 'public' ORDER BY ordinal_position`,
        [table],
      )
      return rows.map(({ name }) => String(name))
    },
    async settle() {
      for (const table of ["task", "token"])
        await run(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT max(id) FROM ${table}))`)
      // As it would be long after: else each first look at a row writes to its page.
      await run("VACUUM (ANALYZE)")
      await run("CHECKPOINT")
    },
    close: () => client.end(),
  }
}
