// The report of least privilege on each engine, over the rows that a large ledger leaves: a year of days, on each of which
// a hundred task types with two agents each were given five operations. Entries themselves take no part in it.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { leastPrivilege, type PrivilegeFilter } from "../src/audit/least-privilege.ts"
import { type Engine, statement } from "../src/database/database.ts"
import { sql } from "../src/database/drizzle.ts"
import { openDatabase } from "../src/database/open.ts"
import { startPostgres } from "../test/support/postgres-server.ts"
import { median } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const DAY_MILLISECONDS = 86_400_000
const DAYS = 365
const TYPES = 100
const AGENTS = 2
const OPERATIONS = 5
const ASKED = 20
const ONE_AGENT_MILLISECONDS = 100
const EVERYTHING_MILLISECONDS = 1000

const series = (rows: number) =>
  sql`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${sql.raw(String(rows - 1))})`
const [agents, operations] = [AGENTS, OPERATIONS].map((count) => sql.raw(String(count)))

const names = statement(
  "names",
  sql`${series(TYPES * 10)} INSERT INTO name (id, text) SELECT i + 1, 'name-' || i FROM n WHERE true`,
)
/** Of one day. Ids: a type's are from 1, an agent's from 101 (each serves one type), an operation's from 501; a rule's is its type's. */
const rows = statement(
  "rows",
  sql`${series(TYPES * AGENTS * OPERATIONS)} INSERT INTO rollup_privilege
    (day, type, agent, api, operation, rule, granted, used, refused, last_used)
    SELECT CAST(${sql.placeholder("day")} AS bigint), 1 + i / (${agents} * ${operations}), 101 + i / ${operations}, 600,
      501 + i % ${operations}, 1 + i / (${agents} * ${operations}), 3, i % 7, 0, i FROM n WHERE true`,
)

export async function benchLeastPrivilege(_: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-privilege-"))
  const postgres = await startPostgres()
  try {
    const onFile = await measure("SQLite", join(folder, "issuer.db"))
    const onServer = await measure("PostgreSQL", postgres.address)
    return onFile && onServer
  } finally {
    await postgres.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(name: string, place: string): Promise<boolean> {
  const engine = await openDatabase(place)
  try {
    await engine.atomically([{ statement: names, values: {} }])
    for (let day = 0; day < DAYS; day++) await engine.atomically([{ statement: rows, values: { day } }])
    const window = { from: 300 * DAY_MILLISECONDS, to: 330 * DAY_MILLISECONDS, limit: 1000 }
    const ofAgent = await ask(engine, { ...window, agent: "name-150" })
    const ofAll = await ask(engine, window)
    const time = (milliseconds: number, atMost: number) => ({
      figure: `${milliseconds.toFixed(1)} ms`,
      time: { milliseconds, atMost },
    })
    return printMeasures(`${name}, least privilege, 30 days of ${DAYS * TYPES * AGENTS * OPERATIONS} rows`, [
      { what: "one agent", ...time(ofAgent, ONE_AGENT_MILLISECONDS) },
      { what: "everything", ...time(ofAll, EVERYTHING_MILLISECONDS) },
    ])
  } finally {
    await engine.close()
  }
}

/** Median, of all its pages. Throws where it answers nothing: that is no figure. */
async function ask(engine: Engine, filter: PrivilegeFilter): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ASKED; round++) {
    const began = performance.now()
    let items = 0
    for (let after: string | null | undefined; after !== null; ) {
      const page = await leastPrivilege(engine, { agents: new Map(), tasks: new Map() }, { ...filter, after })
      items += page.items.length
      after = page.next
    }
    times.push(performance.now() - began)
    if (items === 0) throw new Error("nothing was found")
  }
  return median(times)
}
