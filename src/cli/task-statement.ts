// `task statement`: the closing statement of a task, as tables, JSON, the bare JWS or a page; and, offline, whether one that
// somebody handed over is the issuer's and whole. The issuer writes statements; this shows and checks.
import { readFileSync } from "node:fs"
import type { Command } from "commander"
import type { Opened } from "../audit/opening.ts"
import { asRecord } from "../client/issuer-call.ts"
import { toInstant } from "../time.ts"
import { canonicalJson } from "../token/canonical.ts"
import { Unreadable } from "../token/jwt.ts"
import { KeyFault, readKeySet } from "../token/signature.ts"
import { type ReadStatement, readStatement } from "../token/task-statement.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, cannotTell, wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"
import { writeNew } from "./secret-file.ts"
import { showStatement } from "./statement-tables.ts"

interface Flags extends CallerFlags {
  readonly jws?: boolean
  readonly html?: string
  readonly verify?: string
  readonly jwks?: string
}

export function addStatement(task: Command, context: Context): void {
  asCaller(task.command("statement"))
    .description(
      "what a task was granted and what of it was used, signed; provisional until all have reported",
    )
    .argument("[task]", "its id, task_...")
    .option("--jws", "what is signed and nothing beside it, for whoever is to check it")
    .option("--html <file>", "write the page into a new file (0600)")
    .option(
      "--verify <file>",
      "instead, offline: is the statement in this file genuine? (0 yes, 1 no, 3 unknown)",
    )
    .option("--jwks <file>", "the issuer's key set as you know it, for --verify")
    .action((id: string | undefined, flags: Flags) =>
      flags.verify === undefined ? show(context, id, flags) : verify(context, flags.verify, flags),
    )
}

async function show(context: Context, id: string | undefined, flags: Flags): Promise<void> {
  const { terminal } = context
  if (id === undefined) throw wrongUse("Which task?", "Name its id, task_..., as `task list` shows it")
  const path = `/tasks/${encodeURIComponent(id)}/statement`
  const { body } = await terminal.progress("asking", issuerOf(context, flags).call("GET", path))
  const answer = asRecord(body)
  if (flags.jws) return terminal.print(forTerminal(String(answer.jws)))
  if (flags.json && flags.html === undefined) return terminal.json(body)
  const { isStatement } = await import("../issuer/statement-schema.ts")
  const { statement } = answer
  if (!isStatement(statement))
    throw cannotTell(
      "The issuer's statement has another shape",
      "Use the version of this command that it has",
    )
  const { inClear } = await import("../audit/opening.ts")
  const shown = inClear(statement, openedIn(answer))
  if (flags.html === undefined) return showStatement(context, shown)
  const { statementPage } = await import("../console/statement-page.ts")
  writeNew(flags.html, statementPage(shown))
  terminal.note(`Written: ${forTerminal(flags.html)}`)
}

function openedIn(answer: Readonly<Record<string, unknown>>): Opened[] {
  const { values } = asRecord(answer.personal)
  if (!Array.isArray(values)) return []
  return values
    .map(asRecord)
    .flatMap(({ name, value, hmac }) =>
      typeof name === "string" && typeof value === "string" && typeof hmac === "string"
        ? [{ name, value, hmac }]
        : [],
    )
}

/** A file holds a JWS, or the JSON in which the issuer answered it. */
async function verify({ terminal }: Context, file: string, flags: Flags): Promise<void> {
  if (flags.jwks === undefined)
    throw wrongUse(
      "--verify needs --jwks <file>",
      "Save /.well-known/jwks.json of the issuer when you trust it",
    )
  const keys = readKeySet(parsed(textIn(flags.jwks)))
  if (keys instanceof KeyFault) throw wrongUse(`${flags.jwks} holds no key set (${keys.tag})`)
  const text = textIn(file).trim()
  const answer = text.startsWith("{") ? asRecord(parsed(text)) : undefined
  const read = readStatement(answer ? String(answer.jws) : text, (kid) => keys.get(kid))
  if (read instanceof Unreadable) throw objectionTo(read)
  const values = answer ? await checkBeside(read, answer) : 0
  if (flags.json) return terminal.json(toldOf(read, values))
  terminal.print(`${terminal.colors.bold("genuine")}  ${forTerminal(read.task)}`)
  const rows = Object.entries(toldOf(read, values)).map(([name, value]) => [name, String(value)])
  terminal.table(["STATEMENT", ""], rows)
  if (read.statement.state === "final")
    terminal.note(
      "\nThat it was closed so stands in the ledger: an entry task.closed of this task with this number and digest",
    )
}

function toldOf({ issuer, task, at, digest, kid, statement }: ReadStatement, values: number) {
  const { state, number } = statement
  return { task, issuer, made_at: toInstant(at * 1000), state, number, digest, kid, values_checked: values }
}

function objectionTo({ tag, member }: Unreadable) {
  if (tag === "kid")
    return cannotTell(
      "The key that signed it is not in the key set",
      "Give the key set of the time when it was made. Its digest stands in the ledger in any case",
    )
  const where = member === undefined ? tag : `${tag}: ${member}`
  return answerIsNo(
    `It is no genuine statement (${where})`,
    "It was changed, or is not of the issuer of these keys",
  )
}

/** What stands beside the JWS must be what is signed, and the values what it commits to. Answers how many there are. */
async function checkBeside(read: ReadStatement, answer: Readonly<Record<string, unknown>>): Promise<number> {
  const { wrongValues } = await import("../audit/opening.ts")
  if (canonicalOf(answer.statement) !== canonicalOf(read.statement))
    throw answerIsNo("What stands beside the signed statement is not the same", "Read the JWS, not the rest")
  const opened = openedIn(answer)
  const { key } = asRecord(answer.personal)
  const [wrong] = wrongValues(read.statement, Buffer.from(String(key ?? ""), "base64url"), opened)
  if (wrong) throw answerIsNo(`A value beside it is not what was signed: ${wrong.name}`)
  return opened.length
}

const canonicalOf = (value: unknown): string => canonicalJson(JSON.parse(JSON.stringify(value ?? null)))

function textIn(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw cannotTell(`${path} can't be read (${code})`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // what it was instead makes no difference: it is refused as none
  }
}
