// Two issuers on one ledger's copies, as after a restore beside an issuer that was not gone: real processes, and an API that
// meets now one, now the other. Whichever it meets second is found out within a heartbeat, and stops; the one that it knew goes on.
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import { copyDatabase } from "../../src/database/backup.ts"
import { openFile } from "../../src/database/file.ts"
import {
  onStage,
  readStory,
  type Stage,
  shipTheRest,
  startApi,
  startIssuer,
  startTask,
} from "../support/kill-story.ts"

vi.setConfig({ testTimeout: 90_000 })

/** What the contract gives a verifier to find a fork. */
const FOUND_MILLISECONDS = 10_000

/** One address behind which one issuer is, or another. */
async function openDoor(first: string) {
  let to = new URL(first)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const issuer = connect(Number(to.port), to.hostname)
    for (const socket of [client, issuer]) {
      sockets.add(socket.on("error", () => undefined))
      socket.once("close", () => sockets.delete(socket))
    }
    client.pipe(issuer).pipe(client)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    turnTo(address: string) {
      to = new URL(address)
      cut()
    },
  }
}

/** What the verifier of that folder knows of the ledger. */
function knownIn({ folder }: Pick<Stage, "folder">): {
  readonly held?: { size: number }
  readonly broken?: boolean
} {
  const file = openFile(join(folder, "uses.db"), { readonly: true })
  try {
    return JSON.parse(
      String(file.prepare("SELECT value FROM setting WHERE key = 'ledger'").pluck().get() ?? "{}"),
    )
  } finally {
    file.close()
  }
}

async function use(address: string, token: string): Promise<string> {
  const answer = await fetch(`${address}/tickets/SUP-1042`, { headers: { authorization: `Bearer ${token}` } })
  const { code }: { code?: string } = JSON.parse(await answer.text())
  return code ?? String(answer.status)
}

test("H07: two issuers on a copied database are found by a verifier within ten seconds, without a use of anybody", async () => {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-fork-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const place = join(folder, "issuer.db")
  await onStage({ folder, place }, async (stage) => {
    const sizeHeld = () => knownIn(stage).held?.size ?? 0
    const first = await startIssuer(stage)
    const door = await openDoor(first.address)
    const token = await startTask(stage, first.address)
    const api = await startApi(stage, door.address)
    expect(await use(api.address, token)).toBe("200")
    await expect.poll(sizeHeld, { timeout: 15_000, interval: 50 }).toBeGreaterThan(0)
    const copied = join(folder, "copy.db")
    await copyDatabase({ from: place, to: copied })
    const before = sizeHeld()
    expect(await use(api.address, token)).toBe("200")
    await expect.poll(sizeHeld, { timeout: 15_000, interval: 50 }).toBeGreaterThan(before)

    const second = await startIssuer({ ...stage, place: copied })
    for (let tasks = 0; tasks < 3; tasks++) await startTask(stage, second.address)
    const turnedAt = performance.now()
    door.turnTo(second.address)
    await expect.poll(() => knownIn(stage).broken, { timeout: 15_000, interval: 50 }).toBe(true)
    expect(performance.now() - turnedAt).toBeLessThan(FOUND_MILLISECONDS)
    await expect.poll(() => use(api.address, token), { timeout: 5000, interval: 50 }).toBe("ledger_forked")
    await expect(startTask(stage, second.address)).rejects.toMatchObject({ code: "ledger_broken" })
    expect((await fetch(`${second.address}/readyz`)).status).toBe(503)

    // The one that the verifier knew was never stopped, and what waited is told to it.
    door.turnTo(first.address)
    await expect.poll(() => use(api.address, token), { timeout: 30_000, interval: 100 }).toBe("200")
    await startTask(stage, first.address)
    await api.kill()
    await shipTheRest(stage, first.address)
    await Promise.all([first, second].map((issuer) => issuer.kill()))
  })
  const { handled, recorded } = await readStory({ folder, place })
  expect(recorded.map((one) => one.use)).toEqual(expect.arrayContaining([...handled]))
})
