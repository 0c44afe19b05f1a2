// `task start` as a process: what it sends for a user, and which file it takes their token from.
import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { type ScriptedServer, startScripted } from "../support/scripted-server.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = createFolders()()
const tokenFile = join(folder, "id-token")
const keyFile = join(folder, "private.json")
let server: ScriptedServer

beforeAll(async () => {
  writeFileSync(keyFile, JSON.stringify(generatePrivateJwk("ES256")), { mode: 0o600 })
  writeFileSync(tokenFile, "header.payload.signature\n", { mode: 0o600 })
  server = await startScripted(({ path }) =>
    path === "/token"
      ? { body: { access_token: "service", token_type: "Bearer", expires_in: 300 } }
      : {
          status: 201,
          body: { task_id: "task_1", state: "active", deadline: "2026-01-01T00:00:00Z", tokens: [] },
        },
  )
})
afterAll(() => server.close())

const start = (...more: string[]) =>
  runCli(["task", "start", "help", "--agent", "bot/pod-1", "--purpose", "x", ...more], {
    env: {
      TASKMINT_ISSUER: server.origin,
      TASKMINT_CLIENT_ID: "desk",
      TASKMINT_CLIENT_KEY_FILE: keyFile,
    },
  })

test("the user's token goes to the issuer, and nowhere else", async () => {
  const { code, stdout, stderr } = await start("--subject-token-file", tokenFile)
  expect([code, `${stdout}${stderr}`.includes("payload.signature")]).toEqual([0, false])
  const asked = server.asked.find((one) => one.path === "/tasks")
  expect(JSON.parse(asked?.body ?? "{}")).toMatchObject({
    type: "help",
    subject_token: "header.payload.signature",
  })
})

describe("what comes next can be run as it is printed", () => {
  const WHO = ["--client-id", "desk", "--client-key-file", keyFile]

  test("with the flags that said who calls, and none where variables did", async () => {
    const words = ["task", "start", "help", "--agent", "bot/pod-1", "--purpose", "x", ...WHO]
    const { stderr } = await runCli([...words, "--issuer", server.origin])
    const given = ["--issuer", server.origin, ...WHO].join(" ")
    expect(stderr).toContain(`token get task_1 ${given}  (`)
    expect(stderr).toContain(`task complete task_1 ${given}\n`)
    expect((await start()).stderr).toMatch(/token get task_1 {2}\(.*\n.*task complete task_1\n/)
  })

  test.each<[how: string, more: string[], next: RegExp]>([
    [
      "handed over",
      ["--handover", join(folder, "for the agent")],
      /session --handover '.*for the agent' -- /,
    ],
    ["collected by the agent", ["--deliver", "agent"], /session --task task_1 --client-id bot .*-- /],
  ])("where tokens are %s, by the agent's process", async (_how, more, next) => {
    const { code, stderr } = await start(...more)
    expect([code, stderr]).toEqual([0, expect.stringMatching(next)])
    expect(stderr).not.toContain("token get")
  })
})

test("a file that others can read is not taken", async () => {
  chmodSync(tokenFile, 0o644)
  const { code, stderr } = await start("--subject-token-file", tokenFile)
  expect(code).toBe(2)
  expect(stderr).toMatch(/--subject-token-file: .* can be read or changed by others/)
})

test("nothing is started whose tokens could not be handed over", async () => {
  const before = server.asked.length
  const { code, stderr } = await start("--handover", keyFile)
  expect([code, stderr]).toEqual([2, expect.stringContaining("never overwritten")])
  expect(server.asked.slice(before)).toEqual([])
})
