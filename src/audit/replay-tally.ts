// What a replay counts, and of what was refused whom it hits: small however long the ledger is, for it is kept by names of
// policies. It judges nothing; replay.ts does.

/** `less`: it would begin, with less than it was given. `cannot_tell`: never counted as permitted. */
export type Verdict = "permitted" | "less" | "refused" | "cannot_tell"
export type What = "starts" | "delegations" | "uses"

/** One judgement, with its reason where it is not `permitted`. */
export interface Judged {
  readonly verdict: Verdict
  readonly why?: string
}

/** Whom it was about, and when (RFC 3339). */
export interface About {
  readonly type: string
  readonly orchestrator: string
  readonly agent: string
  readonly operation?: string
  readonly at: string
}

export interface Hit extends Omit<About, "at"> {
  readonly what: What
  readonly verdict: Exclude<Verdict, "permitted">
  readonly why: string
  readonly count: number
  readonly first: string
  readonly last: string
}

export type Counts = Readonly<Record<Verdict | "total", number>>

export interface Tally {
  count(what: What, judged: Judged, about: About): void
  counts(what: What): Counts
  /** The refused first, then those that are hit most. */
  hits(): readonly Hit[]
}

const ORDER: readonly Verdict[] = ["refused", "less", "cannot_tell"]
/** Of judgements of one thing. */
export const worstOf = (judged: readonly Judged[]): Judged => {
  const worst = WORST.flatMap((verdict) => judged.find((one) => one.verdict === verdict) ?? [])
  return worst[0] ?? { verdict: "cannot_tell", why: "nothing was judged" }
}
const WORST: readonly Verdict[] = ["refused", "cannot_tell", "less", "permitted"]

const nothing = () => ({ total: 0, permitted: 0, less: 0, refused: 0, cannot_tell: 0 })

export function createTally(): Tally {
  const counted = { starts: nothing(), delegations: nothing(), uses: nothing() }
  const hits = new Map<string, Hit>()
  return {
    count(what, { verdict, why = "" }, { at, ...about }) {
      counted[what].total += 1
      counted[what][verdict] += 1
      if (verdict === "permitted") return
      const { type, orchestrator, agent, operation = "" } = about
      const key = [what, verdict, why, type, orchestrator, agent, operation].join("\n")
      const known = hits.get(key)
      const next = {
        what,
        verdict,
        why,
        ...about,
        count: (known?.count ?? 0) + 1,
        first: known?.first ?? at,
        last: at,
      }
      hits.set(key, next)
    },
    counts: (what) => ({ ...counted[what] }),
    hits: () =>
      [...hits.values()].sort(
        (one, other) => ORDER.indexOf(one.verdict) - ORDER.indexOf(other.verdict) || other.count - one.count,
      ),
  }
}
