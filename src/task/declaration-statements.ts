// All SQL of what verifier instances say they serve, once. The guard of a row is that its instance has reported under the API
// and the key that declare for it.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

/** Changes no row where there is no such instance of that API and that key. */
export const declare = statement(
  "declaration.put",
  sql`INSERT INTO declaration (instance, operations, declared_at)
    SELECT v.id, ${p("operations")}, ${p("now")} FROM verifier_instance v JOIN name a ON a.id = v.api
      WHERE v.instance = ${p("instance")} AND a.text = ${p("api")} AND v.jkt = ${p("jkt")}
    ON CONFLICT (instance) DO UPDATE SET operations = excluded.operations, declared_at = excluded.declared_at`,
)

export interface PresenceRow {
  readonly api: string
  readonly open: number
  readonly heard: number
  /** Of those heard. */
  readonly declaring: number
}

/** Per API, of the instances that have not said their last word. */
export const presence = statement<PresenceRow>(
  "declaration.presence",
  sql`SELECT a.text AS api, count(*) AS open,
      count(CASE WHEN v.last_seen >= ${p("since")} THEN 1 END) AS heard,
      count(CASE WHEN v.last_seen >= ${p("since")} THEN d.instance END) AS declaring
    FROM verifier_instance v JOIN name a ON a.id = v.api LEFT JOIN declaration d ON d.instance = v.id
    WHERE v.final = 0 GROUP BY a.text ORDER BY a.text`,
)

export interface DeclarationRow {
  readonly api: string
  readonly operations: string
  readonly instances: number
  /** The last of them to join. */
  readonly newest: string
}

/** What is said, once for all instances that say the same. */
export const declarations = statement<DeclarationRow>(
  "declaration.all",
  sql`SELECT a.text AS api, d.operations AS operations, count(*) AS instances, max(v.instance) AS newest
    FROM declaration d JOIN verifier_instance v ON v.id = d.instance JOIN name a ON a.id = v.api
    WHERE v.final = 0 AND v.last_seen >= ${p("since")} GROUP BY a.text, d.operations ORDER BY a.text, 4`,
)
