// `token get` prints a token on purpose; `token inspect` shows what one says, without checking that it is true.
import { readFile } from "node:fs/promises"
import { text } from "node:stream/consumers"
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import { toInstant } from "../time.ts"
import { isJsonObject, JsonFault, type JsonObject, parseJson } from "../token/json.ts"
import type { Context } from "./context.ts"
import { answerIsNo, wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, callerOf, issuerOf, orchestratorOf, withJson } from "./options.ts"

export function addToken(program: Command, context: Context): void {
  const token = program.command("token").description("tokens as text")
  asCaller(token.command("get"))
    .description("print a fresh token of a task, or without a task this caller's service token (5 minutes)")
    .argument("[task]", "its id, task_...")
    .option("--resource <url>", "the API whose token is wanted, when the task has several")
    .action((task: string | undefined, flags: GetFlags) => getToken(context, task, flags))
  withJson(token.command("inspect"))
    .description("show what a token says; it is NOT verified, and nothing is sent")
    .argument("[file]", "a file that holds the token; standard input without it or with -", "-")
    .action((file: string, flags: { readonly json?: boolean }) => inspect(context, file, flags))
}

interface GetFlags extends CallerFlags {
  readonly resource?: string
}

async function getToken(context: Context, task: string | undefined, flags: GetFlags): Promise<void> {
  const { terminal } = context
  if (task === undefined) {
    if ("assertionFile" in callerOf(context, flags).credential)
      throw wrongUse(
        "With a platform's JWT a service token is bound to a key that stays in this process",
        "Name a task, or authenticate with a private key",
      )
    const service = await terminal.progress("asking", issuerOf(context, flags).serviceToken())
    return flags.json ? terminal.json({ access_token: service }) : terminal.print(service)
  }
  const asked = flags.resource === undefined ? {} : { resource: flags.resource }
  const tokens = await terminal.progress("asking", orchestratorOf(context, flags).renew(task, asked))
  const [held, ...others] = tokens
  if (!held) throw answerIsNo("The task holds no token")
  if (others.length > 0)
    throw wrongUse(
      "The task has tokens for several APIs",
      tokens.map((one) => `--resource ${one.resource}`).join("\n"),
    )
  const { token, tokenType, expiresAt, ...rest } = held
  if (!flags.json) return terminal.print(token.reveal())
  const until = toInstant(expiresAt)
  terminal.json({
    resource: rest.resource,
    access_token: token.reveal(),
    token_type: tokenType,
    expires_at: until,
  })
}

async function inspect(context: Context, file: string, flags: { readonly json?: boolean }): Promise<void> {
  if (file.startsWith("eyJ"))
    throw wrongUse(
      "A token on the command line is seen by everyone on this computer",
      "Pipe it in, or name a file that holds it",
    )
  const { header, payload } = decodeJwt(await readInput(file))
  const { terminal } = context
  if (flags.json) terminal.json({ verified: false, header, payload })
  else showClaims(context, header, payload)
}

function showClaims({ terminal }: Context, header: JsonObject, payload: JsonObject): void {
  terminal.print(`${terminal.colors.yellow("NOT verified: anybody could have written this.")}\n`)
  terminal.table(["CLAIM", ""], [...rowsOf(header, HEADER), ...rowsOf(payload, CLAIMS)])
  for (const grant of Array.isArray(payload.authorization_details) ? payload.authorization_details : []) {
    terminal.print()
    terminal.table(["GRANT", ""], rowsOf(asRecord(grant), {}))
  }
}

/** Standard input as a stream: read at once, it has nothing yet while the program before it in a pipe still works. */
async function readInput(file: string): Promise<string> {
  try {
    return (await (file === "-" ? text(process.stdin) : readFile(file, "utf8"))).trim()
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw wrongUse(`${file} can't be read (${code})`)
  }
}

/** Header and payload of a compact JWS, by the strict JSON reader. Stop (wrong use) where it is none. NOT verified. */
function decodeJwt(compact: string): { readonly header: JsonObject; readonly payload: JsonObject } {
  const parts = compact.replace(/^(bearer|dpop)\s+/i, "").split(".")
  const [header, payload] = parts.slice(0, 2).map(readPart)
  if (parts.length !== 3 || !header || !payload)
    throw wrongUse("This is not a JWT: three parts of base64url, joined by dots")
  return { header, payload }
}

function readPart(part: string): JsonObject | undefined {
  const value = parseJson(Buffer.from(part, "base64url").toString("utf8"))
  return isJsonObject(value) && !(value instanceof JsonFault) ? value : undefined
}

const HEADER: Readonly<Record<string, string>> = { typ: "type", alg: "algorithm", kid: "key" }
const CLAIMS: Readonly<Record<string, string>> = {
  iss: "issuer",
  aud: "API",
  iat: "issued",
  nbf: "not before",
  exp: "expires",
  jti: "token",
  client_id: "orchestrator",
  sub: "principal",
  act: "holder",
  txn: "task",
  scope: "operations",
  policy: "policy",
  cnf: "bound to key",
}

function rowsOf(
  members: Readonly<Record<string, unknown>>,
  names: Readonly<Record<string, string>>,
): string[][] {
  return Object.entries(members)
    .filter(([name]) => name !== "authorization_details")
    .map(([name, value]) => [names[name] ?? name, cellOf(name, value)])
}

function cellOf(name: string, value: unknown): string {
  if (/^(iat|nbf|exp)$/.test(name) && typeof value === "number" && Math.abs(value) < 8e12)
    return timeOf(name, value)
  if (Array.isArray(value))
    return value.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(" ")
  const { sub, jkt } = asRecord(value)
  if (typeof sub === "string" || typeof jkt === "string") return String(sub ?? jkt)
  return typeof value === "string" ? value : JSON.stringify(value)
}

function timeOf(name: string, seconds: number): string {
  const over = name === "exp" && seconds * 1000 < Date.now() ? "  (expired)" : ""
  return `${toInstant(seconds * 1000)}${over}`
}
