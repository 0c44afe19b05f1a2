// A served issuer whose console is looked at: one where nothing happened yet, and one in which agents, orchestrators and people
// have written whatever they could, in every place that a page may show. Its pages are the console's own list.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Listening, listen } from "../../src/cli/server.ts"
import { type CallerName, type House, openHouse, START } from "./issuer-house.ts"
import { createReporter, reportedToken } from "./reporter.ts"
import { ROOT } from "./source.ts"
import { type Asked, consoleSurface, lineWith } from "./surface.ts"

export interface ConsoleHouse {
  readonly house: House
  readonly origin: string
  /** What a program of staff sends with each request, and a person's browser with a session. */
  headers(as?: CallerName): Promise<Readonly<Record<string, string>>>
  /** Paths of the pages that there are here, one of each kind. */
  pages(): Promise<string[]>
  /** The same of everything that is there, as documents. */
  documents(): Promise<string[]>
  remove(): Promise<void>
}

type Ids = Readonly<Record<string, readonly string[]>>

const shipped = (name: string, from: string, to: string) => {
  const text = readFileSync(join(ROOT, "policies", name), "utf8")
  if (!text.includes(from)) throw new Error(`policies/${name} has no ${from}`)
  return text.replace(from, to)
}

/** Who operates here audits and decides approvals, too; only in development may a key stand for a person. */
export const PEOPLE = {
  dev: true,
  files: {
    "staff.yaml": shipped("staff.yaml", "roles: [operator]", "roles: [operator, approver, auditor]"),
    "support.yaml": shipped("support.yaml", "by: [leads]", "by: [operations-team]"),
  },
}

/** What stands where others may write, and how often; a house without it is empty. */
export interface Filling {
  readonly texts: readonly string[]
  /** Default: until each text stands somewhere. */
  readonly tasks?: number
  /** Of each question, at most 8 KiB together. Default 21. */
  readonly parameters?: number
}

export async function openConsoleHouse(filling?: Filling): Promise<ConsoleHouse> {
  const house = await openHouse(PEOPLE)
  return serveConsole(house, filling ? await fill(house, filling) : {})
}

/** `ids`: of each collection what is there to be looked at, the newest last; empty: nothing is. */
export async function serveConsole(house: House, ids: Ids): Promise<ConsoleHouse> {
  const server: Listening = await listen("127.0.0.1", 0)
  server.serve(house.issuer.fetch)
  const tokens = new Map<CallerName, string>()
  const headers = async (as: CallerName = "audit-team") => {
    const token = tokens.get(as) ?? (await house.serviceToken(as))
    tokens.set(as, token)
    return { authorization: `Bearer ${token}` }
  }
  return {
    house,
    origin: `http://127.0.0.1:${server.port}`,
    headers,
    async pages() {
      const newest = Object.entries(ids).map(([name, all]) => [name, all.slice(-1)])
      return (await pagesOf(house, Object.fromEntries(newest))).map(({ path }) => path)
    },
    documents: async () => (await pagesOf(house, ids)).map(({ document }) => document),
    async remove() {
      await server.drain(100)
      await house.remove()
    },
  }
}

interface Found {
  readonly path: string
  readonly document: string
}

async function pagesOf(house: House, ids: Ids): Promise<Found[]> {
  const paths = consoleSurface()
    .filter(({ method }) => method === "GET")
    .flatMap((asked) => pathsOf(asked, ids))
  const found: (Found | undefined)[] = []
  // Some at a time: one commit for several readings.
  for (let at = 0; at < paths.length; at += 8)
    found.push(...(await Promise.all(paths.slice(at, at + 8).map((path) => pageAt(house, path)))))
  return found.filter((one) => one !== undefined)
}

/** Undefined where one is led on, and for what a page loads. */
async function pageAt(house: House, path: string): Promise<Found | undefined> {
  const answer = await house.call("GET", path, { as: "audit-team" })
  const document = await answer.text()
  if (answer.status === 303 || !/html/.test(answer.headers.get("content-type") ?? "")) return undefined
  // Nobody can sign in here: the policy has no provider. That is a page of its own.
  if (answer.status !== 200 && !/^\/console\/(sign-in|callback)/.test(path))
    throw new Error(`${path} is no page: ${answer.status}`)
  return { path, document }
}

/** None where nothing is there yet that the page could be about. */
function pathsOf(asked: Asked, ids: Ids): string[] {
  const [given] = asked.parameters.filter(({ place }) => place === "path")
  if (!given) return [asked.path]
  const steps = asked.path.split("/")
  const collection = steps[steps.indexOf(`{${given.name}}`) - 1] ?? ""
  if (LEADS_ON.has(collection) || Object.keys(ids).length === 0) return []
  const all = ids[collection]
  if (!all) throw new Error(`console-house.ts has nothing for ${asked.path}`)
  return all.map((id) => lineWith(asked, given, id))
}

/** What is used up by looking at it. */
const LEADS_ON: ReadonlySet<string> = new Set(["link"])

/** Tasks, approvals, uses, refusals and orders, with the next texts of the list wherever somebody else's text may stand. */
async function fill(house: House, { texts, parameters: members = 21, tasks }: Filling): Promise<Ids> {
  let at = 0
  const next = () => texts[at++ % texts.length] ?? ""
  const as = "support-orchestrator"
  const ids = {
    agents: ["triage-bot"],
    ledger: ["1", "2", "3", "20", "40"],
    tasks: [] as string[],
    approvals: [] as string[],
    revocations: [] as string[],
  }
  const reporter = createReporter(house)
  const [beside, most] = [3, 30]
  const enough = tasks ?? Math.min(most, Math.ceil(texts.length / (members + beside)))
  for (let task = 0; task < enough; task += 1) {
    house.clock.advance(20_000)
    const json = {
      ...START,
      agent: { id: "triage-bot", instance: `pod-${task}` },
      purpose: next(),
      // A reference is one task's: the second time round it has another end.
      reference: at < texts.length ? next() : `${next()}-${task}`,
    }
    const { status, body } = await house.ask("POST", "/tasks", { as, json })
    if (status !== 201) throw new Error(`no task: ${JSON.stringify(body)} of ${JSON.stringify(json)}`)
    const id = String(body.task_id)
    ids.tasks.push(id)
    const parameters = Object.fromEntries(
      Array.from({ length: members }, (_, member) => [`p${member}`, next()]),
    )
    const question = {
      task_id: id,
      operation: "tickets:close",
      resource: "tickets/SUP-1042",
      reason: next(),
      parameters,
    }
    const asked = await house.ask("POST", "/approvals", { as, json: question })
    if (asked.status !== 201) throw new Error(`no approval: ${JSON.stringify(asked.body)}`)
    ids.approvals.push(String(asked.body.id))
    const [token] = body.tokens as { access_token: string }[]
    const held = reportedToken(token?.access_token ?? "")
    const refused = { decision: "refused", code: "operation_not_granted" } as const
    await reporter.report([reporter.use(held), reporter.use(held), reporter.use(held, refused)])
    if (task % 10 === 1) await house.ask("POST", `/tasks/${id}/complete`, { as })
    if (task % 10 === 5) await house.ask("POST", `/tasks/${id}/pause`, { as, json: { reason: json.purpose } })
    if (task % 10 === 7) await house.ask("POST", `/tasks/${id}/fail`, { as, json: { reason: json.purpose } })
  }
  for (const value of ["summarizer", "deploy-bot"]) {
    const order = { kind: "agent", value, reason: next() }
    const { body } = await house.ask("POST", "/revocations", { as: "operations-team", json: order })
    ids.revocations.push(String(body.id))
  }
  await house.issuer.sweep()
  return ids
}
