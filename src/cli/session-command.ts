// The command that a session runs: its environment, signals on their way to it, and how it ended. It decides nothing about
// the task.
import { type ChildProcess, spawn } from "node:child_process"
import { constants } from "node:os"
import { CommandEnded } from "./exit.ts"

/** What ends a program, or tells it something; a terminal sends SIGINT and SIGQUIT to both of us by itself. */
const FORWARDED = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"] as const
const OF_THE_TERMINAL = new Set<string>(["SIGINT", "SIGQUIT"])

export interface Signals {
  /** From now on signals go to this process; those that came earlier follow at once. */
  sendTo(child: ChildProcess): void
  forget(): void
}

/** Watched from before the task starts, so that no signal ends us while it is ours to end. */
export function watchSignals(onTerminal = process.stdin.isTTY === true): Signals {
  const waiting: NodeJS.Signals[] = []
  let target: ChildProcess | undefined
  const pass = (signal: NodeJS.Signals) => {
    if (!target) waiting.push(signal)
    else if (!onTerminal || !OF_THE_TERMINAL.has(signal)) target.kill(signal)
  }
  for (const signal of FORWARDED) process.on(signal, pass)
  return {
    sendTo(child) {
      target = child
      for (const signal of waiting.splice(0)) child.kill(signal)
    },
    forget() {
      for (const signal of FORWARDED) process.off(signal, pass)
    },
  }
}

/** What the command gets of our environment: everything but what is ours, and then what the session gives. */
export function environmentFor(
  environment: NodeJS.ProcessEnv,
  given: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !/^TASKMINT_/i.test(name))
  return { ...Object.fromEntries(kept), ...given }
}

/** How a work ended that was not fulfilled: its name is what the task's ending says. */
export class NotDone extends Error {
  readonly exitCode: number

  constructor(exitCode: number, how: string) {
    super(how)
    this.name = how
    this.exitCode = exitCode
  }
}

const NOT_FOUND = 127
const NOT_STARTED = 126
/** As shells have it: 128 and the signal's number. */
const BY_SIGNAL = 128

/** Resolves when it ended with 0; else throws NotDone. Standard streams are the caller's own. */
export function runCommand(
  [program = "", ...args]: readonly string[],
  environment: NodeJS.ProcessEnv,
  signals: Signals,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environment, stdio: "inherit" })
    child.once("error", (error) => {
      const missing = "code" in error && error.code === "ENOENT"
      reject(
        new NotDone(
          missing ? NOT_FOUND : NOT_STARTED,
          missing ? "no such command" : "no start of the command",
        ),
      )
    })
    child.once("spawn", () => signals.sendTo(child))
    child.once("close", (code, signal) => {
      if (code === 0) return resolve()
      const number = signal ? BY_SIGNAL + constants.signals[signal] : (code ?? 1)
      reject(new NotDone(number, signal ? `signal ${signal}` : `exit code ${number}`))
    })
  })
}

/** Ends our own command as that one ended. */
export function endAs(error: unknown): never {
  throw error instanceof NotDone ? new CommandEnded(error.exitCode) : error
}
