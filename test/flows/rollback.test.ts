// A backup that is restored, from the issuer to the API: an issuer that finds out stops minting and says what to do, and
// after an operator's word it goes on, with nothing of the ledger that was lost passing anywhere.
import { copyFileSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import type { Task } from "../../src/client/task.ts"
import { copyDatabase } from "../../src/database/backup.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import { createIssuerCalls } from "../../src/remote/issuer-calls.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import { systemClock, toEpochSeconds } from "../../src/time.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { signBatch } from "../support/batch.ts"
import { runCli, startCli } from "../support/command-line.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-rollback-"))
let town: Town
beforeAll(async () => {
  town = await buildTown()
})
afterAll(async () => {
  await town.close()
  rmSync(folder, { recursive: true, force: true })
})

const file = () => join(town.folder, "issuer.db")
const start = () =>
  town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be rolled back",
    inputs: { ticket: "SUP-1" },
  })
const tokenOf = (task: Task) => task.handover().tokens[0]?.accessToken ?? ""
async function use(token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`${town.tickets}/tickets/SUP-1`, { headers })
  const { code }: { code?: string } = JSON.parse(await answer.text())
  return code ?? String(answer.status)
}

/** What an instance of the API sends that was answered with this checkpoint. */
async function sendNaming(checkpoint: string) {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const credential = { clientId: "tickets", privateJwk: town.privateJwkOf("tickets") }
  const tokens = createServiceTokens({
    issuer: town.issuerUrl,
    credential,
    proofKey: key,
    clock: systemClock,
  })
  const batch = {
    ...{ iss: "tickets", aud: town.issuerUrl, iat: toEpochSeconds(systemClock.now()), instance: newUuid() },
    ...{ sequence: 1, previous: null, cursor: 0, applied_at: null, checkpoint, final: false, uses: [] },
  }
  const call = { method: "POST", path: "/uses", headers: { "content-type": "application/jwt" } } as const
  const limits = { maxBytes: 65_536, timeoutMilliseconds: 5000 }
  const calls = createIssuerCalls(town.issuerUrl, town.issuerUrl, tokens)
  return calls({ ...call, body: Buffer.from(signBatch(batch, key), "latin1") }, limits)
}

/** As an operator would start it on these files; ends it once it listens. */
async function serve(...flags: readonly string[]) {
  const one = startCli(["serve", ...flags], {
    env: {
      TASKMINT_ISSUER: town.issuerUrl,
      TASKMINT_PORT: "0",
      TASKMINT_POLICIES: town.policies,
      TASKMINT_DATABASE: `sqlite:${file()}`,
      TASKMINT_KEY_ENCRYPTION_KEY: town.keyEncryptionKey.toString("base64url"),
    },
  })
  await one.said(/"msg":"listening"/).catch(() => undefined) // it ended before
  const ready = /"address":"([^"]+)"/.exec(one.stdout())?.[1]
  const status = ready === undefined ? undefined : (await fetch(`${ready}/readyz`)).status
  one.child.kill("SIGTERM")
  return { ...(await one.ended), status }
}

test("H06, I11, G05: a backup is restored, is found to be older, and is accepted", async () => {
  const kept = await start()
  await copyDatabase({ from: file(), to: join(folder, "backup.db") })

  // More happens: a task, its use, and an order that the API applies.
  const lost = await start()
  const ended = await start()
  for (const task of [kept, lost]) expect(await use(tokenOf(task))).toBe("200")
  await town.ask("operations-team", "POST", "/revocations", {
    ...{ kind: "task", value: ended.id, reason: "drill" },
  })
  await expect.poll(() => use(tokenOf(ended)), { timeout: 10_000, interval: 50 }).toBe("token_revoked")
  await town.flush()
  const checkpoint = await newestCheckpoint()

  await town.restartIssuer(async () => {
    renameSync(file(), join(folder, "lost.db"))
    for (const end of ["-wal", "-shm"]) rmSync(`${file()}${end}`, { force: true })
    copyFileSync(join(folder, "backup.db"), file())
  })
  expect(await start()).toMatchObject({ id: expect.any(String) }) // nothing tells it yet
  await expect(sendNaming(checkpoint)).rejects.toThrow(Unreachable) // 503
  await expect(start()).rejects.toMatchObject({ code: "ledger_broken" })

  await town.restartIssuer(async () => {
    const stopped = await serve()
    expect([stopped.code, stopped.status]).toEqual([0, 503])
    expect(stopped.stderr).toMatch(/NOTHING IS MINTED.*\n.*start once with --accept-rollback/)

    const accepted = await serve("--accept-rollback")
    expect([accepted.code, accepted.status]).toEqual([0, 200])
    expect(accepted.stderr).not.toContain("NOTHING IS MINTED")

    const again = await serve("--accept-rollback")
    expect(again.code).toBe(1)
    expect(again.stderr).toContain("There is no rollback to accept")
  })

  // Nothing of before passes, also what this database has never heard of; what is minted now does.
  const refused = /^token_(revoked|invalid)$/
  for (const task of [kept, lost, ended])
    await expect.poll(() => use(tokenOf(task)), { timeout: 15_000, interval: 100 }).toMatch(refused)
  const fresh = await start()
  await expect.poll(() => use(tokenOf(fresh)), { timeout: 15_000, interval: 100 }).toBe("200")
  for (const task of [kept, lost, ended]) expect(await use(tokenOf(task))).toMatch(refused)
  // What it has recorded stays with the verifier: nobody has told it that this log is the one to trust now.
  const doubts = () => town.doubts().join()
  await expect.poll(doubts, { timeout: 15_000, interval: 100 }).toContain("give that one's key as ledgerKey")
  // An order of the new feed reaches the verifier that had followed the lost one.
  await town.ask("operations-team", "POST", "/revocations", {
    ...{ kind: "task", value: fresh.id, reason: "drill" },
  })
  await expect.poll(() => use(tokenOf(fresh)), { timeout: 10_000, interval: 50 }).toBe("token_revoked")

  await newestCheckpoint()
  const verified = await runCli(["ledger", "verify", "--database", `sqlite:${file()}`])
  expect([verified.code, verified.stdout]).toEqual([
    0,
    expect.stringMatching(/^verified {2}\d+ entries of 127\.0\.0\.1:\d+\/2\d{3}-/),
  ])
})

async function newestCheckpoint(): Promise<string> {
  const credential = { clientId: "audit-team", privateJwk: town.privateJwkOf("audit-team") }
  const tokens = createServiceTokens({ issuer: town.issuerUrl, credential, clock: systemClock })
  await town.sweep()
  const headers = { authorization: `Bearer ${await tokens.get()}` }
  return (await fetch(`${town.issuerUrl}/ledger/checkpoint`, { headers })).text()
}
