// The command of a session: how its end is told, and that no signal is lost on the way to it.
import { spawn } from "node:child_process"
import { describe, expect, test } from "vitest"
import { endAs, environmentFor, NotDone, runCommand, watchSignals } from "../../src/cli/session-command.ts"

const run = async (...command: string[]) => {
  const signals = watchSignals(false)
  try {
    return await runCommand(command, process.env, signals).then(
      () => undefined,
      (error: unknown) => error,
    )
  } finally {
    signals.forget()
  }
}

describe("how a command ended", () => {
  test.each([
    ["exit 0", undefined],
    ["exit 3", { exitCode: 3, name: "exit code 3" }],
    ["kill -TERM $$", { exitCode: 143, name: "signal SIGTERM" }],
  ])("%s", async (script, expected) => {
    const error = await run("/bin/sh", "-c", script)
    if (expected) expect(error).toMatchObject(expected)
    else expect(error).toBeUndefined()
  })

  test("not found is 127, not to be run is 126", async () => {
    expect(await run("no-such-command")).toMatchObject({ exitCode: 127 })
    expect(await run("/dev/null")).toMatchObject({ exitCode: 126 })
  })

  test("is how we end; anything else that went wrong stays what it is", () => {
    expect(() => endAs(new NotDone(7, "exit code 7"))).toThrow(expect.objectContaining({ exitCode: 7 }))
    expect(() => endAs(new TypeError("x"))).toThrow(TypeError)
  })
})

describe("a signal that comes before the command does", () => {
  const child = () =>
    spawn("/bin/sh", ["-c", "trap 'exit 9' TERM INT; echo up; while :; do sleep 0.02; done"])
  const ended = (one: ReturnType<typeof child>) =>
    new Promise((resolve) => one.once("close", (code) => resolve(code)))

  test.each([
    ["SIGTERM", false],
    ["SIGINT", false],
    ["SIGTERM", true],
  ] as const)("%s follows as soon as it runs (on a terminal: %s)", async (signal, onTerminal) => {
    const signals = watchSignals(onTerminal)
    process.emit(signal, signal)
    const one = child()
    await new Promise((resolve) => one.stdout.once("data", resolve))
    signals.sendTo(one)
    expect(await ended(one)).toBe(9)
    signals.forget()
  })

  test("on a terminal, which tells the command by itself, SIGINT is not told twice", async () => {
    const signals = watchSignals(true)
    const one = child()
    await new Promise((resolve) => one.stdout.once("data", resolve))
    signals.sendTo(one)
    process.emit("SIGINT", "SIGINT")
    const first = await Promise.race([ended(one), new Promise((resolve) => setTimeout(resolve, 100, "runs"))])
    expect(first).toBe("runs")
    signals.forget()
    one.kill("SIGTERM")
    expect(await ended(one)).toBe(9)
  })
})

test("nothing of ours is in the command's environment, however it is spelled, but what the session gives", () => {
  const ours = {
    TASKMINT_CLIENT_KEY_FILE: "k",
    taskmint_client_id: "c",
    Taskmint_X: "x",
    TASKMINT_TASK: "old",
  }
  const theirs = { PATH: "/bin", MY_TASKMINT_X: "stays", TASKMINTX: "stays" }
  expect(environmentFor({ ...ours, ...theirs }, { TASKMINT_TASK: "task_1" })).toEqual({
    ...theirs,
    TASKMINT_TASK: "task_1",
  })
})
