// Which task a session is for: exactly one, named whole.
import { existsSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { environmentFor } from "../../src/cli/session-command.ts"
import { openDoor } from "../../src/cli/session-door.ts"
import { openTaskSession, type SessionFlags } from "../../src/cli/session-task.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const context = (environment: Record<string, string> = {}) => ({
  terminal: createTerminal(process.stdout, process.stderr),
  settings: createSettings(environment, "taskmint"),
})
const open = (flags: Partial<SessionFlags>) => {
  let ran = false
  const work = async () => {
    ran = true
  }
  return openTaskSession(context(), { wait: 0, ...flags }, work).then(
    () => ({ ran, error: undefined }),
    (error: unknown) => ({ ran, error }),
  )
}

const TOKEN = {
  resource: "https://tickets.internal.example",
  accessToken: "text",
  tokenType: "DPoP",
  expiresAt: Date.now() + 60_000,
  renewAt: Date.now() + 60_000,
  scope: ["tickets:read"],
  authorizationDetails: [],
}

function file(value: unknown, mode = 0o600): string {
  const path = join(newFolder(), "handover.json")
  writeFileSync(path, JSON.stringify(value), { mode })
  return path
}

describe("what names no task, or not whole, runs nothing and is wrong use", () => {
  const wrong: Readonly<Record<string, () => Partial<SessionFlags>>> = {
    "no task": () => ({}),
    "two tasks": () => ({ task: "task_1", handover: "x" }),
    "a start without an agent": () => ({ type: "triage-ticket", purpose: "x" }),
    "a start without a purpose": () => ({ type: "triage-ticket", agent: { id: "a", instance: "b" } }),
    "a file that is not there": () => ({ handover: "/nowhere/x.json" }),
    "a file that others may read": () => ({ handover: file({ task: "task_1", tokens: [] }, 0o644) }),
    "a file that holds something else": () => ({ handover: file({ tokens: "none" }) }),
    "a handover that names another option": () => ({ handover: file({ task: 1, tokens: [] }) }),
  }
  test.each(Object.entries(wrong))("%s", async (_, flags) => {
    expect(await open(flags())).toMatchObject({ ran: false, error: { exitCode: 2 } })
  })

  test("tokens that are bound to a key that was not given", async () => {
    const { ran, error } = await open({ handover: file({ task: "task_1", tokens: [TOKEN] }) })
    expect([ran, error]).toEqual([false, expect.any(TypeError)])
  })
})

test("a handover is used as it is; its task goes on", async () => {
  const told: unknown[] = []
  const path = file({ task: "task_1", tokens: [{ ...TOKEN, tokenType: "Bearer" }] })
  await openTaskSession(context(), { wait: 0, handover: path }, async ({ task, session, ends }) => {
    told.push(
      task,
      ends,
      session.tokens.map((held) => held.resource),
    )
    await session.close()
  })
  expect(told).toEqual(["task_1", false, [TOKEN.resource]])
})

test("of our environment a command gets all but what is ours", () => {
  const ours = { TASKMINT_CLIENT_KEY_FILE: "k", taskmint_x: "y", PATH: "/bin", HOME: "/root" }
  expect(environmentFor(ours, { TASKMINT_TASK: "task_1" })).toEqual({
    PATH: "/bin",
    HOME: "/root",
    TASKMINT_TASK: "task_1",
  })
})

test("the socket and the file of tokens are the owner's alone from the moment when they are there", async () => {
  const folder = newFolder()
  const [socket, tokenFile] = [join(folder, "agent.sock"), join(folder, "tokens.json")]
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
  const options = { secret: "s", passOthers: false, givesTokens: false, fileFailed: () => undefined }
  const handover = file({ task: "task_1", tokens: [{ ...TOKEN, tokenType: "Bearer" }] })
  const before = process.umask(0)
  try {
    await openTaskSession(context(), { wait: 0, handover }, async (opened) => {
      const opening = openDoor(opened, { ...options, socket, tokenFile })
      const atOnce = modeOf(socket)
      const door = await opening
      expect([atOnce, modeOf(socket), modeOf(tokenFile)]).toEqual(["600", "600", "600"])
      await expect(openDoor(opened, { ...options, socket: undefined, tokenFile })).rejects.toThrow(
        /never overwritten/,
      )
      await door.close()
      expect([existsSync(socket), existsSync(tokenFile)]).toEqual([false, false])
    })
    expect(process.umask()).toBe(0)
  } finally {
    process.umask(before)
  }
})
