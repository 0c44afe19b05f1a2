// The task room of a crew (crew.ts) without HTTP: exchanges as the issuer hands them in, on a database that other things may
// happen to between a decision and its commit.

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Engine } from "../../src/database/database.ts"
import { Refusal, refuse } from "../../src/errors.ts"
import type { Exchanged } from "../../src/task/delegate.ts"
import type { ExchangeRequest } from "../../src/task/exchange.ts"
import type { Started } from "../../src/task/start.ts"
import { createTasks, type Tasks } from "../../src/task/task.ts"
import { type CrewRules, crewPolicy, newKey } from "./crew.ts"
import { createFolders } from "./folder.ts"
import { createWorld, ISSUER, SUPPORT_START, TICKETS, type World, writePolicies } from "./world.ts"

export const ORCHESTRATOR = "support-orchestrator"

export interface Hand {
  readonly taskId: string
  readonly jkt: string
  readonly own: string
  readonly tickets: string
  readonly delegation?: string
}

/** A world under the crew's policy. To be closed and removed by the test. */
export async function openCrewWorld(rules: CrewRules = {}): Promise<World> {
  const folder = newFolder()
  const policies = join(folder, "policies")
  writePolicies(policies)
  setRules(policies, rules)
  return createWorld({ folder })
}

const newFolder = createFolders()

export const setRules = (policyFolder: string, rules: CrewRules): void =>
  writeFileSync(join(policyFolder, "support.yaml"), crewPolicy(rules))

/** Sets the limits of the task type, and takes them into force. */
export async function limitTasks({ policyFolder, policies }: World, limits: string): Promise<void> {
  const path = join(policyFolder, "support.yaml")
  writeFileSync(path, readFileSync(path, "utf8").replace(/limits: \{.*\}\n/, `limits: { ${limits} }\n`))
  if ((await policies.reload()) !== "loaded") throw new Error(`not taken into force: ${limits}`)
}

/** Tasks of this world, before whose next commit something happens once. */
export const tasksBefore = (world: World, act: () => Promise<unknown> | unknown): Tasks =>
  createTasks({ ...world, engine: engineBefore(world, act) })

/** The world's engine, before whose next commit (with that statement, where one is named) something happens once. */
export function engineBefore(world: World, act: () => Promise<unknown> | unknown, name?: string): Engine {
  let acted = false
  return {
    ...world.engine,
    query: (statement, values) => world.engine.query(statement, values),
    hearOthers: (listener) => world.engine.hearOthers(listener),
    scrub: () => world.engine.scrub(),
    close: () => world.engine.close(),
    async atomically(steps) {
      const isMeant = name === undefined || steps.some(({ statement }) => statement.name === name)
      if (!acted && isMeant) {
        acted = true
        await act()
      }
      return world.engine.atomically(steps)
    },
  }
}

export function must<T>(answer: T | Refusal): T {
  if (answer instanceof Refusal) throw new Error(`${answer.code} ${answer.reason}`)
  return answer
}

export async function startHand(world: World, more: object = {}): Promise<Hand> {
  const jkt = newKey().thumbprint
  const started: Started = must(
    await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, dpopJkt: jkt, ...more }),
  )
  const of = (resource: string) => started.tokens.find((one) => one.resource === resource)?.accessToken ?? ""
  return { taskId: started.taskId, jkt, own: of(ISSUER), tickets: of(TICKETS) }
}

/** As an agent asks with its own token and key. */
export const exchangeBy = (
  tasks: Tasks,
  hand: Pick<Hand, "own" | "jkt">,
  more: Partial<ExchangeRequest> = {},
): Promise<Exchanged | Refusal> =>
  tasks.exchange({
    subjectToken: hand.own,
    by: { kind: "agent", jkt: hand.jkt, agent: undefined },
    resource: TICKETS,
    once: { steps: [], before: () => refuse("proof_invalid", "[replay]") },
    turn: (_orchestrator, run) => run(),
    ...more,
  })

/** A sub-agent with a key of its own. */
export async function delegateBy(
  tasks: Tasks,
  hand: Pick<Hand, "own" | "jkt">,
  agent: string,
  instance: string,
  more: Partial<ExchangeRequest> = {},
): Promise<Hand | Refusal> {
  const jkt = newKey().thumbprint
  const given = await exchangeBy(tasks, hand, { actor: { agent, instance, jkt }, ...more })
  if (given instanceof Refusal) return given
  const { taskId, token, own, delegationId: delegation = "" } = given
  return { taskId, jkt, own: own?.accessToken ?? "", tickets: token.accessToken, delegation }
}
