// What a task could have done, on whose behalf, and by which lines of which policy. It decides how tokens become spans of
// time; what each gave is what was signed.
import type { Engine } from "../database/database.ts"
import type { Entry } from "../ledger/entry.ts"
import { findGrant, findUserRule, type RuleLine } from "../policy/rule-line.ts"
import { storedTexts } from "../policy/stored.ts"
import { toInstant } from "../time.ts"
import { isJsonObject, type JsonObject, parseJson } from "../token/json.ts"
import { type AnswerTo, aboutTask, entriesOf, grantsIn, Lines, type Row } from "./question.ts"
import { type AskedTaskRow, type HeldTokenRow, policyLoaded, tokensHeld } from "./question-statements.ts"

interface Span {
  readonly row: Row
  readonly from: number
  until: number
  tokens: number
}

/**
 * What each holder was given, and when: tokens that follow each other without a gap are one line, which ends with the last
 * of them or when it was ended. What a person would have had to agree to comes last, with who that would be.
 */
export async function whatItCould(engine: Engine, task: AskedTaskRow): Promise<AnswerTo> {
  const held = new Map((await engine.query(tokensHeld, { task: task.task_id })).map((row) => [row.jti, row]))
  const current = new Map<string, Span>()
  const lines = new Lines<Span>()
  for await (const entry of entriesOf(engine, { task: task.task_id })) {
    const life = isMint(entry) ? lifeOf(entry, held) : undefined
    for (const row of life ? givenBy(entry, held) : []) addSpan(lines, current, row, life)
  }
  const rows = lines.all().map(({ row, from, until, tokens }) => ({
    ...row,
    from: toInstant(from),
    until: toInstant(until),
    tokens,
  }))
  return { about: aboutTask(task), rows: [...rows, ...askable(task)], more: lines.more }
}

const isMint = ({ kind }: Entry): boolean => /^token\.(issued|renewed|delegated)$/.test(kind)

interface Life {
  readonly from: number
  readonly until: number
}

function lifeOf({ body, jti = "", at }: Entry, held: ReadonlyMap<string, HeldTokenRow>): Life {
  const exp = typeof body?.exp === "number" ? body.exp * 1000 : Date.parse(at)
  return { from: Date.parse(at), until: Math.min(exp, held.get(jti)?.ended_at ?? exp) }
}

/** What was signed; of what was erased, what the entry says of it. */
function givenBy(entry: Entry, held: ReadonlyMap<string, HeldTokenRow>): Row[] {
  const { agent, instance, api, body, jti = "" } = entry
  const holder = { agent, instance, api: api ?? "(the issuer)" }
  const claims = parseJson(held.get(jti)?.claims ?? "null")
  const details = isJsonObject(claims) ? claims.authorization_details : undefined
  if (Array.isArray(details))
    return details.filter(isJsonObject).map(({ actions, resources, rule }) => ({
      ...holder,
      operations: textsIn(actions),
      resources: textsIn(resources),
      rule: String(rule),
    }))
  if (Array.isArray(body?.scope)) return [{ ...holder, operations: textsIn(body.scope) }]
  return grantsIn(body?.grants).map(({ operations, rule }) => ({ ...holder, operations, rule }))
}

const textsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

function addSpan(lines: Lines<Span>, current: Map<string, Span>, row: Row, life: Life | undefined): void {
  if (!life) return
  const key = JSON.stringify(row)
  const open = current.get(key)
  if (open && life.from <= open.until) {
    open.until = Math.max(open.until, life.until)
    open.tokens += 1
    return
  }
  const span = lines.at([key, life.from], () => ({ row, ...life, tokens: 1 }))
  if (span) current.set(key, span)
}

/** Grants for which a person is asked first, as they were recorded at the start. */
function askable(task: AskedTaskRow): Row[] {
  const authority = parseJson(task.authority)
  const until = toInstant(Math.min(task.deadline, task.ended_at ?? task.deadline))
  const { agent, instance, started_at } = task
  return (Array.isArray(authority) ? authority : [])
    .filter((grant): grant is JsonObject => isJsonObject(grant) && isJsonObject(grant.approval ?? null))
    .map(({ operations, resources, rule, approval }) => ({
      agent,
      instance,
      operations: textsIn(operations),
      resources: Array.isArray(resources) ? resources.map((one) => textsIn(one).join("/")) : [],
      rule: String(rule),
      needs: `approval by ${textsIn(isJsonObject(approval ?? null) ? Reflect.get(Object(approval), "by") : []).join(", ")}`,
      from: toInstant(started_at),
      until,
    }))
}

/** The chain of responsibility: the principal, who started it for them, and every holder since when. */
export async function onWhoseBehalf(engine: Engine, task: AskedTaskRow): Promise<AnswerTo> {
  const lines = new Lines<Row>()
  for await (const entry of entriesOf(engine, { task: task.task_id })) {
    const { kind, at, agent, instance, orchestrator, body } = entry
    if (kind === "task.started") {
      const rule = typeof body?.user_rule === "string" ? body.user_rule : undefined
      const sub = typeof entry.sub === "object" ? JSON.stringify(entry.sub) : entry.sub
      const under = rule === undefined ? "the orchestrator itself" : `the user rule ${rule}`
      lines.at(["principal"], () => ({ role: "principal", who: sub, under, since: at }))
      lines.at(["orchestrator"], () => ({ role: "orchestrator", who: orchestrator, since: at }))
    }
    if (kind !== "task.started" && !isMint(entry)) continue
    const lineage = textsIn(body?.lineage)
    const role = lineage.length > 0 ? "sub-agent" : "agent"
    lines.at([role, agent, instance, lineage], () => ({
      role,
      who: `${agent}/${instance}`,
      under: lineage.length > 0 ? lineage.join(" > ") : undefined,
      since: at,
    }))
  }
  return { about: aboutTask(task), rows: lines.all(), more: lines.more }
}

interface RuleUsed {
  readonly policy: string
  readonly rule: string
  readonly isUser: boolean
  readonly operations: Set<string>
  readonly since: string
}

/** The rules that the start and the tokens were decided by, with their text in the policy that was in force then. */
export async function byWhichRule(engine: Engine, task: AskedTaskRow): Promise<AnswerTo> {
  const lines = new Lines<RuleUsed>()
  for await (const entry of entriesOf(engine, { task: task.task_id })) {
    const { kind, at: since, body } = entry
    if ((kind !== "task.started" && !isMint(entry)) || typeof body?.policy !== "string") continue
    const { policy, user_rule } = body
    const add = (rule: string, operations: readonly string[], isUser: boolean) => {
      const line = lines.at([policy, rule, isUser], () => ({
        ...{ policy, rule, isUser, since, operations: new Set<string>() },
      }))
      for (const operation of operations) line?.operations.add(operation)
    }
    for (const { rule, operations } of [...grantsIn(body.grants), ...grantsIn(body.approvals)])
      add(rule, operations, false)
    if (typeof user_rule === "string") add(user_rule, [], true)
  }
  const rows: Row[] = []
  for (const { policy, rule, isUser, operations, since } of lines.all()) {
    const texts = await storedTexts(engine, policy)
    const [loaded] = await engine.query(policyLoaded, { digest: policy })
    const found = texts && (isUser ? findUserRule(texts, rule) : findGrant(texts, rule))
    const told: Partial<RuleLine> = found ?? {}
    rows.push({
      ...{ rule, file: told.file, line: told.line, text: told.text, whole: told.rule },
      ...{ operations: [...operations], policy, since },
      loaded_at: loaded && toInstant(loaded.loaded_at),
    })
  }
  return { about: aboutTask(task), rows, more: lines.more }
}
