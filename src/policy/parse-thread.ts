// The thread in which policies are read and parsed, so that a large one never blocks the event loop that serves. It
// decides nothing that compile.ts has not; it hands the result over in small messages, each asked for.
import { parentPort } from "node:worker_threads"
import { type CheckedFiles, checkFiles, compilePolicy, keyPathsOf, type PlainPolicy } from "./compile.ts"
import type { PolicyFault } from "./fault.ts"
import { digestOfFiles, fingerprint, isPolicyFile, readFolder, type Snapshot } from "./folder.ts"
import type { Agent, AnomalyRule, Api, IdentityProvider, Orchestrator, Staff, UserRule } from "./policy.ts"
import type { LoadOptions } from "./resolve.ts"
import type { PlainTaskType } from "./resolve-task.ts"

/** Where a policy comes from: a folder, or texts that were read once and stored. */
export interface ParseRequest {
  readonly source: { readonly folder: string } | { readonly texts: ReadonlyMap<string, string> }
  readonly options: LoadOptions
}

/** What the thread is asked: another policy, answered with its first message, or the next message. */
export type ParseQuestion = ParseRequest | "next"

/** What the parts of a policy hold, by section. */
interface Entries {
  readonly files: string
  readonly identityProviders: IdentityProvider
  readonly apis: Api
  readonly agents: Agent
  readonly orchestrators: Orchestrator
  readonly users: UserRule
  readonly staff: Staff
  readonly tasks: PlainTaskType
  readonly anomalies: AnomalyRule
}

type Part<Section extends keyof Entries> = {
  readonly kind: "part"
  readonly section: Section
  readonly entries: readonly (readonly [string, Entries[Section]])[]
}

/** One message to the thread that asked: parts of a policy until `end`, or faults alone. */
export type ParseMessage =
  | {
      readonly kind: "faults"
      readonly faults: readonly PolicyFault[]
      readonly keyPaths: readonly string[]
      readonly fingerprint: string
      readonly digest: string
    }
  | { readonly [Section in keyof Entries]: Part<Section> }[keyof Entries]
  | { readonly kind: "end"; readonly digest: string }

/** Receiving more at once would block the event loop for longer than a request may wait. */
const ENTRIES_A_MESSAGE = 100
/** A folder that changes while it is read is read again, this often. */
const ATTEMPTS = 3
const MAX_FAULTS = 100

async function parse(request: ParseRequest): Promise<readonly ParseMessage[]> {
  if ("texts" in request.source) {
    const snapshot = { texts: request.source.texts, unreadable: new Map<string, string>() }
    return messagesOf(checkFiles(snapshot), snapshot, request.options)
  }
  return parseFolder(request.source.folder, request.options, ATTEMPTS)
}

async function parseFolder(
  folder: string,
  options: LoadOptions,
  attempts: number,
): Promise<readonly ParseMessage[]> {
  const first = await readFolder(folder, [], options)
  const checked = checkFiles(first)
  const keyPaths = keyPathsOf(checked.files)
  const whole = await readFolder(folder, keyPaths, options)
  const again = await readFolder(folder, keyPaths, options)
  const steady =
    fingerprint(whole) === fingerprint(again) && fingerprint(withoutKeys(whole)) === fingerprint(first)
  if (steady) return messagesOf(checked, whole, options)
  if (attempts > 1) return parseFolder(folder, options, attempts - 1)
  const message = "expected files that stay as they are while they are read"
  return faultMessages([{ place: { file: ".", line: 1, column: 1 }, message }], checked, whole)
}

const withoutKeys = (snapshot: Snapshot): Snapshot => ({
  texts: new Map([...snapshot.texts].filter(([path]) => isPolicyFile(path))),
  unreadable: new Map([...snapshot.unreadable].filter(([path]) => !path.includes("/"))),
})

function messagesOf(
  checked: CheckedFiles,
  snapshot: Snapshot,
  options: LoadOptions,
): readonly ParseMessage[] {
  const compiled = compilePolicy(checked, snapshot, options)
  return "digest" in compiled ? policyMessages(compiled) : faultMessages(compiled, checked, snapshot)
}

function faultMessages(
  faults: readonly PolicyFault[],
  checked: CheckedFiles,
  snapshot: Snapshot,
): readonly ParseMessage[] {
  const read = { digest: digestOfFiles(snapshot.texts), fingerprint: fingerprint(snapshot) }
  const keyPaths = [...keyPathsOf(checked.files)]
  return [{ kind: "faults", faults: faults.slice(0, MAX_FAULTS), keyPaths, ...read }]
}

function policyMessages(policy: PlainPolicy): readonly ParseMessage[] {
  return [
    ...chunks(policy.files, 1).map((entries) => ({ kind: "part", section: "files", entries }) as const),
    ...chunks(policy.identityProviders, 10).map(
      (entries) => ({ kind: "part", section: "identityProviders", entries }) as const,
    ),
    ...chunks(policy.apis).map((entries) => ({ kind: "part", section: "apis", entries }) as const),
    ...chunks(policy.agents).map((entries) => ({ kind: "part", section: "agents", entries }) as const),
    ...chunks(policy.orchestrators).map(
      (entries) => ({ kind: "part", section: "orchestrators", entries }) as const,
    ),
    ...chunks(policy.users).map((entries) => ({ kind: "part", section: "users", entries }) as const),
    ...chunks(policy.staff).map((entries) => ({ kind: "part", section: "staff", entries }) as const),
    ...chunks(policy.tasks).map((entries) => ({ kind: "part", section: "tasks", entries }) as const),
    ...chunks(policy.anomalies).map((entries) => ({ kind: "part", section: "anomalies", entries }) as const),
    { kind: "end", digest: policy.digest },
  ]
}

function chunks<T>(entries: ReadonlyMap<string, T>, size = ENTRIES_A_MESSAGE): (readonly [string, T])[][] {
  const all = [...entries]
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  )
}

/** Each message is asked for, so that no two are handled in one turn of the asker's loop. One policy after the other. */
function serve(port: NonNullable<typeof parentPort>): void {
  let messages: Promise<readonly ParseMessage[]> = Promise.resolve([])
  let next = 0
  port.on("message", async (question: ParseQuestion) => {
    if (question !== "next") {
      messages = parse(question)
      next = 0
    }
    const message = (await messages)[next]
    next += 1
    if (message) port.postMessage(message)
  })
}

if (parentPort) serve(parentPort)
