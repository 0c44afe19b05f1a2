// Files into a policy, in a thread of its own: whole, or not at all with everything that is wrong. Which policy is then in
// force is in-force.ts's.
import { getCompileCacheDir } from "node:module"
import { dirname } from "node:path"
import { Worker } from "node:worker_threads"
import { condition } from "./condition.ts"
import { PolicyFaults } from "./fault.ts"
import type { ParseMessage, ParseQuestion, ParseRequest } from "./parse-thread.ts"
import { inputPattern } from "./pattern.ts"
import type {
  Agent,
  AnomalyRule,
  Api,
  Condition,
  ConditionRule,
  IdentityProvider,
  InputRule,
  Orchestrator,
  Policy,
  Staff,
  TaskType,
  UserRule,
} from "./policy.ts"
import type { LoadOptions } from "./resolve.ts"
import type { PlainInputRule, PlainTaskType } from "./resolve-task.ts"

/** Longest time that a policy may take to be read. */
const TIMEOUT_MILLISECONDS = 120_000

/**
 * Reads the policy of a folder. Guaranteed of the answer: everything that policy.ts says. Rejects when the thread dies.
 * Whether it takes force is NOT decided here.
 */
export const loadPolicy = (folder: string, options: LoadOptions = {}): Promise<Policy | PolicyFaults> =>
  load({ source: { folder }, options: plainOptions(options) })

/** The same from texts that were read once: `Policy.files` of an earlier load. */
export const loadStoredPolicy = (
  texts: ReadonlyMap<string, string>,
  options: LoadOptions = {},
): Promise<Policy | PolicyFaults> => load({ source: { texts }, options: plainOptions(options) })

/** Only these cross to the thread; callers may hand in an object that holds more. */
const plainOptions = ({ dev, allowPlainHttp }: LoadOptions): LoadOptions => ({
  ...(dev !== undefined && { dev }),
  ...(allowPlainHttp !== undefined && { allowPlainHttp }),
})

/** From source it is TypeScript, from the package it is JavaScript: the thread is started as this file was. */
const THREAD = new URL(
  import.meta.url.endsWith(".ts") ? "./parse-thread.ts" : "./parse-thread.js",
  import.meta.url,
)

async function load(request: ParseRequest): Promise<Policy | PolicyFaults> {
  const worker = takeThread()
  try {
    const read = await readWith(worker, request)
    rest(worker)
    return read
  } catch (error) {
    await worker.terminate()
    throw error
  }
}

function readWith(worker: Worker, request: ParseRequest): Promise<Policy | PolicyFaults> {
  const gathered = new GatheredPolicy()
  const ask = (question: ParseQuestion) => worker.postMessage(question)
  const settled = Promise.withResolvers<Policy | PolicyFaults>()
  const late = () => settled.reject(new Error("Reading the policy took too long"))
  const ended = () => settled.reject(new Error("The thread that reads policies ended early"))
  const take = (message: ParseMessage) => {
    const result = gathered.take(message)
    if (result) settled.resolve(result)
    else ask("next")
  }
  const timer = setTimeout(late, TIMEOUT_MILLISECONDS)
  worker.on("error", settled.reject).on("exit", ended).on("message", take)
  ask(request)
  return settled.promise.finally(() => {
    clearTimeout(timer)
    worker.off("exit", ended).off("message", take).off("error", settled.reject)
  })
}

/** Starting a thread takes ten times what it then does for a usual policy; and often there is another one at once. */
const KEPT_MILLISECONDS = 2000
/** One that has read a policy, until it has rested for too long. It keeps no process alive. */
let resting: { readonly worker: Worker; readonly leave: () => void } | undefined

function takeThread(): Worker {
  const found = resting
  if (!found)
    return new Worker(THREAD, {
      env: environment(),
      execArgv: [],
      // Room for a large policy; a usual one never grows into it.
      resourceLimits: { maxYoungGenerationSizeMb: 32 },
    })
  found.leave()
  found.worker.ref()
  return found.worker
}

/** Ends the thread that rests, at once: for who reads no other policy soon, and wants its memory back. */
export async function endReading(): Promise<void> {
  const found = resting
  found?.leave()
  await found?.worker.terminate()
}

/** One of two that end at once is enough. */
function rest(worker: Worker): void {
  if (resting) return void worker.terminate()
  const leave = () => {
    resting = undefined
    clearTimeout(timer)
    worker.off("error", end).off("exit", end)
  }
  const end = () => {
    leave()
    worker.on("error", () => undefined)
    void worker.terminate()
  }
  const timer = setTimeout(end, KEPT_MILLISECONDS).unref()
  worker.on("error", end).on("exit", end).unref()
  resting = { worker, leave }
}

/** Nothing of ours, except where compiled code is kept when the operator keeps it: the thread loads most of it. */
function environment(): Record<string, string> {
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}

/** Puts the parts together, and gives every pattern and every condition its engine. */
class GatheredPolicy {
  readonly #files = new Map<string, string>()
  readonly #identityProviders = new Map<string, IdentityProvider>()
  readonly #apis = new Map<string, Api>()
  readonly #agents = new Map<string, Agent>()
  readonly #orchestrators = new Map<string, Orchestrator>()
  readonly #users = new Map<string, UserRule>()
  readonly #staff = new Map<string, Staff>()
  readonly #tasks = new Map<string, TaskType>()
  readonly #anomalies = new Map<string, AnomalyRule>()

  take(message: ParseMessage): Policy | PolicyFaults | undefined {
    if (message.kind === "faults") return new PolicyFaults(message)
    if (message.kind === "end") return this.#whole(message.digest)
    if (message.section === "files") add(this.#files, message.entries)
    else if (message.section === "identityProviders") add(this.#identityProviders, message.entries)
    else if (message.section === "apis") add(this.#apis, message.entries)
    else if (message.section === "agents") add(this.#agents, message.entries)
    else if (message.section === "orchestrators") add(this.#orchestrators, message.entries)
    else if (message.section === "users") add(this.#users, message.entries)
    else if (message.section === "staff") add(this.#staff, message.entries)
    else if (message.section === "anomalies") add(this.#anomalies, message.entries)
    else for (const [name, task] of message.entries) this.#tasks.set(name, withEngines(task))
    return undefined
  }

  #whole(digest: string): Policy {
    return {
      digest,
      files: this.#files,
      identityProviders: this.#identityProviders,
      apis: this.#apis,
      agents: this.#agents,
      orchestrators: this.#orchestrators,
      users: this.#users,
      staff: this.#staff,
      tasks: this.#tasks,
      anomalies: this.#anomalies,
    }
  }
}

function add<T>(to: Map<string, T>, entries: readonly (readonly [string, T])[]): void {
  for (const [name, value] of entries) to.set(name, value)
}

function withEngines({ when, ...task }: PlainTaskType): TaskType {
  const inputs = [...task.inputs].map(([name, rule]): [string, InputRule] => [name, withPattern(rule)])
  const compiled = (rule: ConditionRule): Condition => ({
    ...rule,
    holds: condition(rule.source, task.inputs.keys()),
  })
  return {
    ...task,
    inputs: new Map(inputs),
    grants: task.grants.map(({ when, ...grant }) => (when ? { ...grant, when: compiled(when) } : grant)),
    ...(when && { when: compiled(when) }),
  }
}

const withPattern = (rule: PlainInputRule): InputRule =>
  rule.kind === "pattern" ? { ...rule, pattern: inputPattern(rule.source) } : rule
