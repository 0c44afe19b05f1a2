// Policies for tests: folders as an operator would write them, and texts compiled in this thread.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { checkFiles, compilePolicy } from "../../src/policy/compile.ts"
import { formatFault } from "../../src/policy/fault.ts"
import { loadPolicy } from "../../src/policy/load.ts"
import type { Policy } from "../../src/policy/policy.ts"
import type { LoadOptions } from "../../src/policy/resolve.ts"
import { ROOT } from "./source.ts"

export const POLICIES = join(ROOT, "policies")
export const FIXTURES = join(ROOT, "test/policy/fixtures")

export type Texts = Readonly<Record<string, string>>

/** The shipped policy files and keys, by path. */
export function shippedTexts(): Record<string, string> {
  const names = readdirSync(POLICIES, { recursive: true, encoding: "utf8" })
  const read = names
    .filter((name) => /^[^/]+\.yaml$|\.jwks\.json$/.test(name))
    .map((name) => [name, textOf(name)])
  return Object.fromEntries(read)
}

export const textOf = (name: string): string => readFileSync(join(POLICIES, name), "utf8")

/** One fault a line, or nothing: compiled in this thread, as the parsing thread does it. */
export function faultsOf(texts: Texts, options: LoadOptions = { dev: true }): string {
  const snapshot = { texts: new Map(Object.entries(texts)), unreadable: new Map<string, string>() }
  const compiled = compilePolicy(checkFiles(snapshot), snapshot, options)
  return "digest" in compiled ? "" : compiled.map(formatFault).join("\n")
}

export interface PolicyFolder {
  readonly path: string
  write(name: string, text: string, mode?: number): void
  remove(): void
}

/** A fresh folder with the files given, readable by all and writable by their owner only. */
export function createPolicyFolder(texts: Texts = {}): PolicyFolder {
  const parent = mkdtempSync(join(tmpdir(), "taskmint-policies-"))
  const path = join(parent, "policies")
  mkdirSync(path)
  const write = (name: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
    chmodSync(join(path, name), mode)
  }
  for (const [name, text] of Object.entries(texts)) write(name, text)
  return { path, write, remove: () => rmSync(parent, { recursive: true, force: true }) }
}

/** The policy of texts, by way of a real folder and the parsing thread. Throws where it is none. */
export async function policyOf(texts: Texts, options: LoadOptions = { dev: true }): Promise<Policy> {
  const folder = createPolicyFolder(texts)
  const policy = await loadPolicy(folder.path, options)
  folder.remove()
  if ("faults" in policy) throw new Error(policy.toString())
  return policy
}

/** A policy of many task types, alike but for their names. */
export function manyTasks(count: number): string {
  const tasks = Array.from(
    { length: count },
    (_, index) => `  task-${index}:
    orchestrators: [orchestrator]
    agents: [agent]
    deadline: 2h
    inputs:
      ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,${(index % 9) + 1}}" }
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets/{ticket}", "tickets/{ticket}/comments"] }
`,
  )
  return `version: 1
apis: { tickets: { resource: https://tickets.example, owner: a, operations: { tickets:read: { risk: low } } } }
agents: { agent: { owner: a } }
orchestrators: { orchestrator: { owner: a } }
tasks:
${tasks.join("")}`
}
