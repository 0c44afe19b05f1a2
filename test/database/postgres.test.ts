// The contract of an engine on PostgreSQL, and what only a server has: settings to be refused, a version.
import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { createFolders } from "../support/folder.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source.ts"
import { engineContract } from "./engine.contract.ts"

describe("the contract, on PostgreSQL", () => {
  engineContract(async () => {
    const { address, remove } = await createDatabase()
    return { open: () => openPostgres({ address }), remove }
  })
})

const newFolder = createFolders()
const put = statement("put", sql`INSERT INTO setting (key, value) VALUES (${sql.placeholder("key")}, 'v')`)
const all = statement<{ key: string }>("all", sql`SELECT key FROM setting ORDER BY key`)

describe("the database", () => {
  let database: TestDatabase
  const open = (migrations?: string) =>
    openPostgres({ address: database.address, ...(migrations && { migrations }) })
  const putting = (engine: Engine, key: string) =>
    engine.atomically([{ statement: put, values: { key }, rows: 1 }])
  const keys = async (engine: Engine) => (await engine.query(all)).map((row) => row.key)

  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.remove())

  test("it is released on close: the next one opens it, and finds the schema already there", async () => {
    for (const key of ["a", "b"]) {
      const engine = await open()
      await putting(engine, key)
      await engine.close()
    }
    const engine = await open()
    expect(await keys(engine)).toEqual(["a", "b"])
    await engine.close()
  })

  test("what a first start left undone, because it was killed, the next one does", async () => {
    await (await open()).close()
    await database.run("DELETE FROM commit_count")
    await database.run("DROP FUNCTION taskmint_tell() CASCADE")
    const engine = await open()
    await putting(engine, "done")
    await engine.close()
    const told = await database.run(
      "SELECT count(*)::int AS told FROM pg_trigger WHERE tgname = 'taskmint_tell'",
    )
    expect(told).toEqual([{ told: 3 }])
  })

  test("a text that it can't hold is refused, and nothing else is lost by it", async () => {
    const engine = await open()
    const results = await Promise.allSettled([putting(engine, "beside"), putting(engine, "a\0b")])
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"])
    expect(results[1]).toMatchObject({ reason: expect.any(TypeError) })
    await engine.close()
  })

  test("whatever schema a role prefers, tables are in one place", async () => {
    const name = new URL(database.address).pathname.slice(1)
    await database.run(`CREATE SCHEMA elsewhere`)
    await database.run(`ALTER DATABASE ${name} SET search_path TO elsewhere`)
    const engine = await open()
    await putting(engine, "here")
    expect(await keys(engine)).toContain("here")
    await engine.close()
    await database.run(`ALTER DATABASE ${name} RESET search_path`)
  })

  test("whatever isolation a role prefers, transactions that follow each other are all done", async () => {
    const name = new URL(database.address).pathname.slice(1)
    await database.run(`ALTER DATABASE ${name} SET default_transaction_isolation TO serializable`)
    const [one, other] = [await open(), await open()]
    const writing = Array.from({ length: 20 }, (_, at) =>
      putting(at % 2 === 0 ? one : other, `isolated-${at}`),
    )
    expect((await Promise.allSettled(writing)).filter(({ status }) => status === "rejected")).toEqual([])
    await Promise.all([one.close(), other.close()])
    await database.run(`ALTER DATABASE ${name} RESET default_transaction_isolation`)
  })

  /** The package's migrations and one more. */
  function withOneMore(tag: string, text: string): string {
    const folder = join(newFolder(), "migrations")
    cpSync(join(ROOT, "migrations/postgres"), folder, { recursive: true })
    const file = join(folder, "meta/_journal.json")
    const journal = JSON.parse(readFileSync(file, "utf8"))
    journal.entries.push({ idx: 99, version: "7", when: 9_999_999_999_999, tag, breakpoints: true })
    writeFileSync(file, JSON.stringify(journal))
    writeFileSync(join(folder, `${tag}.sql`), text)
    return folder
  }

  test("a migration that fails leaves the old schema, says no SQL, and lets go", async () => {
    const half = "CREATE TABLE half (id bigint);\n--> statement-breakpoint\nCREATE TABLE name (id bigint);"
    const error = await open(withOneMore("9999_bad", half)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Unavailable)
    expect(String(error)).toMatch(/\(42P07\)$/)
    const engine = await open()
    expect(await database.run("SELECT to_regclass('half') AS half")).toEqual([{ half: null }])
    await engine.close()
  })

  test("a database written by a newer version is refused, and left as it is", async () => {
    const newer = withOneMore("9999_later", "CREATE TABLE later (id bigint);")
    await (await open(newer)).close()
    await expect(open()).rejects.toThrow(/newer version/)
    await (await open(newer)).close()
  })
})

describe("what is refused", () => {
  test("a database that can't hold every text", async () => {
    const server = await createDatabase()
    const name = `${new URL(server.address).pathname.slice(1)}_ascii`
    await server.run(
      `CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    )
    const address = new URL(server.address)
    address.pathname = `/${name}`
    await expect(openPostgres({ address: address.href })).rejects.toThrow(/server_encoding = SQL_ASCII/)
    await server.run(`DROP DATABASE ${name} WITH (FORCE)`)
    await server.remove()
  })

  const SECRET = "s3cr3t"
  const addresses: readonly [string, string, new () => Error][] = [
    ["a server that is not there", `postgres://a:${SECRET}@127.0.0.1:1/x`, Unavailable],
    ["an address that is none", `postgres://a:${SECRET}@[/x`, TypeError as new () => Error],
  ]
  test.each(addresses)("%s, without the password", async (_, address, kind) => {
    const error = await openPostgres({ address }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(kind)
    expect(String(error)).not.toContain(SECRET)
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(SECRET)
  })
})
