// What a long run is asked for, by names and numbers: told at once where it is not understood, before anything runs.
import { parseArgs } from "node:util"

/**
 * Names of `known`, all of them where none is given, and a number for each of `byDefault`. `--help` ends the process with 0;
 * what is not understood with 2.
 */
export function readLongRun<Option extends string>(
  usage: string,
  known: readonly string[],
  byDefault: Readonly<Record<Option, number>>,
): { readonly names: readonly string[]; readonly numbers: Readonly<Record<Option, number>> } {
  const refuseUse = (why: string): never => {
    console.error(`${why}\n\n${usage}`)
    process.exit(2)
  }
  const options = Object.fromEntries(
    Object.keys(byDefault).map((name) => [name, { type: "string" } as const]),
  )
  const read = () => {
    try {
      const help = { type: "boolean", short: "h", default: false } as const
      return parseArgs({ allowPositionals: true, options: { ...options, help } })
    } catch (error) {
      return refuseUse(error instanceof Error ? error.message : String(error))
    }
  }
  const { values, positionals } = read()
  const { help, ...given } = values
  if (help) {
    console.log(usage)
    process.exit(0)
  }
  const numbers = {
    ...byDefault,
    ...Object.fromEntries(Object.entries(given).map(([name, text]) => [name, Number(text)])),
  }
  for (const [name, number] of Object.entries(numbers))
    if (!Number.isSafeInteger(number) || Number(number) < 1)
      refuseUse(`--${name} is a whole number, at least 1`)
  const unknown = positionals.filter((name) => !known.includes(name))
  if (unknown.length > 0) refuseUse(`there is no ${unknown.join(", ")}`)
  return { names: positionals.length > 0 ? positionals : known, numbers }
}
