// A person decides at the command line, signing in through a browser at a foreign OpenID provider: from an agent's question
// to a call at a guarded API that is made once; and every way in which that ends with a no, or with "could not tell".
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { signIn } from "../../src/cli/sign-in.ts"
import { createSession, createSessionKey } from "../../src/client/client.ts"
import { approvalTexts } from "../support/approvals.ts"
import { startCli } from "../support/command-line.ts"
import { browse, CLIENT, type OpenIdProvider, startOpenIdProvider } from "../support/openid-provider.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let provider: OpenIdProvider
let town: Town
beforeAll(async () => {
  provider = await startOpenIdProvider()
  town = await buildTown({
    prepare(policies) {
      const { "support.yaml": text = "" } = approvalTexts(policies, "{ by: [leads], valid: 15m }")
      const openid = "{ openid: { provider: people, claims: { groups: leads } } }"
      const leads = `leads: { roles: [approver], authenticate: [${openid}] }`
      writeFileSync(join(policies, "support.yaml"), text.replace("leads: { roles: [approver] }", leads))
      const people = `{ issuer: "${provider.issuer}", private_addresses: true, audience: ${CLIENT}, name_claim: email }`
      writeFileSync(join(policies, "people.yaml"), `version: 1\nidentity_providers: { people: ${people} }\n`)
      expect(readFileSync(join(policies, "support.yaml"), "utf8")).toContain(openid)
    },
  })
})
afterAll(async () => {
  provider.close()
  await town.close()
})

const settings = () => ({
  TASKMINT_ISSUER: town.issuerUrl,
  TASKMINT_CLIENT_ID: "leads",
  TASKMINT_SIGN_IN_ISSUER: provider.issuer,
  TASKMINT_SIGN_IN_CLIENT_ID: CLIENT,
  TASKMINT_SIGN_IN_SCOPE: "openid staff",
})

/** A command, and the person who signs in at the page that it prints. */
async function approval(name: string, ...args: string[]) {
  const running = startCli(["approval", ...args, "--no-browser"], { env: settings() })
  const page = await vi.waitFor(() => /^http\S+$/m.exec(running.stderr())?.[0] ?? fail(), 20_000)
  const back = await browse(page, name)
  const shown = await fetch(back)
  return { ...(await running.ended), page: new URL(page), shown: [shown.status, await shown.text()] }
}

const fail = (): never => {
  throw new Error("not yet")
}

/** An agent that needs a ticket closed, waiting for a person. */
async function askingAgent() {
  const key = createSessionKey()
  const task = await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "a test",
    inputs: { ticket: "SUP-1042" },
    dpopJkt: key.thumbprint,
  })
  const question = { operation: "tickets:close", resource: "tickets/SUP-1042", reason: "It is solved" }
  const renew = async (resource: string) => {
    await task.renew({ resource })
    return task.handover().tokens
  }
  const session = await createSession({ ...task.handover(), key, renew, approval: () => question })
  const call = session.fetch(`${town.tickets}/tickets/SUP-1042/close`, { method: "POST" })
  call.catch(() => undefined)
  const id = await vi.waitFor(async () => {
    const { approvals } = await town.ask("audit-team", "GET", "/approvals?state=requested")
    const [one] = Array.isArray(approvals) ? approvals : []
    return one ? String(one.id) : fail()
  }, 10_000)
  return { call, id, session }
}

test("an agent asks, lea signs in and grants, and the call is made once", async () => {
  const { call, id, session } = await askingAgent()
  const granted = await approval("lea", "grant", id)
  expect([granted.code, granted.stdout]).toEqual([0, expect.stringContaining("granted")])
  expect(granted.shown).toEqual([200, expect.stringContaining("can be closed")])
  const asked = granted.page.searchParams
  expect([asked.get("code_challenge_method"), asked.get("max_age")]).toEqual(["S256", "600"])
  expect([asked.has("nonce"), asked.has("state")]).toEqual([true, true])
  expect(granted.stdout + granted.stderr).not.toMatch(/eyJ/)
  expect((await call).status).toBe(200)
  expect(town.served.filter((use) => use.operation === "tickets:close")).toHaveLength(1)
  const { entries } = await town.ask("audit-team", "GET", "/ledger/entries?kind=approval.granted")
  expect(entries).toMatchObject([{ body: { as: "leads", by: "people/lea@example.com" } }])
  await session.close()
})

test("somebody outside the rule's claims signs in and may not even look: exit 1", async () => {
  const listed = await approval("eve", "list")
  expect([listed.code, listed.stdout]).toEqual([1, ""])
  expect(listed.stderr).toContain("invalid_client")
})

test("another sign-in's answer is turned away and waited past; nobody in time could not be told: exit 3", async () => {
  const notes: string[] = []
  const options = { provider: provider.issuer, clientId: CLIENT, browser: false, scope: "openid staff" }
  const begun = signIn(
    { ...options, patienceMilliseconds: 2500 },
    { note: (line = "") => void notes.push(line) },
  )
  begun.catch(() => undefined)
  const page = new URL(await vi.waitFor(() => notes[0]?.split("\n")[1] ?? fail(), 5000))
  const back = page.searchParams.get("redirect_uri") ?? ""
  expect((await fetch(`${back}?code=stolen&state=other`)).status).toBe(400)
  expect((await fetch(`${back}?code=stolen`)).status).toBe(400)
  expect((await fetch(new URL("/", back))).status).toBe(404)
  await expect(begun).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining("in time") })
})

test.each([
  ["a nonce of another sign-in", { nonce: "another" }, 1],
  ["a challenge of another sign-in", { code_challenge: "A".repeat(43) }, 1],
])("an answer for %s is not taken", async (_what, changes, exitCode) => {
  const notes: string[] = []
  const options = { provider: provider.issuer, clientId: CLIENT, browser: false, scope: "openid staff" }
  const begun = signIn(options, { note: (line = "") => void notes.push(line) })
  begun.catch(() => undefined)
  const page = new URL(await vi.waitFor(() => notes[0]?.split("\n")[1] ?? fail(), 5000))
  for (const [name, value] of Object.entries(changes)) page.searchParams.set(name, value)
  await fetch(await browse(page.href, "lea"))
  await expect(begun).rejects.toMatchObject({ exitCode })
})

test("a provider that says no is a no, and one that is away could not tell: exit 3", async () => {
  const notes: string[] = []
  const options = { provider: provider.issuer, clientId: CLIENT, browser: false }
  const begun = signIn(options, { note: (line = "") => void notes.push(line) })
  begun.catch(() => undefined)
  const { searchParams } = new URL(await vi.waitFor(() => notes[0]?.split("\n")[1] ?? fail(), 5000))
  const denied = new URLSearchParams({ error: "access_denied", iss: provider.issuer })
  denied.set("state", searchParams.get("state") ?? "")
  await fetch(`${searchParams.get("redirect_uri")}?${denied}`)
  await expect(begun).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining("access_denied"),
  })
  const gone = await startOpenIdProvider()
  gone.close()
  const env = { ...settings(), TASKMINT_SIGN_IN_ISSUER: gone.issuer }
  const ended = await startCli(["approval", "list", "--no-browser"], { env }).ended
  expect([ended.code, ended.stdout]).toEqual([3, ""])
})
