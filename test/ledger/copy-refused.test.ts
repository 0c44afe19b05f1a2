// Catalogue I11, I12: what a copy of a ledger refuses. A target that is not empty stays as it is, a source that is not whole
// is not passed on, and what was begun is no ledger to an issuer.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { openDatabase } from "../../src/database/open.ts"
import { type CopyProgress, copyLedger } from "../../src/ledger/copy.ts"
import { createFolders } from "../support/folder.ts"
import { createDatabases } from "../support/postgres.ts"
import { tablesHeld } from "../support/tables-held.ts"
import { change, copyOf, makeUsed, startIssuer } from "../support/used-database.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** Two parts of the ledger. */
const TASKS = 350

const newFolder = createFolders()
const newDatabase = createDatabases()
let source = ""
beforeAll(async () => {
  source = await makeUsed(newFolder(), TASKS)
})

const newFile = () => join(newFolder(), "target.db")
/** A copy that stops after its first part, as if it had been killed. */
async function halfCopy(from: string): Promise<string> {
  const to = newFile()
  const progress = () => {
    throw new Error("enough")
  }
  await expect(copyLedger({ from, to, progress })).rejects.toThrow("enough")
  return to
}

describe("refused, with the reason", () => {
  const cases: readonly (readonly [
    what: string,
    from: () => Promise<string>,
    to: (from: string) => Promise<string>,
    says: RegExp,
  ])[] = [
    ["a target that an issuer uses", newCopy, usedFile, /holds another ledger already/],
    [
      "a target with rows that nobody knows of",
      newCopy,
      fileWith("INSERT INTO name (text) VALUES ('x')"),
      /holds something else/,
    ],
    ["another program's file", newCopy, foreignFile, /another program's tables/],
    ["another program's database", newCopy, foreignDatabase, /another program's tables/],
    ["a file that is no database", newCopy, garbage, /SQLITE_NOTADB/],
    ["a target of a newer version", newCopy, fileWith(NEWER), /newer version/],
    [
      "a source of a newer version",
      () => changed(NEWER),
      newTarget,
      /newer version of taskmint: copy with that one/,
    ],
    [
      "a source of an older version",
      () => changed(OLDER),
      newTarget,
      /older version of taskmint: start this version/,
    ],
    ["a source without an issuer's data", fileWith("SELECT 1"), newTarget, /never started/],
    ["another program's source", foreignFile, newTarget, /not a database of the issuer/],
    ["a source that is not there", newTarget, newTarget, /does not exist/],
    [
      "a source that is a half-made copy",
      async () => halfCopy(await newCopy()),
      newTarget,
      /a copy that was not finished/,
    ],
    [
      "a half-made copy of another state",
      newCopy,
      changedMeanwhile,
      /an unfinished copy of another database/,
    ],
    [
      "an entry that was changed",
      () => changed("UPDATE entry_bytes SET bytes = x'00' WHERE seq = 300"),
      newTarget,
      /entry 300 is not what its hash says/,
    ],
    [
      "a leaf that was changed",
      () => changed("UPDATE entry_bytes SET leaf = zeroblob(32) WHERE seq = 300"),
      newTarget,
      /entry 300 is not what its hash says/,
    ],
    [
      "an entry that rests nowhere, blank as if it were archived",
      () => changed("UPDATE entry_bytes SET bytes = x'', leaf = x'' WHERE seq = 300"),
      newTarget,
      /entry 300 is not what its hash says/,
    ],
    [
      "an entry that is missing",
      () => changed("DELETE FROM entry WHERE seq = 300"),
      newTarget,
      /entry 300 is missing/,
    ],
    [
      "bytes in the middle that are missing",
      () => changed("DELETE FROM entry_bytes WHERE seq = 300"),
      newTarget,
      /entry 300 is missing/,
    ],
    [
      "an archived entry that is missing",
      () => changed("DELETE FROM ledger_bundle"),
      newTarget,
      /entry \d+ is (missing|not what its hash says)/,
    ],
    [
      "archived entries that were changed",
      () => changed("UPDATE ledger_bundle SET leaves = zeroblob(8192)"),
      newTarget,
      /entry 1 is not what its hash says/,
    ],
    [
      "bytes that are missing",
      () => changed("DELETE FROM entry_bytes WHERE seq = (SELECT max(seq) FROM entry)"),
      newTarget,
      /did not arrive whole/,
    ],
  ]
  test.each(cases)("%s", async (_what, from, to, says) => {
    const path = await from()
    const place = await to(path)
    await expect(copyLedger({ from: path, to: place })).rejects.toThrow(says)
    // Whatever is there now, no issuer takes it for a ledger of its own.
    if (says.source.includes("entry"))
      await expect(startIssuer(place)).rejects.toThrow(/a copy that was not finished/)
  })

  test("a source on which an issuer runs, and an issuer while a copy does", async () => {
    const from = await newCopy()
    const engine = await openDatabase(from)
    await expect(copyLedger({ from, to: newFile() })).rejects.toThrow(
      /in use by another process: stop the issuer/,
    )
    await engine.close()
    let refused: unknown
    const progress = () => {
      refused ??= openDatabase(from).catch(String)
    }
    await copyLedger({ from, to: newFile(), progress })
    expect(await refused).toMatch(/in use by another process/)
  })

  test("a row that is changed on its way", async () => {
    const [from, { address: to, run }] = [await newCopy(), await newDatabase()]
    await run(
      "CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.purpose = 'bent'; RETURN NEW; END $$",
    )
    const progress = ({ table }: CopyProgress) => {
      if (table === "name")
        bent ??= run("CREATE TRIGGER bend BEFORE INSERT ON task FOR EACH ROW EXECUTE FUNCTION bend()")
    }
    let bent: Promise<unknown> | undefined
    await expect(copyLedger({ from, to, progress })).rejects.toThrow(/task did not arrive as it was sent/)
    expect(bent).toBeDefined()
  })

  test("two copies at once to one target: one of them goes on", async () => {
    const [one, other, { address: to }] = [await newCopy(), await newCopy(), await newDatabase()]
    const ends = await Promise.allSettled([copyLedger({ from: one, to }), copyLedger({ from: other, to })])
    const refused = ends.flatMap((end) => (end.status === "rejected" ? [String(end.reason)] : []))
    expect(refused.length).toBeLessThan(2)
    for (const text of refused) expect(text).toMatch(/somebody else writes to it/)
    expect(await tablesHeld(to)).toEqual(await tablesHeld(one))
  })
})

const NEWER =
  "UPDATE __drizzle_migrations SET created_at = 9e12 WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)"
const OLDER =
  "DELETE FROM __drizzle_migrations WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)"
const newTarget = async () => newFile()
const newCopy = () => copyOf(source, newFolder())

async function changed(text: string): Promise<string> {
  const path = await newCopy()
  change(path, `PRAGMA foreign_keys = OFF; ${text}`)
  return path
}

/** Tables of ours, and nothing in them but this. */
function fileWith(text: string) {
  return async () => {
    const path = newFile()
    await (await openDatabase(path)).close()
    change(path, text)
    return path
  }
}

async function usedFile(): Promise<string> {
  const path = newFile()
  await startIssuer(path).catch(() => undefined) // it refuses example keys, and says so in its ledger
  return path
}

async function foreignFile(): Promise<string> {
  const path = newFile()
  change(path, "PRAGMA journal_mode = WAL; CREATE TABLE recipe (name)")
  return path
}

async function foreignDatabase(): Promise<string> {
  const { address, run } = await newDatabase()
  await run("CREATE TABLE recipe (name text)")
  return address
}

async function garbage(): Promise<string> {
  const path = newFile()
  writeFileSync(path, "not a database, ".repeat(512))
  return path
}

async function changedMeanwhile(from: string): Promise<string> {
  const to = await halfCopy(from)
  change(from, "UPDATE verifier_instance SET sequence = sequence + 1")
  return to
}
