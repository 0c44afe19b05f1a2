// The account of one task: what was granted and what of it was used, what never was, what was refused and why, who agreed,
// who held tokens, who reported and up to when, what of the reports is missing, who does not record, and which entries it is made of. Pure: plain facts in,
// the account out. When it is final, closing.ts decides; what is read for it, account.ts.
import type { Commitment } from "../ledger/commitment.ts"
import { toInstant } from "../time.ts"
import type { MissingRow, ReporterRow } from "./account-statements.ts"
import type { Span } from "./groups.ts"
import type { Story } from "./story.ts"
import type { HolderUses, RuleAccount, Tally, UseAccount, Uses } from "./tally.ts"
import type { ApprovalAccount, HolderStory, Refused, Share, TaskFacts } from "./told.ts"

export type StatementState = "provisional" | "final"

/** Granted and never used: an operation of a rule, or a resource of it. */
export interface NeverUsed {
  readonly rule: string
  readonly api: string
  readonly operation?: string
  readonly resource?: Commitment
}

export interface HolderAccount extends HolderUses, Pick<HolderStory, "lineage" | "tokens" | "refused"> {}

export interface Reporter {
  /** The verifier instance. */
  readonly verifier: string
  readonly api: string
  /** Number of its last batch, and when that came. */
  readonly sequence: number
  readonly last_report: string
  /** `closed`: it said its last word, or was written off; `behind`: uses of the task may still come from it. */
  readonly standing: "reporting" | "past_end" | "behind" | "closed"
  /** Of one that closed because an operator gave it up: what it had not sent by then is not known. */
  readonly written_off_at?: string
}

/** Batches of a verifier instance that are not there: uses of the task may be in them. */
export interface Gap {
  readonly verifier: string
  readonly api: string
  /** Their numbers, the last included. */
  readonly from: number
  readonly to: number
  /** `chain_differs`: the number came, and the next batch follows another of that number. */
  readonly why: MissingRow["why"]
  /** When the ledger told of it. */
  readonly told_at: string
  /** When an operator gave them up. */
  readonly written_off_at?: string
}

/** An API that had tokens of the task and from which not every use can be known. */
export interface NotRecording {
  readonly api: string
  /** Verifier instances of it that were heard since the task began; 0: nobody records there. */
  readonly verifiers: number
  /** Answers that it got to the question whether a token stands. */
  readonly introspected: number
}

/** In the ledger's places, as `seq` of entries. */
export interface Covered {
  /** The task's first and last entry, and how many there are. */
  readonly first: number
  readonly last: number
  readonly entries: number
  /** The last entry of the ledger that was there to be looked at: the one that the checkpoint ends with. */
  readonly through: number
  /** A signed note (C2SP tlog-checkpoint). */
  readonly checkpoint: string
}

/** Members as they are signed. What is personal stands as the commitment that the ledger's entries have for it. */
export interface Statement {
  readonly state: StatementState
  /** From 1; of a provisional one, the number that it will have. */
  readonly number: number
  /** Digest of the final statement before this one. */
  readonly previous?: string
  readonly task: Omit<TaskFacts, "deadline"> & {
    readonly id: string
    readonly deadline: string
    /** Its personal values were erased before this was made. */
    readonly erased?: true
  }
  /** Digests of the policies that decided, in their order. */
  readonly policies: readonly string[]
  readonly authority: readonly RuleAccount[]
  /** Uses that no rule above covers. */
  readonly outside?: Uses
  readonly uses: readonly UseAccount[]
  /** Uses of further resources, beyond the thousand that are listed. */
  readonly further_uses?: Uses
  readonly never_used: readonly NeverUsed[]
  readonly refusals: readonly (Refused & { readonly count: number } & Span)[]
  readonly further_refusals?: number
  readonly approvals: readonly ApprovalAccount[]
  /** Questions beyond the thousand that are listed. */
  readonly further_approvals?: number
  readonly holders: readonly HolderAccount[]
  /** Of holders beyond those that are listed. */
  readonly further_holders?: Share & Uses
  readonly renewals: readonly ({
    readonly agent: string
    readonly instance: string
    readonly api?: string
  } & {
    readonly count: number
  } & Span)[]
  /** Tokens that were authorised and never left the issuer. */
  readonly unsigned_tokens?: number
  readonly verifiers: readonly Reporter[]
  /** As it was when this was made: a gap that is told of later makes a successor, and so do uses that come later. */
  readonly gaps?: readonly Gap[]
  /** Gaps beyond the thousand that are listed. */
  readonly further_gaps?: number
  readonly not_recording: readonly NotRecording[]
  readonly ledger: Covered
}

export interface Facts {
  readonly id: string
  readonly state: StatementState
  readonly number: number
  readonly previous?: string | undefined
  readonly erased: boolean
  readonly task: TaskFacts
  readonly story: Story
  readonly tally: Tally
  readonly reporters: readonly ReporterRow[]
  readonly missing: readonly MissingRow[]
  readonly covered: Covered
}

/** A report that comes so long after the end covers it: what was under way has been answered and sent. */
export const PAST_END_MILLISECONDS = 10_000

export function composeStatement(facts: Facts): Statement {
  const { id, state, number, previous, erased, story, tally, reporters, covered } = facts
  const { deadline, ...task } = facts.task
  const authority = tally.rules()
  const unsigned = story.unsigned()
  return {
    state,
    number,
    ...(previous !== undefined && { previous }),
    task: { id, ...task, deadline: toInstant(deadline), ...(erased && { erased: true as const }) },
    policies: story.policies(),
    authority,
    ...(isSome(tally.outside()) && { outside: tally.outside() }),
    uses: tally.uses(),
    ...(isSome(tally.further()) && { further_uses: tally.further() }),
    never_used: authority.flatMap(neverUsed),
    refusals: story.refusals(),
    ...(story.furtherRefusals() > 0 && { further_refusals: story.furtherRefusals() }),
    approvals: story.approvals(),
    ...(story.furtherApprovals() > 0 && { further_approvals: story.furtherApprovals() }),
    holders: holdersOf(story.holders(), tally.holders()),
    ...furtherHolders(story.furtherHolders(), tally.furtherHolders()),
    renewals: story.renewals(),
    ...(unsigned > 0 && { unsigned_tokens: unsigned }),
    verifiers: reporters.map((row) => reporterOf(row, task.ended_at)),
    ...gapsOf(facts.missing),
    not_recording: notRecording(story, reporters),
    ledger: covered,
  }
}

const isSome = ({ allowed, observed }: Uses): boolean => allowed + observed > 0

function neverUsed({ rule, api, operations, resources }: RuleAccount): NeverUsed[] {
  return [
    ...operations.flatMap((one) => (isSome(one) ? [] : [{ rule, api, operation: one.operation }])),
    ...resources.flatMap((one) => (isSome(one) ? [] : [{ rule, api, resource: one.resource }])),
  ]
}

const furtherHolders = (told: Share, used: Uses): Pick<Statement, "further_holders"> =>
  told.tokens + told.refused > 0 || isSome(used) ? { further_holders: { ...told, ...used } } : {}

/** Holders of tokens first, then whoever else uses are told of. */
function holdersOf(told: readonly HolderStory[], used: readonly HolderUses[]): HolderAccount[] {
  const keyOf = ({ agent, instance }: { readonly agent: string; readonly instance: string }) =>
    `${agent}/${instance}`
  const uses = new Map(used.map((one) => [keyOf(one), one]))
  const known = new Set(told.map(keyOf))
  const nothing = { allowed: 0, observed: 0 }
  return [
    ...told.map((one) => ({ ...one, ...(uses.get(keyOf(one)) ?? nothing) })),
    ...used
      .filter((one) => !known.has(keyOf(one)))
      .map((one) => ({ lineage: [], tokens: 0, refused: 0, ...one })),
  ]
}

function reporterOf(row: ReporterRow, endedAt: string | undefined): Reporter {
  const { verifier, api, sequence, last_seen, written_off_at: given } = row
  return {
    verifier,
    api,
    sequence,
    last_report: toInstant(last_seen),
    standing: standingOf(row, endedAt),
    ...(given !== null && { written_off_at: toInstant(given) }),
  }
}

function gapsOf(rows: readonly MissingRow[]): Pick<Statement, "gaps" | "further_gaps"> {
  const further = (rows[0]?.total ?? 0) - rows.length
  const gaps = rows.map(
    ({ verifier, api, first, last, why, told_at, written_off_at }): Gap => ({
      ...{ verifier, api, from: first, to: last, why, told_at: toInstant(told_at) },
      ...(written_off_at !== null && { written_off_at: toInstant(written_off_at) }),
    }),
  )
  return { ...(gaps.length > 0 && { gaps }), ...(further > 0 && { further_gaps: further }) }
}

function standingOf(row: ReporterRow, endedAt: string | undefined): Reporter["standing"] {
  if (row.final === 1) return "closed"
  if (endedAt === undefined) return "reporting"
  const past = row.last_seen > Date.parse(endedAt) + PAST_END_MILLISECONDS
  return past && row.applied === 1 ? "past_end" : "behind"
}

function notRecording(story: Story, reporters: readonly ReporterRow[]): NotRecording[] {
  const asked = new Map(story.introspections().map(({ api, count }) => [api, count]))
  const apis = new Set([...story.apis(), ...asked.keys()])
  return [...apis]
    .sort()
    .map((api) => ({
      api,
      verifiers: reporters.filter((one) => one.api === api).length,
      introspected: asked.get(api) ?? 0,
    }))
    .filter(({ verifiers, introspected }) => verifiers === 0 || introspected > 0)
}
