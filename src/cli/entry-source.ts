// Where the entries of a ledger come from for a command: an issuer, page by page, or a file with one entry a line. It reads
// them in their order and keeps none; what they mean is not looked at.
import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import type { Entry } from "../ledger/entry.ts"
import { cannotTell, wrongUse } from "./exit.ts"

/** RFC 3339, UTC; `to` is exclusive. */
export interface Between {
  readonly from: string
  readonly to: string
}

/** Every entry between, as an auditor is answered. New ones do not change what is read: the end is fixed. */
export async function* askForEntries(
  issuer: IssuerCalls,
  { from, to }: Between,
): AsyncGenerator<readonly Entry[]> {
  let after: string | undefined
  do {
    const query = new URLSearchParams({ from, to, limit: "1000", ...(after !== undefined && { after }) })
    const { body } = await issuer.call("GET", `/ledger/entries?${query}`)
    const { entries, next } = asRecord(body)
    if (!Array.isArray(entries))
      throw cannotTell("The issuer answered with something that is no page of entries")
    yield entries.filter(isEntry)
    after = typeof next === "string" ? next : undefined
  } while (after !== undefined)
}

const PART = 1000

/** Every entry of the file between, in the file's order. Stop at a line that is none. */
export async function* readEntries(path: string, { from, to }: Between): AsyncGenerator<readonly Entry[]> {
  const lines = createInterface({
    input: createReadStream(path, "utf8"),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  let [part, number]: [Entry[], number] = [[], 0]
  try {
    for await (const line of lines) {
      number += 1
      if (line === "") continue
      const entry = entryIn(line, `${path}:${number}`)
      if (entry.at < from || entry.at >= to) continue
      part.push(entry)
      if (part.length < PART) continue
      yield part
      part = []
    }
  } catch (error) {
    if (error instanceof Error && "code" in error)
      throw wrongUse(`${path} can't be read (${String(error.code)})`)
    throw error
  }
  yield part
}

function entryIn(line: string, where: string): Entry {
  try {
    const value: unknown = JSON.parse(line)
    if (isEntry(value)) return value
  } catch {
    // Said below: what is no JSON is no entry.
  }
  throw cannotTell(
    `${where}: this is no entry of a ledger`,
    "Give one entry a line, as `ledger query --json` tells them",
  )
}

const isEntry = (value: unknown): value is Entry =>
  typeof value === "object" &&
  value !== null &&
  "seq" in value &&
  typeof value.seq === "number" &&
  "at" in value &&
  typeof value.at === "string" &&
  "kind" in value &&
  typeof value.kind === "string"
