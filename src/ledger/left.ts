// A log that begins anew behind entries of one that was lost: those stay, no tree of it holds them, and its first entry
// commits to them. It decides what that entry says of them, and whether they are still the same.
import { setImmediate } from "node:timers/promises"
import type { Engine } from "../database/database.ts"
import { EMPTY_FRONTIER, extend, leafHash, rootOf } from "./merkle.ts"
import { readAny } from "./resting.ts"

/** What is left of earlier logs: how many entries, and the root of a tree of them. */
export interface Left {
  readonly entries: number
  /** base64, as in checkpoints. */
  readonly root: string
}

const WINDOW = 2048

/** Of the entries up to a place, in their order; some may be missing. Throws Unavailable. */
export async function leftBefore(engine: Pick<Engine, "query">, first: number): Promise<Left> {
  let frontier = EMPTY_FRONTIER
  for (let from = 0; from < first; ) {
    const to = Math.min(from + WINDOW, first)
    const entries = await readAny(engine, from, to)
    frontier = extend(frontier, entries.map(leafHash))
    from = to
    await setImmediate() // others get their turn
  }
  return { entries: frontier.size, root: Buffer.from(rootOf(frontier)).toString("base64") }
}

/** What the body of a log's first entry says; undefined where it says nothing of the kind. */
export function readLeft(body: unknown): Left | undefined {
  if (typeof body !== "object" || body === null || !("left" in body)) return undefined
  const { left } = body
  if (typeof left !== "object" || left === null || !("entries" in left && "root" in left)) return undefined
  const { entries, root } = left
  return typeof entries === "number" && typeof root === "string" ? { entries, root } : undefined
}
