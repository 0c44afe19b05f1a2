// How the demo tells its story: short aligned lines, each written only after the step behaved as it must. It decides the
// looks, and ends the story at the first step that did not behave.
import { forTerminal } from "../escape.ts"
import { answerIsNo } from "../exit.ts"
import type { Terminal } from "../terminal.ts"
import type { Outcome } from "./agent.ts"

export interface Teller {
  scene(title: string): void
  /** A step that behaved: what it was, and a word about it. */
  step(what: string, about?: string): void
  /** A request and its answer; Stop (the answer is no) when it is not the expected one. */
  request(request: string, outcome: Outcome, expected: Outcome, about?: string): void
  /** Stop (the answer is no) unless it holds. */
  must(holds: boolean, what: string): void
}

const WIDTH = 52

export function createTeller(terminal: Terminal): Teller {
  const { bold, green, red, dim } = terminal.colors
  let scenes = 0
  const must = (holds: boolean, what: string) => {
    if (!holds) throw answerIsNo(`The demo did not behave: ${what}`)
  }
  return {
    must,
    scene(title) {
      scenes += 1
      terminal.print(`\n${bold(`${scenes}  ${title}`)}`)
    },
    step(what, about = "") {
      const line = `   ${green("✓")}      ${forTerminal(what).padEnd(WIDTH)} ${about && dim(forTerminal(about))}`
      terminal.print(line.trimEnd())
    },
    request(request, outcome, expected, about = "") {
      const wanted = `${expected.status} ${expected.code}`.trim()
      const got = `${outcome.status} ${outcome.code}`.trim()
      must(wanted === got, `${request} was answered ${got}, not ${wanted}`)
      const paint = outcome.status < 300 ? green : red
      const words = [outcome.code && paint(outcome.code), about && dim(forTerminal(about))]
      const line = `   ${green("✓")} ${paint(String(outcome.status))}  ${forTerminal(request).padEnd(WIDTH)} ${words.filter(Boolean).join("  ")}`
      terminal.print(line.trimEnd())
    },
  }
}
