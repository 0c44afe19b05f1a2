// Policy files deformed in ways nobody thought of, seeded, so that a failure can be run again: the shipped files and the
// bad ones of the fixtures, cut, doubled, mixed, indented anew and spiced with what YAML and patterns are attacked by.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { checkFiles, compilePolicy, type PlainPolicy } from "../../src/policy/compile.ts"
import type { PolicyFault } from "../../src/policy/fault.ts"
import { patternFault } from "../../src/policy/pattern.ts"
import type { PlainTaskType } from "../../src/policy/resolve-task.ts"
import { FIXTURES, shippedTexts } from "./policies.ts"

/** Longest that one file may take: the limit of a hang. Of this thread alone, which others may keep from running. */
const LONGEST_MILLISECONDS = 1000

const workedMilliseconds = () => process.threadCpuUsage().user / 1000

const shipped = Object.entries(shippedTexts())
const keys = shipped.filter(([name]) => name.endsWith(".json"))
const whole = shipped.filter(([name]) => name.endsWith(".yaml"))
const bad = readdirSync(join(FIXTURES, "bad")).map((name) =>
  readFileSync(join(FIXTURES, "bad", name), "utf8"),
)

const SPICES = [
  "&a ",
  "*a ",
  "!!binary ",
  "<<: ",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "\t",
  "\uFEFF",
  "\0",
  "\u202e",
  "? ",
  "- ",
  ": ",
  "{",
  "}",
  "[",
  "]",
  "|\n",
  ">\n",
  "'",
  '"',
  "#",
  "null",
  "~",
  "0x1f",
  "1e999",
  ".nan",
  "__proto__: {}\n",
  "constructor",
  '"(a+)+$"',
  '"((a{99}){99}){99}"',
  '"\\\\p{L}*"',
  "{ticket}",
  "**",
  "*",
  "../",
  "9999999999999999999",
  "true",
  "7d",
  "0s",
]
const text = fc.oneof(fc.constantFrom(...whole.map(([, one]) => one)), fc.constantFrom(...bad))
const place = fc.nat(5000)
const count = fc.integer({ min: 0, max: 60 })

const lines = (one: string) => one.split("\n")
const cut = fc
  .tuple(text, place, count)
  .map(([one, at, length]) => one.slice(0, at % one.length) + one.slice((at % one.length) + length))
const short = fc.tuple(text, place).map(([one, at]) => one.slice(0, at % one.length))
const spiced = fc
  .tuple(text, fc.array(fc.tuple(place, fc.constantFrom(...SPICES)), { minLength: 1, maxLength: 4 }))
  .map(([one, spices]) =>
    spices.reduce((so, [at, spice]) => so.slice(0, at % so.length) + spice + so.slice(at % so.length), one),
  )
const doubled = fc.tuple(text, place, place).map(([one, at, to]) => {
  const all = lines(one)
  return all.toSpliced(to % all.length, 0, all[at % all.length] ?? "").join("\n")
})
const mixed = fc.tuple(text, text, place, place).map(([one, other, from, to]) => {
  const [head, tail] = [lines(one), lines(other)]
  return [...head.slice(0, from % head.length), ...tail.slice(to % tail.length)].join("\n")
})
const indented = fc.tuple(text, place, fc.integer({ min: -4, max: 4 })).map(([one, at, by]) => {
  const all = lines(one)
  const line = all[at % all.length] ?? ""
  return all.with(at % all.length, by < 0 ? line.slice(-by) : " ".repeat(by) + line).join("\n")
})
const replaced = fc.tuple(text, place, fc.constantFrom(...SPICES)).map(([one, at, spice]) => {
  const values = [...one.matchAll(/(?<=: )[^\n{[]+/g)]
  const value = values[at % Math.max(1, values.length)]
  return value ? one.slice(0, value.index) + spice + one.slice(value.index + value[0].length) : one
})
const noise = fc.string({ maxLength: 200, unit: "binary" })

const deformed = fc.oneof(cut, short, spiced, doubled, mixed, indented, replaced, noise)
interface Fuzzed {
  readonly loaded: number
  readonly refused: number
}

/** Throws, with the seed and the shortest example, where a file makes the reader throw, hang or load half of it. */
export function runPolicyFuzz(numRuns: number, seed: number): Fuzzed {
  const fuzzed = { loaded: 0, refused: 0 }
  fc.assert(
    fc.property(deformed, (content) => {
      const texts = new Map([...keys, ["a.yaml", content]])
      const snapshot = { texts, unreadable: new Map<string, string>() }
      const began = workedMilliseconds()
      const read = compilePolicy(checkFiles(snapshot), snapshot, { dev: true })
      const took = workedMilliseconds() - began
      if (took > LONGEST_MILLISECONDS) throw new Error(`took ${Math.round(took)} ms`)
      if ("digest" in read) checkWhole(read)
      else checkFaults(read, texts)
      fuzzed["digest" in read ? "loaded" : "refused"] += 1
    }),
    { numRuns, seed },
  )
  return fuzzed
}

function checkFaults(faults: readonly PolicyFault[], texts: ReadonlyMap<string, string>): void {
  if (faults.length === 0) throw new Error("refused without a reason")
  for (const { place, message } of faults) {
    const last = (texts.get(place.file) ?? "").split("\n").length
    if (place.line < 1 || place.column < 1 || place.line > last) throw new Error(`${message}: nowhere`)
    if (message === "" || /[\0-\x1f\u202a-\u202e]/.test(message))
      throw new Error(`unfit to print: ${message}`)
  }
}

/** What a loaded policy promises (policy.ts): every name leads somewhere, nothing is missing. */
function checkWhole(policy: PlainPolicy): void {
  for (const task of policy.tasks.values())
    for (const wrong of brokenIn(policy, task)) throw new Error(`${task.name}: ${wrong}`)
}

function brokenIn(policy: PlainPolicy, task: PlainTaskType): string[] {
  const unknown = (names: Iterable<string>, known: ReadonlyMap<string, unknown>) =>
    [...names].filter((name) => !known.has(name))
  const sources = [...task.inputs.values()].flatMap((rule) => (rule.kind === "pattern" ? [rule.source] : []))
  return [
    ...unknown(task.orchestrators, policy.orchestrators),
    ...unknown(task.agents, policy.agents),
    ...unknown(task.delegation?.to.keys() ?? [], policy.agents),
    ...unknown(task.onBehalfOf?.users ?? [], policy.users),
    ...task.grants.flatMap(({ api, operations, resources, approval }) => [
      ...unknown(operations, policy.apis.get(api)?.operations ?? new Map()),
      ...unknown(approval?.by ?? [], policy.staff),
      ...(operations.length === 0 || resources.length === 0 ? ["an empty grant"] : []),
      ...resources
        .flat()
        .flatMap((one) =>
          typeof one === "object" && "input" in one && !task.inputs.has(one.input) ? [one.input] : [],
        ),
    ]),
    ...sources.flatMap((source) => patternFault(source) ?? []),
    ...(task.grants.length === 0 ? ["no grants"] : []),
    ...(task.deadlineSeconds >= 1 && task.deadlineSeconds <= 604_800 ? [] : ["a deadline out of range"]),
    ...(task.tokenLifetimeSeconds >= 300 && task.tokenLifetimeSeconds <= 1800
      ? []
      : ["a lifetime out of range"]),
  ]
}
