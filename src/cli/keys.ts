// `keys`: the issuer's signing keys, as an operator: which there are and what they wait for, the next one's turn, an
// emergency, and another key-encryption key.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf, required } from "./options.ts"
import { awaitApplied, showApplied } from "./revoke.ts"
import { readKeyEncryptionKey, readSecret } from "./secret-file.ts"

interface RotateFlags extends CallerFlags {
  readonly emergency?: boolean
  readonly reason?: string
  readonly ledger?: boolean
}

interface RewrapFlags extends CallerFlags {
  readonly currentKeyFile: string
  readonly newKeyFile: string
}

export function addKeys(program: Command, context: Context): void {
  const keys = program.command("keys").description("the issuer's signing keys")
  asCaller(keys.command("list"))
    .description("which there are, and what each waits for")
    .action((flags: CallerFlags) => list(context, flags))
  asCaller(keys.command("rotate"))
    .description("publish the next key, which signs by itself a quarter of an hour later")
    .option("--emergency", "revoke the key that signs, and let another sign at once; needs --reason")
    .option("--reason <text>", "why it is revoked, for people")
    .option(
      "--ledger",
      "instead: the key that signs the ledger's checkpoints; the old one hands over at once",
    )
    .action((flags: RotateFlags) => rotate(context, flags))
  asCaller(keys.command("rewrap"))
    .description("encrypt the stored keys with another key-encryption key, while the issuer runs")
    .addOption(required("--current-key-file <file>", "the key-encryption key that opens them now"))
    .addOption(required("--new-key-file <file>", "the one that is to; the issuer's next start needs it"))
    .action((flags: RewrapFlags) => rewrap(context, flags))
}

type Row = Readonly<Record<string, unknown>>

async function list(context: Context, flags: CallerFlags): Promise<void> {
  const { terminal } = context
  const { body } = await terminal.progress("asking", issuerOf(context, flags).call("GET", "/keys"))
  if (flags.json) return terminal.json(body)
  showKeys(context, body)
  const { next_rotation_at } = asRecord(body)
  if (next_rotation_at !== undefined)
    terminal.note(`The next key will be published at ${forTerminal(String(next_rotation_at))}`)
}

function showKeys({ terminal }: Context, body: unknown): void {
  const { keys } = asRecord(body)
  const found = Array.isArray(keys) ? keys.map(asRecord) : []
  terminal.table(["KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS SINCE", "WAITS FOR"], found.map(rowOf))
}

const rowOf = ({ kid, alg, state, created_at, activated_at, waits_for }: Row): string[] =>
  [kid, alg, state, created_at, activated_at, waiting(asRecord(waits_for))].map((cell) => String(cell ?? ""))

const WAITS: Readonly<Record<string, string>> = {
  publication: "everybody to know it",
  first_use: "a use under it",
  last_token: "its last token to run out",
}

const waiting = ({ what, until }: Row): string =>
  [WAITS[String(what)] ?? "", until === undefined ? "" : `until ${until}`]
    .filter((text) => text !== "")
    .join(", ")

const DONE: Readonly<Record<string, string>> = {
  published: "The next key is published. It signs by itself when everybody knows it.",
  waiting: "The next key is published, and not yet for long enough. It signs by itself.",
  activated: "The next key signs now.",
  replaced: "The key was revoked, and another one signs.",
  ledger: "The ledger's key is another; a checkpoint of both handed over.",
}

async function rotate(context: Context, flags: RotateFlags): Promise<void> {
  const { terminal } = context
  const { emergency, reason, ledger } = flags
  if (ledger && (emergency || reason !== undefined))
    throw wrongUse("--ledger goes with no --emergency or --reason")
  if (emergency === true && reason === undefined) throw wrongUse("--emergency needs a --reason")
  if (emergency !== true && reason !== undefined) throw wrongUse("--reason is for an --emergency")
  const issuer = issuerOf(context, flags)
  const asked = ledger ? { ledger } : emergency ? { emergency, reason } : {}
  const { body } = await terminal.progress("asking", issuer.call("POST", "/keys/rotate", asked))
  const { revocation } = asRecord(body)
  const applied =
    revocation === undefined
      ? undefined
      : await terminal.progress("waiting for verifiers", awaitApplied(issuer, asRecord(revocation)))
  if (flags.json) return terminal.json({ ...asRecord(body), ...(applied && { revocation: applied }) })
  terminal.print(DONE[String(asRecord(body).result)] ?? "")
  if (applied) showApplied(terminal, applied)
  if (ledger) return terminal.print(forTerminal(String(asRecord(body).ledger_key)))
  showKeys(context, body)
}

async function rewrap(context: Context, flags: RewrapFlags): Promise<void> {
  const { terminal } = context
  const current_key = readKeyEncryptionKey(readSecret(flags.currentKeyFile, "--current-key-file").trim())
  const new_key = readKeyEncryptionKey(readSecret(flags.newKeyFile, "--new-key-file").trim())
  const asked = { current_key: encode(current_key), new_key: encode(new_key) }
  const { body } = await terminal.progress(
    "encrypting",
    issuerOf(context, flags).call("POST", "/keys/rewrap", asked),
  )
  if (flags.json) return terminal.json(body)
  terminal.print(`${forTerminal(String(asRecord(body).rewrapped))} key(s) encrypted with the new key`)
  terminal.note("Give the issuer the new key-encryption key now: its next start needs it")
}

const encode = (key: Uint8Array): string => Buffer.from(key).toString("base64url")
