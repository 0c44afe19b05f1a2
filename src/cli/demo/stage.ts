// The demo's stage: a temporary folder, five processes with free ports, and their end in the right order, whatever
// happens in between. What is played there is story.ts's.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type IssuerCalls, openIssuer } from "../../client/issuer-call.ts"
import { systemClock } from "../../time.ts"
import { createCredential } from "../credential.ts"
import { type ExampleFolder, pathsOf, writeExampleFolder } from "../example-folder.ts"
import { type Actor, startActor } from "./actor.ts"

/** Everything is up and knows each other. */
export interface Scenery {
  readonly house: ExampleFolder
  /** Addresses. */
  readonly issuer: string
  readonly tickets: string
  readonly deployments: string
  readonly apis: readonly Actor[]
  readonly orchestrator: Actor
  readonly agent: Actor
  readonly operator: IssuerCalls
  readonly auditor: IssuerCalls
  /** A person who approves; their key stands for them, as an issuer for development allows. */
  readonly lead: IssuerCalls
}

export interface Stage {
  open(): Promise<Scenery>
  /** Ends every process that was started and removes the folder. Never rejects for a process that is gone already. */
  end(): Promise<void>
}

export function createStage(): Stage {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-demo-"))
  const cast: Actor[] = []
  const start = (...given: Parameters<typeof startActor>) => {
    const actor = startActor(...given)
    cast.push(actor)
    return actor
  }
  const sweep = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.once("exit", sweep)
  return {
    open: () => open(folder, start),
    async end() {
      const [issuer, ...others] = cast
      await Promise.all(others.map((actor) => actor.end())) // APIs still have an issuer to report to
      await issuer?.end()
      sweep()
      process.off("exit", sweep)
    },
  }
}

async function open(folder: string, start: typeof startActor): Promise<Scenery> {
  const { keyEncryptionKeyFile } = pathsOf(join(folder, "house"))
  const issuerProcess = start("issuer", "issuer", [], {
    TASKMINT_KEY_ENCRYPTION_KEY_FILE: keyEncryptionKeyFile,
  })
  const apis = [start("tickets", "api", ["tickets"]), start("deployments", "api", ["deployments"])]
  const orchestrator = start("orchestrator", "orchestrator", [])
  const agent = start("agent", "agent", [])
  const [tickets = "", deployments = ""] = await Promise.all(apis.map((api) => api.ask<string>("address")))
  const house = writeExampleFolder(join(folder, "house"), (text) =>
    text
      .replace("https://tickets.internal.example", tickets)
      .replace("https://deployments.internal.example", deployments)
      .replace("leads: { roles: [approver] }", LEADS),
  )
  createCredential("leads", {
    privateTo: join(house.folder, "credentials"),
    publicTo: join(house.policies, "keys"),
  })
  const issuer = await openIssuerProcess(house, issuerProcess)
  const credential = (clientId: string) => ({ clientId, privateJwkFile: house.keyFileOf(clientId) })
  const addresses = [tickets, deployments]
  const openApi = (api: Actor, at: number) =>
    api.ask("open", {
      issuer,
      resource: addresses[at],
      spool: join(folder, `${api.name}-uses.db`),
      privateJwkFile: house.keyFileOf(api.name),
    })
  await Promise.all([
    ...apis.map(openApi),
    orchestrator.ask("open", { issuer, credential: credential("support-orchestrator") }),
  ])
  const as = (clientId: string) => openIssuer({ issuer, credential: credential(clientId) }, systemClock)
  const staff = { operator: as("operations-team"), auditor: as("audit-team"), lead: as("leads") }
  return { house, issuer, tickets, deployments, apis, orchestrator, agent, ...staff }
}

const LEADS =
  "leads: { roles: [approver], authenticate: [{ private_key_jwt: { jwks: keys/leads.jwks.json } }] }"

async function openIssuerProcess(house: ExampleFolder, process: Actor): Promise<string> {
  const database = `sqlite:${house.database}`
  process.tell(["--dev", "--port", "0", "--policies", house.policies, "--database", database])
  const [, address = ""] = await process.said(/"address":"([^"]+)".*"msg":"listening"/)
  return address
}
