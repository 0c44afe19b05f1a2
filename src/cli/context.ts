// What every command is given: where it writes and what it was set to. It decides nothing.
import type { Settings } from "./settings.ts"
import type { Terminal } from "./terminal.ts"

export interface Context {
  readonly terminal: Terminal
  readonly settings: Settings
}
