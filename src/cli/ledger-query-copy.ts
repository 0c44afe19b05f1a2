// `ledger query --database`: the same question put to an auditor's copy, when the issuer is gone or not believed. It decides
// which filters a copy can answer and how they are spelled; what meets them, ledger/search-copy.ts does.
import { KINDS } from "../ledger/event.ts"
import type { EntryPage } from "../ledger/search.ts"
import { parseInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import { type FilterFlags, filtersIn } from "./ledger-filters.ts"
import { sqlitePath } from "./serve-settings.ts"

const OUTCOMES = ["allowed", "refused"] as const

export interface CopyFlags extends FilterFlags {
  readonly database: string
  readonly after?: string
  readonly limit: number
}

export async function queryCopy({ terminal }: Context, flags: CopyFlags): Promise<EntryPage> {
  const path = sqlitePath(flags.database)
  const { isAuditCopy, openAuditCopy } = await import("../ledger/audit-copy.ts")
  const { findInCopy, HIDDEN_IN_COPY } = await import("../ledger/search-copy.ts")
  const hidden = HIDDEN_IN_COPY.find((name) => flags[name] !== undefined)
  if (hidden !== undefined)
    throw wrongUse(
      `--${hidden} is personal, and a copy has a hash by a key in its place`,
      "Ask the issuer, or find the task by something else",
    )
  const filter = readFilter(flags)
  if (!isAuditCopy(path))
    throw wrongUse(
      `${path} is the issuer's own database: reading it would be no entry of the ledger`,
      "Ask the issuer (leave --database out), or a copy that `ledger follow` made",
    )
  const copy = openAuditCopy(path)
  try {
    let share = 0
    const look = findInCopy(copy, filter, (done, total) => {
      share = Math.floor((100 * done) / total)
    })
    return await terminal.progress(() => `looking, ${share} %`, look)
  } finally {
    copy.close()
  }
}

function readFilter(flags: CopyFlags) {
  const { kind, outcome, from, to, ...texts } = filtersIn(flags)
  return {
    ...texts,
    ...(kind !== undefined && { kind: oneOf(KINDS, kind, "kind") }),
    ...(outcome !== undefined && { outcome: oneOf(OUTCOMES, outcome, "outcome") }),
    ...(from !== undefined && { from: readTime(from, "from") }),
    ...(to !== undefined && { to: readTime(to, "to") }),
    ...(flags.after !== undefined && { after: flags.after }),
    limit: flags.limit,
  }
}

function oneOf<T extends string>(all: readonly T[], text: string, flag: string): T {
  const found = all.find((one) => one === text)
  if (found === undefined) throw wrongUse(`--${flag} ${text} is none`)
  return found
}

function readTime(text: string, flag: string): number {
  const at = parseInstant(text)
  if (at === undefined) throw wrongUse(`--${flag} ${text} is no RFC 3339 time`)
  return at
}
