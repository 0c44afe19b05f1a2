// The issuer's feed of revocations, asked for and read. It decides what an answer says, and nothing about tokens.
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import { REVOCATION_KINDS, type RevocationItem } from "../token/revocation.ts"

/** The feed's answer makes no sense: what was known stays, and grows old. */
export class FeedFault extends Error {
  override readonly name = "FeedFault"
}

const LIMITS = { maxBytes: 8 * 1024 * 1024, timeoutMilliseconds: 5000 }

export interface FeedAnswer {
  readonly items: readonly RevocationItem[]
  readonly cursor: number
}

/** What the feed holds after a cursor. Throws Unreachable or FeedFault. */
export async function askFeed(calls: IssuerCalls, after: number): Promise<FeedAnswer> {
  const answer = await calls({ method: "GET", path: `/revocations?after=${after}` }, LIMITS)
  if (answer.status !== 200) throw new FeedFault(`the issuer answered ${answer.status} at /revocations`)
  return readFeed(answer.text, after)
}

function readFeed(text: string, after: number): FeedAnswer {
  const { items, cursor } = readObject(text)
  if (!isCursor(cursor) || !Array.isArray(items)) throw new FeedFault("the answer of /revocations is no feed")
  if (cursor < after) throw new FeedFault("the feed went back: the issuer knows less than it told before")
  const read = items.map(readItem)
  if (read.some((one) => one.cursor <= after || one.cursor > cursor))
    throw new FeedFault("the feed is out of order")
  return { items: read, cursor }
}

function readItem(value: unknown): RevocationItem {
  const item: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null ? { ...value } : {}
  const { cursor, value: name, before, until } = item
  const kind = REVOCATION_KINDS.find((one) => one === item.kind)
  if (!kind || typeof name !== "string" || !isCursor(cursor) || !isCursor(before) || !isCursor(until))
    throw new FeedFault("an item of the feed can't be read")
  const code = item.code === "task_paused" || item.code === "task_ended" ? item.code : "token_revoked"
  return { cursor, kind, value: name, before, until, code }
}

/** A whole number that is not negative: a cursor, epoch seconds. */
export const isCursor = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

function readObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch (cause) {
    throw new FeedFault("the answer of /revocations is no JSON", { cause })
  }
}
