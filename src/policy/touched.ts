// What tasks touched, and for whom, in a window of the ledger: plain data about one policy's grants and users. Who reads
// entries counts it (audit/touching.ts); what follows for the policy is narrow-touched.ts's.
import type { Evidence } from "./evidence.ts"

export interface Touched {
  readonly templates: readonly TouchedTemplate[]
  /** By rules in users. */
  readonly users: ReadonlyMap<string, TouchedBy>
  /** Task types of whose resources nobody can tell what was touched, and why; "": of all, nor for whom. */
  readonly untold: ReadonlyMap<string, string>
  /** Uses allowed, by `usesKey`. */
  readonly uses: ReadonlyMap<string, number>
}

/** One resource of one grant. Tasks are counted up to the number that was asked for. */
export interface TouchedTemplate {
  readonly type: string
  readonly grant: number
  readonly at: number
  /** Tasks that used or tried what the grant is about, on any resource. */
  readonly tasksOfGrant: number
  /** The segments before a last `**`, of all that it matches. */
  readonly all: TouchedSegments
  /** Of one that ends in `**`, by how many segments the resource has; undefined: of too many lengths. */
  readonly lengths: ReadonlyMap<number, TouchedSegments> | undefined
}

export interface TouchedSegments {
  readonly tasks: number
  readonly segments: readonly TouchedSegment[]
}

export interface TouchedSegment {
  /** Inputs whose value in its task every one of them has here. */
  readonly inputs: ReadonlySet<string>
  /** The values, and how many tasks touched each; undefined: too many. */
  readonly values: ReadonlyMap<string, number> | undefined
}

/** For users of one rule: by task type, what tasks were given, to how many, and whether it was used or tried. */
export type TouchedBy = ReadonlyMap<
  string,
  ReadonlyMap<string, { readonly granted: number; readonly touched: boolean }>
>

/** More values at one place, or lengths, are not told apart; a policy does not list more, either. */
export const MOST_SHAPES = 8

export const usesKey = (type: string, operation: string): string => JSON.stringify([type, operation])

/** What the report counts and the entries lack: then other uses may be missing, too. Undefined where nothing is. */
export function missingUses({ uses }: Touched, { items }: Evidence): string | undefined {
  const counted = new Map<string, number>()
  for (const { type, operation, used } of items) {
    const key = usesKey(type, operation)
    counted.set(key, (counted.get(key) ?? 0) + used)
  }
  const short = [...counted].find(([key, used]) => used > (uses.get(key) ?? 0))
  return (
    short &&
    `of ${JSON.parse(short[0]).join(", ")} the report counts ${short[1]} uses, the entries ${uses.get(short[0]) ?? 0}`
  )
}
