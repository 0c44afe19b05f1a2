// `canary`: mints a token that looks like a task's and grants nothing, as an operator, and prints it on purpose: it is there to
// be found. What one is, the issuer decides.
import type { Command } from "commander"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { cannotTell } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf, readAgent, readInput, required } from "./options.ts"
import { checkNew, writeNew } from "./secret-file.ts"

/** What it is to look like. */
export interface LikeFlags extends CallerFlags {
  readonly agent: { readonly id: string; readonly instance: string }
  readonly input?: Readonly<Record<string, string>>
  readonly api?: string
}

interface Flags extends LikeFlags {
  readonly reason: string
  readonly out?: string
}

export const likeATask = (command: Command): Command =>
  asCaller(command)
    .argument("<type>", "the task type whose tokens it is to look like")
    .addOption(
      required("--agent <agent/instance>", "who seems to hold it: triage-bot/pod-7f3c").argParser(readAgent),
    )
    .option("--input <name=value>", "an input of the task type; again for each", readInput)
    .option("--api <name>", "the API that it is for; without it the first of the task")

export function addCanary(program: Command, context: Context): void {
  likeATask(program.command("canary"))
    .description("mint a token that grants nothing: any use of it, anywhere, is an alarm")
    .addOption(required("--reason <text>", "where it is planted, for people who get the alarm"))
    .option("--out <file>", "write it into a new file (0600) instead of printing it")
    .action((type: string, flags: Flags) => canary(context, type, flags))
}

export interface Canary {
  readonly taskId: string
  readonly jti: string
  readonly resource: string
  readonly accessToken: string
  readonly expiresAt: string
  readonly kid: string
}

/** Throws ClientError. */
export async function mintCanary(
  issuer: IssuerCalls,
  type: string,
  { agent, input = {}, api, ...more }: LikeFlags & { readonly reason: string; readonly live?: boolean },
): Promise<Canary> {
  const { reason, live } = more
  const asked = {
    type,
    agent,
    inputs: input,
    reason,
    ...(api !== undefined && { api }),
    ...(live && { live }),
  }
  const answer = asRecord((await issuer.call("POST", "/canaries", asked)).body)
  const { task_id, jti, resource, access_token, expires_at, kid } = answer
  const texts = [task_id, jti, resource, access_token, expires_at, kid]
  const [taskId, id, url, accessToken, expiresAt, key] = texts.filter((one) => typeof one === "string")
  if (!taskId || !id || !url || !accessToken || !expiresAt || !key)
    throw cannotTell("The issuer answered no canary", "Is it of this version?")
  return { taskId, jti: id, resource: url, accessToken, expiresAt, kid: key }
}

async function canary(context: Context, type: string, flags: Flags): Promise<void> {
  const { terminal } = context
  if (flags.out !== undefined) checkNew(flags.out)
  const minted = await terminal.progress("minting", mintCanary(issuerOf(context, flags), type, flags))
  const { taskId, jti, resource, accessToken, expiresAt, kid } = minted
  if (flags.out !== undefined) writeNew(flags.out, `${accessToken}\n`)
  if (flags.json) {
    const told = { task_id: taskId, jti, resource, expires_at: expiresAt, kid }
    return terminal.json(flags.out === undefined ? { ...told, access_token: accessToken } : told)
  }
  if (flags.out === undefined) terminal.print(forTerminal(accessToken))
  terminal.note(`${forTerminal(jti)}  for ${forTerminal(resource)}; it ran out at ${forTerminal(expiresAt)}`)
  terminal.note(
    `It is known for a canary as long as the signing key ${forTerminal(kid)} is published: plant another then.`,
  )
}
