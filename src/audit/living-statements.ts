// All SQL behind what lives, once: found by the indexes of what lives, one slice after the other.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

export interface LiveRow {
  readonly type: string
  readonly agent: string
  readonly orchestrator: string
  /** A digest. */
  readonly policy: string
  readonly tasks: number
}

/**
 * Where a slice of the tasks that have not ended is over: at the deadline of the one behind so many that end later than `from`.
 * None: it is the last slice. Whole deadlines, so that none is cut.
 */
export const taskSlice = statement<{ readonly end: number }>(
  "living.task_slice",
  sql`SELECT t.deadline AS "end" FROM task t WHERE t.state IN ('active', 'paused') AND t.deadline > ${p("from")}
    ORDER BY t.deadline LIMIT 1 OFFSET ${p("rows")}`,
)

/** The same of tokens that have not run out. */
export const tokenSlice = statement<{ readonly end: number }>(
  "living.token_slice",
  sql`SELECT k.exp AS "end" FROM token k WHERE k.exp > ${p("from")} ORDER BY k.exp LIMIT 1 OFFSET ${p("rows")}`,
)

const liveTasks = sql`t.state IN ('active', 'paused') AND t.deadline > ${p("from")} AND t.deadline <= ${p("end")}`

/** Tasks that have not ended. By the index of those: `+ 0` hides the order of agents, in which all there ever were stand. */
export const liveGroups = statement<LiveRow>(
  "living.groups",
  sql`SELECT ty.text AS type, a.text AS agent, o.text AS orchestrator, g.policy AS policy, g.tasks AS tasks
    FROM (SELECT t.type AS type, t.agent + 0 AS agent, t.orchestrator + 0 AS orchestrator, t.policy AS policy,
        count(*) AS tasks FROM task t WHERE ${liveTasks} GROUP BY 1, 2, 3, 4) g
    JOIN name ty ON ty.id = g.type JOIN name a ON a.id = g.agent JOIN name o ON o.id = g.orchestrator`,
)

export interface AgeRow {
  /** Its place among the bounds, the youngest first. */
  readonly age: number
  readonly count: number
}

const ages = (
  time: string,
) => sql`CASE WHEN ${sql.raw(time)} > ${p("first")} THEN 0 WHEN ${sql.raw(time)} > ${p("second")} THEN 1
  WHEN ${sql.raw(time)} > ${p("third")} THEN 2 ELSE 3 END`

export const taskAges = statement<AgeRow>(
  "living.task_ages",
  sql`SELECT ${ages("t.started_at")} AS age, count(*) AS count FROM task t WHERE ${liveTasks} GROUP BY 1`,
)

/** Tokens that have neither run out nor been ended. */
export const tokenAges = statement<AgeRow>(
  "living.token_ages",
  sql`SELECT ${ages("k.iat")} AS age, count(*) AS count FROM token k
    WHERE k.exp > ${p("from")} AND k.exp <= ${p("end")} AND k.ended_at IS NULL GROUP BY 1`,
)
