import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { runCli, startCli } from "../support/command-line.ts"

let cwd = ""
let temporary = ""
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "taskmint-flow-"))
  temporary = mkdtempSync(join(tmpdir(), "taskmint-flow-tmp-"))
})
afterEach(() => {
  for (const folder of [cwd, temporary]) rmSync(folder, { recursive: true, force: true })
})

/** The processes that a process started: the demo passes nothing on by which they could be told otherwise. */
function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => statusOf(pid).includes(`\nPPid:\t${parent}\n`))
    .map(Number)
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8")
  } catch {
    return "" // it ended meanwhile
  }
}

const alive = (pid: number) => /\nState:\t[^Z]/.test(statusOf(String(pid)))
const onLinux = process.platform === "linux"

describe("the demo", () => {
  test("tells the whole story, behaves at every step and leaves nothing behind", {
    timeout: 60_000,
  }, async () => {
    const { code, stdout, stderr } = await runCli(["demo"], { cwd, env: { TMPDIR: temporary } })
    expect([code, stderr]).toEqual([0, ""])
    for (const told of [
      "tickets:read",
      /✓ 200 .*GET tickets/,
      "operation_not_granted",
      "resource_not_granted",
      /token_invalid +made for another API/,
      /task_ended +\d+ ms after/,
      /tickets:close tickets\/SUP-1042\? +asked by triage-bot\/pod-5c20/,
      /✓ 200 .*\/close +with a token for this one use/,
      /✓ 403 .*\/close +operation_not_granted +once more/,
      /token_revoked +\d+ ms after/,
      /use\.refused +deployments/,
      /granted tickets:read, tickets:comment +used tickets:read +never used tickets:comment +refused 4/,
    ])
      expect(stdout).toMatch(told)
    expect(stdout).not.toMatch(/eyJ|\u001b/)
    expect([readdirSync(cwd), readdirSync(temporary)]).toEqual([[], []])
  })

  test.runIf(onLinux)(
    "--keep leaves everything running until it is interrupted, then nothing",
    { timeout: 60_000 },
    async () => {
      const running = startCli(["demo", "--keep"], { cwd, env: { TMPDIR: temporary } })
      await running.said(/as operations-team +http\S+\n/)
      const children = childrenOf(running.child.pid ?? 0)
      expect(children).toHaveLength(5)
      const [, issuer] = /issuer (http:\S+)/.exec(running.stdout()) ?? []
      expect((await fetch(`${issuer}/readyz`)).status).toBe(200)
      const [, link = ""] = /as audit-team +(http\S+)\n/.exec(running.stdout()) ?? []
      const signedIn = await fetch(link)
      const [cookie = ""] = signedIn.headers.get("set-cookie")?.split(";") ?? []
      expect((await fetch(`${issuer}/console`, { headers: { cookie }, redirect: "manual" })).status).toBe(200)
      expect((await fetch(link)).status).toBe(401)
      running.child.kill("SIGINT")
      expect((await running.ended).code).toBe(0)
      expect(children.filter(alive)).toEqual([])
      expect([readdirSync(cwd), readdirSync(temporary)]).toEqual([[], []])
    },
  )

  test.runIf(onLinux)(
    "interrupted while it starts, it leaves nothing either, and is no success",
    { timeout: 60_000 },
    async () => {
      const running = startCli(["demo"], { cwd, env: { TMPDIR: temporary } })
      await running.said(/taskmint demo/)
      const children = childrenOf(running.child.pid ?? 0)
      const told = performance.now()
      running.child.kill("SIGTERM")
      expect((await running.ended).code).toBe(3)
      expect(performance.now() - told).toBeLessThan(10_000) // what a process is waited for at the start is 15 s
      expect(children.filter(alive)).toEqual([])
      expect([readdirSync(cwd), readdirSync(temporary)]).toEqual([[], []])
    },
  )

  test.runIf(onLinux)("killed outright, its processes end by themselves", { timeout: 60_000 }, async () => {
    const running = startCli(["demo", "--keep"], { cwd, env: { TMPDIR: temporary } })
    await running.said(/lock list/)
    const children = childrenOf(running.child.pid ?? 0)
    running.child.kill("SIGKILL")
    await running.ended
    await expect.poll(() => children.filter(alive), { timeout: 10_000 }).toEqual([])
  })
})
