// Work that is unusual, found in what was counted since the last look (rollup.ts): of each agent in tasks of each type,
// held against what is usual of it, and what uses did wrong whatever came before. It decides what is one, which open tasks are
// behind it and when it is over, and writes nothing: acting on it is the issuer's (issuer/watch.ts).
import type { Engine } from "../../database/database.ts"
import type { Ledger } from "../../ledger/ledger.ts"
import { ALWAYS_RULES, type AlwaysRule, type AnomalyName } from "../../policy/anomaly-rules.ts"
import type { Policy } from "../../policy/policy.ts"
import { actionOf, anomalyRuleOf } from "../../policy/resolve-anomaly.ts"
import type { AlarmFacts, Begun, Standing } from "../alarm.ts"
import { standingOf } from "../alarm.ts"
import { rollupPlaces } from "../rollup-statements.ts"
import { type Baseline, hourOf } from "./baseline.ts"
import { ALWAYS, type Found, judgeHour, judgeOperation, judgeTask, type Words } from "./judge.ts"
import { type Baselines, createBaselines } from "./known.ts"
import { countTouched } from "./sketch.ts"
import {
  actedOn,
  anomaliesBefore,
  type BehindRow,
  type MisuseRow,
  misuseBetween,
  newOperations,
  tasksBehind,
  workedHours,
  workedTasks,
} from "./statements.ts"
import { HOUR_MILLISECONDS, wordsOf } from "./tally.ts"

/** What is unusual and what is to be done. */
export interface Unusual extends Begun {
  readonly kind: AnomalyName
  /** Its entry is there already: only the alarm is to stand. */
  readonly told: boolean
  /** Open tasks behind it that policy wants stopped, and how. None where it was done before. */
  readonly stop: readonly string[]
}

export interface Anomalies {
  /** What was found and is not settled, and what is over. Throws Unavailable; nothing that was found is lost by that. */
  look(): Promise<{ readonly begun: readonly Unusual[]; readonly over: readonly Standing[] }>
  /** It was said and done. */
  settle(begun: Unusual): void
}

export interface AnomalyOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly policies: { inForce(): Pick<Policy, "anomalies"> }
}

/** An anomaly stands for a day: what goes on for longer is raised anew. */
const STANDS_MILLISECONDS = 86_400_000
/** What was told longer ago is history: it is counted, and raises nothing any more. */
const JUDGED_MILLISECONDS = HOUR_MILLISECONDS
/** By a process that starts, at most. */
const FIRST_LOOK_ENTRIES = 10_000
const MOST_AT_ONCE = 500

interface Looking extends AnomalyOptions {
  readonly baselines: Baselines
  /** Found and not settled. */
  readonly owed: Map<string, Unusual>
  /** Said by this process, and still standing, unless it was said elsewhere first. */
  readonly said: Map<string, number>
}

/** Between two looks. */
type Span = {
  readonly after: number
  readonly upTo: number
  /** Ledger time. */
  readonly since: number
}

export function createAnomalies(options: AnomalyOptions): Anomalies {
  const parts: Looking = {
    ...options,
    baselines: createBaselines(options.engine),
    owed: new Map(),
    said: new Map(),
  }
  let judged: number | undefined
  return {
    async look() {
      const now = options.ledger.at()
      const [place] = await options.engine.query(rollupPlaces)
      const upTo = place?.seq ?? 0
      // Counting began anew: what is counted again raises nothing again.
      const after = Math.min(judged ?? Math.max(0, upTo - FIRST_LOOK_ENTRIES), upTo)
      for (const [key, at] of parts.said) if (at <= now - STANDS_MILLISECONDS) parts.said.delete(key)
      if (after < upTo) await judge(parts, { after, upTo, since: now - JUDGED_MILLISECONDS })
      judged = upTo
      const values = { before: now - STANDS_MILLISECONDS, limit: MOST_AT_ONCE }
      const over = (await options.engine.query(anomaliesBefore, values)).map(standingOf)
      return { begun: [...parts.owed.values()], over }
    },
    settle(begun) {
      parts.owed.delete(keyOf(begun))
      parts.said.set(keyOf(begun), options.ledger.at())
    },
  }
}

const keyOf = ({ kind, value }: Unusual): string => `${kind} ${value}`

async function judge(parts: Looking, span: Span): Promise<void> {
  await judgeTasks(parts, span)
  await judgeHours(parts, span)
  await judgeOperations(parts, span)
  await judgeMisuse(parts, span)
}

/** Whose work it is. */
interface Who {
  readonly type: number
  readonly agent: number
  readonly type_name: string
  readonly agent_name: string
}

async function judgeTasks(parts: Looking, span: Span): Promise<void> {
  for (const row of await parts.engine.query(workedTasks, span)) {
    const baseline = await parts.baselines.of(row, hourOf(row.told_at))
    const task = { resources: countTouched(row.touched), uses: row.uses }
    const facts = { task: row.task_id }
    for (const found of judgeTask(task, baseline, ruleIn(parts)))
      await owe(parts, { who: row, found, facts, at: row.told_at, behind: () => ofTask(parts, row.task_id) })
  }
}

async function judgeHours(parts: Looking, span: Span): Promise<void> {
  for (const row of await parts.engine.query(workedHours, span)) {
    const baseline: Baseline = await parts.baselines.of(row, row.hour)
    for (const found of judgeHour(row, baseline, ruleIn(parts)))
      await owe(parts, {
        who: row,
        found,
        facts: {},
        at: row.told_at,
        behind: () => ofHour(parts, row, found.rule),
      })
  }
}

async function judgeOperations(parts: Looking, span: Span): Promise<void> {
  for (const row of await parts.engine.query(newOperations, span)) {
    const baseline = await parts.baselines.of(row, hourOf(row.since))
    const { operation, task_id: task, since: at } = row
    for (const found of judgeOperation(operation, baseline, ruleIn(parts)))
      await owe(parts, { who: row, found, facts: { task, operation }, at, behind: () => ofTask(parts, task) })
  }
}

const ruleIn = ({ policies }: Looking) => {
  const policy = policies.inForce()
  return (name: AnomalyName) => anomalyRuleOf(policy, name)
}

interface Finding {
  readonly who: Who
  readonly found: Found
  readonly facts: AlarmFacts
  readonly at: number
  /** Open tasks behind it. */
  behind(): Promise<readonly BehindRow[]>
}

/** Said once a day for an agent and type (of operations, once for each); stopped is each task, whenever it was said. */
async function owe(parts: Looking, { who, found, facts, at, behind }: Finding): Promise<void> {
  const { rule, usual, happened } = found
  const { type_name: type, agent_name: agent } = who
  const action = actionOf(ruleIn(parts)(rule), type)
  const stop = action === undefined ? [] : notActed(await behind(), rule)
  const one: Unusual = {
    kind: rule,
    value: `${type}/${agent}/${facts.operation ?? ""}`,
    facts: { ...facts, type, agent, usual, happened, ...(action && { action }) },
    since: at,
    guards: [],
    told: false,
    stop,
  }
  if (stop.length > 0 || !parts.said.has(keyOf(one))) parts.owed.set(keyOf(one), one)
}

/** A task that was resumed goes on: the same rule stops it once. */
const notActed = (rows: readonly BehindRow[], rule: AnomalyName): string[] =>
  rows.filter(({ acted }) => !wordsOf(acted).includes(rule)).map(({ task_id }) => task_id)

const ofTask = ({ engine }: Looking, task: string) => engine.query(actedOn, { task })

/** Those that did anything in that hour; of starts, those that began in it, of refusals, those that were refused. */
async function ofHour(
  { engine }: Looking,
  { type, agent, hour }: Who & { readonly hour: number },
  rule: Found["rule"],
) {
  const since = hour * HOUR_MILLISECONDS
  const rows = await engine.query(tasksBehind, { type, agent, since, limit: MOST_AT_ONCE })
  if (rule === "unusual_starts") return rows.filter((row) => row.started_at >= since)
  return rule === "unusual_refusals" ? rows.filter(({ refused }) => refused > 0) : rows
}

async function judgeMisuse(parts: Looking, span: Span): Promise<void> {
  const since = span.since + JUDGED_MILLISECONDS - STANDS_MILLISECONDS
  for (const row of await parts.engine.query(misuseBetween, { ...span, since })) {
    const rule = ALWAYS_RULES.find((one) => one === row.code)
    if (rule) await oweMisuse(parts, row, rule)
  }
}

async function oweMisuse(parts: Looking, row: MisuseRow, rule: AlwaysRule): Promise<void> {
  const { type, task_id: task, at } = row
  const words: Words = ALWAYS[rule]
  const action = actionOf(ruleIn(parts)(rule), type ?? "")
  const recent = at > parts.ledger.at() - JUDGED_MILLISECONDS
  const stop = action && task !== null && recent ? notActed(await ofTask(parts, task), rule) : []
  const one: Unusual = {
    kind: rule,
    value: `${type ?? ""}/${row.agent ?? ""}/${task ?? ""}`,
    facts: { ...namedIn(row), ...words, ...(action && { action }) },
    since: at,
    guards: [],
    told: true,
    stop,
  }
  if (stop.length > 0 || !parts.said.has(keyOf(one))) parts.owed.set(keyOf(one), one)
}

const namedIn = ({ task_id: task, type, agent, instance, api, operation }: MisuseRow): AlarmFacts => ({
  ...(task !== null && { task }),
  ...(type !== null && { type }),
  ...(agent !== null && { agent }),
  ...(instance !== null && { instance }),
  ...(api !== null && { api }),
  ...(operation !== null && { operation }),
})
