// Prints what was measured, with the limit beside it.
export interface Settings {
  readonly rounds: number
  readonly seconds: number
  readonly tasks: number
}

export interface Measure {
  readonly what: string
  readonly figure: string
  readonly against?: string
  readonly ratio?: number
  /** Undefined: printed, not judged. */
  readonly atLeast?: number | undefined
}

/** True when every limit is reached. */
export function printMeasures(title: string, measures: readonly Measure[]): boolean {
  console.log(`\n${title}`)
  for (const { what, figure, against = "", ratio, atLeast } of measures) {
    const compared = ratio === undefined ? "" : `${ratio.toFixed(2)} x`
    const limit =
      atLeast === undefined ? "" : `limit ${atLeast}  ${(ratio ?? 0) >= atLeast ? "reached" : "MISSED"}`
    console.log(
      `  ${what.padEnd(44)} ${figure.padStart(16)}  ${compared.padStart(8)}  ${against.padEnd(36)} ${limit}`,
    )
  }
  return measures.every(({ ratio, atLeast }) => atLeast === undefined || (ratio ?? 0) >= atLeast)
}

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString("en")}/s`
