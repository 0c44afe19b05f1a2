// How many bytes a use takes, with its indexes and what its verifier signed: as rows, and once its tile is archived. Of an
// SQLite file without free pages.
import Sqlite from "better-sqlite3"
import { archiveAll, closeAll } from "../test/support/archive.ts"
import { makeUseWorld } from "../test/support/ledger-file.ts"
import { printMeasures, type Settings } from "./table.ts"

const MOST_ENTRIES = 20_000
const AT_MOST = { rows: 1000, archived: 400 }

/** What tells of uses: what else there is of tasks and tokens is theirs. */
const PARTS = [
  "entry",
  "entry_task",
  "entry_agent",
  "entry_bytes",
  "ledger_bundle",
  "ledger_node",
  "use_batch",
]

export async function benchArchiving({ entries }: Settings): Promise<boolean> {
  const uses = Math.min(entries, MOST_ENTRIES)
  const world = await makeUseWorld(uses)
  try {
    await closeAll(world)
    const rows = bytesOfUses(world.place)
    const began = performance.now()
    const archived = await archiveAll(world)
    const seconds = (performance.now() - began) / 1000
    const bundles = bytesOfUses(world.place)
    return printMeasures(
      `SQLite, ${uses.toLocaleString("en")} uses, ${archived.toLocaleString("en")} entries archived`,
      [
        measure("bytes of a use, as rows", rows.all, AT_MOST.rows),
        measure("bytes of a use, once archived", bundles.all, AT_MOST.archived),
        { what: "of these in its row and indexes", figure: bundles.entry.toFixed(0) },
        { what: "in bundles", figure: bundles.ledger_bundle.toFixed(0) },
        { what: "in what its verifier signed", figure: bundles.use_batch.toFixed(0) },
        { what: "entries archived a second", figure: Math.round(archived / seconds).toLocaleString("en") },
      ],
    )
  } finally {
    await world.close()
    await world.remove()
  }

  function bytesOfUses(path: string) {
    const copy = `${path}.${performance.now()}.copy`
    const database = new Sqlite(path)
    database.exec(`VACUUM INTO '${copy}'`)
    database.close()
    const packed = new Sqlite(copy)
    const sizes = packed.prepare("SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name").all() as {
      readonly name: string
      readonly bytes: number
    }[]
    const told = Number(packed.prepare("SELECT count(*) FROM entry").pluck().get())
    packed.close()
    const of = (...names: readonly string[]) =>
      sizes.filter(({ name }) => names.includes(name)).reduce((sum, { bytes }) => sum + bytes, 0) / told
    const entry = of("entry", "entry_task", "entry_agent")
    return { all: of(...PARTS), entry, ledger_bundle: of("ledger_bundle"), use_batch: of("use_batch") }
  }
}

const measure = (what: string, bytes: number, most: number) => ({
  what,
  figure: bytes.toFixed(0),
  ratio: bytes / most,
  against: `of ${most}`,
  atMost: 1,
})
