// `ledger ask`: the fixed questions of an audit, a command for each, with one shape: a table, or the answer as JSON. It
// decides headings and order; the answers are the issuer's.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { type FilterFlags, type FilterName, filtersIn, withSome } from "./ledger-filters.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"

type Flags = CallerFlags & FilterFlags

interface Asked {
  readonly description: string
  readonly by: readonly FilterName[]
  /** One of these must be given. */
  readonly needs: readonly FilterName[]
  readonly columns: Readonly<Record<string, (row: Row) => unknown>>
}

type Row = Readonly<Record<string, unknown>>

const holder = ({ agent, instance }: Row) => (agent === undefined ? "" : `${agent}/${instance}`)
const listed = (value: unknown) => (Array.isArray(value) ? value.join(" ") : value)
const TASK = ["task", "jti"] as const
const USE = ["operation", "resource", "api", "from", "to"] as const
const OF_USE = ["operation", "resource"] as const

/** Each question, what it can be asked by, and what of an answer is shown. */
const QUESTIONS: Readonly<Record<string, Asked>> = {
  who: {
    description: "who used an operation or a resource",
    by: USE,
    needs: OF_USE,
    columns: {
      WHO: holder,
      "FOR WHOM": ({ sub }) => sub,
      TASK: ({ task_id }) => task_id,
      TYPE: ({ type }) => type,
      OPERATION: ({ operation }) => operation,
      OUTCOME: ({ outcome }) => outcome,
      TIMES: ({ times }) => times,
      FIRST: ({ first }) => first,
      LAST: ({ last }) => last,
    },
  },
  did: {
    description: "what a task did",
    by: TASK,
    needs: TASK,
    columns: {
      OPERATION: ({ operation }) => operation,
      RESOURCE: ({ resource }) => resource,
      OUTCOME: ({ outcome }) => outcome,
      CODE: ({ code }) => code,
      TIMES: ({ times }) => times,
      FIRST: ({ first }) => first,
      LAST: ({ last }) => last,
      WHO: holder,
    },
  },
  could: {
    description: "what a task could have done, and when",
    by: TASK,
    needs: TASK,
    columns: {
      FROM: ({ from }) => from,
      UNTIL: ({ until }) => until,
      WHO: holder,
      OPERATIONS: ({ operations }) => listed(operations),
      RESOURCES: ({ resources }) => listed(resources),
      NEEDS: ({ needs }) => needs,
      TOKENS: ({ tokens }) => tokens,
      RULE: ({ rule }) => rule,
    },
  },
  behalf: {
    description: "on whose behalf a task ran",
    by: TASK,
    needs: TASK,
    columns: {
      ROLE: ({ role }) => role,
      WHO: ({ who }) => who,
      UNDER: ({ under }) => under,
      SINCE: ({ since }) => since,
    },
  },
  rule: {
    description: "under which line of which policy, as it stood that day",
    by: TASK,
    needs: TASK,
    columns: {
      PLACE: ({ file, line, rule }) => (file === undefined ? rule : `${file}:${line}`),
      TEXT: ({ text }) => text ?? "(the policy has no such rule)",
      OPERATIONS: ({ operations }) => listed(operations),
      SINCE: ({ since }) => since,
      POLICY: ({ policy }) => policy,
      LOADED: ({ loaded_at }) => loaded_at,
    },
  },
  approved: {
    description: "who approved, in person",
    by: [...TASK, ...USE],
    needs: [...TASK, ...OF_USE],
    columns: {
      DECISION: ({ decision }) => decision ?? "open",
      BY: ({ by }) => by,
      AS: ({ as }) => as,
      AT: ({ decided_at }) => decided_at,
      OPERATION: ({ operation }) => operation,
      RESOURCE: ({ resource }) => resource,
      "ASKED BY": ({ requested_by }) => requested_by,
      "USED AT": ({ used_at }) => used_at,
      TASK: ({ task_id }) => task_id,
    },
  },
}

export function addLedgerAsk(ledger: Command, context: Context): void {
  const ask = ledger.command("ask").description("the questions of an audit, each answered from the ledger")
  for (const [question, asked] of Object.entries(QUESTIONS))
    withSome(asCaller(ask.command(question)), asked.by)
      .description(asked.description)
      .action((flags: Flags) => answer(context, flags, question, asked))
}

async function answer(context: Context, flags: Flags, question: string, asked: Asked): Promise<void> {
  const { terminal } = context
  if (flags.task !== undefined && flags.jti !== undefined && asked.by === TASK)
    throw wrongUse("--task and --jti exclude each other", "Give the task, or a token of it")
  if (asked.needs.every((name) => flags[name] === undefined))
    throw wrongUse(
      "Say what is asked about",
      `Give one of ${asked.needs.map((name) => `--${name}`).join(", ")}`,
    )
  const path = `/reports/${question}?${new URLSearchParams(filtersIn(flags))}`
  const { body } = await terminal.progress("asking", issuerOf(context, flags).call("GET", path))
  if (flags.json) return terminal.json(body)
  const { about, rows, more } = asRecord(body)
  if (about !== undefined) showTask(context, asRecord(about))
  const found = Array.isArray(rows) ? rows.map(asRecord) : []
  if (found.length === 0) return terminal.note("Nothing.")
  const cells = Object.values(asked.columns)
  terminal.table(
    Object.keys(asked.columns),
    found.map((row) => cells.map((cell) => String(cell(row) ?? ""))),
  )
  if (more === true) terminal.note(`\nThere is more than these ${found.length}: ask for less.`)
}

function showTask({ terminal }: Context, about: Row): void {
  const { task_id, type, state, orchestrator, sub, purpose } = about
  const words = [
    `${task_id}  ${type}, ${state}; ${holder(about)}, started by ${orchestrator} for ${sub ?? "(erased)"}`,
  ]
  if (purpose !== undefined) words.push(`purpose: ${purpose}`)
  for (const line of words) terminal.note(forTerminal(line))
}
