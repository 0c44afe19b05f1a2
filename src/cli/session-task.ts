// Whose task a session is for: one that it starts and ends, one whose tokens were handed over, or one whose tokens the
// agent collects under its own name. It decides which of these was meant, and who renews.

import { type Command, InvalidArgumentError } from "commander"
import { handOver } from "../client/held-token.ts"
import { openSession, type SendingSession } from "../client/session.ts"
import { createOwnKey, type SessionKey } from "../client/session-key.ts"
import { readSessionOptions, type SessionOptions } from "../client/session-options.ts"
import { surroundingsOf } from "../client/surroundings.ts"
import type { Task } from "../client/task.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import {
  type CallerFlags,
  callerOf,
  callingAs,
  collect,
  orchestratorOf,
  readAgent,
  readInput,
} from "./options.ts"
import { readSecret } from "./secret-file.ts"

export interface SessionFlags extends CallerFlags {
  readonly type?: string
  readonly agent?: { readonly id: string; readonly instance: string }
  readonly purpose?: string
  readonly input?: Readonly<Record<string, string>>
  readonly reference?: string
  readonly operation?: readonly string[]
  readonly handover?: string
  readonly keyFile?: string
  readonly task?: string
  readonly instance?: string
  readonly wait: number
  readonly socket?: string
  readonly passOthers?: boolean
  readonly giveTokens?: boolean
  readonly tokenFile?: string
  readonly quiet?: boolean
}

export interface TaskSession {
  readonly task: string
  readonly session: SendingSession
  /** Whether the task ends with the command. */
  readonly ends: boolean
  /** Told whenever a token was renewed. */
  onChange(changed: () => void): void
}

export const addSessionOptions = (command: Command): Command =>
  callingAs(command)
    .option(
      "--type <name>",
      "start a task of this type, and end it with the command; needs --agent and --purpose",
    )
    .option("--agent <agent/instance>", "who acts: triage-bot/pod-7f3c", readAgent)
    .option("--purpose <text>", "why, for people")
    .option("--input <name=value>", "an input of the task type; again for each", readInput)
    .option("--reference <id>", "your own execution id: the same request with it is the same task")
    .option("--operation <name>", "ask for this operation only; again for more", collect)
    .option("--handover <file>", "instead: the tokens that `task start --handover` wrote")
    .option("--key-file <file>", "the private JWK that they are bound to (TASKMINT_KEY_FILE)")
    .option("--task <id>", "instead: collect the tokens of this task, as its agent (--client-id)")
    .option("--instance <name>", "with --task: which running copy of the agent collects")
    .option("--wait <seconds>", "how long one call waits for tokens and APIs", readWait, 30)
    .option("--socket <path>", "listen on this Unix socket (0600) instead of loopback")
    .option("--pass-others", "let requests to other hosts through, without a token")
    .option("--give-tokens", "answer GET /token and GET /headers, for programs that must hold tokens")
    .option("--token-file <file>", "keep the tokens in this file (0600); they are not bound to a key then")
    .option("--quiet", "say nothing but errors")

function readWait(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("Give whole seconds.")
  return Number(text)
}

type Work = (opened: TaskSession) => Promise<void>

/** Opens the session of the one task that the flags name, and gives it to `work`. Stop (wrong use) for none, or several. */
export async function openTaskSession(context: Context, flags: SessionFlags, work: Work): Promise<void> {
  const named = [flags.type, flags.handover, flags.task].filter((one) => one !== undefined)
  if (named.length !== 1)
    throw wrongUse(
      "Say which task: --type to start one, --handover for one that was started, or --task to collect its tokens",
    )
  if (flags.type !== undefined) return ownTask(context, flags, flags.type, work)
  return flags.handover === undefined
    ? collected(context, flags, work)
    : takenOver(context, flags, flags.handover, work)
}

/** The orchestrator is this process: it starts, renews and ends. The agent's key is made here and dies with it. */
async function ownTask(context: Context, flags: SessionFlags, type: string, work: Work): Promise<void> {
  const { agent, purpose, input: inputs = {}, reference, operation } = flags
  if (!agent || purpose === undefined) throw wrongUse("To start a task give --agent and --purpose, too")
  const orchestrator = orchestratorOf(context, flags)
  const key = flags.tokenFile === undefined ? createOwnKey() : undefined
  const request = {
    type,
    agent,
    purpose,
    inputs,
    ...(reference !== undefined && { reference }),
    ...(operation && { operations: operation }),
    ...(key && { dpopJkt: key.thumbprint }),
  }
  await orchestrator.withTask(request, async (task: Task) => {
    const renew = async (resource: string) => (await orchestrator.renew(task.id, { resource })).map(handOver)
    const bound = key ? { key } : {}
    await work(await open(context, flags, true, { ...task.handover(), ...bound, renew }))
  })
}

async function takenOver(context: Context, flags: SessionFlags, path: string, work: Work): Promise<void> {
  const handover = readHandover(path)
  const file = context.settings.get("keyFile", flags.keyFile)
  const key: SessionKey | undefined =
    file === undefined ? undefined : readJson(readSecret(file, "TASKMINT_KEY_FILE"), file)
  await work(await open(context, flags, false, { ...handover, ...(key && { key }) }))
}

async function collected(context: Context, flags: SessionFlags, work: Work): Promise<void> {
  const { issuer, credential } = callerOf(context, flags)
  const { task = "", instance } = flags
  const options = { issuer, credential, task, ...(instance !== undefined && { instance }) }
  await work(await open(context, flags, false, options))
}

async function open(
  { settings, terminal }: Context,
  flags: SessionFlags,
  ends: boolean,
  options: SessionOptions,
): Promise<TaskSession> {
  const around = surroundingsOf()
  const address = settings.get("issuerAddress")
  const place = address === undefined ? {} : { issuerAddress: address }
  const plain = settings.isOn("plainHttp") ? { dangerouslyAllowPlainHttp: true } : {}
  const all = { ...options, ...place, ...plain, waitSeconds: flags.wait }
  const opened = await terminal.progress("collecting tokens", readSessionOptions(all, around))
  let told: (() => void) | undefined
  const session = openSession({ ...opened, changed: () => told?.() }, around)
  const onChange = (changed: () => void) => {
    told = changed
  }
  return { task: options.task ?? "", session, ends, onChange }
}

function readHandover(path: string): SessionOptions & { readonly task: string } {
  const { task, issuer, deadline, tokens } = readJson(readSecret(path, "--handover"), path)
  if (typeof task !== "string" || !Array.isArray(tokens))
    throw wrongUse(`${path} does not hold what \`task start --handover\` writes`)
  return {
    task,
    tokens,
    ...(typeof issuer === "string" && { issuer }),
    ...(typeof deadline === "number" && { deadline }),
  }
}

function readJson(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === "object" && value !== null) return { ...value }
  } catch {
    // The parser's message quotes the text, which holds secrets: said below in our own words.
  }
  throw wrongUse(`${path} does not hold JSON`)
}
