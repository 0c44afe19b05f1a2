// A process whose writer's thread dies: one request asks for more rows than the thread's memory holds. Prints what the
// engine makes of it.
import { sql } from "drizzle-orm"
import { statement } from "../../src/database/database.ts"
import { openSqlite } from "../../src/database/sqlite.ts"

const flood = statement(
  "flood",
  sql`WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 600000) SELECT n, n || '-text' AS t FROM c`,
)
const put = statement("put", sql`INSERT INTO setting (key, value) VALUES (${sql.placeholder("key")}, 'v')`)

const engine = await openSqlite({ path: process.argv[2] ?? "" })
await engine.atomically([{ statement: put, values: { key: "before" } }])
const results = await Promise.allSettled([
  engine.atomically([
    { statement: put, values: { key: "first" } },
    { statement: flood, values: {} },
  ]),
  engine.atomically([{ statement: put, values: { key: "second" } }]),
  engine.broken,
])
const later = await engine
  .atomically([{ statement: put, values: { key: "later" } }])
  .catch((error: Error) => error.name)
await engine.close()
console.log(
  JSON.stringify([
    ...results.map((one) => (one.status === "rejected" ? one.reason.name : one.value?.message)),
    later,
  ]),
)
