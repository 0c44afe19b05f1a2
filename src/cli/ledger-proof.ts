// The proof of a fork, as a file: `ledger verify --proof` writes one where it finds one, `--check-proof` tells whether one holds.
// It decides which checkpoints are tried and what is said; what a proof is, ledger/fork-proof.ts decides.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from "node:fs"
import type { ReadHashes } from "../ledger/tree.ts"
import type { Source } from "../ledger/verify.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, cannotTell, wrongUse } from "./exit.ts"

/** Stop (wrong use) where the name is taken: what was kept is never overwritten. */
export function refuseTaken(path: string | undefined): void {
  if (path !== undefined && existsSync(path)) throw wrongUse(`${path} is there already`, "Give another name")
}

interface Asked {
  readonly path: string
  readonly source: Source
  /** Undefined: the source has none beside its entries. */
  readonly hashes: ReadHashes | undefined
  readonly key: string | undefined
  readonly earlier: string | undefined
}

/** Whether there was one to write: of two checkpoints, the newest and one from earlier, that one key signed. */
export async function keepProof({ path, source, hashes, key, earlier }: Asked): Promise<boolean> {
  const other = source.checkpoints.at(-1)
  if (!hashes || other === undefined) return false
  const { proveFork } = await import("../ledger/fork-proof.ts")
  const keys = key === undefined ? source.keys : [key.trim()]
  for (const signed of [earlier, ...source.checkpoints]) {
    const proof = signed && (await proveFork(hashes, keys, { signed, other }).catch(() => undefined))
    if (!proof) continue
    const file = openSync(path, "wx", 0o600)
    writeFileSync(file, `${JSON.stringify(proof, null, 2)}\n`)
    fsyncSync(file)
    closeSync(file)
    return true
  }
  return false
}

/** `key`: as whoever checks knows it; without it the file's own is taken, and said. */
export async function checkProof(
  { terminal }: Context,
  path: string,
  key: string | undefined,
): Promise<void> {
  const { objectionToFork } = await import("../ledger/fork-proof.ts")
  const proof = read(path)
  const objection = objectionToFork(proof)
  const { key: own }: { readonly key?: unknown } = Object(proof)
  if (objection !== undefined) throw answerIsNo(`${path} proves nothing: ${objection}`)
  if (key !== undefined && key.trim() !== own)
    throw answerIsNo(`${path} proves it of another key: ${forTerminal(String(own))}`)
  terminal.print(`proved  whoever has the key ${forTerminal(String(own))} signed two histories`)
  if (key === undefined) terminal.note("The key is the file's own word: give yours with --key.")
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch {
    throw cannotTell(`${path} can't be read as a proof`)
  }
}
