// Prints what was measured, with the limit beside it.
export interface Settings {
  readonly rounds: number
  readonly seconds: number
  readonly tasks: number
  /** Of the large ledger. */
  readonly entries: number
  /** Of agents that renew. */
  readonly sessions: number
}

export interface Measure {
  readonly what: string
  readonly figure: string
  readonly against?: string
  readonly ratio?: number
  /** Undefined: printed, not judged. */
  readonly atLeast?: number | undefined
  /** Of the ratio, where less is better. */
  readonly atMost?: number | undefined
  /** Milliseconds that were measured, and how many there may be. */
  readonly time?: { readonly milliseconds: number; readonly atMost: number }
}

/** True when every limit is reached. */
export function printMeasures(title: string, measures: readonly Measure[]): boolean {
  console.log(`\n${title}`)
  for (const measure of measures) {
    const { what, figure, against = "", ratio } = measure
    const compared = ratio === undefined ? "" : `${ratio.toFixed(2)} x`
    const limit = limitOf(measure)
    console.log(
      `  ${what.padEnd(44)} ${figure.padStart(16)}  ${compared.padStart(8)}  ${against.padEnd(36)} ${limit}`,
    )
  }
  return measures.every(isReached)
}

const isReached = ({ ratio = 0, atLeast = 0, atMost, time }: Measure): boolean =>
  ratio >= atLeast &&
  (atMost === undefined || ratio <= atMost) &&
  (time === undefined || time.milliseconds <= time.atMost)

function limitOf(measure: Measure): string {
  const { atLeast, atMost, time } = measure
  const limit = time ? `${time.atMost} ms` : (atLeast ?? atMost)
  return limit === undefined ? "" : `limit ${limit}  ${isReached(measure) ? "reached" : "MISSED"}`
}

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString("en")}/s`
