// `session`: runs an agent of any language with a task, behind a proxy that adds the task's tokens to calls to its APIs, so
// that the agent holds none. It decides whose task that is and that it ends with the command; what passes is
// session-route.ts's to decide.
import { randomBytes } from "node:crypto"
import type { Command } from "commander"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { endAs, environmentFor, NotDone, runCommand, type Signals, watchSignals } from "./session-command.ts"
import { openDoor } from "./session-door.ts"
import { addSessionOptions, openTaskSession, type SessionFlags, type TaskSession } from "./session-task.ts"

export function addSession(program: Command, context: Context): void {
  addSessionOptions(program.command("session"))
    .description("run a command with a task: its calls to the task's APIs get their tokens on the way")
    .argument("<command...>", "after --: the agent and its arguments")
    .action((command: string[], flags: SessionFlags) => session(context, command, flags))
}

async function session(context: Context, command: readonly string[], flags: SessionFlags): Promise<void> {
  if (flags.socket !== undefined && process.platform === "win32")
    throw wrongUse("--socket needs a Unix socket", "Leave it out: loopback serves as well")
  const signals = watchSignals()
  try {
    await openTaskSession(context, flags, (opened) =>
      runWith(context, command, flags, opened, signals),
    ).catch(endAs)
  } finally {
    signals.forget()
  }
}

/** The command from its start to its end, with the door open as long as it runs. */
async function runWith(
  { terminal }: Context,
  command: readonly string[],
  flags: SessionFlags,
  opened: TaskSession,
  signals: Signals,
): Promise<void> {
  const door = await openDoor(opened, {
    secret: randomBytes(24).toString("base64url"),
    socket: flags.socket,
    passOthers: flags.passOthers === true,
    givesTokens: flags.giveTokens === true,
    tokenFile: flags.tokenFile,
    fileFailed: () =>
      terminal.note(`taskmint session: ${forTerminal(flags.tokenFile ?? "")} can't be written`),
  })
  try {
    if (flags.quiet !== true) terminal.note(greetingOf(opened))
    await runCommand(command, environmentFor(process.env, door.environment), signals)
  } catch (error) {
    if (error instanceof NotDone && error.exitCode > 125)
      terminal.note(`taskmint session: ${forTerminal(`${command[0]}: ${error.name}`)}`)
    throw error
  } finally {
    await door.close()
    await opened.session.close()
  }
}

const greetingOf = ({ task, session, ends }: TaskSession): string =>
  `taskmint session ${forTerminal(task)}: ${session.tokens.map((held) => forTerminal(held.resource)).join(", ")}${
    ends ? "" : "  (the task goes on when the command ends)"
  }`
