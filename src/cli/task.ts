// `task`: start, look at and change tasks, as an orchestrator (staff may look). The issuer decides; this shows.
import { type Command, Option } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Change, Task } from "../client/task.ts"
import { TASK_STATES } from "../task/states.ts"
import { toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { nextCommand, quote } from "./next-command.ts"
import {
  asCaller,
  type CallerFlags,
  collect,
  orchestratorOf,
  readAgent,
  readCount,
  readInput,
  required,
} from "./options.ts"
import { checkNew, readSecret, writeNew } from "./secret-file.ts"
import { showTask } from "./task-show.ts"
import { addStatement } from "./task-statement.ts"

interface StartFlags extends CallerFlags {
  readonly agent: { readonly id: string; readonly instance: string }
  readonly purpose: string
  readonly input?: Readonly<Record<string, string>>
  readonly reference?: string
  readonly operation?: readonly string[]
  readonly resource?: readonly string[]
  readonly dpopJkt?: string
  readonly deliver?: "agent"
  readonly handover?: string
  readonly subjectTokenFile?: string
}

interface ListFlags extends CallerFlags {
  readonly state?: string
  readonly after?: string
  readonly limit?: number
}

export function addTask(program: Command, context: Context): void {
  const task = program.command("task").description("start, look at and change tasks")
  addStart(task, context)
  addList(task, context)
  addShow(task, context)
  addStatement(task, context)
  for (const [change, description] of CHANGES) addChange(task, context, change, description)
}

function addStart(task: Command, context: Context): void {
  asCaller(task.command("start"))
    .description(
      "start a task; tokens stay unprinted (get one with `token get`, or hand them over in a file)",
    )
    .argument("<type>", "the task type's name in the policy")
    .addOption(required("--agent <agent/instance>", "who acts: triage-bot/pod-7f3c").argParser(readAgent))
    .addOption(required("--purpose <text>", "why, for people"))
    .option("--input <name=value>", "an input of the task type; again for each", readInput)
    .option("--reference <id>", "your own execution id: the same request with it is the same task")
    .option("--operation <name>", "ask for this operation only; again for more", collect)
    .option("--resource <url>", "the API whose token is wanted now; again for more", collect)
    .option("--dpop-jkt <thumbprint>", "bind the tokens to the agent's key (RFC 9449)")
    .addOption(new Option("--deliver <whom>", "answer no token: the agent collects them").choices(["agent"]))
    .option("--subject-token-file <file>", "the token of the user that the task runs for (0600)")
    .option("--handover <file>", "write the tokens for the agent's process into a new file (0600)")
    .action(async (type: string, flags: StartFlags) => {
      if (flags.handover !== undefined) checkNew(flags.handover)
      const started = await context.terminal.progress("starting the task", start(context, type, flags))
      if (flags.handover !== undefined) writeNew(flags.handover, JSON.stringify(started.handover()))
      const { id, state, tokens } = started
      const deadline = toInstant(started.deadline)
      if (flags.json) context.terminal.json({ task_id: id, state, deadline, tokens })
      else showStarted(context, started, flags)
    })
}

function start(context: Context, type: string, flags: StartFlags): Promise<Task> {
  const {
    agent,
    purpose,
    input = {},
    reference,
    operation,
    resource,
    dpopJkt,
    deliver,
    subjectTokenFile: file,
  } = flags
  return orchestratorOf(context, flags).start({
    type,
    agent,
    purpose,
    inputs: input,
    ...(reference !== undefined && { reference }),
    ...(operation && { operations: operation }),
    ...(resource && { resources: resource }),
    ...(dpopJkt !== undefined && { dpopJkt }),
    ...(deliver && { deliver }),
    ...(file !== undefined && { subjectToken: readSecret(file, "--subject-token-file").trim() }),
  })
}

function showStarted(context: Context, { id, state, deadline, tokens }: Task, flags: StartFlags): void {
  const { terminal } = context
  terminal.print(
    `${terminal.colors.bold(forTerminal(id))}  ${forTerminal(state)} until ${toInstant(deadline)}\n`,
  )
  const rows = tokens.map((held) => [held.resource, held.scope.join(" "), toInstant(held.expiresAt)])
  if (rows.length > 0) terminal.table(["API", "MAY", "TOKEN UNTIL"], rows)
  terminal.note(`\nNext: ${nextOf(context, forTerminal(id), flags)}`)
  terminal.note(`      ${nextCommand(context, flags, `task complete ${forTerminal(id)}`)}`)
}

/** What the tokens are for, by who has them now. */
function nextOf(context: Context, id: string, flags: StartFlags): string {
  const { command } = context.settings
  if (flags.handover !== undefined)
    return `${command} session --handover ${forTerminal(quote(flags.handover))} -- <the agent's command>`
  if (flags.deliver !== undefined)
    return `${command} session --task ${id} --client-id ${flags.agent.id} -- <the agent's command>  (with the agent's credential)`
  return `${nextCommand(context, flags, `token get ${id}`)}  (the token, for a request of your own)`
}

function addList(task: Command, context: Context): void {
  asCaller(task.command("list"))
    .description("tasks, the newest first: an orchestrator sees its own, staff sees all")
    .addOption(new Option("--state <state>", "only those in this state").choices(TASK_STATES))
    .option("--after <cursor>", "go on where the last list ended")
    .option("--limit <count>", "how many", readCount, 50)
    .action(async (flags: ListFlags) => {
      const { state, after, limit } = flags
      const filter = { ...(state && { state }), ...(after && { after }), ...(limit && { limit }) }
      const found = await context.terminal.progress("asking", orchestratorOf(context, flags).list(filter))
      if (flags.json) return context.terminal.json(found)
      if (found.tasks.length === 0) return context.terminal.note("No tasks.")
      context.terminal.table(
        ["TASK", "TYPE", "AGENT", "STATE", "STARTED", "DEADLINE"],
        found.tasks.map(rowOf),
      )
      if (found.next) context.terminal.note(`\nMore: --after ${forTerminal(found.next)}`)
    })
}

function rowOf(view: Readonly<Record<string, unknown>>): string[] {
  const agent = asRecord(view.agent)
  const holder = typeof view.agent === "string" ? view.agent : `${agent.id}/${agent.instance}`
  return [view.task_id, view.type, holder, view.state, view.started_at, view.deadline].map((one) =>
    String(one ?? ""),
  )
}

function addShow(task: Command, context: Context): void {
  asCaller(task.command("show"))
    .description("one task: what it may do, its tokens, what happened")
    .argument("<task>", "its id, task_...")
    .action(async (id: string, flags: CallerFlags) => {
      const view = await context.terminal.progress("asking", orchestratorOf(context, flags).show(id))
      if (flags.json) return context.terminal.json(view)
      showTask(context, view)
    })
}

const CHANGES: readonly (readonly [Change, string])[] = [
  ["pause", "end the task's live tokens and mint none until it is resumed"],
  ["resume", "let a paused task go on; its agent needs fresh tokens"],
  ["complete", "end the task: it did what it was for"],
  ["fail", "end the task: it did not"],
  ["cancel", "end the task: it is not wanted any more"],
]

function addChange(task: Command, context: Context, change: Change, description: string): void {
  asCaller(task.command(change))
    .description(description)
    .argument("<task>", "its id, task_...")
    .option("--reason <text>", "why, for people")
    .action(async (id: string, flags: CallerFlags & { readonly reason?: string }) => {
      const options = flags.reason === undefined ? {} : { reason: flags.reason }
      const changed = await context.terminal.progress(
        "asking",
        orchestratorOf(context, flags).change(id, change, options),
      )
      if (flags.json) return context.terminal.json({ task_id: id, ...changed })
      context.terminal.print(
        `${forTerminal(id)}  ${context.terminal.colors.bold(forTerminal(changed.state))}`,
      )
      const fresh = changed.tokens.length
      if (fresh > 0)
        context.terminal.note(
          `${fresh} fresh token(s); have them with ${nextCommand(context, flags, `token get ${forTerminal(id)}`)}`,
        )
    })
}
