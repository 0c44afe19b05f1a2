// `ledger verify`: whether a ledger is the one that was signed, of a database file, of a folder of tiles or of a running
// issuer. It decides what the operator is told; what is checked, ledger/verify.ts decides.
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Command } from "commander"
import type { Folder } from "../database/folder.ts"
import type { ReadHashes } from "../ledger/tree.ts"
import type { Broken, Source, Verified } from "../ledger/verify.ts"
import type { FetchFile } from "../ledger/verify-tiles.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, cannotTell, wrongUse } from "./exit.ts"
import { checkProof, keepProof, refuseTaken } from "./ledger-proof.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"
import { sqlitePath } from "./serve-settings.ts"

/** Longest wait for one tile. */
const ANSWER_MILLISECONDS = 30_000

interface Flags extends CallerFlags {
  readonly database?: string
  readonly archive?: string
  readonly tiles?: string
  readonly served?: boolean
  readonly key?: string
  readonly checkpoint?: string
  readonly proof?: string
  readonly checkProof?: string
}

export function addVerify(ledger: Command, context: Context): void {
  asCaller(ledger.command("verify"))
    .description("is the ledger the one that was signed? exit code 0: it is, 1: it is not, 3: could not tell")
    .option(
      "--database <address>",
      "sqlite:<path>, its issuer may run, or an auditor's copy (TASKMINT_DATABASE)",
    )
    .option("--archive <folder>", "of entries that were archived to files (TASKMINT_ARCHIVE)")
    .option("--tiles <folder>", "instead: files as the log serves them (checkpoint, key, tile/...)")
    .option("--served", "instead: the running issuer's log, asked as an auditor")
    .option("--key <vkey>", "the ledger's key as you know it, or a file that holds it")
    .option(
      "--checkpoint <file>",
      "a checkpoint from earlier, or an export's manifest, which the ledger must continue",
    )
    .option("--proof <file>", "where it signed two histories: keep the proof there, for anybody to check")
    .option("--check-proof <file>", "instead: does that file prove that its key signed two histories?")
    .action((flags: Flags) => verify(context, flags))
}

async function verify(context: Context, flags: Flags): Promise<void> {
  const { terminal } = context
  const named = [flags.database !== undefined, flags.tiles !== undefined, flags.served === true]
  if (named.filter(Boolean).length > 1) throw wrongUse("--database, --tiles and --served exclude each other")
  const key = flags.key === undefined ? undefined : await keyIn(flags.key)
  if (flags.checkProof !== undefined) return checkProof(context, flags.checkProof, key)
  refuseTaken(flags.proof)
  const earlier = flags.checkpoint === undefined ? undefined : await checkpointIn(flags.checkpoint)
  const opened = await openSource(context, flags)
  try {
    const { verifyLedger, NothingSigned } = await import("../ledger/verify.ts")
    const since = performance.now()
    const rate = (done: number) => Math.round(done / Math.max(0.001, (performance.now() - since) / 1000))
    let at = { done: 0, total: opened.source.entries }
    const told = () =>
      `verifying ${Math.floor((100 * at.done) / Math.max(1, at.total))} %, ${rate(at.done)} entries a second`
    const progress = (done: number, total: number) => {
      at = { done, total }
    }
    const working = verifyLedger({ source: opened.source, key, earlier, progress }).catch(
      (error: unknown) => {
        if (error instanceof NothingSigned)
          throw cannotTell(error.message, "An issuer signs within a second of its start")
        throw error
      },
    )
    const found = await terminal.progress(told, working)
    if (found.verdict === "broken" && flags.proof !== undefined)
      terminal.note(
        (await keepProof({ ...opened, path: flags.proof, key, earlier }))
          ? `The proof is in ${flags.proof}: two checkpoints that one key signed.`
          : "It can't be proved to others: no key signed two histories.",
      )
    tell(context, flags, found, rate(at.done))
  } finally {
    opened.close()
  }
}

function tell({ terminal }: Context, flags: Flags, found: Verified | Broken, rate: number): void {
  if (flags.json) terminal.json(found)
  if (found.verdict === "broken")
    throw answerIsNo(wordsOf(found), "Keep this copy as it is, and the checkpoints that you have of it")
  if (flags.json) return
  const { origin, signed, unsigned, checkpoints, erased } = found
  const held = checkpoints === 1 ? "1 checkpoint" : `${checkpoints} checkpoints`
  terminal.print(`verified  ${signed} entries of ${forTerminal(origin)}, held against ${held}`)
  if (unsigned > 0) terminal.note(`${unsigned} newer entries are under no checkpoint yet.`)
  for (const [member, count] of Object.entries(erased))
    terminal.note(`${count} values of ${forTerminal(member)} are erased.`)
  terminal.note(`${rate} entries a second.`)
  if (flags.key === undefined) terminal.note("The key is the ledger's own word: give yours with --key.")
  if (flags.checkpoint === undefined)
    terminal.note("Entries that were cut from the end are found with --checkpoint.")
}

function wordsOf({ how, seq, to }: Broken): string {
  const words = how.replaceAll("_", " ")
  if (seq === undefined) return `The ledger is broken: ${words}`
  return to === undefined || to === seq
    ? `The ledger is broken at entry ${seq}: ${words}`
    : `The ledger is broken between entries ${seq} and ${to}: ${words}`
}

interface Opened {
  readonly source: Source
  /** Of its tree, beside its entries; undefined: it has none. */
  readonly hashes: ReadHashes | undefined
  close(): void
}

async function openSource(context: Context, flags: Flags): Promise<Opened> {
  if (flags.tiles !== undefined) return openTiles(filesIn(flags.tiles))
  if (flags.served) return openTiles(servedLog(context, flags))
  const path = sqlitePath(context.settings.need("database", flags.database))
  const { isAuditCopy, openAuditCopy } = await import("../ledger/audit-copy.ts")
  if (isAuditCopy(path)) {
    const { copySource } = await import("../ledger/verify-copy.ts")
    const copy = openAuditCopy(path)
    return { source: copySource(copy), hashes: undefined, close: () => copy.close() }
  }
  const { openReader } = await import("../database/reader.ts")
  const { databaseSource } = await import("../ledger/verify-database.ts")
  const { readArchive } = await import("../ledger/archive-files.ts")
  const { readFrom } = await import("../ledger/resting.ts")
  const folder = await archiveFolder(context, flags)
  const reader = openReader(path)
  try {
    const engine = readArchive(reader, folder)
    return {
      source: await databaseSource(engine),
      hashes: readFrom(engine),
      close: () => reader.close(),
    }
  } catch (error) {
    reader.close()
    throw error
  }
}

/** Undefined: nobody said where it is. */
export async function archiveFolder(
  { settings }: Context,
  flags: { readonly archive?: string },
): Promise<Folder | undefined> {
  const path = settings.get("archive", flags.archive)
  if (path === undefined) return undefined
  const { openFolder } = await import("../database/folder.ts")
  return openFolder(path)
}

async function openTiles(fetchFile: FetchFile): Promise<Opened> {
  const { tileHashes, tileSource } = await import("../ledger/verify-tiles.ts")
  const source = await tileSource(fetchFile)
  return { source, hashes: tileHashes(fetchFile, source.entries), close: () => undefined }
}

const filesIn =
  (folder: string): FetchFile =>
  async (path) => {
    try {
      return await readFile(join(folder, path))
    } catch {
      throw cannotTell(`${join(folder, path)} can't be read`)
    }
  }

/** Tiles are bytes, and a log is long: the service token is asked for again when it has run out. */
export function servedLog(context: Context, flags: CallerFlags): FetchFile {
  const issuer = issuerOf(context, flags)
  const base = context.settings.need("issuer", flags.issuer).replace(/\/$/, "")
  return async (path) => {
    const answer = await fetch(`${base}/ledger/${path}`, {
      headers: await issuer.headers("GET", `/ledger/${path}`),
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MILLISECONDS),
    }).catch(unreachable(base))
    if (answer.status !== 200)
      throw cannotTell(`The issuer answered ${answer.status} for ${path}`, "Only an auditor reads the log")
    return new Uint8Array(await answer.arrayBuffer().catch(unreachable(base)))
  }
}

const unreachable = (base: string) => (): never => {
  throw cannotTell(`The issuer at ${base} can't be asked`)
}

async function textIn(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch {
    throw cannotTell(`${path} can't be read`, "Name a file that is there, with --key and --checkpoint")
  }
}

/** The note, or that of a manifest. Stop (wrong use) for any other file: it says nothing about the ledger. */
async function checkpointIn(path: string): Promise<string> {
  const { isCheckpoint } = await import("../ledger/checkpoint.ts")
  const text = await textIn(path)
  const note = noteOf(text) ?? text
  if (isCheckpoint(note)) return note
  throw wrongUse(
    `${path} is no checkpoint`,
    "One is what the log serves as checkpoint, as it came; a manifest of ledger export has one, too",
  )
}

function noteOf(text: string): string | undefined {
  try {
    const { checkpoint }: { readonly checkpoint?: unknown } = Object(JSON.parse(text))
    return typeof checkpoint === "string" ? checkpoint : undefined
  } catch {
    return undefined // no manifest
  }
}

/** A vkey, or the file that holds it. */
export const keyIn = async (given: string): Promise<string> =>
  /^[^+/]+\+[0-9a-f]{8}\+/.test(given) ? given : ((await textIn(given)).trim().split("\n")[0] ?? "")
