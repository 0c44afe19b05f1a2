// `task show` for people: every list under its name, in words and not in JSON, and the task's course as entries are shown.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { addTask } from "../../src/cli/task.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { createFolders } from "../support/folder.ts"
import { runHere } from "../support/in-process.ts"
import { type ScriptedServer, startScripted } from "../support/scripted-server.ts"

const TASK = "task_01a228a7-47ef-7446-b1ac-858b618c4ace"
const ENTRY = { task_id: TASK, agent: "bot", instance: "pod-1", orchestrator: "desk", outcome: "allowed" }
const VIEW = {
  task_id: TASK,
  state: "active",
  agent: { id: "bot", instance: "pod-1" },
  grants: [{ api: "https://help.example", operations: ["help:read", "help:write"], rule: "a.yaml#/x" }],
  approvals: [],
  later: [{ told: { by: 1 } }],
  timeline: [
    {
      seq: 7,
      at: "2026-01-01T00:00:00.000Z",
      kind: "task.started",
      ...ENTRY,
      body: { type: "t", inputs: {} },
    },
    {
      seq: 9,
      at: "2026-01-01T00:00:01.000Z",
      kind: "use.refused",
      ...ENTRY,
      operation: "help:read",
      code: "no",
    },
  ],
}

const keyFile = join(createFolders()(), "private.json")
let server: ScriptedServer
beforeAll(async () => {
  writeFileSync(keyFile, JSON.stringify(generatePrivateJwk("ES256")), { mode: 0o600 })
  server = await startScripted(({ path }) => ({
    body: path === "/token" ? { access_token: "s", token_type: "Bearer", expires_in: 300 } : VIEW,
  }))
})
afterAll(() => server.close())

const show = (...more: string[]) =>
  runHere(addTask, ["task", "show", TASK, ...more], {
    TASKMINT_ISSUER: server.origin,
    TASKMINT_CLIENT_ID: "desk",
    TASKMINT_CLIENT_KEY_FILE: keyFile,
  })

test("every list that holds something stands under its name, in words", async () => {
  const { code, stdout } = await show()
  expect(code).toBe(0)
  expect(stdout).toMatch(/^agent +bot\/pod-1$/m)
  expect(stdout).toMatch(
    /^grants\nAPI +OPERATIONS +RULE\nhttps:\/\/help.example {2}help:read help:write {2}a.yaml#\/x$/m,
  )
  expect(stdout).toMatch(/^later\nTOLD\n\{"by":1\}$/m)
  expect(stdout).not.toMatch(/^approvals/m)
})

test("its course is told as `ledger query` tells entries, without repeating the task", async () => {
  const { stdout } = await show()
  const course = stdout.slice(stdout.indexOf("\ntimeline\n"))
  expect(course).toMatch(/^SEQ +AT +KIND +WHO +OPERATION +RESOURCE +OUTCOME +CODE +DETAIL$/m)
  expect(course).toMatch(/^7 +2026-01-01T00:00:00.000Z +task.started +bot\/pod-1 +allowed +type t$/m)
  expect(course).toMatch(/^9 .*use.refused +bot\/pod-1 +help:read +allowed +no$/m)
  expect(course).not.toContain(TASK)
})

test("programs get all of it", async () => {
  expect(JSON.parse((await show("--json")).stdout)).toEqual(VIEW)
})
