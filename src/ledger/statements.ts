// Every statement of the ledger, once. An entry is only ever added: the one guard is for the values that rest beside it.
import type { SQL } from "drizzle-orm"
import { statement, type Values } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { type Named, named, nameId } from "../database/names.ts"
import type { RestingRow } from "./entry.ts"

const value = (name: string): SQL => sql`${sql.placeholder(name)}`
const taskId = sql`(SELECT id FROM task WHERE task_id = ${value("task")})`
const tokenId = sql`(SELECT id FROM token WHERE jti = ${value("jti")})`
const tokensTask = sql`(SELECT task FROM token WHERE jti = ${value("jti")})`
const subjectId = sql`(SELECT id FROM subject WHERE text = ${value("sub")})`

/** Not the database's own numbering: that may leave gaps. Two that took the same place would meet at the primary key. */
const nextPlace = sql`(SELECT coalesce(max(seq), 0) + 1 FROM entry)`

const NAMES = ["agent", "instance", "orchestrator", "api", "operation", "code"] as const
const PLAIN = ["outcome", "resource", "reference"] as const
/** What an entry has beside its time and its kind, where its event has it. */
export const ENTRY_MEMBERS = [...NAMES, ...PLAIN, "task", "jti", "sub"] as const
type Member = (typeof ENTRY_MEMBERS)[number]

const inserts = new Map<number, Named>()

/**
 * The insert of an entry with these values: columns whose value is null are left out, because one that stays empty costs as
 * much on its way to the database as one that is filled. There is one for each set of members, made when it is first met.
 */
export function insertEntryOf(values: Values): Named {
  let members = 0
  for (const member of ENTRY_MEMBERS) members = (members << 1) | (values[member] === null ? 0 : 1)
  const known = inserts.get(members)
  if (known) return known
  const made = insertWith(new Set(ENTRY_MEMBERS.filter((member) => values[member] !== null)))
  inserts.set(members, made)
  return made
}

function insertWith(members: ReadonlySet<Member>): Named {
  const names = NAMES.filter((name) => members.has(name))
  const subjects = members.has("sub") ? { subject: "sub" } : {}
  const called = `insert-entry_${[...members].join("_")}`
  return named(called, { names: ["kind", ...names], ...subjects }, (name, subject) => {
    const columns = new Map([
      ["seq", nextPlace],
      ["at", value("at")],
      ["kind", name("kind")],
    ])
    const task = taskOf(members)
    if (task) columns.set("task", task)
    if (members.has("jti")) columns.set("token", tokenId)
    if (members.has("sub")) columns.set("subject", subject("sub"))
    for (const one of names) columns.set(one, name(one))
    for (const one of PLAIN) if (members.has(one)) columns.set(one, value(one))
    const comma = sql`, `
    return sql`INSERT INTO entry (${sql.raw([...columns.keys()].join(", "))})
      VALUES (${sql.join([...columns.values()], comma)})`
  })
}

/** The task, or that of the token where the entry names no task that there is. */
function taskOf(members: ReadonlySet<Member>): SQL | undefined {
  if (!members.has("jti")) return members.has("task") ? taskId : undefined
  return members.has("task") ? sql`coalesce(${taskId}, ${tokensTask})` : tokensTask
}

export const insertBytes = statement(
  "insert-entry-bytes",
  sql`INSERT INTO entry_bytes (seq, bytes, leaf, personal, key)
    VALUES ((SELECT max(seq) FROM entry), ${value("bytes")}, ${value("leaf")}, ${value("personal")}, ${value("key")})`,
)

/** A guard: the task's values stand, and so does the key that its entries were sealed with. */
export const taskUnerased = statement(
  "task-unerased",
  sql`SELECT id FROM task WHERE task_id = ${value("task")} AND key IS NOT NULL`,
)

/** Entries of one moment may stand a little out of order, so the newest time is looked for among the last thousand. */
export const newestTime = statement<{ at: number | null }>(
  "newest-entry-time",
  sql`SELECT max(at) AS at FROM (SELECT at FROM entry ORDER BY seq DESC LIMIT 1000) AS newest`,
)

export const newestPlace = statement<{ seq: number | null }>(
  "newest-entry",
  sql`SELECT max(seq) AS seq FROM entry`,
)

export const newestEntry = statement<{ seq: number; at: number; leaf: Uint8Array }>(
  "newest-entry-leaf",
  sql`SELECT e.seq AS seq, e.at AS at, b.leaf AS leaf FROM entry e JOIN entry_bytes b ON b.seq = e.seq
    ORDER BY e.seq DESC LIMIT 1`,
)

export const ENTRIES_OF_A_BLOCK = 5000

/** Of each block of these places, its times; one that is not full has fewer entries. */
export const blockTimes = statement<{ block: number; entries: number; first: number; last: number }>(
  "entry-block-times",
  sql`SELECT (seq - 1) / ${sql.raw(String(ENTRIES_OF_A_BLOCK))} AS block, count(*) AS entries, min(at) AS first, max(at) AS last
    FROM entry WHERE seq > ${value("after")} AND seq <= ${value("upTo")} GROUP BY 1`,
)

/** One condition for each filter of the contract. The prefix is compared as text: no character of it is a wildcard. */
export const CONDITIONS = {
  task: sql`e.task = ${taskId}`,
  reference: sql`(e.task IN (SELECT id FROM task WHERE reference = ${value("reference")})
    OR (e.task IS NULL AND e.reference = ${value("reference")}))`,
  jti: sql`e.task = ${tokensTask} AND e.token = ${tokenId}`,
  agent: sql`e.agent = ${nameId("agent")}`,
  instance: sql`e.instance = ${nameId("instance")}`,
  orchestrator: sql`e.orchestrator = ${nameId("orchestrator")}`,
  sub: sql`e.subject = ${subjectId}`,
  api: sql`e.api = ${nameId("api")}`,
  operation: sql`e.operation = ${nameId("operation")}`,
  resource: sql`substr(e.resource, 1, length(${value("resource")})) = ${value("resource")}`,
  kind: sql`e.kind = ${nameId("kind")}`,
  // Constants, or SQLite would not see that the index of refusals holds them all.
  allowed: sql`e.outcome = 1`,
  refused: sql`e.outcome = 0`,
  code: sql`e.code = ${nameId("code")}`,
  from: sql`e.at >= ${value("from")}`,
  to: sql`e.at < ${value("to")}`,
} as const

export type Condition = keyof typeof CONDITIONS

/**
 * A task has few entries and an agent ever more, and both are indexed: the plus keeps SQLite, which takes either for the
 * better one, from the agent's.
 */
function conditionsFor(asked: readonly Condition[]): SQL[] {
  const isOfTask = asked.includes("task") || asked.includes("jti")
  return asked.map((one) => (one === "agent" && isOfTask ? sql`+${CONDITIONS.agent}` : CONDITIONS[one]))
}

const restingColumns = sql`e.seq AS seq, b.bytes AS bytes, b.personal AS personal, s.text AS sub,
  e.resource AS resource, coalesce(e.reference, t.reference) AS reference`
const restingJoins = sql`entry e LEFT JOIN entry_bytes b ON b.seq = e.seq
  LEFT JOIN subject s ON s.id = e.subject LEFT JOIN task t ON t.id = e.task`

/** Entries after one place and up to another that meet all conditions, in the ledger's order or the other way round. */
const entriesBy = (conditions: readonly Condition[], order: "first" | "last") =>
  statement<RestingRow>(
    `find-${order}-entries-by-${conditions.join("-")}`,
    sql`SELECT ${restingColumns} FROM ${restingJoins} WHERE ${sql.join(
      [sql`e.seq > ${value("after")} AND e.seq <= ${value("upTo")}`, ...conditionsFor(conditions)],
      sql` AND `,
    )}
      ORDER BY e.seq ${sql.raw(order === "first" ? "ASC" : "DESC")} LIMIT ${value("limit")}`,
  )

export const findEntries = (conditions: readonly Condition[]) => entriesBy(conditions, "first")
export const findNewestEntries = (conditions: readonly Condition[]) => entriesBy(conditions, "last")

/** One entry, by its place. */
export const entryAt = statement<RestingRow>(
  "entry-at",
  sql`SELECT ${restingColumns} FROM ${restingJoins} WHERE e.seq = ${value("seq")}`,
)

/** When the entry of this place was written, or the next before it. */
export const timeAt = statement<{ at: number }>(
  "entry-time-at",
  sql`SELECT at FROM entry WHERE seq <= ${value("seq")} ORDER BY seq DESC LIMIT 1`,
)
