// Migrates one SQLite file by a folder of migrations in which a statement says when this process dies.
import { openFile } from "../../src/database/file.ts"
import { migrateFile } from "../../src/database/migrate.ts"

const [path = "", migrations = ""] = process.argv.slice(2)
const file = openFile(path)
file.function("die", { deterministic: false }, () => {
  process.kill(process.pid, "SIGKILL")
  return 1
})
migrateFile(file, migrations)
