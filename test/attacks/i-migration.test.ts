// Catalogue I12: a migration that is killed between any two of its statements, on both engines. The old schema stays whole,
// and the next start brings it up to this version as if nothing had been.
import { fork } from "node:child_process"
import { once } from "node:events"
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { describe, expect, test, vi } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { openDatabase } from "../../src/database/open.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { createFolders } from "../support/folder.ts"
import { createDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 60_000 })

const BREAK = "--> statement-breakpoint"
const KILLS = 8
const newFolder = createFolders()

const partsOf = (text: string) => text.split(BREAK)
const filesOf = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()

/** After how many of all statements it is killed, from none to all. */
function placesIn(engine: "sqlite" | "postgres"): number[] {
  const folder = join(ROOT, "migrations", engine)
  const all = filesOf(folder).flatMap((name) => partsOf(readFileSync(join(folder, name), "utf8"))).length
  return Array.from({ length: KILLS }, (_, at) => Math.round((all * at) / (KILLS - 1)))
}

/** The package's migrations, with a statement that kills after so many of them. */
function killedAfter(engine: "sqlite" | "postgres", statements: number, kill: string): string {
  const folder = join(newFolder(), "migrations")
  cpSync(join(ROOT, "migrations", engine), folder, { recursive: true })
  let left = statements
  for (const name of filesOf(folder)) {
    const parts = partsOf(readFileSync(join(folder, name), "utf8"))
    if (left <= parts.length) {
      parts.splice(left, 0, `\n${kill};\n`)
      writeFileSync(join(folder, name), parts.join(BREAK))
      return folder
    }
    left -= parts.length
  }
  throw new Error("there are fewer statements")
}

describe("I12 a migration that is killed", () => {
  test("I12 on SQLite with its process: before its first statement, after its last, and between", async () => {
    const schema = (path: string) => {
      const file = new Sqlite(path, { readonly: true })
      try {
        return file.prepare("SELECT name, sql FROM sqlite_master ORDER BY name").all()
      } finally {
        file.close()
      }
    }
    const fresh = join(newFolder(), "a.db")
    await (await openDatabase(fresh)).close()
    const path = join(newFolder(), "a.db")
    for (const place of placesIn("sqlite")) {
      const child = fork(join(ROOT, "test/support/migrating-child.ts"), [
        path,
        killedAfter("sqlite", place, "SELECT die()"),
      ])
      expect(await once(child, "exit")).toEqual([null, "SIGKILL"])
      expect(schema(path).filter((one) => !String(Object(one).name).includes("__drizzle"))).toEqual([])
    }
    await (await openDatabase(path)).close()
    expect(schema(path)).toEqual(schema(fresh))
  })

  test("I12 on PostgreSQL with its connection: before its first statement, after its last, and between", async () => {
    const [fresh, database] = [await createDatabase(), await createDatabase()]
    const schema = ({ run }: typeof database) =>
      run(`SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_drizzle%'
        UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes
        WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_drizzle%' ORDER BY 1, 2`)
    await (await openPostgres({ address: fresh.address })).close()
    for (const place of placesIn("postgres")) {
      const migrations = killedAfter("postgres", place, "SELECT pg_terminate_backend(pg_backend_pid())")
      const killed = openPostgres({ address: database.address, migrations })
      await expect(killed, `after ${place}`).rejects.toBeInstanceOf(Unavailable)
      expect(await schema(database)).toEqual([])
    }
    await (await openPostgres({ address: database.address })).close()
    expect(await schema(database)).toEqual(await schema(fresh))
    await Promise.all([fresh.remove(), database.remove()])
  })
})
