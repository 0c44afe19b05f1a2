// `completion`: the script that lets a shell complete our commands, and `complete` (hidden), which that script asks. It decides
// what is said to which shell; what is suggested, suggestions.ts does. @bomb.sh/tab writes the scripts but bash's.
import { script } from "@bomb.sh/tab"
import { Argument, type Command } from "commander"
import type { Context } from "./context.ts"
import { suggestionsFor } from "./suggestions.ts"

const SHELLS = ["zsh", "bash", "fish", "powershell"] as const

export function addCompletion(program: Command, { terminal }: Context): void {
  program
    .command("completion")
    .description("print the completion script of a shell: source <(taskmint completion bash)")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => {
      if (shell === "bash") terminal.print(FOR_BASH)
      else script(shell, "taskmint", "taskmint")
    })
  program
    .command("complete", { hidden: true })
    .description("answer a shell how a command line goes on")
    .argument("[words...]")
    .action((words: readonly string[]) => {
      const { words: found, files } = suggestionsFor(program, words)
      for (const [word, description] of found) terminal.print(`${word}\t${description}`)
      terminal.print(`:${files ? WITH_FILES : WITHOUT_FILES}`)
    })
}

/** What scripts of this form call directives. */
const [WITH_FILES, WITHOUT_FILES] = [0, 4]

/** Needs no package of bash's, nothing of what is typed is run, and it can be read again. */
const FOR_BASH = `# bash completion for taskmint
__taskmint_complete() {
    local begun=\${COMP_WORDS[COMP_CWORD]} out line
    [[ $begun == "=" ]] && begun=""
    COMPREPLY=()
    out=$(taskmint complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
    while IFS= read -r line; do
        line=\${line%%$'\\t'*}
        [[ $line == "$begun"* && $line != :* ]] && COMPREPLY+=("$line")
    done <<< "$out"
    # compopt is not in bash 3.2
    [[ \${out##*:} == ${WITHOUT_FILES} ]] && compopt +o default 2>/dev/null
    return 0
}
complete -o default -F __taskmint_complete taskmint`

/** The words that say which command it is: of the shell's question how one goes on, those that are complete. */
export function namingWords(args: readonly string[]): readonly string[] {
  const [first, dashes, ...words] = args
  return first === "complete" && dashes === "--" ? words.slice(0, -1) : args
}
