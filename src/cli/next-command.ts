// Next steps as they can be run: with the flags that said who calls which issuer, where flags and not variables said it. It
// decides spelling for a POSIX shell; which step comes next is each command's to say.
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import type { CallerFlags } from "./options.ts"

/** One word of a shell. */
export const quote = (text: string): string =>
  /^[A-Za-z0-9_./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** Another command of the same caller. `words` are shown as they are. */
export function nextCommand({ settings }: Context, flags: CallerFlags, words: string): string {
  const given = {
    "--issuer": flags.issuer,
    "--client-id": flags.clientId,
    "--client-key-file": flags.clientKeyFile,
    "--client-assertion-file": flags.clientAssertionFile,
  }
  const told = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [name, forTerminal(quote(value))],
  )
  return [settings.command, words, ...told].join(" ")
}
