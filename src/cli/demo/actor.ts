// One process of the demo, seen from the stage: started from a file beside this one, given cues, ended by its own id. It
// decides nothing about the story.
import { type ChildProcess, fork } from "node:child_process"
import { EventEmitter, once } from "node:events"
import { fileURLToPath } from "node:url"
import { withoutTokens } from "../escape.ts"
import type { Answered } from "./cues.ts"

export interface Actor {
  readonly name: string
  readonly pid: number | undefined
  /** Answers what the process answered. Rejects when it failed or ended; its last words are in the message. */
  ask<T>(cue: string, given?: unknown): Promise<T>
  /** Sends what is no cue: for a process that has a way of its own. */
  tell(words: unknown): void
  /** Resolves when the process has written something that matches. Rejects as `ask` does. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves when the process is gone: asked to end, and after the grace made to. */
  end(): Promise<void>
}

const GRACE_MILLISECONDS = 3000
const PATIENCE_MILLISECONDS = 15_000

/** `part` is a file beside this one, without its ending. The process inherits nothing of our environment. */
export function startActor(name: string, part: string, args: readonly string[], environment = {}): Actor {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js"
  const child = fork(fileURLToPath(new URL(`./${part}.${ending}`, import.meta.url)), [...args], {
    env: environment,
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  })
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const words = listenTo(child)
  let cues = 0
  const orGone = <T>(work: Promise<T>): Promise<T> =>
    Promise.race([
      work,
      gone.then(() => Promise.reject<T>(new Error(`${name} ended early: ${words.last()}`))),
    ])
  return {
    name,
    pid: child.pid,
    async ask<T>(cue: string, given?: unknown) {
      const id = cues++
      const answer = answerTo(child, id)
      child.send({ id, cue, given: given ?? null })
      return (await orGone(answer)) as T
    },
    tell: (words) => void child.send(words as object),
    said: (pattern) => orGone(words.until(pattern)),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill("SIGTERM")
      const force = setTimeout(() => child.kill("SIGKILL"), GRACE_MILLISECONDS)
      await gone
      clearTimeout(force)
    },
  }
}

function answerTo(child: ChildProcess, id: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const listen = (message: Answered) => {
      if (message.id !== id) return
      forget()
      if ("failed" in message) reject(new Error(message.failed))
      else resolve(message.answer)
    }
    const timer = setTimeout(() => {
      forget()
      reject(new Error("no answer in time"))
    }, PATIENCE_MILLISECONDS)
    const forget = () => {
      clearTimeout(timer)
      child.off("message", listen).off("exit", forget)
    }
    // A timer that outlives the process would keep the demo from ending.
    child.on("message", listen).once("exit", forget)
  })
}

/** What a process writes: to wait for a word, and its last lines for when it ends early. */
function listenTo(child: ChildProcess) {
  let text = ""
  const heard = new EventEmitter()
  const take = (part: Buffer) => {
    text = (text + part.toString("utf8")).slice(-8000)
    heard.emit("more")
  }
  child.stdout?.on("data", take)
  child.stderr?.on("data", take)
  return {
    last: () => withoutTokens(text.trim().split("\n").slice(-3).join(" / ")),
    async until(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const found = pattern.exec(text)
        if (found) return found
        await once(heard, "more", { signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) })
      }
    },
  }
}
