// An entry of the ledger as a row for people. It decides who is named as having done it and what of the body is worth a line
// of a kind; what an entry tells is the issuer's, and is whole with `--json`.
import { asRecord } from "../client/issuer-call.ts"
import { forTerminal } from "./escape.ts"

type Members = Readonly<Record<string, unknown>>

export const HEADINGS = [
  "SEQ",
  "AT",
  "KIND",
  "WHO",
  "TASK",
  "OPERATION",
  "RESOURCE",
  "OUTCOME",
  "CODE",
  "DETAIL",
] as const

/** Of the body, by kind or by what kinds begin with; of any other all of it. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  "policy.loaded": ["digest", "previous"],
  "policy.used": ["digest", "previous"],
  "policy.refused": ["digest", "place", "fault"],
  client: ["by", "provider", "workload", "at", "also"],
  "task.started": ["type", "purpose"],
  task: ["number", "type", "why", "reason"],
  "token.exposed": ["canary", "standing"],
  token: ["of", "delegation", "revocation", "approval", "why", "reason"],
  lock: ["of", "until", "revocation", "reason"],
  approval: ["approval", "as", "requested_by", "reason"],
  use: ["why", "anomalies"],
  "verifier.reported": ["verifier", "sequence", "uses"],
  "access.read": ["report", "person", "parameters"],
  "canary.issued": ["type", "live", "reason"],
  "ledger.begun": ["origin"],
}

/** What is told in a column of its own, or is too long for a line. */
const ELSEWHERE: ReadonlySet<string> = new Set(["by", "client", "ours", "theirs"])
const OF_A_TOKEN = /^(token|canary|alarm)\./
/** A digest and the word before it are whole on the narrowest screen: other commands take them. */
const LEAST_DETAIL = 64
const MOST_OF_A_VALUE = 120

/** The rows; details are cut to so many columns where a person looks on. */
export function rowsOfEntries(entries: readonly Members[], columns: number | undefined): string[][] {
  const rows = entries.map((entry) => [...columnsOf(entry).map(cellOf), detailOf(entry)])
  if (columns === undefined) return rows
  const others = HEADINGS.slice(0, -1).map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => forTerminal(row[at] ?? "").length)),
  )
  const left = columns - others.reduce((all, one) => all + one + "  ".length, 0)
  return rows.map((row) => [...row.slice(0, -1), cut(row.at(-1) ?? "", Math.max(left, LEAST_DETAIL))])
}

const columnsOf = (entry: Members) => [
  entry.seq,
  entry.at,
  entry.kind,
  actorOf(entry) ?? subjectOf(entry),
  entry.task_id,
  entry.operation,
  entry.resource,
  entry.outcome,
  entry.code,
]

/** Who did it, where the entry's other members name somebody to whom it was done. */
function actorOf({ kind, body }: Members): string | undefined {
  const { by, client } = asRecord(body)
  const isOfCaller = String(kind).startsWith("client.")
  const named = isOfCaller ? client : String(kind).startsWith("alarm.") ? undefined : by
  return typeof named === "string" ? named : undefined
}

/** The agent's instance where there is one, else the orchestrator or the API. */
function subjectOf({ agent, instance, orchestrator, api }: Members): unknown {
  if (agent === undefined) return orchestrator ?? api
  return instance === undefined ? agent : `${agent}/${instance}`
}

function detailOf(entry: Members): string {
  const { jti, sub } = entry
  const [kind, body] = [String(entry.kind), asRecord(entry.body)]
  const names = TOLD[kind] ?? TOLD[kind.split(".")[0] ?? ""]
  const told = (names ?? Object.keys(body)).filter((name) => isTold(name, kind, entry, body))
  return [
    ...(actorOf(entry) === undefined ? [] : [subjectOf(entry) ?? sub].filter((one) => one !== undefined)),
    ...(jti !== undefined && OF_A_TOKEN.test(kind) ? [`token ${cellOf(jti)}`] : []),
    ...told.map((name) => `${name} ${quoted(body[name])}`),
  ]
    .map(cellOf)
    .join(", ")
}

function isTold(name: string, kind: string, { code }: Members, body: Members): boolean {
  if (body[name] === undefined || body[name] === null) return false
  if (name === "alarm") return body.alarm !== code
  return !ELSEWHERE.has(name) || (name === "by" && /^(client|alarm)\./.test(kind))
}

/** What somebody wrote freely is in quotes, so that it is not read as another member. */
function quoted(value: unknown): string {
  if (typeof value === "object" && value !== null && "hmac" in value) return cellOf(value)
  if (typeof value === "string" && /^[\w.:/@+=-]+$/.test(value)) return cut(value, MOST_OF_A_VALUE)
  return cut(JSON.stringify(value) ?? "", MOST_OF_A_VALUE)
}

/** Of a value that is erased, or that a copy never had, a part of its hash: alike in entries of one task where the value is. */
function cellOf(value: unknown): string {
  const { hmac } = typeof value === "object" && value !== null ? asRecord(value) : {}
  return hmac === undefined ? String(value ?? "") : `hmac ${String(hmac).slice(0, HASH_CHARACTERS)}`
}

const HASH_CHARACTERS = 12

const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text
