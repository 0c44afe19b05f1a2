// docs/webhooks.md: its receiver as it is printed, but for names and ports, is told of an alarm by a real `serve`, and takes
// nothing that the issuer has not signed for it.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { signJwt } from "../../src/token/jwt.ts"
import { signSecurityEvent } from "../../src/token/security-event.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type Running, runCli, startCli, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-webhook-"))
const running: Running[] = []
afterAll(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await Promise.all(running.map((one) => one.ended))
  rmSync(folder, { recursive: true, force: true })
})

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })

function startReceiver(issuer: string, port: number): Running {
  const page = readFileSync(join(ROOT, "docs/webhooks.md"), "utf8")
  const program = (/```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? "")
    .replace("https://taskmint.example", issuer)
    .replace("https://events.example", `http://127.0.0.1:${port}`)
    .replace("listen(8080)", `listen(${port})`)
  expect(program).toContain(`listen(${port})`)
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"))
  writeFileSync(join(folder, "receiver.mjs"), program)
  return startShell(`exec ${process.execPath} receiver.mjs`, { cwd: folder })
}

test("the receiver of the page is told of an agent that gets only refusals, once, and takes nothing forged", async () => {
  const [port, at] = [await freePort(), await freePort()]
  const [issuer, webhook] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${at}`]
  const house = writeExampleFolder(join(folder, "house"))
  const receiver = startReceiver(issuer, at)
  running.push(receiver)
  const args = ["--port", String(port), "--webhook", webhook, "--webhook-allow-private", "127.0.0.1"]
  const serving = startCli(["serve", ...args], {
    env: {
      TASKMINT_ISSUER: issuer,
      TASKMINT_POLICIES: house.policies,
      TASKMINT_DATABASE: `sqlite:${house.database}`,
      TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
    },
  })
  running.push(serving)
  await serving.said(/listening/)
  const start = ["task", "start", "nonsense", "--agent", "triage-bot/pod-1", "--purpose", "x"]
  const env = {
    TASKMINT_ISSUER: issuer,
    TASKMINT_CLIENT_ID: "support-orchestrator",
    TASKMINT_CLIENT_KEY_FILE: house.keyFileOf("support-orchestrator"),
  }
  const ended = await Promise.all(Array.from({ length: 5 }, () => runCli(start, { env })))
  expect(ended.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1])
  const told = /urn:taskmint:event:alarm\.raised \{[^}]*agent_refused[^}]*\}/
  await receiver.said(told)

  const stranger = importSigningKey(generatePrivateJwk("ES256"))
  const { keys } = JSON.parse(await (await fetch(`${issuer}/.well-known/jwks.json`)).text())
  const claims = JSON.stringify({ iss: issuer, aud: webhook, iat: 1, jti: "evt_x", events: { forged: {} } })
  const forged = [
    await signSecurityEvent(claims, stranger),
    await signSecurityEvent(claims, { ...stranger, kid: keys[0].kid }),
    signJwt({ typ: "JWT", kid: keys[0].kid }, JSON.parse(claims), stranger),
    "x".repeat(20_000),
  ]
  const answers = await Promise.all(forged.map((body) => fetch(webhook, { method: "POST", body })))
  expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400])
  serving.child.kill("SIGTERM")
  expect((await serving.ended).code).toBe(0)
  expect(receiver.stdout().match(/urn:taskmint:event/g)).toHaveLength(1)
  expect(receiver.stdout()).not.toContain("forged")
})
