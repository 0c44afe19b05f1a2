// The ledger's own limits: what its tree costs those who append, how quickly auditors' questions are answered on a large one,
// how many bytes an entry takes, before and after it is archived, and how fast it is verified.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPostgres } from "../test/support/postgres-server.ts"
import { benchLeastPrivilege } from "./least-privilege.ts"
import { benchAppending } from "./ledger-appending.ts"
import { benchArchiving } from "./ledger-archiving.ts"
import { benchAsking } from "./ledger-asking.ts"
import { benchVerifying } from "./ledger-verifying.ts"
import { createDatabase } from "./postgres-place.ts"
import type { Settings } from "./table.ts"

/** A fresh place of that name for an issuer's data. */
export type NewPlace = (name: string) => Promise<string>

export async function benchLedger(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-ledger-"))
  const postgres = await startPostgres()
  const onFile: NewPlace = async (name) => {
    mkdirSync(join(folder, name))
    return join(folder, name, "issuer.db")
  }
  const onServer: NewPlace = (name) => createDatabase(postgres.address, `ledger_${name}`)
  try {
    const verdicts = [
      await benchAppending("SQLite", settings, onFile),
      await benchAppending("PostgreSQL", settings, onServer),
      await benchAsking("SQLite", settings, onFile),
      await benchAsking("PostgreSQL", settings, onServer),
      await benchVerifying(settings),
      await benchArchiving(settings),
      await benchLeastPrivilege(settings),
    ]
    return verdicts.every(Boolean)
  } finally {
    await postgres.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}
