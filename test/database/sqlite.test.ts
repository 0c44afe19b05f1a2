// The contract of an engine on SQLite, and what only a file has: its mode, its lock, its version.
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { sql } from "drizzle-orm"
import { describe, expect, test } from "vitest"
import { statement, Unavailable } from "../../src/database/database.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createFolders } from "../support/folder.ts"
import { ROOT } from "../support/source.ts"
import { engineContract } from "./engine.contract.ts"

const newFolder = createFolders()

describe("the contract, on SQLite", () => {
  engineContract(async () => {
    const path = join(newFolder(), "engine.db")
    return { open: () => openSqlite({ path }), remove: async () => undefined }
  })
})

describe("the file", () => {
  test("every file it makes can be read by its owner alone", async () => {
    const folder = newFolder()
    const engine = await openSqlite({ path: join(folder, "a.db") })
    await engine.atomically([{ statement: put, values: { key: "a" } }])
    const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777])
    expect(modes.sort()).toEqual([
      ["a.db", 0o600],
      ["a.db-shm", 0o600],
      ["a.db-wal", 0o600],
      ["a.db.lock", 0o600],
    ])
    await engine.close()
  })

  test("it is released on close: the next one opens it, and finds the schema already there", async () => {
    const path = join(newFolder(), "a.db")
    for (const key of ["a", "b"]) {
      const engine = await openSqlite({ path })
      await engine.atomically([{ statement: put, values: { key } }])
      await engine.close()
    }
    const engine = await openSqlite({ path })
    expect(await engine.query(all)).toEqual([{ key: "a" }, { key: "b" }])
    await engine.close()
  })

  test("a file written by a newer version is refused, and left as it is", async () => {
    const folder = newFolder()
    const path = join(folder, "a.db")
    const newer = join(folder, "migrations")
    cpSync(join(ROOT, "migrations/sqlite"), newer, { recursive: true })
    const journal = JSON.parse(readFileSync(join(newer, "meta/_journal.json"), "utf8"))
    journal.entries.push({
      idx: 99,
      version: "6",
      when: 9_999_999_999_999,
      tag: "9999_later",
      breakpoints: true,
    })
    writeFileSync(join(newer, "meta/_journal.json"), JSON.stringify(journal))
    writeFileSync(join(newer, "9999_later.sql"), "CREATE TABLE later (id integer);")
    await (await openSqlite({ path, migrations: newer })).close()
    await expect(openSqlite({ path })).rejects.toThrow(/newer version/)
    await (await openSqlite({ path, migrations: newer })).close()
  })

  test("a migration that fails leaves the old schema, and the file is not held", async () => {
    const folder = newFolder()
    const path = join(folder, "a.db")
    await (await openSqlite({ path })).close()
    const bad = join(folder, "migrations")
    cpSync(join(ROOT, "migrations/sqlite"), bad, { recursive: true })
    const journal = JSON.parse(readFileSync(join(bad, "meta/_journal.json"), "utf8"))
    journal.entries.push({
      idx: 99,
      version: "6",
      when: 9_999_999_999_999,
      tag: "9999_bad",
      breakpoints: true,
    })
    writeFileSync(join(bad, "meta/_journal.json"), JSON.stringify(journal))
    writeFileSync(
      join(bad, "9999_bad.sql"),
      "CREATE TABLE half (id integer);\n--> statement-breakpoint\nCREATE TABLE name (id integer);",
    )
    await expect(openSqlite({ path, migrations: bad })).rejects.toThrow()
    const engine = await openSqlite({ path })
    const half = statement("half", sql`SELECT name FROM sqlite_master WHERE name = 'half'`)
    expect(await engine.query(half)).toEqual([])
    await engine.close()
  })

  test("a stopped migration names itself, never the SQL it ran", async () => {
    const path = join(newFolder(), "a.db")
    const other = new Sqlite(path)
    other.exec("CREATE TABLE name (id integer)")
    other.close()
    const error = await openSqlite({ path }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Unavailable)
    expect(String(error)).not.toMatch(/CREATE/)
  })
})

const put = statement("put", sql`INSERT INTO setting (key, value) VALUES (${sql.placeholder("key")}, 'v')`)
const all = statement("all", sql`SELECT key FROM setting ORDER BY key`)
