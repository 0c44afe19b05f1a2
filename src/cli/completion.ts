// `completion`: the script that lets a shell complete our commands. @bomb.sh/tab writes it, and answers the shell's
// questions (a hidden command, `complete`) from the commands themselves, so it is added after all of them.
import tab from "@bomb.sh/tab/commander"
import type { Command } from "commander"

export function addCompletion(program: Command): void {
  tab(program, { completionCommandName: "completion" })
  program.commands
    .find((one) => one.name() === "completion")
    ?.description("print the completion script of a shell: source <(taskmint completion bash)")
}

/** The words that say which command it is: of the shell's question how one goes on, those that are complete. */
export function namingWords(args: readonly string[]): readonly string[] {
  const [first, dashes, ...words] = args
  return first === "complete" && dashes === "--" ? words.slice(0, -1) : args
}
