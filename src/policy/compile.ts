// Texts of files into a policy as plain data, or everything that is wrong with them. It runs in the parsing thread and
// reads nothing itself; compiled patterns are added where the policy is used.
import { JsonFault, parseJson } from "../token/json.ts"
import { type CheckedFile, checkPolicyFile } from "./check.ts"
import type { PolicyFault } from "./fault.ts"
import { digestOfFiles, isPolicyFile, type Snapshot } from "./folder.ts"
import { mergeFiles } from "./merge.ts"
import { type ParsedFile, parsePolicyFile } from "./parse.ts"
import type { Policy } from "./policy.ts"
import {
  type KeyFile,
  type LoadOptions,
  type Resolving,
  resolveAgents,
  resolveApis,
  resolveOrchestrators,
  resolveStaff,
} from "./resolve.ts"
import { resolveAnomalies } from "./resolve-anomaly.ts"
import { resolveProviders } from "./resolve-identity.ts"
import { type PlainTaskType, resolveTask } from "./resolve-task.ts"
import { resolveUsers } from "./resolve-user.ts"
import type { PolicyFile } from "./schema.ts"

/** A policy as it crosses threads. */
export type PlainPolicy = Omit<Policy, "tasks"> & { readonly tasks: ReadonlyMap<string, PlainTaskType> }

/** Policy files, each by itself: those that fit the schema, and the faults of the others. */
export interface CheckedFiles {
  readonly files: readonly CheckedFile[]
  readonly faults: readonly PolicyFault[]
}

export function checkFiles(snapshot: Snapshot): CheckedFiles {
  const files: CheckedFile[] = []
  const faults: PolicyFault[] = []
  for (const [file, message] of snapshot.unreadable) {
    if (isPolicyFile(file) || !file.includes("/"))
      faults.push({ place: { file, line: 1, column: 1 }, message })
  }
  for (const [name, text] of snapshot.texts) {
    if (!isPolicyFile(name)) continue
    const parsed = parsePolicyFile(name, text)
    const checked = isFaults(parsed) ? parsed : checkPolicyFile(parsed)
    if (isFaults(checked)) faults.push(...checked)
    else files.push(checked)
  }
  return { files, faults }
}

const isFaults = <T extends ParsedFile | CheckedFile>(
  result: T | readonly PolicyFault[],
): result is readonly PolicyFault[] => Array.isArray(result)

/** The paths of key files that the files name. */
export function keyPathsOf(files: readonly CheckedFile[]): ReadonlySet<string> {
  const paths = new Set<string>()
  for (const { rules } of files) {
    const keys = callersOf(rules).flatMap((named) => named.authenticate ?? [])
    for (const jwks of [
      ...Object.values(rules.identity_providers).map((provider) => provider.jwks),
      ...keys.map((way) => way.private_key_jwt?.jwks),
    ])
      if (typeof jwks === "string") paths.add(jwks)
  }
  return paths
}

const callersOf = (rules: PolicyFile) =>
  [rules.apis, rules.agents, rules.orchestrators, rules.staff].flatMap((one) => Object.values(one))

/** The policy of checked files and of the snapshot that also holds their key files. */
export function compilePolicy(
  checked: CheckedFiles,
  snapshot: Snapshot,
  options: LoadOptions,
): PlainPolicy | readonly PolicyFault[] {
  if (checked.faults.length > 0) return checked.faults
  const { sections, faults } = mergeFiles(checked.files)
  const reading = { options, faults, keyFiles: readKeyFiles(checked.files, snapshot) }
  const providers = resolveProviders(sections, reading)
  const to: Resolving = { ...reading, providers }
  const policy: PlainPolicy = {
    digest: digestOfFiles(snapshot.texts),
    files: snapshot.texts,
    identityProviders: providers,
    apis: resolveApis(sections.apis, to),
    agents: resolveAgents(sections, to),
    orchestrators: resolveOrchestrators(sections, to),
    users: resolveUsers(sections, to),
    staff: resolveStaff(sections, to),
    tasks: new Map([...sections.tasks].map(([name, task]) => [name, resolveTask(task, sections, to)])),
    anomalies: resolveAnomalies(sections, to),
  }
  return faults.length > 0 ? faults : policy
}

function readKeyFiles(files: readonly CheckedFile[], snapshot: Snapshot): ReadonlyMap<string, KeyFile> {
  const read = [...keyPathsOf(files)].map((path): [string, KeyFile] => {
    const text = snapshot.texts.get(path)
    if (text === undefined) {
      return [
        path,
        { fault: snapshot.unreadable.get(path) ?? "expected a file that can be read, found none" },
      ]
    }
    const content = parseJson(text, { maxDepth: 4 })
    return [path, content instanceof JsonFault ? { fault: "expected a key file in JSON" } : { content }]
  })
  return new Map(read)
}
